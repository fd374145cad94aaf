//! The kernel distance of two sets of images (Binkowski et al. 2018, "Demystifying MMD GANs", section 4): the unbiased estimate
//! of the squared maximum mean discrepancy of their features with the kernel k(x, y) = (x.y / d + 1)^3.
//!
//! As there it is the mean over subsets, whose standard deviation says how much it depends on which images were taken.

use super::features::Features;
use kernels::gemm::{Transpose, gemm};
use serde::Serialize;
use tensor::rng::Stream;
use tensor::{Device, Store};

/// Pairs of subsets.
const SUBSETS: usize = 100;

/// Images of a subset, where both sets have at least twice as many.
const LARGEST_SUBSET: usize = 1000;

/// The distance, and how it was taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelDistance {
    /// The mean over the subsets. It may be negative where the sets hardly differ.
    pub mean: f64,
    /// Their standard deviation (of all of them: divided by their number).
    pub standard_deviation: f64,
    /// How many pairs of subsets were drawn.
    pub subsets: usize,
    /// Images of each: 1000, or half of the smaller set, as subsets that are the whole set would all be the same.
    pub subset_size: usize,
}

/// The distance of two sets of features, at least two of each; which are in a subset is a function of `seed`.
pub fn kernel_distance(a: &Features, b: &Features, seed: u64, device: &Device) -> KernelDistance {
    let size = (a.n().min(b.n()) / 2).clamp(2, LARGEST_SUBSET);
    let estimate = |subset: u32| {
        let mut random = Stream::Subsets.nth(seed, subset);
        let mut draw = |features: &Features| {
            let mut order: Vec<usize> = (0..features.n()).collect();
            // The first steps of a shuffle.
            for i in 0..size {
                order.swap(i, i + random.below((features.n() - i) as u32) as usize);
            }
            features.chosen(&order[..size])
        };
        let (a, b) = (draw(a), draw(b));
        squared_discrepancy(&a, &b, device)
    };
    let estimates: Vec<f64> = (0..SUBSETS as u32).map(estimate).collect();
    let mean = estimates.iter().sum::<f64>() / SUBSETS as f64;
    let variance = estimates.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / SUBSETS as f64;
    KernelDistance { mean, standard_deviation: variance.sqrt(), subsets: SUBSETS, subset_size: size }
}

/// The unbiased estimate from two sets of features as they are: the mean of k(a, a') over pairs of different ones, and of
/// k(b, b'), less twice the mean of k(a, b).
pub fn squared_discrepancy(a: &Features, b: &Features, device: &Device) -> f64 {
    let (n, m) = (a.n(), b.n());
    let within = |x: &Features| {
        let n = x.n();
        let itself: f64 = x.rows().map(|row| kernel(row.iter().map(|v| v * v).sum(), x.d)).sum();
        (sum_of_kernel(x, x, device) - itself) / (n * (n - 1)) as f64
    };
    within(a) + within(b) - 2.0 * sum_of_kernel(a, b, device) / (n * m) as f64
}

/// The sum of k over all pairs of a row of `a` and one of `b`.
fn sum_of_kernel(a: &Features, b: &Features, device: &Device) -> f64 {
    let (n, m, d) = (a.n(), b.n(), a.d);
    let mut products = vec![0.0; n * m];
    gemm(device, Transpose::No, Transpose::Yes, n, m, d, &a.values, &b.values, &mut products, Store::Set);
    // By rows, so that rounding does not grow with all of them.
    products.chunks_exact(m).map(|row| row.iter().map(|&product| kernel(product, d)).sum::<f64>()).sum()
}

fn kernel(product: f64, d: usize) -> f64 {
    (product / d as f64 + 1.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` points of 3 numbers in [offset, offset + 1).
    fn points(n: usize, offset: f32, seed: u64) -> Features {
        let mut random = Stream::Noise.start(seed);
        Features::new((0..3 * n).map(|_| f64::from(offset + random.uniform())).collect(), 3)
    }

    #[test]
    fn the_mean_over_subsets_estimates_what_the_whole_sets_do() {
        let (a, b, device) = (points(90, 0.0, 1), points(60, 0.5, 2), Device::cpu());
        let found = kernel_distance(&a, &b, 0, &device);
        assert_eq!((found.subsets, found.subset_size), (100, 30));
        let whole = squared_discrepancy(&a, &b, &device);
        // The mean of a hundred.
        assert!((found.mean - whole).abs() < 0.4 * found.standard_deviation, "{found:?}, whole {whole}");
        assert!(found.standard_deviation > 0.01 * whole && found.standard_deviation < 0.5 * whole, "{found:?}");
        assert_eq!(found, kernel_distance(&a, &b, 0, &device));
        assert_ne!(found, kernel_distance(&a, &b, 1, &device), "other subsets");
    }

    #[test]
    fn of_few_images_subsets_are_smaller_and_of_many_at_most_a_thousand() {
        let size = |n, m| kernel_distance(&points(n, 0.0, 1), &points(m, 0.0, 2), 0, &Device::cpu()).subset_size;
        assert_eq!([size(2, 500), size(5, 4), size(2001, 5)], [2; 3]);
        assert_eq!(size(2500, 2100), LARGEST_SUBSET);
    }
}
