//! The files of results, and how a result is compared: whole, or by its digest.

use crate::formula::{internal_shape, uniform};
use nn::StateTensor;
use nn::state_dict::to_external;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tensor::{Real, Tensor};

/// Reads `golden/<name>`, after a check that our formula is the one it was made with.
pub fn read<F: DeserializeOwned>(name: &str) -> F {
    #[derive(Deserialize)]
    struct File<F> {
        formula_check: BTreeMap<String, Vec<f64>>,
        #[serde(flatten)]
        rest: F,
    }
    // A machine with a GPU has them elsewhere than where they were compiled.
    let folder = std::env::var_os("ECGAN_GOLDEN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden"), PathBuf::from);
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File<F> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!file.formula_check.is_empty());
    for (key, want) in &file.formula_check {
        for (got, want) in uniform(key).zip(want) {
            // The reader of JSON may be off by the last bit of a number; the formula is right or entirely wrong.
            assert!((got - want).abs() < 1e-15, "{}: formula_check {key}: {got}, expected {want}", path.display());
        }
    }
    file.rest
}

/// A result of PyTorch's.
#[derive(Deserialize)]
pub struct Stored {
    shape: Vec<usize>,
    data: Option<Vec<f64>>,
    digest: Option<Digest>,
    #[serde(default)]
    first: Vec<f64>,
}

/// [l2, p1, p2, p3]: l2 = sqrt(sum v^2), pk = sum of v_i u_i, u of the name `digest.k`.
pub type Digest = [f64; 4];

/// Numbers of ours, in PyTorch's shape and layout.
pub struct Ours {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Ours {
    /// From the engine's layout.
    pub fn new<T: Real>(x: &Tensor<T>) -> Self {
        let values: Vec<f64> = x.to_vec().expect("it ran").iter().map(|v| v.to_f64()).collect();
        let shape = match x.shape()[..] {
            [a, h, w, b] => vec![a, b, h, w],
            ref other => other.to_vec(),
        };
        assert_eq!(internal_shape(&shape), x.shape());
        Self { shape, values: to_external(x.shape(), &values) }
    }

    /// An entry of a state dict; a count is no result.
    pub fn of_state(tensor: StateTensor) -> Option<Self> {
        match tensor {
            StateTensor::Real(shape, values) => Some(Self { shape, values }),
            StateTensor::Count(_) => None,
        }
    }
}

impl Stored {
    /// Panics unless `ours` is this within `tolerance` times this tensor's l2.
    pub fn check(&self, what: &str, ours: &Ours, tolerance: f64) {
        assert_eq!(ours.shape, self.shape, "{what}: shape");
        if let Some(data) = &self.data {
            let l2 = l2(data.iter().copied());
            check_each(what, &ours.values, data, l2, tolerance);
        } else {
            let want = self.digest.expect("a result is whole or a digest");
            check_digest(what, digest(ours.values.iter().copied()), want, tolerance);
            check_each(what, &ours.values[..self.first.len()], &self.first, want[0], tolerance);
        }
    }
}

fn check_each(what: &str, ours: &[f64], theirs: &[f64], l2: f64, tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (got, want)) in ours.iter().zip(theirs).enumerate() {
        check_within(&format!("{what}, element {i}"), *got, *want, tolerance * l2);
    }
}

/// Panics unless the numbers differ by at most `bound`; NaN is never right.
pub fn check_within(what: &str, got: f64, want: f64, bound: f64) {
    assert!((got - want).abs() <= bound, "{what}: {got:e}, expected {want:e} within {bound:e}");
}

/// Panics unless each of the four numbers is right within `tolerance` times l2.
pub fn check_digest(what: &str, got: Digest, want: Digest, tolerance: f64) {
    for (part, (got, want_part)) in ["l2", "p1", "p2", "p3"].iter().zip(got.iter().zip(want)) {
        check_within(&format!("{what}, {part}"), *got, want_part, tolerance * want[0]);
    }
}

fn l2(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

/// The digest of numbers in PyTorch's layout.
pub fn digest(values: impl Iterator<Item = f64>) -> Digest {
    let mut u = [1, 2, 3].map(|k| uniform(&format!("digest.{k}")));
    let mut sums = [0.0; 4];
    for v in values {
        sums[0] += v * v;
        for (sum, u) in sums[1..].iter_mut().zip(&mut u) {
            *sum += v * u.next().expect("endless");
        }
    }
    sums[0] = sums[0].sqrt();
    sums
}
