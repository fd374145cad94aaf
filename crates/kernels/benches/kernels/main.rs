//! Benchmarks of every kernel at the shapes the three networks have at batch 64, 32 x 32 images, beside the ceilings
//! of this machine, which the same run measures; and on the first GPU, where there is one (`gpu`).
//!
//! `cargo bench -p kernels` runs all and ends with one table (see `report`); `cargo bench -p kernels -- conv2d_forward`
//! shows one group. `ECGAN_SIMD` chooses the SIMD path (portable, neon, avx2, avx512) and `RAYON_NUM_THREADS` the threads.

mod batch_norm;
mod ceiling;
mod convolution;
mod gemm;
mod gpu;
mod layers;
mod loss;
mod map;
mod operand;
mod optimizer;
mod report;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput};
use kernels::{Device, Element, philox::Philox};
use operand::Operand;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a call does, by which its time becomes a rate; named as criterion writes it.
#[derive(Clone, Copy, Deserialize)]
pub enum Work {
    /// Floating-point operations by the definition, padding included.
    #[serde(rename = "Elements")]
    Flops(usize),
    /// Bytes read or written, each once a pass over memory.
    Bytes(usize),
}

/// The run: what measures, on what, and which sizes of memory were touched.
pub struct Bench {
    criterion: Criterion,
    device: Device,
    bytes: BTreeSet<usize>,
}

impl Bench {
    /// `n` normal numbers on the device.
    fn normal(&self, n: usize) -> Operand<f32> {
        Operand::new(&self.device, &normal(n))
    }

    /// `n` times `value` on the device.
    fn filled<T: Element>(&self, value: T, n: usize) -> Operand<T> {
        Operand::new(&self.device, &vec![value; n])
    }

    /// Measures a kernel of ours at a shape.
    fn time(&mut self, kernel: &str, shape: &str, work: Work, mut call: impl FnMut()) {
        let Some(cuda) = self.device.gpu().cloned() else {
            return self.measure(kernel, BenchmarkId::from_parameter(shape), work, |bencher| bencher.iter(&mut call));
        };
        let id = BenchmarkId::new(gpu::name(&self.device, work), shape);
        let mut launches = None;
        self.measure(kernel, id, work, |bencher| {
            launches.get_or_insert_with(|| gpu::Launches::new(&cuda, &mut call)).time(&cuda, bencher, &mut call);
        });
    }

    /// Measures another crate's version of a kernel.
    fn rival(&mut self, name: &str, kernel: &str, shape: &str, work: Work, mut call: impl FnMut()) {
        self.measure(kernel, BenchmarkId::new(name, shape), work, |bencher| bencher.iter(&mut call));
    }

    fn measure(&mut self, group: &str, id: BenchmarkId, work: Work, mut measure: impl FnMut(&mut Bencher<'_>)) {
        let mut group = self.criterion.benchmark_group(group);
        group.throughput(match work {
            Work::Flops(n) => Throughput::Elements(n as u64),
            Work::Bytes(n) => Throughput::Bytes(n as u64),
        });
        group.bench_function(id, |bencher| {
            if let (Work::Bytes(n), None) = (work, self.device.gpu()) {
                self.bytes.insert(n);
            }
            measure(bencher);
        });
        group.finish();
    }
}

/// Short measurements, unless the arguments say otherwise.
fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .output_directory(&results())
        .configure_from_args()
}

/// Where criterion's files go: `CRITERION_HOME`, or `criterion` in the target directory.
fn results() -> PathBuf {
    match std::env::var_os("CRITERION_HOME") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion"),
    }
}

/// The device under test.
fn device() -> Device {
    match std::env::var("ECGAN_SIMD") {
        Ok(name) => Device::cpu_with(name.parse().expect("ECGAN_SIMD")).expect("a path this machine has"),
        Err(_) => Device::cpu(),
    }
}

/// `n` normal numbers.
fn normal(n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n];
    kernels::fill::normal(&Device::cpu(), &mut Philox::new(1, n as u64), 0.0, 1.0, &mut out);
    out
}

fn main() {
    // As the training runs.
    kernels::on_a_worker(run);
}

/// Every kernel on the device.
fn everything(bench: &mut Bench) {
    gemm::run(bench);
    convolution::run(bench);
    batch_norm::run(bench);
    map::run(bench);
    loss::run(bench);
    optimizer::run(bench);
}

fn run() {
    let start = SystemTime::now();
    // The ceilings run whatever the filter; other load may hide the arithmetic's at one time.
    let mut bench = Bench { criterion: criterion().with_filter(""), device: device(), bytes: BTreeSet::new() };
    ceiling::arithmetic(&mut bench, "before");
    bench.criterion = bench.criterion.configure_from_args();
    everything(&mut bench);
    gpu::run(&mut bench);

    bench.criterion = bench.criterion.with_filter("");
    ceiling::arithmetic(&mut bench, "after");
    ceiling::copies(&mut bench);
    bench.criterion.final_summary();
    report::report(bench.device.simd(), start);
}
