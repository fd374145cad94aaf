//! The three passes against the definition in f64, over a grid of geometries, for every SIMD path.

use super::*;
use crate::compiled::Compiled;
use crate::testing::uniform;
use crate::{Simd, batch_norm, conv_transpose2d};

/// Calls `f(x index, w index, y index)` for every product of the definition.
fn products(g: &Conv2d, mut f: impl FnMut(usize, usize, usize)) {
    for (n, oy, ox) in (0..g.n).flat_map(|n| (0..g.oh).flat_map(move |oy| (0..g.ow).map(move |ox| (n, oy, ox)))) {
        for (ky, kx) in (0..g.kernel[0]).flat_map(|ky| (0..g.kernel[1]).map(move |kx| (ky, kx))) {
            let (Some(y), Some(x)) = (
                (oy * g.stride[0] + ky).checked_sub(g.padding[0]).filter(|&y| y < g.h),
                (ox * g.stride[1] + kx).checked_sub(g.padding[1]).filter(|&x| x < g.w),
            ) else {
                continue;
            };
            for (o, c) in (0..g.o).flat_map(|o| (0..g.c).map(move |c| (o, c))) {
                let x = ((n * g.h + y) * g.w + x) * g.c + c;
                let w = ((o * g.kernel[0] + ky) * g.kernel[1] + kx) * g.c + c;
                f(x, w, ((n * g.oh + oy) * g.ow + ox) * g.o + o);
            }
        }
    }
}

/// A value by the definition, the sum of the products' magnitudes, and their number.
type Reference = Vec<(f64, f64, u32)>;

fn add(to: &mut (f64, f64, u32), product: f64) {
    *to = (to.0 + product, to.1 + product.abs(), to.2 + 1);
}

/// |got - want| <= epsilon * (terms + 2) * sum |products|: the bound of a sum in any order.
fn compare<T: Real>(what: &str, got: &[T], want: &Reference, before: &[T], epsilon: f64) {
    for (i, (&got, &(sum, scale, terms))) in got.iter().zip(want).enumerate() {
        let before = before[i].to_f64();
        let bound = epsilon * (f64::from(terms) + 2.0) * (scale + before.abs());
        let error = (got.to_f64() - sum - before).abs();
        assert!(error <= bound, "{what}[{i}]: {got} against {}, error {error:e} over {bound:e}", sum + before);
    }
}

type Kernel<'a, T> = &'a dyn Fn(&mut [T], Store);

fn check<T: Real>(device: &Device, g: &Conv2d, epsilon: f64) {
    let (x, w, dy) = (uniform::<T>(1, g.x_len()), uniform::<T>(2, g.w_len()), uniform::<T>(3, g.y_len()));
    let (mut y64, mut dx64, mut dw64) =
        (vec![(0.0, 0.0, 0); g.y_len()], vec![(0.0, 0.0, 0); g.x_len()], vec![(0.0, 0.0, 0); g.w_len()]);
    products(g, |ix, iw, iy| {
        add(&mut y64[iy], x[ix].to_f64() * w[iw].to_f64());
        add(&mut dx64[ix], dy[iy].to_f64() * w[iw].to_f64());
        add(&mut dw64[iw], dy[iy].to_f64() * x[ix].to_f64());
    });
    let passes: [(&str, &Reference, Kernel<T>); 3] = [
        ("y", &y64, &|y, store| forward(device, g, &x, &w, y, store)),
        ("dx", &dx64, &|dx, store| backward_input(device, g, &dy, &w, dx, store)),
        ("dw", &dw64, &|dw, store| backward_weight(device, g, &x, &dy, dw, store)),
    ];
    for (name, want, pass) in passes {
        let what = format!("{name}, {}, {g:?}", device.simd());
        let mut set = vec![T::from_f64(f64::NAN); want.len()];
        pass(&mut set, Store::Set);
        compare(&what, &set, want, &vec![T::ZERO; want.len()], epsilon);
        let before = uniform::<T>(4, want.len());
        let mut sum = before.clone();
        pass(&mut sum, Store::Add);
        compare(&format!("{what}, add"), &sum, want, &before, epsilon);
    }
}

/// Every kernel, stride, padding and size of the grid, the channel counts taking turns.
fn grid() -> Vec<Conv2d> {
    let channels = [(1, 1), (3, 16), (5, 3), (16, 17), (17, 5), (32, 1), (1, 32), (3, 33), (40, 48), (16, 16)];
    let mut cases = Vec::new();
    for kernel in [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [3, 2], [1, 4]] {
        for stride in [[1, 1], [2, 2], [3, 3], [2, 1], [1, 3]] {
            for padding in [[0, 0], [1, 1], [2, 2], [0, 2]] {
                for (h, w) in [(5, 5), (8, 7)] {
                    let (c, o) = channels[cases.len() % channels.len()];
                    cases.extend(Conv2d::new(2, h, w, c, o, kernel, stride, padding));
                }
            }
        }
    }
    cases
}

