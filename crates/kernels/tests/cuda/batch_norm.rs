//! Batch normalisation against the CPU in f64: statistics, the normalising pass, every gradient.

use crate::common::{assert_close, assert_stores, devices, down, normal, up, wide};
use kernels::batch_norm::cuda as on_gpu;
use kernels::batch_norm::{self, BatchStatistics, Normalize, Running};
use kernels::cuda::{Cuda, Memory, Precision};
use kernels::view::{DeviceSliceMut, View, ViewMut};
use kernels::{Device, Store};

/// Rows and channels: fewer channels than four, quads and a rest, several blocks across, several chunks and steps.
const SHAPES: [(usize, usize); 7] = [(2, 1), (700, 3), (1100, 16), (37, 17), (70, 68), (150, 20), (16, 132)];

fn scaled(stream: u64, n: usize, mean: f32, std: f32) -> Vec<f32> {
    normal(stream, n).iter().map(|x| mean + std * x).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Asserts that every order of the stand-in's threads gives the same bits.
fn assert_same(first: &mut Option<Vec<u32>>, cuda: &Cuda, parts: &[&[f32]]) {
    let now = bits(&parts.concat());
    if cuda.name().contains("stand-in") {
        assert!(first.get_or_insert_with(|| now.clone()) == &now, "the bits depend on the order of threads");
    }
}

#[test]
fn statistics_match_far_from_zero() {
    let moments = [(0.0, 1.0), (1000.0, 0.5), (12345.0, 2e-3)];
    for ((rows, channels), (at, std)) in SHAPES.into_iter().flat_map(|shape| moments.map(|m| (shape, m))) {
        let n = rows * channels;
        let x = scaled(3, n, at, std);
        let (mut mean64, mut var64) = (vec![0.0; channels], vec![0.0; channels]);
        batch_norm::statistics(&Device::cpu(), channels, &wide(&x), &mut mean64, &mut var64, None);
        let before = [normal(4, channels), scaled(5, channels, 3.0, 0.1)];
        let (mut running_mean, mut running_var) = (wide(&before[0]), wide(&before[1]));
        batch_norm::update_running(
            &Device::cpu(),
            rows,
            f64::from(0.1f32),
            &mean64,
            &var64,
            &mut running_mean,
            &mut running_var,
        );
        let mut first = None;
        for cuda in devices() {
            let x = up(&cuda, &x);
            let mut workspace = up(&cuda, &vec![f32::NAN; on_gpu::workspace(channels, n, 1)]);
            let mut out = [(); 2].map(|()| up(&cuda, &vec![f32::NAN; channels]));
            let mut moved = [0, 1].map(|i| up(&cuda, &before[i]));
            for with_running in [false, true] {
                let [mean, var] = &mut out;
                let [moved_mean, moved_var] = &mut moved;
                let (to_mean, to_var) = (moved_mean.slice_mut().into(), moved_var.slice_mut().into());
                let running = Running { momentum: 0.1f32, mean: to_mean, var: to_var, groups: 1 };
                let running = with_running.then_some(running);
                let (mean, var) = (mean.slice_mut(), var.slice_mut());
                on_gpu::statistics(&cuda, channels, x.slice(), mean, var, running, workspace.slice_mut());
            }
            let [mean, var] = [0, 1].map(|i| down::<f32>(&cuda, &out[i]));
            assert_close("mean", 4.0, &mean, &mean64);
            for (got, want) in var.iter().zip(&var64) {
                let error = (f64::from(*got) - want).abs();
                assert!(
                    error <= 16.0 * f64::from(f32::EPSILON) * want,
                    "var {got}, reference {want} of {rows} x {channels}"
                );
            }
            assert_close("running_mean", 4.0, &down(&cuda, &moved[0]), &running_mean);
            assert_close("running_var", 16.0, &down(&cuda, &moved[1]), &running_var);
            assert_same(&mut first, &cuda, &[&mean, &var]);
        }
    }
}

/// Of parts, of each of which the moments are known: few, and so many that they are joined in two steps; one group to three.
#[test]
fn statistics_of_parts_are_those_of_the_rows() {
    for (parts, rows_of_part, channels, groups) in
        [(2, 5, 3, 1), (70, 2, 20, 2), (70, 1, 17, 3), (1152, 1, 5, 1), (520, 1, 9, 2)]
    {
        let rows = groups * parts * rows_of_part;
        let x = scaled(3, rows * channels, 100.0, 0.5);
        let moments: Vec<f32> = wide(&x)
            .chunks(rows_of_part * channels)
            .flat_map(|part| {
                let n = rows_of_part as f64;
                let column = |c: usize| part[c..].iter().step_by(channels);
                let means: Vec<f64> = (0..channels).map(|c| column(c).sum::<f64>() / n).collect();
                let m2s = (0..channels).map(|c| column(c).map(|x| (x - means[c]).powi(2)).sum()).collect();
                [means, m2s].concat()
            })
            .map(|x| x as f32)
            .collect();
        for cuda in devices() {
            let (x, moments) = (up(&cuda, &x), up(&cuda, &moments));
            for moving in [0, groups] {
                let before = [normal(4, channels), scaled(5, channels, 3.0, 0.1)];
                let both = [false, true].map(|by_parts| {
                    let [mut mean, mut var] = [(); 2].map(|()| up(&cuda, &vec![f32::NAN; groups * channels]));
                    let mut moved = [0, 1].map(|i| up(&cuda, &before[i]));
                    let [to_mean, to_var] = moved.each_mut().map(|m| m.slice_mut::<f32>().into());
                    let running = Running { momentum: 0.1f32, mean: to_mean, var: to_var, groups: moving };
                    let running = (moving > 0).then_some(running);
                    let device = Device::cuda(cuda.clone(), Precision::F32).unwrap().poisoned();
                    let out = (mean.slice_mut::<f32>(), var.slice_mut::<f32>());
                    if by_parts {
                        let parts = moments.slice::<f32>();
                        batch_norm::statistics_of_parts(
                            &device,
                            channels,
                            rows,
                            parts,
                            rows_of_part,
                            out.0,
                            out.1,
                            running,
                        );
                    } else {
                        batch_norm::statistics(&device, channels, x.slice::<f32>(), out.0, out.1, running);
                    }
                    let [moved_mean, moved_var] = &moved;
                    [&mean, &var, moved_mean, moved_var].map(|v| down::<f32>(&cuda, v))
                });
                let what = format!("{parts} parts, {groups} groups, {moving} move on {cuda:?}");
                for (i, units) in [4.0, 200.0, 4.0, 200.0].into_iter().enumerate() {
                    assert_close(&what, units, &both[1][i], &wide(&both[0][i]));
                }
            }
        }
    }
}

#[test]
fn a_constant_channel_has_no_variance() {
    for cuda in devices() {
        let x = up(&cuda, &[12345.678f32, 0.1].repeat(3000));
        let mut workspace = up(&cuda, &vec![f32::NAN; on_gpu::workspace(2, 6000, 1)]);
        let (mut mean, mut var) = (up(&cuda, &[f32::NAN; 2]), up(&cuda, &[f32::NAN; 2]));
        let (to_mean, to_var) = (mean.slice_mut(), var.slice_mut());
        on_gpu::statistics(&cuda, 2, x.slice(), to_mean, to_var, None::<Running<f32>>, workspace.slice_mut());
        assert_eq!((down::<f32>(&cuda, &mean), down::<f32>(&cuda, &var)), (vec![12345.678, 0.1], vec![0.0, 0.0]));
    }
}

type Out<'a> = (DeviceSliceMut<'a, f32>, Store);

