//! What a run reports: one record an epoch, a summary, an evaluation, a benchmark and its profile.
//!
//! `*_accuracy` is in percent, `*_fraction` in 0..1. What was not measured, or is not a finite number, is `null`.

pub mod csv;
mod evaluation;
mod mirrors;
mod observer;
mod profile;
mod tally;

pub use evaluation::{BenchReport, CalibrationBin, ClassAccuracy, Evaluation};
pub use mirrors::Mirrors;
pub use observer::{Observer, Started, StepMetrics};
pub use profile::ProfileRow;
pub use tally::{BINS, Guess, MOST_CLASSES, Tally};

use crate::counts::many;
use crate::settings::Method;
use nn::BatchNorm2d;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One epoch: a line of `metrics.jsonl`. Losses are means over the epoch's iterations; those of generator,
/// discriminator and fakes are `None` for the bare classifier (and with lambda 0, for the classifier's fakes).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Iterations of the whole run so far.
    pub step: u64,
    /// Training time of the whole run so far, in seconds; of an epoch that was stopped in between, that since it went on.
    pub seconds: f64,
    /// Real training images a second in this epoch.
    pub images_per_second: f64,
    /// `BCE(D(x), 1)`; with hinge losses `max(0, 1 - D(x))`.
    pub loss_d_real: Option<f64>,
    /// `BCE(D(G(z)), 0)`; with hinge losses `max(0, 1 + D(G(z)))`.
    pub loss_d_fake: Option<f64>,
    /// `BCE(D(G(z)), 1)`; with hinge losses `-D(G(z))`, which may be below 0.
    pub loss_g: Option<f64>,
    /// `CE(C(x), y)`, with label smoothing that of the smoothed labels.
    pub loss_c_real: Option<f64>,
    /// `CE(C(G(z)), label)` of the kept fakes, without lambda: their sum over the number of kept ones, or with fake_mean
    /// `all` over that of all. A fake's label is `argmax C(G(z))`, with known labels the class that it was made for.
    pub loss_c_fake: Option<f64>,
    /// The part of the fakes whose softmax at the label is above the threshold.
    pub kept_fraction: Option<f64>,
    /// Kept fakes of each label.
    pub kept_per_class: Option<Vec<u64>>,
    /// Mean softmax at the label of all fakes, in 0..1.
    pub mean_confidence: Option<f64>,
    /// Accuracy on the training images as they were seen, in percent.
    pub train_accuracy: Option<f64>,
    /// Accuracy on the validation part, in percent; `None` without one.
    pub val_accuracy: Option<f64>,
}

impl EpochMetrics {
    /// Every number with its name in `metrics.jsonl`, in that order, but for the kept fakes of each class.
    pub fn scalars(&self) -> [(&'static str, Option<f64>); 13] {
        [
            ("epoch", Some(self.epoch as f64)),
            ("step", Some(self.step as f64)),
            ("seconds", Some(self.seconds)),
            ("images_per_second", Some(self.images_per_second)),
            ("loss_d_real", self.loss_d_real),
            ("loss_d_fake", self.loss_d_fake),
            ("loss_g", self.loss_g),
            ("loss_c_real", self.loss_c_real),
            ("loss_c_fake", self.loss_c_fake),
            ("kept_fraction", self.kept_fraction),
            ("mean_confidence", self.mean_confidence),
            ("train_accuracy", self.train_accuracy),
            ("val_accuracy", self.val_accuracy),
        ]
        .map(|(name, value)| (name, value.filter(|v| v.is_finite())))
    }
}

/// The whole run: `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was trained.
    pub method: Method,
    /// The data as given.
    pub data: String,
    /// Images trained on.
    pub n_train: usize,
    /// Images of the validation part.
    pub n_val: usize,
    /// Images of the test split.
    pub n_test: usize,
    /// The seed.
    pub seed: u64,
    /// Epochs run, also one that was cut short.
    pub epochs: usize,
    /// Iterations run.
    #[serde(default)]
    pub steps: u64,
    /// What ended it.
    #[serde(default)]
    pub ended_by: Ending,
    /// Accuracy of the last weights on the test split, in percent; `None` without one.
    pub test_accuracy: Option<f64>,
    /// Best accuracy on the validation part, in percent; `None` without one.
    pub best_val_accuracy: Option<f64>,
    /// Time of the whole run, in seconds; of processes that were stopped before it what they trained, without reading and validation.
    pub seconds: f64,
}

impl Summary {
    /// What to say of a run too short for batch norm: its running statistics, by which a classifier is evaluated, began as mean 0 and
    /// variance 1, of which 0.9 to the power of the iterations is left, below 1 % from 44 on.
    pub fn too_short(&self) -> Option<String> {
        let part = (1.0 - BatchNorm2d::MOMENTUM).powi(i32::try_from(self.steps).unwrap_or(i32::MAX));
        // Summaries of old runs do not have their iterations.
        (self.steps > 0 && part >= 0.01).then(|| {
            format!(
                "after {} batch norm's running statistics, which the test goes by, are to {:.0} % still what they began with",
                many(self.steps as usize, "iteration"),
                100.0 * part
            )
        })
    }
}

/// Where a run diverged: `diverged.json`, until it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Iteration of the whole run, from 1.
    pub step: u64,
    /// What was not finite, e.g. `loss_g`.
    pub what: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "diverged at step {}: {} is not finite", self.step, self.what)
    }
}

/// What ends a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its last epoch.
    #[default]
    Epochs,
    /// The limit of iterations.
    MaxSteps,
    /// The limit of time.
    MaxTime,
    /// Epochs without a better validation accuracy.
    Patience,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scalars_are_the_documented_fields() {
        let mut value = 0.0;
        let mut next = || {
            value += 1.0;
            value
        };
        let epoch = EpochMetrics {
            epoch: next() as usize,
            step: next() as u64,
            seconds: next(),
            images_per_second: next(),
            loss_d_real: Some(next()),
            loss_d_fake: Some(next()),
            loss_g: Some(next()),
            loss_c_real: Some(next()),
            loss_c_fake: Some(f64::NAN),
            kept_fraction: Some(next()),
            kept_per_class: Some(vec![1, 2]),
            mean_confidence: Some(next()),
            train_accuracy: Some(next()),
            val_accuracy: None,
        };
        let mut json = serde_json::to_value(&epoch).unwrap();
        json.as_object_mut().unwrap().remove("kept_per_class");
        assert_eq!(json.as_object().unwrap().len(), epoch.scalars().len());
        for (name, value) in epoch.scalars() {
            assert_eq!(json[name].as_f64(), value, "{name}");
        }
    }

    #[test]
    fn an_epoch_has_exactly_the_documented_fields_and_nulls() {
        let epoch = EpochMetrics { epoch: 1, loss_c_real: Some(f64::NAN), ..EpochMetrics::default() };
        let text = serde_json::to_string(&epoch).unwrap();
        assert_eq!(
            text,
            "{\"epoch\":1,\"step\":0,\"seconds\":0.0,\"images_per_second\":0.0,\"loss_d_real\":null,\
             \"loss_d_fake\":null,\"loss_g\":null,\"loss_c_real\":null,\"loss_c_fake\":null,\"kept_fraction\":null,\
             \"kept_per_class\":null,\"mean_confidence\":null,\"train_accuracy\":null,\"val_accuracy\":null}"
        );
        let back: EpochMetrics = serde_json::from_str(&text).unwrap();
        assert_eq!(back, EpochMetrics { loss_c_real: None, ..epoch });
    }
}
