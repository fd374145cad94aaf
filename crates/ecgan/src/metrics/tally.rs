//! Counts what a classifier says about images, one at a time, and makes an [`Evaluation`] of it.

use super::evaluation::{CalibrationBin, ClassAccuracy, Evaluation};

/// Bins of the confidence, of equal width, as in Guo et al. 2017.
pub const BINS: usize = 15;

/// Classes at most. Each is counted against each: of so many the counts take 800 MB, and 200 MB as text.
pub const MOST_CLASSES: usize = 10_000;

/// What an image is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The class of the largest logit, of equals the first.
    pub class: usize,
    /// Its softmax, in 0..1.
    pub confidence: f64,
}

/// What was counted so far.
pub struct Tally {
    confusion: Vec<Vec<usize>>,
    bins: [Bin; BINS],
    negative_log_likelihood: f64,
}

#[derive(Clone, Copy, Default)]
struct Bin {
    count: usize,
    correct: usize,
    confidence: f64,
}

impl Tally {
    /// Nothing yet.
    pub fn new(classes: usize) -> Self {
        Self { confusion: vec![vec![0; classes]; classes], bins: [Bin::default(); BINS], negative_log_likelihood: 0.0 }
    }

    /// Adds an image of class `label` with its logits `[classes]`, and says what they take it for.
    ///
    /// With m the largest logit, log sum exp = m + ln sum exp(z - m), in f64: no logit overflows, and a label whose
    /// probability is 0 in f64 still has a finite log-likelihood.
    ///
    /// # Panics
    /// If there are not as many logits as classes, or `label` is no class.
    pub fn add(&mut self, label: usize, logits: &[f32]) -> Guess {
        assert_eq!(logits.len(), self.confusion.len(), "one logit a class");
        let predicted = (1..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best });
        let largest = f64::from(logits[predicted]);
        let sum: f64 = logits.iter().map(|&z| (f64::from(z) - largest).exp()).sum();
        let confidence = 1.0 / sum;
        self.negative_log_likelihood += largest + sum.ln() - f64::from(logits[label]);
        self.confusion[label][predicted] += 1;
        // Bin m, from 1, is ((m - 1) / 15, m / 15].
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let Bin { count, correct, confidence: sum } = &mut self.bins[bin];
        *count += 1;
        *correct += usize::from(predicted == label);
        *sum += confidence;
        Guess { class: predicted, confidence }
    }

    /// The figures, with the classes' names by index.
    ///
    /// # Panics
    /// If there are not as many names as classes.
    pub fn evaluation(self, classes: &[String]) -> Evaluation {
        assert_eq!(self.confusion.len(), classes.len(), "one name a class");
        let per_class: Vec<_> = (0..classes.len()).map(|k| class(&classes[k], k, &self.confusion)).collect();
        let correct: usize = per_class.iter().map(|class| class.correct).sum();
        let total: usize = per_class.iter().map(|class| class.total).sum();
        let f1: Vec<f64> = per_class.iter().filter_map(|class| class.f1).collect();
        let mean = |sum: f64, n: usize| if n > 0 { sum / n as f64 } else { 0.0 };
        let gap = |bin: &Bin| (bin.correct as f64 - bin.confidence).abs();
        Evaluation {
            accuracy: percent(correct, total).unwrap_or(0.0),
            correct,
            total,
            macro_f1: mean(f1.iter().sum(), f1.len()),
            negative_log_likelihood: mean(self.negative_log_likelihood, total),
            expected_calibration_error: mean(self.bins.iter().map(gap).sum(), total),
            per_class,
            confusion: self.confusion,
            calibration: self.bins.iter().enumerate().map(|(m, bin)| bin.finish(m)).collect(),
        }
    }
}

impl Bin {
    fn finish(&self, m: usize) -> CalibrationBin {
        CalibrationBin {
            lower: m as f64 / BINS as f64,
            upper: (m + 1) as f64 / BINS as f64,
            count: self.count,
            confidence: ratio(self.confidence, self.count),
            accuracy: percent(self.correct, self.count),
        }
    }
}

