//! Reports of `eval` and `bench`.

use super::ProfileRow;
use serde::{Deserialize, Serialize};

/// How a classifier does on one split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// In percent.
    pub accuracy: f64,
    /// Images classified correctly.
    pub correct: usize,
    /// Images.
    pub total: usize,
    /// Every class, by index.
    pub per_class: Vec<ClassAccuracy>,
    /// `confusion[actual][predicted]`, in images.
    pub confusion: Vec<Vec<usize>>,
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
}

impl Evaluation {
    /// From `confusion[actual][predicted]` and the classes' names.
    ///
    /// # Panics
    /// If the matrix is not `classes x classes`.
    pub fn from_confusion(classes: &[String], confusion: Vec<Vec<usize>>) -> Self {
        assert_eq!(confusion.len(), classes.len(), "one row a class");
        assert!(confusion.iter().all(|row| row.len() == classes.len()), "one column a class");
        let per_class: Vec<_> = (0..classes.len())
            .map(|k| {
                let (correct, total) = (confusion[k][k], confusion[k].iter().sum());
                ClassAccuracy { class: classes[k].clone(), accuracy: percent(correct, total), correct, total }
            })
            .collect();
        let correct = per_class.iter().map(|class| class.correct).sum();
        let total = per_class.iter().map(|class| class.total).sum();
        Self { accuracy: percent(correct, total).unwrap_or(0.0), correct, total, per_class, confusion }
    }
}

fn percent(correct: usize, total: usize) -> Option<f64> {
    (total > 0).then(|| 100.0 * correct as f64 / total as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_follow_from_the_confusion() {
        let classes = ["a", "b", "c"].map(String::from);
        let evaluation = Evaluation::from_confusion(&classes, vec![vec![3, 1, 0], vec![2, 2, 0], vec![0, 0, 0]]);
        assert_eq!((evaluation.correct, evaluation.total, evaluation.accuracy), (5, 8, 62.5));
        let per_class: Vec<_> = evaluation.per_class.iter().map(|class| class.accuracy).collect();
        assert_eq!(per_class, [Some(75.0), Some(50.0), None]);
    }
}
