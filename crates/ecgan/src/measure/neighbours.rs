//! Nearest neighbours, against images that were learned by heart: how far each generated image is from the nearest real one,
//! beside how far the real ones are from each other.

use super::features::Features;
use kernels::gemm::{Transpose, gemm};
use serde::Serialize;
use tensor::{Device, Store};

/// Images of a block: their products take 4 MB.
const QUERIES: usize = 256;
const CANDIDATES: usize = 2048;

/// The part of the real images that may lie as close to another as a copy would, by chance.
const CLOSEST: f64 = 0.01;

/// The nearest of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Which.
    pub index: usize,
    /// How far, L2.
    pub distance: f64,
}

/// What the distances say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbours {
    /// Median of the distances from a generated image to the nearest real one.
    pub generated_median: f64,
    /// Median of the distances from a real image to the nearest other.
    pub real_median: f64,
    /// The distance within which 1 % of the real images have another: of n sorted ones that after the first n / 100.
    pub closer_than: f64,
    /// The part of the generated images that have a real one within it.
    pub closer_fraction: f64,
    /// The part to expect of as many new real images, 0.01 for many: the distance is that of real image k of n, and the closest are each
    /// other's, so that k + 1 of n + 1 lie within it.
    pub closer_by_chance: f64,
}

impl Neighbours {
    /// Compares the generated images' nearest real ones with the real images' nearest others; neither may be empty.
    pub fn new(generated: &[Nearest], real: &[Nearest]) -> Self {
        let (from_generated, from_real) = (sorted(generated), sorted(real));
        let real = from_real.len() as f64;
        let first = (real * CLOSEST).floor();
        let closer_than = from_real[first as usize];
        let closer = from_generated.partition_point(|&distance| distance < closer_than);
        Self {
            generated_median: median(&from_generated),
            real_median: median(&from_real),
            closer_than,
            closer_fraction: closer as f64 / from_generated.len() as f64,
            closer_by_chance: (first + 2.0) / (real + 1.0),
        }
    }
}

fn sorted(nearest: &[Nearest]) -> Vec<f64> {
    let mut distances: Vec<f64> = nearest.iter().map(|nearest| nearest.distance).collect();
    distances.sort_unstable_by(f64::total_cmp);
    distances
}

