//! `ecgan devices`.

use crate::compute::simd_variable;
use crate::output::Output;
use clap::Args;
use ecgan::settings::DeviceChoice;
use kernels::Simd;
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
    devices: Vec<Cpu>,
    /// What `--device auto` takes.
    auto: String,
}

#[derive(Serialize)]
struct Cpu {
    name: &'static str,
    cores: usize,
    simd: Vec<&'static str>,
    active_simd: &'static str,
}

/// Runs the command.
pub fn run(args: &DevicesArgs) -> anyhow::Result<()> {
    let active = DeviceChoice::Cpu.open(simd_variable()?)?.simd();
    let cpu = Cpu {
        name: "cpu",
        cores: std::thread::available_parallelism()?.get(),
        simd: Simd::available().into_iter().map(Simd::name).collect(),
        active_simd: active.name(),
    };
    let output = Output::new(args.json, false);
    let line = format!(
        "{}: {} cores, SIMD paths {}; {} is active (ECGAN_SIMD chooses another)",
        cpu.name,
        cpu.cores,
        cpu.simd.join(", "),
        cpu.active_simd
    );
    output.result(&Devices { devices: vec![cpu], auto: DeviceChoice::Auto.concrete().to_string() })?;
    output.line(line)?;
    Ok(())
}
