//! Matrix products of the sizes the layers are made of, beside the crates `gemm` (as many threads as ours) and
//! `matrixmultiply` (one thread), and the classifier's linear layer.

use crate::{Bench, Work};
use kernels::gemm::{Transpose, gemm};
use kernels::view::View;
use kernels::{Store, linear};

/// `[m, n, k]`: the linear layer, the generator's first layer, and the products inside convolutions of the
/// classifier's second and fourth stage and the discriminator's third layer; one square.
const SIZES: [[usize; 3]; 6] =
    [[64, 10, 128], [64, 4096, 100], [16384, 32, 288], [1024, 128, 1152], [1024, 256, 2048], [512, 512, 512]];

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    for [m, n, k] in SIZES {
        let (a, b, mut c) = (bench.normal(m * k), bench.normal(k * n), bench.filled(0.0, m * n));
        let work = Work::Flops(2 * m * n * k);
        bench.time("gemm", &format!("{m}x{n}x{k}"), work, || {
            gemm(&device, Transpose::No, Transpose::No, m, n, k, &a, &b, &mut c, Store::Set);
        });
        if device.gpu().is_none() {
            rivals(bench, [m, n, k], a.view().host(), b.view().host(), c.view_mut().host());
        }
    }
    let (rows, inputs, outputs) = (64, 128, 10);
    let (x, w, b) = (bench.normal(rows * inputs), bench.normal(outputs * inputs), bench.normal(outputs));
    let dy = bench.normal(rows * outputs);
    let (mut y, mut dx, mut dw) = (bench.filled(0.0, dy.len()), bench.filled(0.0, x.len()), bench.filled(0.0, w.len()));
    let (shape, work) = ("64x128-10", Work::Flops(2 * rows * inputs * outputs));
    bench.time("linear_forward", shape, work, || {
        linear::forward(&device, rows, inputs, outputs, &x, &w, Some(View::from(&b)), &mut y);
    });
    bench.time("linear_backward_input", shape, work, || {
        linear::backward_input(&device, rows, inputs, outputs, &dy, &w, &mut dx, Store::Set);
    });
    bench.time("linear_backward_weight", shape, work, || {
        linear::backward_weight(&device, rows, inputs, outputs, &x, &dy, &mut dw, Store::Set);
    });
}

/// The other crates' products, which are the CPU's.
fn rivals(bench: &mut Bench, [m, n, k]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    let (size, work) = (format!("{m}x{n}x{k}"), Work::Flops(2 * m * n * k));
    let (inner, columns) = (k as isize, n as isize);
    let threads = ::gemm::Parallelism::Rayon(rayon::current_num_threads());
    bench.rival("gemm", "gemm", &size, work, || {
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
        // SAFETY: row-major matrices of these sizes; c is not read.
        unsafe {
            ::gemm::gemm(
                m, n, k, c, 1, columns, false, a, 1, inner, b, 1, columns, 0.0, 1.0, false, false, false, threads,
            );
        }
    });
    bench.rival("matrixmultiply", "gemm", &size, work, || {
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
        // SAFETY: row-major matrices of these sizes.
        unsafe { matrixmultiply::sgemm(m, k, n, 1.0, a, inner, 1, b, columns, 1, 0.0, c, columns, 1) };
    });
}
