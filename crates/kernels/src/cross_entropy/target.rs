//! What a row's softmax should be: a label, perhaps smoothed, or probabilities.

use crate::Real;
use crate::view::View;

/// What a row's softmax should be.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a, T> {
    /// (1 - smoothing) at the label, and smoothing / classes at every class.
    Labels {
        /// `[rows]`, in 0..classes.
        labels: View<'a, i32>,
        /// From 0 to 1.
        smoothing: T,
    },
    /// These probabilities `[rows, classes]`, which sum to 1; no gradient goes to them.
    Probabilities(View<'a, T>),
}

impl<'a, T: Real> Target<'a, T> {
    /// Labels without smoothing.
    pub fn labels(labels: impl Into<View<'a, i32>>) -> Self {
        Self::Labels { labels: labels.into(), smoothing: T::ZERO }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Labels { labels, .. } => labels.bytes(),
            Self::Probabilities(targets) => targets.bytes(),
        }
    }

    pub(super) fn host(self) -> HostTarget<'a, T> {
        match self {
            Self::Labels { labels, smoothing } => HostTarget::Labels(labels.host(), smoothing),
            Self::Probabilities(targets) => HostTarget::Probabilities(targets.host()),
        }
    }
}

/// A [`Target`] in the processor's memory.
#[derive(Clone, Copy)]
pub(super) enum HostTarget<'a, T> {
    Labels(&'a [i32], T),
    Probabilities(&'a [T]),
}

impl<'a, T: Real> HostTarget<'a, T> {
    pub fn check(&self, rows: usize, classes: usize) {
        match self {
            Self::Labels(labels, _) => {
                assert!(labels.len() == rows, "cross_entropy: labels");
                let bad = labels.iter().find(|&&label| label < 0 || label as usize >= classes);
                assert!(bad.is_none(), "cross_entropy: label {bad:?} of {classes} classes");
            }
            Self::Probabilities(targets) => assert!(targets.len() == rows * classes, "cross_entropy: targets"),
        }
    }

    /// Rows `first` on.
    pub fn from(self, first: usize, classes: usize) -> Self {
        match self {
            Self::Labels(labels, smoothing) => Self::Labels(&labels[first..], smoothing),
            Self::Probabilities(targets) => Self::Probabilities(&targets[first * classes..]),
        }
    }

    /// sum_j target_ij (ln `sum` + `max` - logit_ij) of row i.
    #[inline(always)]
    pub fn loss(&self, i: usize, logits: &[T], max: T, sum: T) -> T {
        let of = |logit: T| sum.ln() + (max - logit);
        // Over many classes, f32 would lose digits.
        match *self {
            Self::Labels(labels, smoothing) if smoothing == T::ZERO => of(logits[labels[i] as usize]),
            Self::Labels(labels, smoothing) => {
                let all: f64 = logits.iter().map(|&logit| of(logit).to_f64()).sum();
                let mean = T::from_f64(all / logits.len() as f64);
                (T::ONE - smoothing) * of(logits[labels[i] as usize]) + smoothing * mean
            }
            Self::Probabilities(targets) => {
                let targets = &targets[i * logits.len()..];
                T::from_f64(logits.iter().zip(targets).map(|(&logit, &target)| (target * of(logit)).to_f64()).sum())
            }
        }
    }

    /// target_ij.
    #[inline(always)]
    pub fn at(&self, i: usize, j: usize, classes: usize) -> T {
        match *self {
            Self::Labels(labels, smoothing) => {
                let own = if j == labels[i] as usize { T::ONE - smoothing } else { T::ZERO };
                if smoothing == T::ZERO { own } else { own + smoothing / T::from_usize(classes) }
            }
            Self::Probabilities(targets) => targets[i * classes + j],
        }
    }
}
