//! What an iteration found: on the device where it ran, and read from there.

use crate::pseudo_label::PseudoLabels;
use kernels::record::{self, COLUMNS};
use tensor::{Real, Result, Tensor};

/// What one iteration found; the parts that the method has.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Generator and discriminator.
    pub gan: Option<GanStep>,
    /// The classifier on real images.
    pub real: RealStep,
    /// The classifier on generated images.
    pub fake: Option<FakeStep>,
}

/// What the generator's and discriminator's step found: mean losses before their updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GanStep {
    /// BCE(D(x), 1); these three with hinge losses as [`kernels::hinge`] has them.
    pub loss_d_real: f64,
    /// BCE(D(G(z)), 0).
    pub loss_d_fake: f64,
    /// BCE(D(G(z)), 1) against the updated discriminator.
    pub loss_g: f64,
}

/// What the classifier's step on real images found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealStep {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Images whose most probable class was the label, before the update.
    pub correct: usize,
}

/// What the classifier's step on generated images found.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeStep {
    /// Sum of the kept images' cross-entropies, without lambda, over their number or that of all; 0 where none is kept.
    pub loss: f64,
    /// Kept images by label.
    pub kept_per_class: Vec<u64>,
    /// Sum over the whole batch of the probabilities of the labels.
    pub confidence_sum: f64,
}

impl Step {
    /// From a row of [`kernels::record`], of a method with these parts.
    pub(crate) fn of_row<T: Real>(row: &[T], gan: bool, fake: bool) -> Self {
        let wide: Vec<f64> = row.iter().map(|v| v.to_f64()).collect();
        let gan = gan.then(|| GanStep { loss_d_real: wide[0], loss_d_fake: wide[1], loss_g: wide[2] });
        let real = RealStep { loss: wide[3], correct: wide[5] as usize };
        let kept_per_class = || wide[COLUMNS..].iter().map(|&kept| kept as u64).collect();
        let fake = fake.then(|| FakeStep { loss: wide[4], kept_per_class: kept_per_class(), confidence_sum: wide[6] });
        Self { gan, real, fake }
    }
}

impl FakeStep {
    /// The number of kept images.
    pub fn kept(&self) -> u64 {
        self.kept_per_class.iter().sum()
    }
}

/// What one iteration found, where it ran; a recorded iteration writes it anew each time.
pub struct Found<T: Real = f32> {
    /// loss_d_real, loss_d_fake and loss_g, a scalar each.
    pub(super) gan: Option<[Tensor<T>; 3]>,
    pub(super) real: RealFound<T>,
    pub(super) fake: Option<FakeFound<T>>,
}

/// The classifier on real images: its loss, and its most probable classes `[n]`.
pub(super) struct RealFound<T: Real> {
    pub loss: Tensor<T>,
    pub predicted: Tensor<i32>,
}

/// The classifier on generated images.
pub(super) struct FakeFound<T: Real> {
    pub loss: Tensor<T>,
    pub pseudo: PseudoLabels<T>,
}

impl<T: Real> Found<T> {
    /// Writes the row after the last of [`kernels::record`]; `labels` are those of the real images.
    pub fn record(&self, labels: &Tensor<i32>, classes: usize, rows: &mut Tensor<T>, next: &mut Tensor<i32>) {
        let gan = self.gan.as_ref().map(|[d_real, d_fake, g]| [d_real.view(), d_fake.view(), g.view()]);
        let fake = self.fake.as_ref().map(|FakeFound { loss, pseudo }| record::FakeFound {
            loss: loss.view(),
            labels: pseudo.labels.view(),
            weights: pseudo.weights.view(),
            confidence: pseudo.confidence.view(),
        });
        let RealFound { loss, predicted } = &self.real;
        let (loss_c_real, predicted, labels) = (loss.view(), predicted.view(), labels.view());
        let found = record::Found { gan, loss_c_real, predicted, labels, fake };
        record::row(&rows.device().clone(), found, classes, rows, next);
    }

    /// Reads it, from such a row of its own; `labels` are those of the real images.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn read(&self, labels: &Tensor<i32>, classes: usize) -> Result<Step> {
        let device = labels.device();
        let (mut row, mut next) = (Tensor::uninit(device, [1, COLUMNS + classes]), Tensor::zeros(device, [1]));
        self.record(labels, classes, &mut row, &mut next);
        Ok(Step::of_row(&row.to_vec()?, self.gan.is_some(), self.fake.is_some()))
    }
}
