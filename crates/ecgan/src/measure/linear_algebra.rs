//! The two decompositions that a Frechet distance needs, in f64: the triangular factor of a tall matrix, and the sum of the
//! singular values of a product.
//!
//! Work is split by columns and pairs of columns, never by the number of threads, so the bits do not depend on it.

use kernels::gemm::{Transpose, gemm};
use rayon::prelude::*;
use tensor::{Device, Store};

/// Pairs of columns whose cosine is below this are orthogonal. The sum of all lengths is off by the square of it, as the first
/// derivative of the trace of (I + E)^1/2 is that of E, whose diagonal is 0.
const ORTHOGONAL: f64 = 1e-10;

/// Sweeps of Jacobi's method take some ten; more would be a mistake of ours.
const MOST_SWEEPS: usize = 60;

/// A matrix by rows, `[rows, columns]`.
pub struct Matrix {
    /// Row-major.
    pub values: Vec<f64>,
    /// Numbers of a row.
    pub columns: usize,
}

impl Matrix {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn transposed(&self) -> Vec<Vec<f64>> {
        let of = |column| self.values.iter().skip(column).step_by(self.columns).copied().collect();
        (0..self.columns).into_par_iter().map(of).collect()
    }
}

/// Sum of `a[i] b[i]`, in eight running sums, which the compiler takes side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// The matrix R, `[d, d]`, of A = Q R with Q's columns orthonormal, by Householder's reflections; A `[n, d]`, n >= d. So
/// R^T R = A^T A, without the loss of half of the digits that forming A^T A would be.
pub fn triangular_factor(a: &Matrix) -> Matrix {
    let (n, d) = (a.rows(), a.columns);
    assert!(n >= d, "triangular_factor: {n} rows of {d}");
    Matrix { values: triangular_rows(a.transposed()).concat(), columns: d }
}

/// The rows of R, from A by columns.
fn triangular_rows(mut columns: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let d = columns.len();
    for k in 0..d {
        let (done, rest) = columns.split_at_mut(k + 1);
        // The reflection (1 - 2 v v^T) takes the column below the diagonal to (-+norm, 0, .., 0).
        let v = &mut done[k][k..];
        let norm = dot(v, v).sqrt();
        if norm == 0.0 {
            continue;
        }
        let diagonal = -norm.copysign(v[0]);
        v[0] -= diagonal;
        let scale = 1.0 / dot(v, v).sqrt();
        v.iter_mut().for_each(|v| *v *= scale);
        let v = &*v;
        rest.par_iter_mut().for_each(|column| {
            let twice = 2.0 * dot(v, &column[k..]);
            column[k..].iter_mut().zip(v).for_each(|(c, v)| *c -= twice * v);
        });
        done[k][k] = diagonal;
    }
    let entry = |row: usize, column: usize| if row <= column { columns[column][row] } else { 0.0 };
    (0..d).map(|row| (0..d).map(|column| entry(row, column)).collect()).collect()
}

/// The sum of the singular values of A B^T; A `[n, d]`, B `[m, d]`.
pub fn nuclear_norm_of_product(a: &Matrix, b: &Matrix, device: &Device) -> f64 {
    // Fewer columns than rows, as these are what is made orthogonal.
    let (a, b) = if a.rows() < b.rows() { (b, a) } else { (a, b) };
    let (n, m) = (a.rows(), b.rows());
    // By rows B A^T is A B^T by columns.
    let mut product = vec![0.0; m * n];
    gemm(device, Transpose::No, Transpose::Yes, m, n, a.columns, &b.values, &a.values, &mut product, Store::Set);
    let mut columns: Vec<Vec<f64>> = product.chunks_exact(n).map(<[f64]>::to_vec).collect();
    // A triangular factor has the same singular values; its rows are shorter and, those of long columns before those of short ones,
    // nearly orthogonal already (Drmac and Veselic 2008).
    columns.sort_by_cached_key(|c| std::cmp::Reverse(dot(c, c).to_bits())); // in the order of the numbers, as none is negative
    orthogonalised(triangular_rows(columns)).iter().map(|c| dot(c, c).sqrt()).sum()
}