/// The middle of sorted values, or between the two there.
fn median(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// Of each query the nearest candidate.
pub fn nearest(queries: &Features, candidates: &Features, device: &Device) -> Vec<Nearest> {
    search(queries, candidates, false, device)
}

/// Of each the nearest other one; two at least.
pub fn nearest_others(features: &Features, device: &Device) -> Vec<Nearest> {
    search(features, features, true, device)
}

/// By |q - c|^2 = |q|^2 + |c|^2 - 2 q.c, whose products are matrix products; then the distance to the one that is found by
/// differences, as that sum loses the digits of a small one.
fn search(queries: &Features, candidates: &Features, others: bool, device: &Device) -> Vec<Nearest> {
    let d = queries.d;
    let squares: Vec<f64> = candidates.rows().map(|row| row.iter().map(|v| v * v).sum()).collect();
    let mut found = vec![(f64::INFINITY, 0); queries.n()];
    let mut products = vec![0.0; QUERIES * CANDIDATES];
    for (block, (found, q)) in found.chunks_mut(QUERIES).zip(queries.values.chunks(QUERIES * d)).enumerate() {
        for (other_block, c) in candidates.values.chunks(CANDIDATES * d).enumerate() {
            let (n, m, first) = (found.len(), c.len() / d, other_block * CANDIDATES);
            let products = &mut products[..n * m];
            gemm(device, Transpose::No, Transpose::Yes, n, m, d, q, c, &mut *products, Store::Set);
            for (i, (best, row)) in found.iter_mut().zip(products.chunks_exact(m)).enumerate() {
                let itself = others.then_some(block * QUERIES + i);
                for (j, product) in row.iter().enumerate().map(|(j, product)| (first + j, product)) {
                    let relative = squares[j] - 2.0 * product; // less |q|^2, which is the same for all
                    if relative < best.0 && Some(j) != itself {
                        *best = (relative, j);
                    }
                }
            }
        }
    }
    let distance = |q: &[f64], c: &[f64]| q.iter().zip(c).map(|(q, c)| (q - c).powi(2)).sum::<f64>().sqrt();
    let exact =
        |(q, &(_, index)): (&[f64], &(f64, usize))| Nearest { index, distance: distance(q, candidates.row(index)) };
    queries.rows().zip(&found).map(exact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` rows of `d` numbers around `offset`, by a linear congruence.
    fn points(n: usize, d: usize, offset: f64, seed: u64) -> Features {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            offset + (state >> 11) as f64 / (1u64 << 53) as f64
        };
        Features::new((0..n * d).map(|_| next()).collect(), d)
    }

    /// By all differences, one by one.
    fn naive(q: &[f64], candidates: &Features, but: Option<usize>) -> Nearest {
        let mut best = Nearest { index: usize::MAX, distance: f64::INFINITY };
        for (index, c) in candidates.rows().enumerate().filter(|&(index, _)| Some(index) != but) {
            let mut sum = 0.0;
            (0..q.len()).for_each(|i| sum += (q[i] - c[i]) * (q[i] - c[i]));
            if sum.sqrt() < best.distance {
                best = Nearest { index, distance: sum.sqrt() };
            }
        }
        best
    }

    #[test]
    fn the_nearest_are_those_of_a_naive_search() {
        // More than a block of each, and copies among them.
        let mut queries = points(QUERIES + 9, 5, 0.0, 1);
        let candidates = points(CANDIDATES + 70, 5, 0.0, 2);
        for (i, j) in [(0, 3), (7, CANDIDATES + 69), (QUERIES + 8, 0)] {
            queries.values[i * 5..(i + 1) * 5].copy_from_slice(candidates.row(j));
        }
        let found = nearest(&queries, &candidates, &Device::cpu());
        for (i, found) in found.iter().enumerate() {
            assert_eq!(*found, naive(queries.row(i), &candidates, None), "query {i}");
        }
        assert_eq!((found[7].index, found[7].distance), (CANDIDATES + 69, 0.0));
        let found = nearest_others(&queries, &Device::cpu());
        for (i, found) in found.iter().enumerate() {
            assert_eq!(*found, naive(queries.row(i), &queries, Some(i)), "query {i}");
        }
    }

    #[test]
    fn a_small_distance_far_from_the_origin_keeps_its_digits() {
        let candidates = points(50, 4, 1e6, 3);
        let mut query = candidates.chosen(&[20]);
        query.values[1] += 1e-3;
        let found = nearest(&query, &candidates, &Device::cpu())[0];
        assert_eq!((found.index, (found.distance - 1e-3).abs() < 1e-9), (20, true), "{found:?}");
    }

    #[test]
    fn copies_are_closer_than_one_in_a_hundred() {
        let at =
            |distances: &[f64]| distances.iter().map(|&distance| Nearest { index: 0, distance }).collect::<Vec<_>>();
        let real: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let found = Neighbours::new(&at(&[2.9, 3.0, 0.0, 500.0]), &at(&real));
        let (real_median, generated_median) = (100.5, 2.95);
        let (closer_fraction, closer_by_chance) = (0.5, 2.0 / 201.0 + 2.0 / 201.0);
        let expected =
            Neighbours { generated_median, real_median, closer_than: 3.0, closer_fraction, closer_by_chance };
        assert_eq!(found, expected);
        assert_eq!(
            Neighbours::new(&at(&real), &at(&real)).closer_fraction,
            0.01,
            "no more of the real ones themselves"
        );
        assert_eq!(Neighbours::new(&at(&[1.0]), &at(&[2.0, 4.0, 3.0])).real_median, 3.0);
    }
}
