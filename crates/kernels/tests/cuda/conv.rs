//! Convolution and matrix products: every pass, tile and precision against the CPU in f64, and the errors' sizes.

use crate::common::{devices, down, normal, up, wide};
use kernels::conv2d::Pass;
use kernels::conv2d::cuda::{Schedule, Tile, run};
use kernels::conv2d::{self, Conv2d};
use kernels::cuda::{Cuda, Precision};
use kernels::gemm::{self, Transpose};
use kernels::view::{View, ViewMut};
use kernels::{Device, Real, Store, conv_transpose2d};

/// The error of f32 sums, relative to the sum of |x| |w|; the roundings of both operands come on top.
const SUMS: f64 = 1e-6;

fn bound(precision: Precision) -> f64 {
    SUMS + precision.roundoff() * (2.0 + precision.roundoff())
}

pub fn lengths(pass: Pass, g: &Conv2d) -> [usize; 3] {
    match pass {
        Pass::Forward => [g.x_len(), g.w_len(), g.y_len()],
        Pass::BackwardInput => [g.y_len(), g.w_len(), g.x_len()],
        Pass::BackwardWeight => [g.x_len(), g.y_len(), g.w_len()],
    }
}

/// The pass on the CPU in f64.
fn reference(pass: Pass, g: &Conv2d, a: &[f64], b: &[f64]) -> Vec<f64> {
    let (cpu, mut out) = (Device::cpu(), vec![0.0; lengths(pass, g)[2]]);
    match pass {
        Pass::Forward => conv2d::forward(&cpu, g, a, b, &mut out, Store::Set),
        Pass::BackwardInput => conv2d::backward_input(&cpu, g, a, b, &mut out, Store::Set),
        Pass::BackwardWeight => conv2d::backward_weight(&cpu, g, a, b, &mut out, Store::Set),
    }
    out
}

/// The device, its memory full of NaN.
fn on(cuda: &Cuda, precision: Precision) -> Device {
    Device::cuda(cuda.clone(), precision).unwrap().poisoned()
}

fn magnitudes(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x).abs()).collect()
}

/// Asserts |got - want| <= c sum |x| |w|, and what adding to an output rounds away. Returns the largest error relative to
/// the sum.
#[track_caller]
fn worst(what: &str, store: Store, got: &[f32], want: &[f64], sums: &[f64], c: f64) -> f64 {
    let mut worst = 0.0f64;
    for (i, ((&got, want), sum)) in got.iter().zip(want).zip(sums).enumerate() {
        let adding = if store == Store::Add { f64::from(f32::EPSILON) * want.abs() } else { 0.0 };
        let error = (f64::from(got) - want).abs() - adding;
        assert!(error <= c * sum, "{what}[{i}]: {got}, reference {want}, bound {:e}", c * sum);
        worst = worst.max(if *sum > 0.0 { error / sum } else { 0.0 });
    }
    worst
}

/// Runs `kernel(a, b, out, store)` on every device for both stores; the bits must agree between runs and devices of the
/// stand-in. `skip` elements precede the operands, so that they are not aligned. Returns the largest relative error.
fn check(
    what: &str,
    precision: Precision,
    skip: usize,
    [a, b]: [&[f32]; 2],
    want: &[f64],
    sums: &[f64],
    kernel: impl Fn(&Cuda, [kernels::view::DeviceSlice<f32>; 2], kernels::view::DeviceSliceMut<f32>, Store),
) -> f64 {
    let mut largest = 0.0f64;
    for store in [Store::Set, Store::Add] {
        let before = if store == Store::Set { vec![f32::NAN; want.len()] } else { normal(99, want.len()) };
        let add = |(&want, &before): (&f64, &f32)| if store == Store::Set { want } else { want + f64::from(before) };
        let want: Vec<f64> = want.iter().zip(&before).map(add).collect();
        let mut first: Option<Vec<f32>> = None;
        for (i, cuda) in devices().into_iter().enumerate() {
            let moved = |x: &[f32]| up(&cuda, &[&vec![f32::NAN; skip][..], x].concat());
            let (a, b) = (moved(a), moved(b));
            let launch = || {
                let mut out = moved(&before);
                let operands = [a.slice().slice(skip..), b.slice().slice(skip..)];
                kernel(&cuda, operands, out.slice_mut().slice(skip..), store);
                down::<f32>(&cuda, &out)[skip..].to_vec()
            };
            let got = launch();
            let name = format!("{what} {precision:?} {store:?} on {cuda:?}");
            largest = largest.max(worst(&name, store, &got, &want, sums, bound(precision)));
            if i == 0 {
                assert!(bits(&got).eq(bits(&launch())), "{name}: two runs differ");
            }
            if let Some(first) = &first
                && cuda.name().contains("stand-in")
            {
                assert!(bits(&got).eq(bits(first)), "{name}: the bits depend on the order of threads");
            }
            first.get_or_insert(got);
        }
    }
    largest
}

