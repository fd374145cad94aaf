//! What to compute with: device and threads of the commands that read a checkpoint or time iterations, and of all commands the pool of
//! threads and the SIMD path that a variable forces.

use crate::output::warn;
use crate::values::{named, within};
use clap::Args;
use ecgan::Error;
use ecgan::counts::many;
use ecgan::settings::{DeviceChoice, Precision};
use kernels::{Device, Simd};
use std::num::NonZero;
use std::str::FromStr;

/// More threads than this many a processor are warned of: with hundreds an iteration takes minutes.
const PER_PROCESSOR: usize = 8;

/// What to compute with.
#[derive(Args)]
#[command(next_help_heading = "Device")]
pub struct ComputeArgs {
    /// `cpu`, `cuda[:N]`, or the first GPU where there is one and else the CPU (auto)
    #[arg(long, value_name = "DEVICE", value_parser = named(DeviceChoice::from_str), env = "ECGAN_DEVICE", hide_env = true, default_value = "auto")]
    device: DeviceChoice,

    /// Threads [default: one a core]
    #[arg(long, value_name = "N", env = "ECGAN_THREADS", hide_env = true, value_parser = within::<usize>(1..=4096))]
    threads: Option<usize>,
}

impl ComputeArgs {
    /// Starts the threads and opens the device.
    pub fn open(&self) -> anyhow::Result<Device> {
        self.open_in(Precision::F32)
    }

    /// The same for a GPU that multiplies in `precision`.
    pub fn open_in(&self, precision: Precision) -> anyhow::Result<Device> {
        use_threads(self.threads)?;
        Ok(self.device.open(simd_variable()?, precision)?)
    }
}

/// Makes rayon's global pool; without a number it has a thread a core.
pub fn use_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        if threads > PER_PROCESSOR * processors {
            warn(format!(
                "{threads} threads on {} wait for each other most of the time",
                many(processors, "processor")
            ));
        }
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    Ok(())
}

/// The SIMD path that `ECGAN_SIMD` forces.
pub fn simd_variable() -> Result<Option<Simd>, Error> {
    let Some(name) = std::env::var_os("ECGAN_SIMD") else { return Ok(None) };
    let name = name.to_string_lossy();
    let wrong = |_| Error::Setting { name: "ECGAN_SIMD", expected: Simd::NAMES.into(), got: name.clone().into_owned() };
    name.parse().map(Some).map_err(wrong)
}
