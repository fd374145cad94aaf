//! Mean, deviation, and the paired difference with its interval, by Student's t.

use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// A mean with the deviation of what it is the mean of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// How many.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, over n - 1; `None` of one alone.
    pub deviation: Option<f64>,
}

impl Mean {
    /// Of these values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { n, mean, deviation: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) })
    }

    /// Half of the 95 % interval of the mean: `t(0.975, n - 1) s / sqrt(n)`; `None` of one alone.
    pub fn half_interval(&self) -> Option<f64> {
        self.deviation.map(|s| t_quantile(self.n - 1) * s / (self.n as f64).sqrt())
    }
}

/// What 97.5 % of Student's t with `df` degrees of freedom lie below.
///
/// With `t = sqrt(df) tan(u)` the density becomes `cos(u)^(df - 1)`, whose integrals need no gamma function.
fn t_quantile(df: usize) -> f64 {
    let density = |u: f64| u.cos().max(0.0).powi(df as i32 - 1);
    let whole = integral(density, FRAC_PI_2);
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if integral(density, middle) < 0.95 * whole { low = middle } else { high = middle }
    }
    (df as f64).sqrt() * low.tan()
}

/// From 0 to `end`, by Simpson's rule.
fn integral(f: impl Fn(f64) -> f64, end: f64) -> f64 {
    const PARTS: usize = 2000;
    let h = end / PARTS as f64;
    let inner: f64 = (1..PARTS).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(i as f64 * h)).sum();
    (f(0.0) + inner + f(end)) * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (df, expected) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042), (120, 1.980)] {
            assert!((t_quantile(df) - expected).abs() < 6e-4, "{df}: {}", t_quantile(df));
        }
    }

    #[test]
    fn a_mean_knows_its_deviation_and_interval() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((mean.n, mean.mean, mean.deviation), (5, 3.0, Some(2.5f64.sqrt())));
        // 2.7764 sqrt(2.5 / 5)
        assert!((mean.half_interval().unwrap() - 1.96325).abs() < 1e-4);
        assert_eq!(Mean::of(&[7.0]).unwrap().half_interval(), None);
        assert_eq!(Mean::of(&[]), None);
    }
}
