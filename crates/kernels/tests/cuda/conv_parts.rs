//! The moments of a convolution's result, part by part, as batch norm joins them.

use crate::common::{devices, down, normal, up};
use crate::conv::{bits, conv, lengths};
use kernels::Store;
use kernels::conv2d::cuda::{Schedule, Tile, parts_of, run};
use kernels::conv2d::{Conv2d, Parts, Pass};
use kernels::cuda::Precision;

/// Of each part of `rows` rows, for each of the channels, the mean and the sum of squared deviations from it.
fn moments(x: &[f32], channels: usize, rows: usize) -> Vec<f64> {
    let of_part = |part: &[f32]| {
        let column = |c: usize| part[c..].iter().step_by(channels).map(|&x| f64::from(x));
        let means: Vec<f64> = (0..channels).map(|c| column(c).sum::<f64>() / rows as f64).collect();
        let m2s = (0..channels).map(|c| column(c).map(|x| (x - means[c]).powi(2)).sum()).collect();
        [means, m2s].concat()
    };
    x.chunks(rows * channels).flat_map(of_part).collect()
}

/// The pixels of images of `[h, w, c]` phase by phase of a stride of two, as tiles have them: those first that the first tap
/// reaches, which with a padding of one are the odd ones.
fn by_phase(x: &[f32], g: &Conv2d) -> Vec<f32> {
    let images = x.chunks(g.h * g.w * g.c);
    let pixel = |image: &[f32], y: usize, x: usize| image[(y * g.w + x) * g.c..][..g.c].to_vec();
    let of_phase = |[py, px]: [usize; 2]| {
        let rows =
            |image| (py..g.h).step_by(2).flat_map(move |y| (px..g.w).step_by(2).map(move |x| pixel(image, y, x)));
        images.clone().flat_map(rows).flatten().collect::<Vec<f32>>()
    };
    [[1, 1], [1, 0], [0, 1], [0, 0]].map(of_phase).concat()
}

/// The moments of one pass and schedule, of parts in the order of tiles. Deviations are small beside the means of some channels.
fn check_parts(pass: Pass, g: &Conv2d, schedule: Schedule, precisions: &[Precision]) {
    let channels = if pass == Pass::BackwardInput { g.c } else { g.o };
    let Parts { count, rows } = parts_of(pass, schedule, g, 1).expect("whole parts");
    assert_eq!(rows * count * channels, lengths(pass, g)[2]);
    let [a_len, b_len, out_len] = lengths(pass, g);
    let a: Vec<f32> = normal(1, a_len).iter().map(|x| 3.0 + 0.1 * x).collect();
    for &precision in precisions {
        let what = format!("{pass:?} of {g:?} by {schedule:?} in {precision:?}");
        let mut first: Option<Vec<f32>> = None;
        for cuda in devices() {
            let (a, b) = (up(&cuda, &a), up(&cuda, &normal(2, b_len)));
            let launch = |moments: bool| {
                let mut out = up(&cuda, &vec![f32::NAN; out_len]);
                let mut workspace = up(&cuda, &vec![f32::NAN; schedule.workspace(pass, g)]);
                let mut parts = up(&cuda, &vec![f32::NAN; count * 2 * channels]);
                let (operands, to) = ([a.slice(), b.slice()], workspace.slice_mut());
                let into = moments.then(|| parts.slice_mut());
                run(&cuda, precision, pass, schedule, g, operands, out.slice_mut(), Store::Set, to, into);
                (down::<f32>(&cuda, &out), down::<f32>(&cuda, &parts))
            };
            let (out, got) = launch(true);
            if schedule.splits == 1 && first.is_none() {
                assert!(bits(&out).eq(bits(&launch(false).0)), "{what}: the result with moments and without");
            }
            let phases = pass == Pass::BackwardInput && g.stride == [2, 2] && schedule.splits == 1;
            let want = moments(&if phases { by_phase(&out, g) } else { out }, channels, rows);
            let vectors = got.chunks(2 * channels).zip(want.chunks(2 * channels));
            for (c, (got, want)) in vectors.flat_map(|both| (0..channels).map(move |c| (c, both))) {
                let [mean, m2] = [c, channels + c].map(|i| (f64::from(got[i]), want[i]));
                let (epsilon, std) = (f64::from(f32::EPSILON), (m2.1 / rows as f64).sqrt());
                assert!((mean.0 - mean.1).abs() <= 4.0 * epsilon * (mean.1.abs() + std), "{what}: mean {mean:?}");
                let rounded = rows as f64 * (2.0 * epsilon * mean.1).powi(2);
                assert!((m2.0 - m2.1).abs() <= 1e-5 * m2.1 + rounded, "{what}: squares {m2:?}");
            }
            if cuda.name().contains("stand-in") {
                let first = first.get_or_insert_with(|| got.clone());
                assert!(bits(&got).eq(bits(first)), "{what}: the bits depend on the order of threads");
            }
        }
    }
}

