//! The Frechet distance of two sets of images as normal distributions of their features (Heusel et al. 2017, "GANs Trained by a
//! Two Time-Scale Update Rule", section 3): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2), m the means and S the covariances.
//!
//! With X the centred features over sqrt(n - 1), S = X^T X, and S1 S2 has the eigenvalues of (X1 X2^T)(X1 X2^T)^T. So the trace
//! of its root is the sum of X1 X2^T's singular values: no root of a matrix, which of a singular one would be inaccurate.

use super::features::Features;
use super::linear_algebra::{Matrix, nuclear_norm_of_product, triangular_factor};
use tensor::Device;

/// The distance of two sets of features, at least two of each; in the square of their unit. Never negative but by rounding,
/// which is cut off.
pub fn frechet_distance(a: &Features, b: &Features, device: &Device) -> f64 {
    assert_eq!(a.d, b.d, "features of one network");
    let ((mean_a, a), (mean_b, b)) = (centred(a), centred(b));
    let between: f64 = mean_a.iter().zip(&mean_b).map(|(a, b)| (a - b).powi(2)).sum();
    let trace = |x: &Matrix| x.values.iter().map(|v| v * v).sum::<f64>();
    (between + trace(&a) + trace(&b) - 2.0 * nuclear_norm_of_product(&a, &b, device)).max(0.0)
}

/// The mean `[d]`, and a matrix X of at most d rows with X^T X the covariance (unbiased).
fn centred(features: &Features) -> (Vec<f64>, Matrix) {
    let (n, d) = (features.n(), features.d);
    assert!(n >= 2, "a covariance of {n} images");
    let mut mean = vec![0.0; d];
    features.rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += v));
    mean.iter_mut().for_each(|sum| *sum /= n as f64);
    let scale = 1.0 / ((n - 1) as f64).sqrt();
    let values = features.rows().flat_map(|row| row.iter().zip(&mean).map(|(v, mean)| (v - mean) * scale)).collect();
    let x = Matrix { values, columns: d };
    (mean, if n > d { triangular_factor(&x) } else { x })
}