struct Case {
    normalize: Normalize<f32>,
    statistics: BatchStatistics,
    x: Vec<f32>,
    residual: Option<Vec<f32>>,
    /// mean, var, gamma, beta.
    vectors: [Vec<f32>; 4],
    dy: Vec<f32>,
}

fn cases() -> impl Iterator<Item = Case> {
    let modes = [
        (0.0, BatchStatistics::Batch, true),
        (0.2, BatchStatistics::Running, false),
        (1.0, BatchStatistics::Batch, false),
    ];
    SHAPES.into_iter().flat_map(move |shape| modes.map(|mode| (shape, mode))).map(
        |((rows, channels), (slope, statistics, with_residual))| {
            let n = rows * channels;
            Case {
                normalize: Normalize { channels, eps: 1e-3, slope },
                statistics,
                x: scaled(1, n, 1.0, 2.0),
                residual: with_residual.then(|| scaled(2, n, 0.0, 0.5)),
                vectors: [(3, 1.0, 0.2), (4, 4.0, 0.3), (5, 1.0, 0.3), (6, 0.0, 0.5)]
                    .map(|(stream, mean, std)| scaled(stream, channels, mean, std)),
                dy: scaled(7, n, 0.1, 1.0),
            }
        },
    )
}

impl Case {
    fn normalize64(&self) -> Normalize<f64> {
        let Normalize { channels, eps, slope } = self.normalize;
        Normalize { channels, eps: eps.into(), slope: slope.into() }
    }

