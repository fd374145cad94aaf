//! Which device is asked for: `auto`, `cpu` or `cuda[:N]`.

use crate::Error;
use kernels::cuda::{self, Cuda, Precision};
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
    /// The device that `auto` stands for on this machine: the first GPU, or the processor where there is none.
    pub fn concrete(self) -> Self {
        match self {
            DeviceChoice::Auto if cuda::devices().is_ok_and(|gpus| !gpus.is_empty()) => DeviceChoice::Cuda(0),
            DeviceChoice::Auto => DeviceChoice::Cpu,
            device => device,
        }
    }

    /// Opens the device; `simd` forces a path of the processor instead of its widest.
    ///
    /// # Errors
    /// [`Error::Device`] where this machine lacks the device or the path, [`Error::Setting`] for a precision that only
    /// GPUs have on the processor.
    pub fn open(self, simd: Option<Simd>, precision: Precision) -> Result<Device, Error> {
        match self.concrete() {
            DeviceChoice::Cuda(ordinal) => {
                let device = Cuda::open(ordinal).and_then(|cuda| Device::cuda(cuda, precision));
                device.map_err(|error| Error::Device { device: self.to_string(), problem: error.to_string() })
            }
            _ if precision != Precision::F32 => Err(Error::Setting {
                name: "precision",
                expected: "f32 on the processor (tf32 and bf16 are a GPU's)".into(),
                got: precision.to_string(),
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
    fn every_path_of_this_machine_opens() {
        assert_eq!(DeviceChoice::Auto.open(None, Precision::F32).unwrap().simd(), Simd::detect());
        for simd in Simd::available() {
            assert_eq!(DeviceChoice::Cpu.open(Some(simd), Precision::F32).unwrap().simd(), simd);
        }
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let error = DeviceChoice::Cpu.open(None, Precision::Tf32).err().unwrap();
        let expected = "precision: expected f32 on the processor (tf32 and bf16 are a GPU's), got tf32";
        assert_eq!((error.to_string().as_str(), error.kind()), (expected, crate::ErrorKind::Usage));
        // No machine has as many.
        let error = DeviceChoice::Cuda(9999).open(None, Precision::F32).err().unwrap();
        assert_eq!(error.kind(), crate::ErrorKind::Device);
        assert!(error.to_string().starts_with("device cuda:9999: cuda: "), "{error}");
    }
}