/// In every tile, whole and split, phases too.
#[test]
fn parts_have_the_moments_of_the_result() {
    for (tile, channels) in Tile::ALL.into_iter().zip([132, 68, 36, 20]) {
        let shapes = [
            (Pass::Forward, conv(4, [8, 8], 8, channels, 3, 1, 1)),
            (Pass::BackwardInput, conv(2, [16, 16], channels, 8, 4, 2, 1)),
        ];
        for ((pass, g), splits) in shapes.into_iter().flat_map(|shape| [1, 3].map(|splits| (shape, splits))) {
            check_parts(pass, &g, Schedule { tile, splits }, &[Precision::F32, Precision::Tf32]);
        }
    }
    for g in [conv(1, [32, 16], 16, 16, 3, 1, 1), conv(2, [8, 16], 32, 32, 3, 1, 1)] {
        let schedule = Schedule { tile: Tile::halo(&g).expect("whole tiles"), splits: 1 };
        for pass in [Pass::Forward, Pass::BackwardInput] {
            check_parts(pass, &g, schedule, &[Precision::Tf32, Precision::Bf16]);
        }
    }
}

#[test]
fn parts_are_whole_and_of_one_group_or_there_are_none() {
    let found = |pass, g: &Conv2d, splits, groups| {
        parts_of(pass, Schedule { tile: Tile::M128N16, splits }, g, groups).map(|parts| (parts.count, parts.rows))
    };
    let g = conv(4, [8, 8], 8, 16, 3, 1, 1);
    assert_eq!(found(Pass::Forward, &g, 1, 1), Some((2, 128)));
    assert_eq!(found(Pass::Forward, &g, 1, 2), Some((2, 128)));
    assert_eq!(found(Pass::Forward, &g, 1, 4), None, "a tile of two groups");
    assert_eq!(found(Pass::Forward, &conv(3, [8, 8], 8, 16, 3, 1, 1), 1, 1), None, "half a tile");
    assert_eq!(found(Pass::Forward, &conv(3, [8, 8], 8, 64, 3, 1, 1), 2, 3), Some((6, 32)));
    assert_eq!(found(Pass::BackwardWeight, &g, 1, 1), None, "sums over the pixels");
    let g = conv(8, [8, 8], 16, 8, 4, 2, 1);
    assert_eq!(found(Pass::BackwardInput, &g, 1, 1), Some((4, 128)));
    assert_eq!(found(Pass::BackwardInput, &g, 1, 2), None, "each phase has rows of both groups");
    assert_eq!(found(Pass::BackwardInput, &g, 2, 2), Some((4, 128)), "sums of splits are in the order of memory");
    assert_eq!(found(Pass::BackwardInput, &conv(128, [7, 7], 16, 8, 3, 2, 1), 1, 1), None, "phases of unequal size");
    assert_eq!(found(Pass::BackwardInput, &conv(128, [4, 4], 8, 8, 4, 1, 0), 1, 1), None, "columns of sixteen pixels");
}
