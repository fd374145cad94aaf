//! Reports of `eval` and `bench`.

use super::ProfileRow;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// How a classifier does on one split. Accuracies are in percent; precision, recall, F1, confidences and the calibration
/// error in 0..1. A figure that would be a division by zero is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// In percent.
    pub accuracy: f64,
    /// Images classified correctly.
    pub correct: usize,
    /// Images.
    pub total: usize,
    /// Mean F1 of the classes that have one, as scikit-learn's: one without images that was predicted counts 0.
    pub macro_f1: f64,
    /// Mean `-ln p` of the label.
    pub negative_log_likelihood: f64,
    /// Expected calibration error (Guo et al. 2017): `sum |B| / n |accuracy(B) - confidence(B)|` over the bins B.
    pub expected_calibration_error: f64,
    /// Every class, by index.
    pub per_class: Vec<ClassAccuracy>,
    /// `confusion[actual][predicted]`, in images.
    #[serde(serialize_with = "rows")]
    pub confusion: Vec<Vec<usize>>,
    /// Bins of equal width of the confidence, the largest softmax.
    pub calibration: Vec<CalibrationBin>,
}

/// The same JSON, but each row on one line where the rest has one for each number.
fn rows<S: Serializer>(table: &[Vec<usize>], serializer: S) -> Result<S::Ok, S::Error> {
    let row = |row| -> Box<RawValue> { to_raw_value(row).expect("numbers are JSON") };
    serializer.collect_seq(table.iter().map(row))
}

/// How a classifier does on the images of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// The class's name.
    pub class: String,
    /// In percent; `None` where the split has no image of this class.
    pub accuracy: Option<f64>,
    /// Images classified correctly.
    pub correct: usize,
    /// Images of this class.
    pub total: usize,
    /// Images taken for this class.
    pub predicted: usize,
    /// `correct / predicted`; `None` where no image is taken for this class.
    pub precision: Option<f64>,
    /// `correct / total`; `None` where the split has no image of this class.
    pub recall: Option<f64>,
    /// `2 correct / (total + predicted)`; `None` where both are 0.
    pub f1: Option<f64>,
}

/// The images whose confidence is in `(lower, upper]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// From above this confidence.
    pub lower: f64,
    /// Up to and with this one.
    pub upper: f64,
    /// Images.
    pub count: usize,
    /// Their mean confidence, in 0..1; `None` where there is no image.
    pub confidence: Option<f64>,
    /// Their accuracy, in percent; `None` where there is no image.
    pub accuracy: Option<f64>,
}

/// How fast the trainer's own step is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Batch over the median step.
    pub images_per_second: f64,
    /// Median time of a step, in milliseconds.
    pub ms_per_step_median: f64,
    /// Floating-point operations of the step as published (direct convolution), in 10^9 a second.
    pub gflops: f64,
    /// From the start of the process to its first step, in milliseconds.
    pub startup_ms: f64,
    /// Threads used.
    pub threads: usize,
    /// The device and its SIMD path.
    pub device: String,
    /// Largest resident memory of the process, in 2^20 bytes; `None` where the system does not say.
    pub peak_rss_mb: Option<f64>,
    /// Where the time of a mean iteration goes, from steps of their own; left out where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<ProfileRow>>,
}