    fn y64(&self) -> Vec<f64> {
        let [mean, var, gamma, beta] = [0, 1, 2, 3].map(|i| wide(&self.vectors[i]));
        let residual = self.residual.as_ref().map(|r| wide(r));
        let mut y = vec![0.0; self.x.len()];
        let (cpu, x) = (Device::cpu(), wide(&self.x));
        batch_norm::forward(
            &cpu,
            self.normalize64(),
            &x,
            [&mean, &var, &gamma, &beta],
            residual.as_ref().map(View::from),
            &mut y,
        );
        y
    }

    /// [dx, dgamma, dbeta, dresidual].
    fn gradients64(&self, y: Option<&[f64]>) -> [Vec<f64>; 4] {
        let vectors = [0, 1, 2, 3].map(|i| wide(&self.vectors[i]));
        let [n, channels] = [self.x.len(), self.normalize.channels];
        let (mut dx, mut dresidual) = (wide(&self.dy), vec![0.0; n]);
        let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
        batch_norm::backward(
            &Device::cpu(),
            self.normalize64(),
            self.statistics,
            &wide(&self.x),
            y.map(View::from),
            &mut dx,
            [&vectors[0], &vectors[1], &vectors[2], &vectors[3]],
            Some(((&mut dgamma).into(), Store::Set)),
            Some(((&mut dbeta).into(), Store::Set)),
            y.is_some().then(|| (&mut dresidual).into()),
        );
        [dx, dgamma, dbeta, dresidual]
    }
}

#[test]
fn the_normalising_pass_matches() {
    for case in cases() {
        let want = case.y64();
        for cuda in devices() {
            let vectors = case.vectors.each_ref().map(|v| up(&cuda, v));
            let (x, mut y) = (up(&cuda, &case.x), up(&cuda, &vec![f32::NAN; case.x.len()]));
            let residual = case.residual.as_ref().map(|r| up(&cuda, r));
            let (vectors, residual) = (vectors.each_ref().map(|v| v.slice()), residual.as_ref().map(|r| r.slice()));
            on_gpu::forward(&cuda, case.normalize, x.slice(), vectors, residual, y.slice_mut());
            assert_close("y", 8.0, &down(&cuda, &y), &want);
        }
    }
}

/// With a residual the sign is that of y, without one it is found from x. Every combination of wanted gradients.
#[test]
fn every_gradient_matches() {
    for case in cases() {
        let (n, channels) = (case.x.len(), case.normalize.channels);
        let y: Option<Vec<f32>> = case.residual.is_some().then(|| case.y64().iter().map(|&y| y as f32).collect());
        let want = case.gradients64(y.as_ref().map(|y| wide(y)).as_deref());
        let mut first = None;
        for cuda in devices() {
            let vectors = case.vectors.each_ref().map(|v| up(&cuda, v));
            let vectors = vectors.each_ref().map(|v| v.slice());
            let (x, y) = (up(&cuda, &case.x), y.as_ref().map(|y| up(&cuda, y)));
            let backward =
                |dgamma: Option<Out<'_>>, dbeta: Option<Out<'_>>, dresidual: Option<DeviceSliceMut<'_, f32>>| {
                    let mut dx = up(&cuda, &case.dy);
                    let mut workspace = up(&cuda, &vec![f32::NAN; on_gpu::workspace(channels, n, 1)]);
                    let (normalize, statistics, y) = (case.normalize, case.statistics, y.as_ref().map(|y| y.slice()));
                    let (x, to) = (x.slice(), dx.slice_mut());
                    let out = workspace.slice_mut();
                    on_gpu::backward(&cuda, normalize, statistics, x, y, to, vectors, dgamma, dbeta, dresidual, out);
                    down::<f32>(&cuda, &dx)
                };
            assert_stores(&cuda, "dgamma", 100.0, &want[1], |out, store| {
                backward(Some((out.slice_mut(), store)), None, None);
            });
            assert_stores(&cuda, "dbeta", 100.0, &want[2], |out, store| {
                backward(None, Some((out.slice_mut(), store)), None);
            });
            let dx = backward(None, None, None);
            assert_close("dx", 32.0, &dx, &want[0]);
            let mut dresidual = up(&cuda, &vec![f32::NAN; n]);
            if y.is_some() {
                assert_eq!(bits(&dx), bits(&backward(None, None, Some(dresidual.slice_mut()))), "dx beside dresidual");
                assert_close("dresidual", 1.0, &down::<f32>(&cuda, &dresidual), &want[3]);
            }
            assert_same(&mut first, &cuda, &[&dx, &down::<f32>(&cuda, &dresidual)]);
        }
    }
}

