//! Which device is asked for: `auto`, `cpu` or `cuda[:N]`.

use super::Precision;
use crate::Error;
use kernels::cuda::{Cuda, CudaError};
use kernels::{Device, Simd};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The device as the user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU, or else the CPU.
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device: `auto` is the first GPU, or where none can be opened the CPU. `simd` forces a path of the
    /// processor instead of its widest; `precision` is a GPU's.
    ///
    /// # Errors
    /// [`Error::Device`] where this machine lacks the device or the path, or the GPU the precision; [`Error::Setting`]
    /// for a precision that the CPU does not have.
    pub fn open(self, simd: Option<Simd>, precision: Precision) -> Result<Device, Error> {
        let cpu = |expected: &str| match precision {
            Precision::F32 => simd.map_or_else(|| Ok(Device::cpu()), cpu_with),
            _ => Err(Error::Setting { name: "precision", expected: expected.into(), got: precision.to_string() }),
        };
        match self {
            DeviceChoice::Cpu => cpu("f32 on the CPU"),
            DeviceChoice::Cuda(ordinal) => cuda(ordinal, precision).map_err(|error| self.failed(&error)),
            DeviceChoice::Auto => match cuda(0, precision) {
                Ok(device) => Ok(device),
                // There is a GPU, but for this precision it will not do.
                Err(error @ CudaError::OldDevice { .. }) if precision != Precision::F32 => Err(self.failed(&error)),
                Err(_) => cpu("f32 on the CPU (`ecgan devices` says why there is no GPU)"),
            },
        }
    }

    fn failed(self, error: &CudaError) -> Error {
        let text = error.to_string();
        // "cuda: " is said by the device.
        let mut problem = text.strip_prefix("cuda: ").unwrap_or(&text).to_owned();
        if matches!(error, CudaError::OldDevice { .. } | CudaError::Call { .. }) {
            problem.push_str("; use --device cpu");
        }
        Error::Device { device: self.to_string(), problem }
    }
}

fn cuda(ordinal: usize, precision: Precision) -> Result<Device, CudaError> {
    Device::cuda(Cuda::open(ordinal)?, precision.into())
}

fn cpu_with(simd: Simd) -> Result<Device, Error> {
    Device::cpu_with(simd).ok_or_else(|| lacking(simd, &Simd::available()))
}

/// What to say on a machine without `simd`: settings may come from another one.
fn lacking(simd: Simd, available: &[Simd]) -> Error {
    let names: Vec<_> = available.iter().map(|simd| simd.name()).collect();
    let widest = names.last().expect("portable is everywhere");
    let problem = format!(
        "this machine has no {simd} (ECGAN_SIMD or simd); it has {}: set ECGAN_SIMD={widest}, with which the last bits \
         differ",
        names.join(", ")
    );
    Error::Device { device: "cpu".into(), problem }
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
    use crate::ErrorKind;
    use kernels::cuda::devices;

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
        for simd in Simd::available() {
            assert_eq!(DeviceChoice::Cpu.open(Some(simd), Precision::F32).unwrap().simd(), simd);
        }
    }

    #[test]
    fn a_path_that_is_not_there_is_refused_with_one_that_is() {
        let error = lacking(Simd::Avx512, &[Simd::Portable, Simd::Avx2]);
        let problem = "this machine has no avx512 (ECGAN_SIMD or simd); it has portable, avx2: set ECGAN_SIMD=avx2, ";
        assert_eq!(error.to_string(), format!("device cpu: {problem}with which the last bits differ"));
        assert_eq!(error.kind(), ErrorKind::Device);
    }

    #[test]
    fn auto_is_the_gpu_where_one_opens_and_else_the_cpu() {
        let auto = DeviceChoice::Auto.open(None, Precision::F32).unwrap();
        assert_eq!(auto.gpu().is_some(), cuda(0, Precision::F32).is_ok());
        assert_eq!(auto.simd(), Simd::detect());
    }

    #[test]
    fn the_cpu_has_one_precision() {
        for (precision, got) in [(Precision::Tf32, "tf32"), (Precision::Bf16, "bf16")] {
            let error = DeviceChoice::Cpu.open(None, precision).err().unwrap();
            assert_eq!(error.to_string(), format!("precision: expected f32 on the CPU, got {got}"));
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert_eq!(kernels::cuda::Precision::from(precision).name(), got);
        }
    }

    #[test]
    fn a_gpu_that_is_not_there_is_a_device_error_that_says_so_once() {
        let ordinal = devices().map_or(1, |all| all.len());
        let error = DeviceChoice::Cuda(ordinal).open(None, Precision::F32).err().unwrap();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(text.starts_with(&format!("device cuda:{ordinal}: ")) && !text.contains(" cuda: "), "{text}");
        assert!(text.contains("use --device cpu") || text.contains("numbered from 0"), "{text}");
    }
}