/// Whole windows, single pixels, many images of few pixels, padding beyond the kernel, strides beyond it.
fn special() -> Vec<Conv2d> {
    let cases = [
        Conv2d::new(9, 4, 4, 20, 1, [4, 4], [1, 1], [0, 0]),
        Conv2d::new(70, 4, 4, 24, 40, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(3, 32, 32, 3, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(2, 8, 34, 16, 40, [3, 3], [2, 2], [1, 1]),
        Conv2d::new(2, 9, 30, 20, 36, [1, 1], [2, 2], [0, 0]),
        Conv2d::new(3, 16, 16, 3, 64, [4, 4], [2, 2], [1, 1]),
        Conv2d::new(1, 1, 1, 5, 3, [3, 3], [1, 1], [4, 4]),
        Conv2d::new(2, 7, 9, 4, 6, [2, 2], [4, 5], [0, 1]),
        Conv2d::transposed(2, 1, 1, 100, 33, [4, 4], [1, 1], [0, 0], [0, 0]),
        Conv2d::transposed(2, 4, 5, 18, 3, [4, 4], [2, 2], [1, 1], [0, 0]),
        Conv2d::transposed(2, 4, 5, 3, 18, [3, 3], [2, 3], [1, 0], [1, 2]),
        // Winograd's: whole tiles and cut ones, one image and many, one panel and several, odd phases.
        Conv2d::new(3, 12, 16, 16, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(1, 7, 10, 48, 32, [3, 3], [1, 1], [0, 2]),
        Conv2d::new(40, 4, 4, 32, 80, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(2, 16, 12, 32, 16, [4, 4], [2, 2], [1, 1]),
        Conv2d::new(3, 9, 11, 16, 48, [4, 4], [2, 2], [0, 2]),
        Conv2d::new(2, 10, 7, 16, 32, [4, 4], [2, 2], [3, 1]),
        // The same with more outputs than inputs: the pixel of zeros has the channels of either.
        Conv2d::new(2, 5, 6, 16, 32, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(3, 7, 7, 16, 80, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(2, 10, 14, 16, 96, [4, 4], [2, 2], [1, 1]),
        // A pixel, of which phases of the gradient have none.
        Conv2d::new(1, 1, 1, 16, 16, [4, 4], [2, 2], [5, 5]),
        Conv2d::transposed(9, 4, 4, 64, 32, [4, 4], [2, 2], [1, 1], [0, 0]),
        Conv2d::transposed(2, 5, 4, 16, 16, [4, 4], [2, 2], [2, 0], [1, 0]),
        // By Winograd with zeros behind the channels.
        Conv2d::new(2, 9, 8, 15, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(3, 8, 12, 29, 32, [4, 4], [2, 2], [1, 1]),
        Conv2d::transposed(2, 4, 4, 16, 13, [4, 4], [2, 2], [1, 1], [0, 0]),
    ];
    cases.into_iter().map(|g| g.expect("a valid geometry")).collect()
}

#[test]
fn every_path_agrees_with_the_definition() {
    let cases: Vec<Conv2d> = grid().into_iter().chain(special()).collect();
    assert!(cases.len() > 250, "{} cases", cases.len());
    for simd in Simd::available() {
        let device = Device::cpu_with(simd).unwrap().poisoned();
        for (i, g) in cases.iter().enumerate() {
            check::<f32>(&device, g, f64::from(f32::EPSILON));
            if i % 3 == 0 || i > 250 {
                check::<f64>(&device, g, f64::EPSILON);
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let shapes = [
        // By Winograd on every path: F(4, 3) of several images a block, and of many of few pixels; F(4, 2) and F(2, 2).
        Conv2d::new(24, 16, 16, 16, 32, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(40, 4, 4, 128, 128, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(25, 16, 16, 16, 48, [4, 4], [2, 2], [1, 1]),
        Conv2d::new(20, 8, 8, 16, 48, [4, 4], [2, 2], [1, 1]),
        Conv2d::new(25, 16, 16, 74, 48, [4, 4], [2, 2], [1, 1]),
        // By the definition.
        Conv2d::new(24, 32, 32, 3, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(40, 4, 4, 70, 66, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(24, 32, 32, 16, 40, [3, 3], [2, 2], [1, 1]),
        Conv2d::new(24, 32, 32, 16, 40, [1, 1], [2, 2], [0, 0]),
        Conv2d::new(40, 4, 4, 70, 66, [4, 4], [1, 1], [0, 0]),
        Conv2d::new(20, 8, 8, 20, 50, [4, 4], [2, 2], [1, 1]),
    ];
    let by_winograd = |simd| {
        let device = Device::cpu_with(simd).unwrap();
        shapes
            .map(|g| g.unwrap())
            .map(|g| winograd::choose::<f32>(&device, &winograd::wider::<f32>(&device, &g).unwrap_or(g)).is_some())
    };
    for simd in Simd::available() {
        assert_eq!(by_winograd(simd)[..6], [true, true, true, true, true, false], "{simd}");
    }
    for (simd, g) in Simd::available().into_iter().flat_map(|simd| shapes.map(|g| (simd, g.unwrap()))) {
        let (x, w, dy) = (uniform::<f32>(1, g.x_len()), uniform::<f32>(2, g.w_len()), uniform::<f32>(3, g.y_len()));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let device = Device::cpu_with(simd).unwrap();
            let (mut y, mut dx, mut dw) = (vec![0.0; g.y_len()], vec![0.0; g.x_len()], vec![0.0; g.w_len()]);
            pool.install(|| {
                forward(&device, &g, &x, &w, &mut y, Store::Set);
                backward_input(&device, &g, &dy, &w, &mut dx, Store::Set);
                backward_weight(&device, &g, &x, &dy, &mut dw, Store::Set);
            });
            [y, dx, dw].map(|v| v.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let one = run(1);
        assert_eq!(one, run(2), "{simd}, two threads, {g:?}");
        assert_eq!(one, run(3), "{simd}, three threads, {g:?}");
    }
}

#[test]
fn a_repeated_pass_takes_no_new_memory() {
    let device = Device::cpu();
    let g = Conv2d::new(16, 16, 16, 16, 24, [3, 3], [2, 2], [1, 1]).unwrap();
    let (x, w, mut y) = (vec![1.0f32; g.x_len()], vec![1.0; g.w_len()], vec![1.0; g.y_len()]);
    let (mut dx, mut dw) = (x.clone(), w.clone());
    let mut step = || {
        forward(&device, &g, &x, &w, &mut y, Store::Set);
        backward_input(&device, &g, &y, &w, &mut dx, Store::Set);
        backward_weight(&device, &g, &x, &y, &mut dw, Store::Set);
        device.pool().allocations()
    };
    let first = step();
    assert_eq!(first, step());
}

#[test]
fn transposed_convolution_is_the_adjoint() {
    let device = Device::cpu();
    let g = Conv2d::transposed(2, 4, 5, 6, 7, [4, 3], [2, 2], [1, 0], [0, 1]).unwrap();
    assert_eq!((g.oh, g.ow, g.h, g.w), (4, 5, 8, 12));
    let (x, w, dy) = (uniform::<f64>(1, g.y_len()), uniform::<f64>(2, g.w_len()), uniform::<f64>(3, g.x_len()));
    let (mut y, mut dx, mut dw) = (vec![f64::NAN; g.x_len()], vec![f64::NAN; g.y_len()], vec![f64::NAN; g.w_len()]);
    conv_transpose2d::forward(&device, &g, &x, &w, &mut y, Store::Set);
    conv_transpose2d::backward_input(&device, &g, &dy, &w, &mut dx, Store::Set);
    conv_transpose2d::backward_weight(&device, &g, &x, &dy, &mut dw, Store::Set);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // <dy, y(x, w)> is bilinear in x and w: the same number by either gradient.
    let want = dot(&dy, &y);
    assert!((dot(&dx, &x) - want).abs() < 1e-9 * want.abs().max(1.0));
    assert!((dot(&dw, &w) - want).abs() < 1e-9 * want.abs().max(1.0));
    assert!(want.abs() > 1e-3, "the check is not vacuous: {want}");
}

#[test]
fn geometry() {
    let g = Conv2d::new(64, 32, 32, 3, 64, [4, 4], [2, 2], [1, 1]).unwrap();
    assert_eq!((g.oh, g.ow), (16, 16));
    assert_eq!(g.flops(), 2 * 64 * 256 * 64 * 48);
    assert!(Conv2d::new(1, 2, 2, 1, 1, [5, 5], [1, 1], [1, 1]).is_none());
    assert!(Conv2d::new(1, 2, 2, 1, 1, [1, 1], [0, 1], [0, 0]).is_none());
    assert!(Conv2d::new(1, 2, 2, 0, 1, [1, 1], [1, 1], [0, 0]).is_none());
    assert!(Conv2d::transposed(1, 1, 1, 1, 1, [2, 2], [1, 1], [1, 1], [0, 0]).is_none(), "an empty output");
    assert!(Conv2d::transposed(1, 4, 4, 1, 1, [2, 2], [2, 2], [0, 0], [2, 0]).is_none(), "too much output padding");
}

/// The statistics that come with the output are the output's, and the output is the usual one, bit for bit.
#[test]
fn statistics_on_the_way_are_those_of_the_output() {
    let cases = [
        // By Winograd: blocks of several images, of one, of parts; tiles beyond the image; images too large for a block.
        Conv2d::new(9, 16, 16, 16, 32, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(70, 4, 4, 32, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(5, 10, 9, 16, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(2, 96, 80, 16, 16, [3, 3], [1, 1], [1, 1]),
        Conv2d::new(7, 16, 16, 32, 16, [4, 4], [2, 2], [1, 1]),
        Conv2d::new(7, 16, 16, 30, 16, [4, 4], [2, 2], [1, 1]),
        // By the definition.
        Conv2d::new(3, 9, 8, 3, 17, [3, 3], [2, 2], [1, 1]),
    ];
    for device in crate::testing::devices() {
        for g in cases.map(|g| g.expect("a valid geometry")) {
            let (x, w) = (uniform::<f32>(1, g.x_len()), uniform::<f32>(2, g.w_len()));
            let mut plain = vec![f32::NAN; g.y_len()];
            forward(&device, &g, &x, &w, &mut plain, Store::Set);
            let got = crate::testing::over_threads(|| {
                let mut out = vec![f32::NAN; g.y_len() + 2 * g.o];
                let (y, moments) = out.split_at_mut(g.y_len());
                let (mean, var) = moments.split_at_mut(g.o);
                if !forward_with_statistics(&device, &g, &x, &w, &mut *y, &mut *mean, &mut *var) {
                    batch_norm::statistics(&device, g.o, &*y, mean, var, None);
                }
                out
            });
            assert!(got[..g.y_len()] == plain[..], "{}, {g:?}", device.simd());
            let rows = (g.y_len() / g.o) as f64;
            for c in 0..g.o {
                let column = || plain[c..].iter().step_by(g.o).map(|&y| f64::from(y));
                let mean = column().sum::<f64>() / rows;
                let var = column().map(|y| (y - mean).powi(2)).sum::<f64>() / rows;
                let (got_mean, got_var) = (f64::from(got[g.y_len() + c]), f64::from(got[g.y_len() + g.o + c]));
                assert!((got_mean - mean).abs() <= 1e-6 * var.sqrt(), "mean {got_mean}, reference {mean}, {g:?}");
                assert!((got_var - var).abs() <= 2e-6 * var, "var {got_var}, reference {var}, {g:?}");
            }
        }
    }
}

#[test]
fn a_tensor_larger_than_any_memory_is_no_geometry() {
    let of = |n, h, padding| Conv2d::new(n, h, 2, 1, 1, [1, 1], [1, 1], [padding; 2]);
    assert!(of(1, 2, 0).is_some());
    assert_eq!([of(1 << 62, 2, 0), of(1, 1 << 63, 0), of(1, 2, 1 << 63)], [None; 3]);
}

/// What the compiled kernels are given was checked, whoever calls them.
#[test]
fn no_pass_takes_operands_of_other_lengths() {
    let g = Conv2d::new(2, 4, 4, 16, 16, [3, 3], [1, 1], [1, 1]).unwrap();
    let (x, w) = (vec![0.0f32; g.x_len()], vec![0.0f32; g.w_len()]);
    let run = |pass, a: &[f32], b: &[f32], out: usize| {
        let mut out = vec![0.0; out];
        let run = || f32::conv2d(&Device::cpu(), pass, &g, [a, b], &mut out, Store::Set);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_ok()
    };
    for pass in Pass::ALL {
        let (b, out) = if pass == Pass::BackwardWeight { (&x, w.len()) } else { (&w, x.len()) };
        assert!(run(pass, &x, b, out));
        assert!(!run(pass, &x[1..], b, out) && !run(pass, &x, &b[1..], out) && !run(pass, &x, b, out - 1), "{pass:?}");
    }
    let mut y = vec![0.0; g.y_len()];
    let (mut mean, mut var) = (vec![0.0; g.o - 1], vec![0.0; g.o]);
    let moments = || f32::conv2d_with_statistics(&Device::cpu(), &g, [&x, &w], &mut y, [&mut mean, &mut var]);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(moments)).is_err());
}