pub fn bits(x: &[f32]) -> impl Iterator<Item = u32> + '_ {
    x.iter().map(|x| x.to_bits())
}

/// A pass in one schedule, in each of these precisions.
fn check_pass(g: &Conv2d, pass: Pass, schedule: Schedule, precisions: &[Precision], skip: usize) -> [f64; 3] {
    let [a_len, b_len, out_len] = lengths(pass, g);
    let (a, b) = (normal(1, a_len), normal(2, b_len));
    let want = reference(pass, g, &wide(&a), &wide(&b));
    let sums = reference(pass, g, &magnitudes(&a), &magnitudes(&b));
    assert_eq!(want.len(), out_len);
    let mut errors = [0.0; 3];
    for &precision in precisions {
        let what = format!("{pass:?} of {g:?} by {schedule:?}");
        errors[precision as usize] =
            check(&what, precision, skip, [&a, &b], &want, &sums, |cuda, operands, out, store| {
                let mut workspace = up(cuda, &vec![f32::NAN; schedule.workspace(pass, g)]);
                run(cuda, precision, pass, schedule, g, operands, out, store, workspace.slice_mut(), None);
            });
    }
    errors
}

pub fn conv(n: usize, [h, w]: [usize; 2], c: usize, o: usize, k: usize, s: usize, p: usize) -> Conv2d {
    Conv2d::new(n, h, w, c, o, [k, k], [s, s], [p, p]).unwrap()
}

fn report(what: &str, errors: &[f64; 3]) {
    let [f32, tf32, bf16] = errors;
    println!("{what}: |y - y64| / sum |x| |w| at most {f32:.1e} in f32, {tf32:.1e} in tf32, {bf16:.1e} in bf16");
}

fn join(errors: &mut [f64; 3], more: [f64; 3]) {
    errors.iter_mut().zip(more).for_each(|(error, more)| *error = error.max(more));
}

/// More than one tile each way, edges in each, one split and three.
#[test]
fn every_tile_matches_in_every_precision() {
    let mut errors = [0.0; 3];
    for (tile, channels) in Tile::ALL.into_iter().zip([132, 68, 36, 20]) {
        let shapes = [
            (Pass::Forward, conv(3, [7, 7], 8, channels, 3, 1, 1)),
            (Pass::BackwardInput, conv(3, [7, 7], channels, 8, 3, 1, 1)),
            (Pass::BackwardWeight, conv(2, [5, 6], 16, channels, 3, 1, 1)),
        ];
        for ((pass, g), splits) in shapes.into_iter().flat_map(|shape| [1, 3].map(|splits| (shape, splits))) {
            join(&mut errors, check_pass(&g, pass, Schedule { tile, splits }, &Precision::ALL, 0));
        }
    }
    report("tiles", &errors);
}

/// Kernels, strides, paddings, channels and alignments that the loaders tell apart.
#[test]
fn every_geometry_matches() {
    let shapes = [
        conv(2, [9, 8], 3, 16, 3, 1, 1),                             // the stem: single channels
        conv(2, [8, 8], 3, 8, 4, 2, 1),                              // weights in fours, pixels not
        conv(2, [9, 7], 4, 5, 3, 2, 1),                              // phases of different sizes
        conv(3, [6, 6], 8, 12, 1, 2, 0),                             // phases without taps
        conv(2, [6, 32], 8, 6, 3, 1, 1),                             // lines of whole steps
        conv(2, [5, 32], 4, 12, 3, 2, 1),                            // the same, every other pixel
        conv(2, [4, 4], 20, 1, 4, 1, 0),                             // a product
        conv(1, [1, 1], 1, 1, 1, 1, 0),                              // one number
        Conv2d::new(2, 7, 9, 6, 4, [2, 5], [3, 2], [0, 3]).unwrap(), // no two sizes the same
        Conv2d::transposed(2, 4, 4, 8, 4, [4, 4], [2, 2], [1, 1], [0, 0]).unwrap(), // up-sampling
        Conv2d::transposed(2, 3, 2, 5, 3, [3, 3], [2, 2], [1, 1], [1, 1]).unwrap(), // with output padding
    ];
    let mut errors = [0.0; 3];
    for (g, pass) in shapes.into_iter().flat_map(|g| Pass::ALL.map(|pass| (g, pass))) {
        join(&mut errors, check_pass(&g, pass, Schedule::of(pass, &g, Precision::F32), &[Precision::F32], 0));
        let schedule = Schedule { tile: Tile::M128N16, splits: 2 };
        join(&mut errors, check_pass(&g, pass, schedule, &[Precision::Tf32], 1));
    }
    report("geometries", &errors);
}

