//! The rounding errors of both algorithms on every path, as parts of the sum of the products' magnitudes.

use super::*;
use crate::conv2d::{backward_input, backward_weight, forward};
use crate::testing::{devices, normal};
use crate::{Store, gemm};

/// A bilinear map.
type Product<'a> = &'a dyn Fn(&[f64], &[f64]) -> Vec<f64>;

/// The largest |got - exact| / sum |products| of each pass, the exact values by the direct algorithm in f64.
fn errors(device: &Device, g: &Conv2d) -> [f64; 3] {
    let (x, w, dy) = (normal(1, g.x_len(), 0.0, 1.0), normal(2, g.w_len(), 0.0, 1.0), normal(3, g.y_len(), 0.0, 1.0));
    let (mut y, mut dx, mut dw) = (vec![0.0f32; g.y_len()], vec![0.0; g.x_len()], vec![0.0; g.w_len()]);
    forward(device, g, &x, &w, &mut y, Store::Set);
    backward_input(device, g, &dy, &w, &mut dx, Store::Set);
    backward_weight(device, g, &x, &dy, &mut dw, Store::Set);

    let columns = im2col(g, &x);
    let (rows, taps) = (g.n * g.oh * g.ow, g.kernel[0] * g.kernel[1] * g.c);
    let worst = |got: &[f32], exact: Vec<f64>, magnitude: Vec<f64>| {
        let errors =
            got.iter().zip(exact.iter().zip(magnitude)).map(|(&got, (exact, m))| (f64::from(got) - exact).abs() / m);
        errors.fold(0.0, f64::max)
    };
    let product = |sizes: [usize; 3], transposes, a: &[f64], b: &[f64]| {
        let mut out = vec![0.0; sizes[0] * sizes[1]];
        let [m, n, k] = sizes;
        let (ta, tb) = transposes;
        gemm::gemm(device, ta, tb, m, n, k, a, b, &mut out, Store::Set);
        out
    };
    let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let magnitudes = |x: &[f64]| x.iter().map(|x| x.abs()).collect::<Vec<_>>();
    let (w, dy) = (wide(&w), wide(&dy));
    use gemm::Transpose::{No, Yes};
    let of = |f: Product, a: &[f64], b: &[f64]| (f(a, b), f(&magnitudes(a), &magnitudes(b)));

    let (exact, magnitude) = of(&|a, b| product([rows, g.o, taps], (No, Yes), a, b), &columns, &w);
    let error_y = worst(&y, exact, magnitude);
    let (exact, magnitude) = of(&|a, b| product([g.o, taps, rows], (Yes, No), a, b), &dy, &columns);
    let error_dw = worst(&dw, exact, magnitude);
    let to_x = |a: &[f64], b: &[f64]| col2im(g, &product([rows, taps, g.o], (No, No), a, b));
    let (exact, magnitude) = of(&to_x, &dy, &w);
    [error_y, worst(&dx, exact, magnitude), error_dw]
}

/// Calls `f(column, x)` for the index of every tap of every output pixel in the matrix of taps, and in x.
fn taps(g: &Conv2d, mut f: impl FnMut(usize, usize)) {
    let inside = |at: usize, tap: usize, d: usize, size: usize| {
        (at * g.stride[d] + tap).checked_sub(g.padding[d]).filter(|&at| at < size)
    };
    for pixel in 0..g.n * g.oh * g.ow {
        let (n, oy, ox) = (pixel / g.ow / g.oh, pixel / g.ow % g.oh, pixel % g.ow);
        for tap in 0..g.kernel[0] * g.kernel[1] {
            let (y, x) = (inside(oy, tap / g.kernel[1], 0, g.h), inside(ox, tap % g.kernel[1], 1, g.w));
            if let (Some(y), Some(x)) = (y, x) {
                let column = (pixel * g.kernel[0] * g.kernel[1] + tap) * g.c;
                (0..g.c).for_each(|c| f(column + c, ((n * g.h + y) * g.w + x) * g.c + c));
            }
        }
    }
}

fn im2col(g: &Conv2d, x: &[f32]) -> Vec<f64> {
    let mut columns = vec![0.0; g.n * g.oh * g.ow * g.kernel[0] * g.kernel[1] * g.c];
    taps(g, |column, at| columns[column] = f64::from(x[at]));
    columns
}

fn col2im(g: &Conv2d, columns: &[f64]) -> Vec<f64> {
    let mut x = vec![0.0; g.x_len()];
    taps(g, |column, at| x[at] += columns[column]);
    x
}

#[test]
fn errors_stay_within_their_bounds() {
    let f43 = |size, channels| Conv2d::new(2, size, size, channels, channels, [3, 3], [1, 1], [1, 1]);
    let halved = |n, size, channels| Conv2d::new(n, size, size, channels, 2 * channels, [4, 4], [2, 2], [1, 1]);
    let cases = [
        (f43(16, 16), (4, 3), 5e-6),
        (f43(8, 64), (4, 3), 5e-6),
        (f43(4, 128), (4, 3), 5e-6),
        (halved(25, 16, 16), (4, 2), 5e-6),
        (halved(100, 8, 64), (4, 2), 5e-6),
        (halved(2, 16, 16), (2, 2), 1e-6),
        (halved(2, 8, 128), (2, 2), 1e-6),
    ];
    for device in devices() {
        for (g, algorithm, bound) in cases {
            let g = g.expect("a valid geometry");
            let chosen = choose::<f32>(&device, &g).map(|by| (by.transforms.m, by.transforms.r));
            assert_eq!(chosen, Some(algorithm), "{g:?}");
            for (pass, error) in ["y", "dx", "dw"].into_iter().zip(errors(&device, &g)) {
                println!("{} {} channels, k{}: {pass} {error:.1e}", device.simd(), g.c, g.kernel[0]);
                assert!(error <= bound, "{pass}, {}, {g:?}: error {error:e} over {bound:e}", device.simd());
                // Had the direct algorithm run, or double precision, the test would prove nothing.
                assert!(error > 1e-9, "{pass}, {g:?}: error {error:e}");
            }
        }
    }
}