fn class(name: &str, k: usize, confusion: &[Vec<usize>]) -> ClassAccuracy {
    let (correct, total) = (confusion[k][k], confusion[k].iter().sum());
    let predicted = confusion.iter().map(|row| row[k]).sum();
    ClassAccuracy {
        class: name.to_owned(),
        accuracy: percent(correct, total),
        correct,
        total,
        predicted,
        precision: ratio(correct as f64, predicted),
        recall: ratio(correct as f64, total),
        f1: ratio(2.0 * correct as f64, total + predicted),
    }
}

fn ratio(part: f64, n: usize) -> Option<f64> {
    (n > 0).then(|| part / n as f64)
}

fn percent(correct: usize, total: usize) -> Option<f64> {
    (total > 0).then(|| 100.0 * correct as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|k| k.to_string()).collect()
    }

    /// A tally of `(label, logits)`.
    fn of<const K: usize>(images: &[(usize, [f32; K])]) -> Evaluation {
        let mut tally = Tally::new(K);
        for (label, logits) in images {
            tally.add(*label, logits);
        }
        tally.evaluation(&names(K))
    }

    #[test]
    fn precision_recall_and_f1_follow_from_the_counts() {
        let hit = |label, predicted| {
            let mut logits = [0.0; 4];
            logits[predicted] = 9.0;
            (label, logits)
        };
        // Class 2 is there and never predicted; class 3 is neither.
        let all = of(&[hit(0, 0), hit(0, 0), hit(0, 0), hit(0, 1), hit(1, 0), hit(1, 1), hit(2, 0), hit(2, 1)]);
        assert_eq!((all.correct, all.total, all.accuracy), (4, 8, 50.0));
        assert_eq!(all.confusion, [[3, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]);
        let per_class: Vec<_> = all.per_class.iter().map(|c| (c.accuracy, c.precision, c.recall, c.f1)).collect();
        let third = Some(1.0 / 3.0);
        assert_eq!(per_class[0], (Some(75.0), Some(0.6), Some(0.75), Some(6.0 / 9.0)));
        assert_eq!(per_class[1], (Some(50.0), third, Some(0.5), Some(0.4)));
        assert_eq!(per_class[2], (Some(0.0), None, Some(0.0), Some(0.0)));
        assert_eq!(per_class[3], (None, None, None, None));
        assert!((all.macro_f1 - (6.0 / 9.0 + 0.4) / 3.0).abs() < 1e-15, "the class of no image does not count");
    }

    #[test]
    fn calibration_and_likelihood_of_known_confidences() {
        // Two classes: the logit of confidence c is ln(c / (1 - c)) above the other.
        let image = |label, c: f64| (label, [(c / (1.0 - c)).ln() as f32, 0.0]);
        let all = of(&[image(0, 0.9), image(1, 0.9), image(0, 0.62), image(0, 0.64)]);
        let expected = ((1.0 - 1.8f64).abs() + (2.0 - 1.26f64).abs()) / 4.0;
        assert!((all.expected_calibration_error - expected).abs() < 1e-7, "{}", all.expected_calibration_error);
        let nll = -(0.9f64.ln() + 0.1f64.ln() + 0.62f64.ln() + 0.64f64.ln()) / 4.0;
        assert!((all.negative_log_likelihood - nll).abs() < 1e-7, "{}", all.negative_log_likelihood);
        let bins: Vec<_> = all.calibration.iter().enumerate().filter(|(_, bin)| bin.count > 0).collect();
        assert_eq!(bins.iter().map(|(m, bin)| (*m, bin.count)).collect::<Vec<_>>(), [(9, 2), (13, 2)]);
        assert_eq!((bins[0].1.accuracy, bins[1].1.accuracy), (Some(100.0), Some(50.0)));
        assert!((bins[0].1.confidence.unwrap() - 0.63).abs() < 1e-7);
        assert_eq!((all.calibration.len(), all.calibration[14].upper), (BINS, 1.0));
    }

    #[test]
    fn certainty_and_huge_logits_stay_finite() {
        let all = of(&[(0, [1e30, -1e30]), (1, [800.0, -800.0])]);
        assert_eq!((all.calibration[14].count, all.calibration[14].confidence), (2, Some(1.0)));
        assert_eq!(all.negative_log_likelihood, 800.0);
        assert_eq!(of::<2>(&[]).accuracy, 0.0);
    }
}