/// Long sums: what is lost in f32, and that operands are rounded to nearest.
#[test]
fn errors_of_long_sums_stay_small() {
    let shapes = [
        (Pass::Forward, conv(1, [4, 4], 128, 16, 3, 1, 1)),
        (Pass::BackwardInput, conv(1, [4, 4], 16, 128, 3, 1, 1)),
        (Pass::BackwardWeight, conv(8, [12, 12], 8, 16, 1, 1, 0)),
    ];
    let mut errors = [0.0; 3];
    for (pass, g) in shapes {
        join(&mut errors, check_pass(&g, pass, Schedule { tile: Tile::M128N16, splits: 1 }, &Precision::ALL, 0));
    }
    report("K up to 1,152", &errors);
    // Of numbers that are truncated, not rounded, it would be more.
    for (error, precision) in errors.into_iter().zip(Precision::ALL).skip(1) {
        assert!(error < precision.roundoff() / 2.0, "{precision:?}: {error:e}");
    }
}

#[test]
fn products_match() {
    let (no, yes) = (Transpose::No, Transpose::Yes);
    for [m, n, k] in [[5, 10, 128], [70, 33, 4], [3, 100, 7]] {
        for (ta, tb) in [(no, yes), (no, no), (yes, no)] {
            let (a, b) = (normal(1, m * k), normal(2, k * n));
            let product = |a: &[f64], b: &[f64]| {
                let mut c = vec![0.0; m * n];
                gemm::gemm(&Device::cpu(), ta, tb, m, n, k, a, b, &mut c, Store::Set);
                c
            };
            let (want, sums) = (product(&wide(&a), &wide(&b)), product(&magnitudes(&a), &magnitudes(&b)));
            for precision in Precision::ALL {
                let what = format!("{m} x {n} x {k} {ta:?} {tb:?}");
                check(&what, precision, 0, [&a, &b], &want, &sums, |cuda, [a, b], c, store| {
                    gemm::gemm(&on(cuda, precision), ta, tb, m, n, k, a, b, c, store);
                });
            }
        }
    }
}

#[test]
fn transposed_convolution_matches() {
    let g = Conv2d::transposed(2, 4, 4, 8, 5, [4, 4], [2, 2], [1, 1], [0, 0]).unwrap();
    let (x, w, dy) = (normal(1, g.y_len()), normal(2, g.w_len()), normal(3, g.x_len()));
    fn run<T: Real>(device: &Device, pass: Pass, g: &Conv2d, [a, b]: [View<T>; 2], out: ViewMut<T>, store: Store) {
        match pass {
            Pass::Forward => conv_transpose2d::forward(device, g, a, b, out, store),
            Pass::BackwardInput => conv_transpose2d::backward_input(device, g, a, b, out, store),
            Pass::BackwardWeight => conv_transpose2d::backward_weight(device, g, a, b, out, store),
        }
    }
    type Case<'a> = (Pass, [&'a [f32]; 2], usize);
    let passes: [Case; 3] = [
        (Pass::Forward, [&x, &w], g.x_len()),
        (Pass::BackwardInput, [&dy, &w], g.y_len()),
        (Pass::BackwardWeight, [&x, &dy], g.w_len()),
    ];
    for (pass, operands, len) in passes {
        let on_cpu = |[a, b]: [Vec<f64>; 2]| {
            let mut out = vec![0.0; len];
            run(&Device::cpu(), pass, &g, [View::from(&a), View::from(&b)], ViewMut::from(&mut out), Store::Set);
            out
        };
        let (want, sums) = (on_cpu(operands.map(wide)), on_cpu(operands.map(magnitudes)));
        for precision in Precision::ALL {
            check("transposed", precision, 0, operands, &want, &sums, |cuda, operands, out, store| {
                run(&on(cuda, precision), pass, &g, operands.map(View::from), out.into(), store);
            });
        }
    }
}

