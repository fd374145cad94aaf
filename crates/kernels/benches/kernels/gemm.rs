//! Matrix products of the sizes the layers are made of, beside the crates `gemm` (as many threads as ours) and
//! `matrixmultiply` (one thread).

use crate::{device, group, random};
use criterion::{BenchmarkId, Criterion, Throughput};
use kernels::Store;
use kernels::gemm::{Transpose, gemm};

/// `[m, n, k]`: the linear layer, the generator's first layer, and the products inside convolutions of the
/// classifier's second and fourth stage and the discriminator's third layer; one square.
const SIZES: [[usize; 3]; 6] =
    [[64, 10, 128], [64, 4096, 100], [16384, 32, 288], [1024, 128, 1152], [1024, 256, 2048], [512, 512, 512]];

pub fn benches(criterion: &mut Criterion) {
    let device = device();
    let mut group = group(criterion, "gemm");
    for [m, n, k] in SIZES {
        let (a, b, mut c) = (random(m * k), random(k * n), vec![0.0f32; m * n]);
        let size = format!("{m}x{n}x{k}");
        group.throughput(Throughput::Elements((2 * m * n * k) as u64));
        group.bench_function(BenchmarkId::new("ours", &size), |bencher| {
            bencher.iter(|| {
                gemm(&device, Transpose::No, Transpose::No, m, n, k, &a, &b, &mut c, Store::Set);
            });
        });
        let (rows, inner, columns) = (m, k as isize, n as isize);
        group.bench_function(BenchmarkId::new("gemm", &size), |bencher| {
            let threads = ::gemm::Parallelism::Rayon(rayon::current_num_threads());
            bencher.iter(|| {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: row-major matrices of these sizes; c is not read.
                unsafe {
                    ::gemm::gemm(
                        rows, n, k, c, 1, columns, false, a, 1, inner, b, 1, columns, 0.0, 1.0, false, false, false,
                        threads,
                    );
                }
            });
        });
        group.bench_function(BenchmarkId::new("matrixmultiply", &size), |bencher| {
            bencher.iter(|| {
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: row-major matrices of these sizes.
                unsafe { matrixmultiply::sgemm(m, k, n, 1.0, a, inner, 1, b, columns, 1, 0.0, c, columns, 1) };
            });
        });
    }
}
