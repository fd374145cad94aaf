//! Kernels on a GPU: `cuda` beside the CPU's rows, `cuda-f32`, `cuda-tf32` and `cuda-bf16` where a precision matters.
//!
//! A launch takes the CPU longer than a small kernel takes the GPU. So several launches are recorded as one graph, many
//! replays of which lie between two waits; what cannot be recorded is launched many times between them.

use crate::{Work, convolution, everything, gemm};
use criterion::Bencher;
use kernels::Device;
use kernels::cuda::{Cuda, Graph, Precision};
use std::time::{Duration, Instant};

/// Launches of a graph.
const LAUNCHES: u32 = 20;

/// The rows of the first GPU, or a line that says why there is none.
pub fn run(bench: &mut crate::Bench) {
    let cuda = match Cuda::open(0) {
        Ok(cuda) => cuda,
        Err(error) => return println!("no `cuda` rows: {error}"),
    };
    let cpu = bench.device.clone();
    for precision in Precision::ALL {
        match Device::cuda(cuda.clone(), precision) {
            Ok(device) => bench.device = device,
            Err(error) => {
                println!("no `cuda-{precision}` rows: {error}");
                continue;
            }
        }
        match precision {
            Precision::F32 => everything(bench),
            Precision::Tf32 | Precision::Bf16 => {
                gemm::run(bench);
                convolution::run(bench);
            }
        }
    }
    bench.device = cpu;
}

/// What tells a GPU's row from the CPU's of the same kernel and shape.
pub fn name(device: &Device, work: Work) -> String {
    match work {
        Work::Flops(_) => format!("cuda-{}", device.precision()),
        Work::Bytes(_) => "cuda".to_owned(),
    }
}

/// Some launches, recorded if that can be.
pub struct Launches(Option<Graph>);

impl Launches {
    /// `call` once, then what is timed.
    pub fn new(cuda: &Cuda, call: &mut impl FnMut()) -> Self {
        // The first finds the kernels and fills the pool.
        call();
        cuda.synchronize().expect("a kernel that runs");
        Self(cuda.capture(|| (0..LAUNCHES).for_each(|_| call())).ok())
    }

    /// Times them.
    pub fn time(&self, cuda: &Cuda, bencher: &mut Bencher<'_>, call: &mut impl FnMut()) {
        bencher.iter_custom(|n| self.seconds(cuda, n, call));
    }

    /// What `n` launches take.
    fn seconds(&self, cuda: &Cuda, n: u64, call: &mut impl FnMut()) -> Duration {
        let times = if self.0.is_some() { n.div_ceil(LAUNCHES.into()) } else { n };
        cuda.synchronize().expect("a kernel that runs");
        let began = Instant::now();
        for _ in 0..times {
            match &self.0 {
                Some(graph) => graph.replay(),
                None => call(),
            }
        }
        cuda.synchronize().expect("a kernel that runs");
        let launches = if self.0.is_some() { times * u64::from(LAUNCHES) } else { times };
        began.elapsed().mul_f64(n as f64 / launches as f64)
    }
}
