//! The backward pass against a plain f64 reference; `tensor` compares it with central differences.

use super::*;
use crate::testing::{assert_close, assert_stores, both, devices, exact_sum, nan, normal, over_threads, wide};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store};

struct Case<T> {
    normalize: Normalize<T>,
    statistics: BatchStatistics,
    x: Vec<T>,
    residual: Vec<T>,
    mean: Vec<T>,
    var: Vec<T>,
    gamma: Vec<T>,
    beta: Vec<T>,
    dy: Vec<T>,
}

impl<T: Real> Case<T> {
    fn new(rows: usize, channels: usize, slope: f64, statistics: BatchStatistics) -> Self {
        let n = rows * channels;
        let mut case = Self {
            normalize: Normalize { channels, eps: T::from_f64(1e-3), slope: T::from_f64(slope) },
            statistics,
            x: normal(1, n, 1.0, 2.0),
            residual: normal(2, n, 0.0, 0.5),
            mean: normal(3, channels, 1.0, 0.2),
            var: normal(4, channels, 4.0, 0.3),
            gamma: normal(5, channels, 1.0, 0.3),
            beta: normal(6, channels, 0.0, 0.5),
            dy: normal(7, n, 0.1, 1.0),
        };
        if statistics == BatchStatistics::Batch {
            super::statistics(&Device::cpu(), channels, &case.x, &mut case.mean, &mut case.var, None);
        }
        case
    }

    fn y(&self, device: &Device, with_residual: bool) -> Vec<T> {
        let mut y = nan(self.x.len());
        let Self { x, mean, var, gamma, beta, residual, .. } = self;
        let residual = with_residual.then_some(&residual[..]);
        forward(device, self.normalize, x, [mean, var, gamma, beta], residual.map(View::from), &mut y);
        y
    }

    /// dx, the others where wanted.
    fn backward(
        &self,
        device: &Device,
        y: Option<&[T]>,
        dgamma: Option<(&mut [T], Store)>,
        dbeta: Option<(&mut [T], Store)>,
        dresidual: Option<&mut [T]>,
    ) -> Vec<T> {
        let mut dx = self.dy.clone();
        let constants = [&self.mean[..], &self.var, &self.gamma, &self.beta];
        let (normalize, statistics) = (self.normalize, self.statistics);
        let y = y.map(View::from);
        let [dgamma, dbeta] = [dgamma, dbeta].map(|out| out.map(|(out, store)| (ViewMut::from(out), store)));
        let dresidual = dresidual.map(ViewMut::from);
        backward(device, normalize, statistics, &self.x, y, &mut dx, constants, dgamma, dbeta, dresidual);
        dx
    }

    /// The formulas of the module, element by element in f64: [dx, dgamma, dbeta, dresidual].
    fn reference(&self, y: &[T]) -> [Vec<f64>; 4] {
        let channels = self.normalize.channels;
        let n = self.x.len();
        let m = (n / channels) as f64;
        let slope = self.normalize.slope.to_f64();
        let dz: Vec<f64> =
            wide(&self.dy).iter().zip(y).map(|(dy, y)| if y.to_f64() > 0.0 { *dy } else { slope * dy }).collect();
        let s: Vec<f64> = self.var.iter().map(|v| 1.0 / (v.to_f64() + self.normalize.eps.to_f64()).sqrt()).collect();
        let xhat: Vec<f64> =
            (0..n).map(|i| (self.x[i].to_f64() - self.mean[i % channels].to_f64()) * s[i % channels]).collect();
        let column = |c: usize| (c..n).step_by(channels);
        let dgamma: Vec<f64> = (0..channels).map(|c| exact_sum(column(c).map(|i| dz[i] * xhat[i]))).collect();
        let dbeta: Vec<f64> = (0..channels).map(|c| exact_sum(column(c).map(|i| dz[i]))).collect();
        let batch = if self.statistics == BatchStatistics::Batch { 1.0 / m } else { 0.0 };
        let dx = (0..n)
            .map(|i| {
                let c = i % channels;
                self.gamma[c].to_f64() * s[c] * (dz[i] - batch * dbeta[c] - batch * xhat[i] * dgamma[c])
            })
            .collect();
        [dx, dgamma, dbeta, dz]
    }
}

fn cases<T: Real>() -> impl Iterator<Item = Case<T>> {
    let shapes = [(5, 3), (1023, 16), (1024, 16), (2100, 16), (700, 70), (60, 300)];
    let modes = [(0.0, BatchStatistics::Batch), (0.2, BatchStatistics::Running), (1.0, BatchStatistics::Batch)];
    shapes
        .into_iter()
        .flat_map(move |(rows, channels)| modes.map(|(slope, statistics)| Case::new(rows, channels, slope, statistics)))
}

fn check<T: Real>() {
    for device in devices() {
        for case in cases::<T>() {
            // With a residual the sign is that of y; without one it is found from x, and y is not given.
            for residual in [true, false] {
                let y = case.y(&device, residual);
                let want = case.reference(&y);
                let given = residual.then_some(&y[..]);
                for (gradients, i) in [([true, false], 1), ([false, true], 2)] {
                    assert_stores("dgamma, dbeta", 100.0, &want[i], |out: &mut [T], store| {
                        let mut out = Some((out, store));
                        let [dgamma, dbeta] = gradients.map(|wanted| if wanted { out.take() } else { None });
                        case.backward(&device, given, dgamma, dbeta, None);
                    });
                }
                for wanted in if residual { vec![true, false] } else { vec![false] } {
                    let got = over_threads(|| {
                        let mut dresidual = nan::<T>(if wanted { y.len() } else { 0 });
                        let dx = case.backward(&device, given, None, None, wanted.then_some(&mut dresidual[..]));
                        [dx, dresidual].concat()
                    });
                    let want = [&want[0][..], if wanted { &want[3] } else { &[] }].concat();
                    assert_close("dx, dresidual", 100.0, &got, &want);
                }
            }
        }
    }
}

both!(backward_matches_the_reference, check);
