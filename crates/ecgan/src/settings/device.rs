//! Which device is asked for: `auto`, `cpu` or `cuda[:N]`.

use crate::Error;
use kernels::{Device, Simd};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The device as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best there is.
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
}

impl DeviceChoice {
    /// The device that `auto` stands for on this machine.
    pub fn concrete(self) -> Self {
        match self {
            DeviceChoice::Auto => DeviceChoice::Cpu,
            device => device,
        }
    }

    /// Opens the device; `simd` forces a path of the processor instead of its widest.
    ///
    /// # Errors
    /// [`Error::Device`] where this machine or this build lacks the device or the path.
    pub fn open(self, simd: Option<Simd>) -> Result<Device, Error> {
        match self.concrete() {
            DeviceChoice::Cuda(_) => Err(Error::Device {
                device: self.to_string(),
                problem: "this build has no CUDA kernels; use --device cpu or --device auto".into(),
            }),
            _ => simd.map_or_else(|| Ok(Device::cpu()), cpu_with),
        }
    }
}

fn cpu_with(simd: Simd) -> Result<Device, Error> {
    Device::cpu_with(simd).ok_or_else(|| {
        let available: Vec<_> = Simd::available().into_iter().map(Simd::name).collect();
        Error::Device {
            device: "cpu".into(),
            problem: format!("this machine has no {simd} (ECGAN_SIMD or simd); it has {}", available.join(", ")),
        }
    })
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected auto, cpu, cuda or cuda:N, got {text}");
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(DeviceChoice::Cuda)
                .ok_or_else(wrong),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert_eq!(
                text.parse::<DeviceChoice>().unwrap_err(),
                format!("expected auto, cpu, cuda or cuda:N, got {text}")
            );
        }
    }

    #[test]
    fn every_path_of_this_machine_opens_and_cuda_is_refused() {
        assert_eq!(DeviceChoice::Auto.open(None).unwrap().simd(), Simd::detect());
        for simd in Simd::available() {
            assert_eq!(DeviceChoice::Cpu.open(Some(simd)).unwrap().simd(), simd);
        }
        let error = DeviceChoice::Cuda(1).open(None).err().unwrap();
        assert_eq!(
            error.to_string(),
            "device cuda:1: this build has no CUDA kernels; use --device cpu or --device auto"
        );
    }
}
