//! `ecgan devices`.

use crate::compute::simd_variable;
use crate::output::Output;
use clap::Args;
use ecgan::settings::DeviceChoice;
use kernels::Simd;
use kernels::cuda::{self, DeviceInfo, Precision};
use serde::Serialize;

/// List what there is to compute with
#[derive(Args)]
pub struct DevicesArgs {
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Devices {
    devices: Vec<Listed>,
    /// Why there is no GPU, where there is none.
    no_gpu: Option<String>,
    /// What `--device auto` takes.
    auto: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Listed {
    Cpu { name: &'static str, cores: usize, simd: Vec<&'static str>, active_simd: &'static str },
    Gpu { name: String, gpu: String, memory_mb: usize, compute_capability: String, driver_cuda: String },
}

impl Listed {
    fn gpu(info: DeviceInfo) -> Self {
        let [major, minor] = info.compute_capability;
        Self::Gpu {
            name: format!("cuda:{}", info.ordinal),
            gpu: info.name,
            memory_mb: info.memory >> 20,
            compute_capability: format!("{major}.{minor}"),
            driver_cuda: format!("{}.{}", info.driver / 1000, info.driver % 1000 / 10),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Cpu { name, cores, simd, active_simd } => {
                let simd = simd.join(", ");
                format!(
                    "{name}: {cores} cores, SIMD paths {simd}; {active_simd} is active (ECGAN_SIMD chooses another)"
                )
            }
            Self::Gpu { name, gpu, memory_mb, compute_capability, driver_cuda } => {
                format!(
                    "{name}: {gpu}, {memory_mb} MiB, compute capability {compute_capability}, driver's CUDA {driver_cuda}"
                )
            }
        }
    }
}

/// Runs the command.
pub fn run(args: &DevicesArgs) -> anyhow::Result<()> {
    let active = DeviceChoice::Cpu.open(simd_variable()?, Precision::F32)?.simd();
    let mut devices = vec![Listed::Cpu {
        name: "cpu",
        cores: std::thread::available_parallelism()?.get(),
        simd: Simd::available().into_iter().map(Simd::name).collect(),
        active_simd: active.name(),
    }];
    let no_gpu = match cuda::devices() {
        Ok(gpus) => {
            devices.extend(gpus.into_iter().map(Listed::gpu));
            None
        }
        Err(error) => Some(error.to_string()),
    };
    let output = Output::new(args.json, false);
    let listed = Devices { devices, no_gpu, auto: DeviceChoice::Auto.concrete().to_string() };
    output.result(&listed)?;
    listed.devices.iter().try_for_each(|device| output.line(device.line()))?;
    if let Some(reason) = &listed.no_gpu {
        output.line(format!("no GPU: {reason}"))?;
    }
    Ok(())
}