/// Two images of two tiles, across or down: margins are another tile's pixels, or what lies around the image.
#[test]
fn tiles_with_a_margin_match() {
    let mut errors = [0.0; 3];
    for g in [conv(2, [16, 32], 16, 16, 3, 1, 1), conv(2, [16, 16], 32, 32, 3, 1, 1)] {
        let tile = Tile::halo(&g).expect("whole tiles");
        // Of the gradient of the weights, all tiles in one block, one in each, and two in each of those that have any.
        let cases = [(Pass::Forward, &[1][..]), (Pass::BackwardInput, &[1]), (Pass::BackwardWeight, &[1, 4, 3])];
        for (pass, splits) in cases {
            let precisions = [Precision::Tf32, Precision::Bf16];
            let own = precisions.map(|p| Schedule::of(pass, &g, p));
            assert!(own.iter().all(|own| own.tile == tile && splits.contains(&own.splits)), "{own:?}");
            for &splits in splits {
                join(&mut errors, check_pass(&g, pass, Schedule { tile, splits }, &precisions, 0));
            }
            assert_ne!(Schedule::of(pass, &g, Precision::F32).tile, tile, "f32 has no such kernel");
        }
    }
    report("tiles with a margin", &errors);
    let others = [
        conv(2, [32, 24], 16, 16, 3, 1, 1),
        conv(2, [8, 16], 16, 16, 3, 1, 1),
        conv(2, [32, 32], 16, 32, 3, 1, 1),
        conv(2, [32, 32], 16, 16, 3, 2, 1),
        conv(2, [32, 32], 16, 16, 3, 1, 0),
        conv(2, [32, 32], 16, 16, 1, 1, 0),
        conv(2, [32, 32], 64, 64, 3, 1, 1),
    ];
    assert!(others.iter().all(|g| Tile::halo(g).is_none()));
}

/// The tensors of a device are aligned, but its functions take any.
#[test]
fn what_is_not_aligned_takes_another_way() {
    let g = conv(1, [16, 16], 16, 16, 3, 1, 1);
    let (x, w) = (normal(1, g.x_len()), normal(2, g.w_len()));
    let want = reference(Pass::Forward, &g, &wide(&x), &wide(&w));
    let sums = reference(Pass::Forward, &g, &magnitudes(&x), &magnitudes(&w));
    for skip in [0, 1] {
        check("a 3x3 convolution", Precision::Tf32, skip, [&x, &w], &want, &sums, |cuda, operands, out, store| {
            let [x, w] = operands.map(View::from);
            conv2d::forward(&on(cuda, Precision::Tf32), &g, x, w, ViewMut::from(out), store);
        });
    }
}

#[test]
fn no_pass_of_few_pixels_needs_a_workspace() {
    let of = |g: &Conv2d| Schedule::of(Pass::BackwardWeight, g, Precision::F32).workspace(Pass::BackwardWeight, g);
    assert_eq!(of(&conv(1, [4, 4], 8, 8, 3, 1, 1)), 0);
    assert!(of(&conv(64, [4, 4], 8, 8, 3, 1, 1)) > 0);
}

/// A batch that is too large is the user's to lower: an error says so. No machine has the memory, so the operands are of a
/// device where it ran out, which is nothing to one that launches nothing.
#[test]
fn more_numbers_than_an_int_counts_are_refused() {
    for (cuda, without_memory) in devices().into_iter().zip(devices()) {
        let g = conv(1 << 28, [32, 32], 16, 16, 3, 1, 1);
        let (w, mut workspace) = (up(&cuda, &normal(1, g.w_len())), up(&cuda, &[0.0f32]));
        let huge = on(&without_memory, Precision::F32);
        let (x, mut y) = (huge.buffer::<f32>(g.x_len()), huge.buffer::<f32>(g.y_len()));
        let schedule = Schedule { tile: Tile::M128N16, splits: 1 };
        let operands = [x.view().device(), w.slice()];
        let (out, workspace) = (y.view_mut().device(), workspace.slice_mut());
        run(&cuda, Precision::F32, Pass::Forward, schedule, &g, operands, out, Store::Set, workspace, None);
        assert_eq!(
            cuda.synchronize().unwrap_err().to_string(),
            "cuda: a convolution of 268435456 images has a tensor of 4398046511104 numbers, of at most 2147483647: lower --batch \
             or --width"
        );
    }
}
