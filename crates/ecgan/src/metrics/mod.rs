//! What a run reports: one record an epoch, a summary, an evaluation, a benchmark and its profile.
//!
//! `*_accuracy` is in percent, `*_fraction` in 0..1. What was not measured, or is not a finite number, is `null`.

mod evaluation;
mod observer;
mod profile;

pub use evaluation::{BenchReport, ClassAccuracy, Evaluation};
pub use observer::{Observer, Started, StepMetrics};
pub use profile::ProfileRow;

use crate::settings::Method;
use serde::{Deserialize, Serialize};

/// One epoch: a line of `metrics.jsonl`. Losses are means over the epoch's iterations; those of generator,
/// discriminator and fakes are `None` for the bare classifier (and with lambda 0, for the classifier's fakes).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Iterations of the whole run so far.
    pub step: u64,
    /// Training time of the whole run so far, in seconds.
    pub seconds: f64,
    /// Real training images a second in this epoch.
    pub images_per_second: f64,
    /// `BCE(D(x), 1)`.
    pub loss_d_real: Option<f64>,
    /// `BCE(D(G(z)), 0)`.
    pub loss_d_fake: Option<f64>,
    /// `BCE(D(G(z)), 1)`.
    pub loss_g: Option<f64>,
    /// `CE(C(x), y)`.
    pub loss_c_real: Option<f64>,
    /// `CE(C(G(z)), argmax C(G(z)))` over the kept fakes, without lambda.
    pub loss_c_fake: Option<f64>,
    /// The part of the fakes whose largest softmax is above the threshold.
    pub kept_fraction: Option<f64>,
    /// Kept fakes of each predicted class.
    pub kept_per_class: Option<Vec<u64>>,
    /// Mean largest softmax of all fakes, in 0..1.
    pub mean_confidence: Option<f64>,
    /// Accuracy on the training images as they were seen, in percent.
    pub train_accuracy: Option<f64>,
    /// Accuracy on the validation part, in percent; `None` without one.
    pub val_accuracy: Option<f64>,
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
    /// Epochs run.
    pub epochs: usize,
    /// Accuracy of the last weights on the test split, in percent; `None` without one.
    pub test_accuracy: Option<f64>,
    /// Best accuracy on the validation part, in percent; `None` without one.
    pub best_val_accuracy: Option<f64>,
    /// Time of the whole run, in seconds.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

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
