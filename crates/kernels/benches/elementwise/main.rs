//! Kernels that are bound by memory, at the shapes of the three networks, beside a plain copy of as many threads.
//!
//! Throughput counts every byte that a kernel reads or writes once a pass over memory; `copy` is the ceiling.

mod batch_norm;
mod loss;
mod map;
mod optimizer;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernels::Device;
use kernels::philox::Philox;
use std::time::Duration;

/// `n` normal numbers.
fn normal(n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n];
    kernels::fill::normal(&Device::cpu(), &mut Philox::new(1, n as u64), 0.0, 1.0, &mut out);
    out
}

/// Times `kernel`, which moves `bytes` bytes.
fn time(c: &mut Criterion, group: &str, case: &str, bytes: usize, mut kernel: impl FnMut()) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::from_parameter(case), |bencher| bencher.iter(&mut kernel));
    group.finish();
}

criterion_group! {
    name = elementwise;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = map::run, batch_norm::run, loss::run, optimizer::run
}
criterion_main!(elementwise);
