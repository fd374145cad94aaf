//! Benchmarks of every kernel at the shapes the three networks have at batch 64, 32 x 32 images.
//!
//! `cargo bench -p kernels` runs all; `cargo bench -p kernels -- conv2d_forward` one group. `ECGAN_SIMD` chooses the
//! SIMD path (portable, avx2, avx512) and `RAYON_NUM_THREADS` the threads.

mod convolution;
mod gemm;
mod layers;

use criterion::{BenchmarkGroup, Criterion, criterion_main, measurement::WallTime};
use kernels::{Device, philox::Philox};
use std::time::Duration;

/// The device under test.
fn device() -> Device {
    match std::env::var("ECGAN_SIMD") {
        Ok(name) => Device::cpu_with(name.parse().expect("ECGAN_SIMD")).expect("a path this machine has"),
        Err(_) => Device::cpu(),
    }
}

/// Uniform numbers in [-1, 1).
fn random(len: usize) -> Vec<f32> {
    let mut stream = Philox::new(len as u64, 0);
    (0..len).map(|_| stream.range(-1.0, 1.0)).collect()
}

/// A group of short measurements.
fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group
}

fn kernels() {
    let mut criterion = Criterion::default().configure_from_args();
    gemm::benches(&mut criterion);
    convolution::benches(&mut criterion);
    criterion.final_summary();
}

criterion_main!(kernels);