/// Turns pairs of columns in their plane until all are orthogonal (Hestenes 1958); their lengths are the singular values. Of all
/// methods it is the one that finds small ones accurately (Demmel and Veselic 1992).
fn orthogonalised(mut columns: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    if columns.len() % 2 == 1 {
        columns.push(vec![0.0; columns[0].len()]);
    }
    let count = columns.len();
    let total: f64 = columns.iter().map(|c| dot(c, c)).sum();
    let negligible = total * f64::EPSILON * f64::EPSILON;
    for _ in 0..MOST_SWEEPS {
        let mut turned = false;
        // As in a tournament: one stays, the others move on, so that each meets each.
        for _ in 1..count {
            let (left, right) = columns.split_at_mut(count / 2);
            let pairs = left.par_iter_mut().zip(right.par_iter_mut().rev());
            turned |= pairs.map(|(x, y)| turn(x, y, negligible)).reduce(|| false, |a, b| a | b);
            columns[1..].rotate_right(1);
        }
        if !turned {
            return columns;
        }
    }
    panic!("no singular values after {MOST_SWEEPS} sweeps over {count} columns");
}

/// Turns two columns until they are orthogonal; whether they were not.
fn turn(x: &mut [f64], y: &mut [f64], negligible: f64) -> bool {
    let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
    // One that is nothing but rounding errors has no direction.
    if xx.min(yy) <= negligible || xy.abs() <= ORTHOGONAL * (xx * yy).sqrt() {
        return false;
    }
    let cotangent = (yy - xx) / (2.0 * xy); // of twice the angle
    let tangent = 1f64.copysign(cotangent) / (cotangent.abs() + cotangent.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = cosine * tangent;
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(columns: usize, values: &[f64]) -> Matrix {
        Matrix { values: values.to_vec(), columns }
    }

    #[test]
    fn the_triangular_factor_has_the_products_of_the_columns() {
        let a = matrix(3, &[1.0, 2.0, 0.5, -3.0, 0.25, 4.0, 0.0, 1.0, -1.0, 2.0, 2.0, 2.0, 0.125, -5.0, 3.0]);
        let r = triangular_factor(&a);
        assert_eq!([r.values[3], r.values[6], r.values[7]], [0.0; 3]);
        let (of_a, of_r) = (a.transposed(), r.transposed());
        for i in 0..3 {
            for j in 0..3 {
                assert!((dot(&of_a[i], &of_a[j]) - dot(&of_r[i], &of_r[j])).abs() < 1e-13, "{i} {j}");
            }
        }
        // A column of zeros, and one that depends on another.
        let flat = triangular_factor(&matrix(3, &[1.0, 0.0, 2.0, 1.0, 0.0, 2.0, 1.0, 0.0, 2.0]));
        assert!(
            (flat.values[0].abs() - 3f64.sqrt()).abs() < 1e-15 && (flat.values[2].abs() - 12f64.sqrt()).abs() < 1e-14
        );
    }

    #[test]
    fn singular_values_are_those_of_a_matrix_that_is_known() {
        let identity = matrix(2, &[1.0, 0.0, 0.0, 1.0]);
        let norm = |values: &[f64]| nuclear_norm_of_product(&matrix(2, values), &identity, &Device::cpu());
        // Rows 3 (cos, sin) and 0.5 (-sin, cos): 3 and 0.5 whatever the angle.
        let (sine, cosine) = 0.7f64.sin_cos();
        assert!((norm(&[3.0 * cosine, 3.0 * sine, -0.5 * sine, 0.5 * cosine]) - 3.5).abs() < 1e-14);
        assert!((norm(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) - 6f64.sqrt()).abs() < 1e-14, "of rank one, an odd number");
        assert_eq!(norm(&[0.0; 4]), 0.0);
    }

    /// X X^T has its trace for the sum of its singular values, however many sweeps these take.
    #[test]
    fn singular_values_of_a_square_add_up_to_its_trace() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * i % 37) - 18.0).collect();
        let trace = dot(&values, &values);
        for columns in [4, 10, 15] {
            let x = matrix(columns, &values);
            let found = nuclear_norm_of_product(&x, &x, &Device::cpu());
            assert!((found - trace).abs() < 1e-13 * trace, "{columns} columns: {found}, expected {trace}");
        }
    }
}