/// Of two groups and of three: dx, and of gamma and beta the sums over all of them.
#[test]
fn the_gradients_of_groups_match() {
    for ((rows, channels), groups) in [((37, 17), 2), ((300, 3), 3)] {
        let n = groups * rows * channels;
        let (x, dy) = (scaled(1, n, 1.0, 2.0), scaled(7, n, 0.1, 1.0));
        let vectors: [Vec<f32>; 4] = [(3, groups, 1.0, 0.2), (4, groups, 4.0, 0.3), (5, 1, 1.0, 0.3), (6, 1, 0.0, 0.5)]
            .map(|(stream, groups, mean, std)| scaled(stream, groups * channels, mean, std));
        let (normalize, batch) = (Normalize { channels, eps: 1e-3, slope: 0.2f32 }, BatchStatistics::Batch);
        let want = {
            let vectors = vectors.each_ref().map(|v| wide(v));
            let (mut dx, mut dgamma, mut dbeta) = (wide(&dy), vec![0.0; channels], vec![0.0; channels]);
            let normalize = Normalize { channels, eps: f64::from(normalize.eps), slope: f64::from(normalize.slope) };
            let [to_gamma, to_beta] = [&mut dgamma, &mut dbeta].map(|out| Some((ViewMut::from(out), Store::Set)));
            let (cpu, x, vectors) = (Device::cpu(), wide(&x), vectors.each_ref().map(View::from));
            batch_norm::backward(&cpu, normalize, batch, &x, None, &mut dx, vectors, to_gamma, to_beta, None);
            [dx, dgamma, dbeta]
        };
        for cuda in devices() {
            let (x, mut dx) = (up(&cuda, &x), up(&cuda, &dy));
            let vectors = vectors.each_ref().map(|v| up(&cuda, v));
            let [mut dgamma, mut dbeta] = [(); 2].map(|()| up(&cuda, &vec![f32::NAN; channels]));
            let mut workspace = up(&cuda, &vec![f32::NAN; on_gpu::workspace(channels, n, groups)]);
            let [to_gamma, to_beta] = [&mut dgamma, &mut dbeta].map(|out| Some((out.slice_mut(), Store::Set)));
            let (to, out) = (dx.slice_mut(), workspace.slice_mut());
            let vectors = vectors.each_ref().map(|v| v.slice());
            on_gpu::backward(&cuda, normalize, batch, x.slice(), None, to, vectors, to_gamma, to_beta, None, out);
            for ((what, units), (got, want)) in [("dx", 32.0), ("dgamma", 100.0), ("dbeta", 100.0)]
                .into_iter()
                .zip([dx, dgamma, dbeta].iter().zip(&want))
            {
                assert_close(&format!("{what} of {groups} groups on {cuda:?}"), units, &down(&cuda, got), want);
            }
        }
    }
}

/// Two groups in one launch are two batches one after the other, running statistics included.
#[test]
fn groups_are_batches_one_after_the_other() {
    for (rows, channels) in SHAPES {
        let n = rows * channels;
        let x = [scaled(3, n, 1.0, 2.0), scaled(4, n, -2.0, 0.5)];
        let before = [normal(5, channels), scaled(6, channels, 3.0, 0.1)];
        for cuda in devices() {
            let device = Device::cuda(cuda.clone(), Precision::F32).unwrap().poisoned();
            let run = |x: &[f32], groups: usize, moving: usize, moved: &mut [Memory; 2]| {
                let x = up(&cuda, x);
                let [mut mean, mut var] = [(); 2].map(|()| up(&cuda, &vec![f32::NAN; groups * channels]));
                let [running_mean, running_var] = moved;
                let [to_mean, to_var] = [running_mean, running_var].map(|m| m.slice_mut::<f32>().into());
                let running = Running { momentum: 0.1f32, mean: to_mean, var: to_var, groups: moving };
                let x = x.slice::<f32>();
                let out = (mean.slice_mut::<f32>(), var.slice_mut::<f32>());
                batch_norm::statistics(&device, channels, x, out.0, out.1, (moving > 0).then_some(running));
                [mean, var].map(|v| down::<f32>(&cuda, &v))
            };
            for moving in [1, 2] {
                let [mut joint, mut apart] = [(); 2].map(|()| [0, 1].map(|i| up(&cuda, &before[i])));
                let both = run(&x.concat(), 2, moving, &mut joint);
                let each = [0, 1].map(|i| run(&x[i], 1, usize::from(i < moving), &mut apart));
                for (i, both) in both.iter().enumerate() {
                    // The chunks of the sums are others.
                    assert_close("mean or var", 16.0, both, &wide(&[&each[0][i][..], &each[1][i]].concat()));
                    assert_close("running", 16.0, &down(&cuda, &joint[i]), &wide(&down::<f32>(&cuda, &apart[i])));
                }
            }
        }
    }
}
