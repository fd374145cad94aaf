//! `ecgan devices`.

use crate::compute::simd_variable;
use crate::output::Output;
use clap::Args;
use ecgan::settings::{DeviceChoice, Precision};
use kernels::Simd;
use kernels::cuda::{self, CudaError, DeviceInfo};
use serde::Serialize;

/// List what there is to compute with
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DevicesArgs {
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  ecgan devices
  ecgan devices --json
  ecgan train --device cuda:0";

#[derive(Serialize)]
struct Devices {
    devices: Vec<Found>,
    /// Why there is no GPU, where there is none.
    no_gpu: Option<String>,
    /// What `--device auto` takes.
    auto: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Cpu { name: &'static str, cores: usize, simd: Vec<&'static str>, active_simd: &'static str },
    Gpu { name: String, gpu: String, memory_mib: usize, compute_capability: String, driver_cuda: String },
}

/// Runs the command.
pub fn run(args: &DevicesArgs) -> anyhow::Result<()> {
    let cpu = DeviceChoice::Cpu.open(simd_variable()?, Precision::F32)?;
    let mut devices = vec![Found::Cpu {
        name: "cpu",
        cores: std::thread::available_parallelism()?.get(),
        simd: Simd::available().into_iter().map(Simd::name).collect(),
        active_simd: cpu.simd().name(),
    }];
    let no_gpu = match cuda::devices() {
        Ok(gpus) => {
            devices.extend(gpus.into_iter().map(Found::from));
            None
        }
        Err(error) => Some(why(&error)),
    };
    let auto = DeviceChoice::Auto.open(None, Precision::F32)?;
    let auto = if auto.gpu().is_some() { DeviceChoice::Cuda(0) } else { DeviceChoice::Cpu };
    let output = Output::new(args.json, false);
    let lines: Vec<String> = devices.iter().map(Found::line).chain(no_gpu.clone()).collect();
    output.result(&Devices { devices, no_gpu, auto: auto.to_string() })?;
    lines.iter().try_for_each(|line| output.line(line))?;
    Ok(output.line(format!("--device auto is {auto}"))?)
}

/// The error without the advice of a command that was asked for a GPU.
fn why(error: &CudaError) -> String {
    error.to_string().replace(", or use --device cpu", "")
}

impl From<DeviceInfo> for Found {
    fn from(info: DeviceInfo) -> Self {
        let [major, minor] = info.compute_capability;
        Found::Gpu {
            name: format!("cuda:{}", info.ordinal),
            gpu: info.name,
            memory_mib: info.memory >> 20,
            compute_capability: format!("{major}.{minor}"),
            driver_cuda: format!("{}.{}", info.driver / 1000, info.driver % 1000 / 10),
        }
    }
}

impl Found {
    fn line(&self) -> String {
        match self {
            Found::Cpu { name, cores, simd, active_simd } => {
                let paths = simd.join(", ");
                format!(
                    "{name}: {cores} cores, SIMD paths {paths}; {active_simd} is active (ECGAN_SIMD chooses another)"
                )
            }
            Found::Gpu { name, gpu, memory_mib, compute_capability, driver_cuda } => format!(
                "{name}: {gpu}, {memory_mib} MiB, compute capability {compute_capability}, driver for CUDA {driver_cuda}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_listed_with_what_it_has() {
        let (name, memory) = ("NVIDIA H100 80GB HBM3".to_owned(), 81_559 << 20);
        let info = DeviceInfo { ordinal: 1, name, memory, compute_capability: [9, 0], driver: 13000 };
        let found = Found::from(info);
        assert_eq!(
            found.line(),
            "cuda:1: NVIDIA H100 80GB HBM3, 81559 MiB, compute capability 9.0, driver for CUDA 13.0"
        );
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!((json["name"].as_str(), json["memory_mib"].as_u64()), (Some("cuda:1"), Some(81_559)));
        assert_eq!((json["compute_capability"].as_str(), json["driver_cuda"].as_str()), (Some("9.0"), Some("13.0")));
    }

    #[test]
    fn without_a_gpu_the_error_says_why() {
        let error = CudaError::NoDriver { looked_for: "libcuda.so.1" };
        assert_eq!(why(&error), "cuda: found no NVIDIA driver (looked for libcuda.so.1): install driver 550 or newer");
    }
}
