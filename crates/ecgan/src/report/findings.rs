//! What looks odd about a run, and what to do about it.

use super::html::short;
use super::run::Run;
use super::wilson::wilson;
use crate::metrics::{CalibrationBin, EpochMetrics, Evaluation};
use crate::run_folder::names::BEST_CHECKPOINT;
use crate::settings::{Augment, DiffAugment, FakeStatistics, Sampling, Schedule, Settings};
use std::f64::consts::FRAC_2_PI;

/// Something to look at.
#[derive(Debug, PartialEq)]
pub struct Finding {
    /// What was found, with its number.
    pub what: String,
    /// What to try.
    pub suggestion: String,
}

/// Part of the fakes below which none, and above which all of them count as kept.
const NOTHING: f64 = 0.01;
const EVERYTHING: f64 = 0.99;
/// Sum of D's two losses below which it tells all fakes: 2 ln 2 = 1.39 is chance.
const D_WINS: f64 = 0.05;
/// Part of the kept fakes that one class of two may have, and one of more.
const ONE_OF_TWO: f64 = 0.95;
const ONE_OF_MORE: f64 = 0.8;
/// Percent of the training images right, from which on training for longer teaches nothing about them.
const BY_HEART: f64 = 90.0;
/// Points between training and validation accuracy, or test accuracy where nothing validates: as many, and more than chance
/// explains.
const OVERFIT: f64 = 10.0;
/// Points that the validation accuracy may have lost since its best, likewise.
const FALLEN: f64 = 3.0;
/// Expected calibration error beyond what chance makes of it.
const MISCALIBRATED: f64 = 0.1;
/// Test images below which one of them is a percent or more.
const FEW: usize = 100;

/// Everything that was found.
pub fn findings(run: &Run) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |what: String, suggestion: &str| found.push(Finding { what, suggestion: suggestion.to_owned() });
    let longer = longer_helps(run);
    if let Some(young) = too_short(run) {
        add(
            format!("It is a short run: {young}."),
            "Its accuracy in validation and test says little yet. Train for more --epochs: a hundred iterations or more.",
        );
    }
    if let Some(last) = run.last() {
        fakes(run, last, longer, &mut add);
        classifier(run, last, &mut add);
    }
    if let Some(evaluation) = &run.evaluation {
        test(evaluation, longer, &run.settings, &mut add);
    }
    found
}

/// That a run was too short for batch norm, whose running statistics are not the data's yet.
fn too_short(run: &Run) -> Option<String> {
    run.summary.as_ref()?.too_short()
}

/// Whether more epochs are worth a try: not where the training images are known already, nor where fewer are proposed.
fn longer_helps(run: &Run) -> bool {
    if too_short(run).is_some() {
        return true;
    }
    let knows = run.last().and_then(|last| last.train_accuracy).is_some_and(|train| train >= BY_HEART);
    !knows && fallen(run).is_none()
}

/// Whether an accuracy in percent on so many images is below another by more than chance explains.
fn is_below(accuracy: f64, images: usize, other: f64) -> bool {
    let correct = (accuracy / 100.0 * images as f64).round() as usize;
    wilson(correct, images)[1] < other
}

/// The best epoch and its validation accuracy, and the last one, where that is worse. Of an unfinished run nobody has
/// written how many images validate. Nor does it say anything where the statistics are not the data's.
fn fallen(run: &Run) -> Option<(usize, f64, f64)> {
    if too_short(run).is_some() {
        return None;
    }
    let ((epoch, best), val) = (run.best()?, run.last()?.val_accuracy?);
    (best - val > FALLEN && is_below(val, run.summary.as_ref()?.n_val, best)).then_some((epoch, best, val))
}

fn fakes(run: &Run, last: &EpochMetrics, longer: bool, add: &mut impl FnMut(String, &str)) {
    let threshold = run.settings.threshold;
    match last.kept_fraction {
        Some(kept) if kept < NOTHING => add(
            format!("Hardly any fake is kept: {} % in the last epoch, at threshold {threshold}.", short(100.0 * kept)),
            match longer {
                true => {
                    "The classifier learned from real images almost alone. Lower --threshold, or train for more --epochs."
                }
                false => "The classifier learned from real images almost alone. Lower --threshold.",
            },
        ),
        Some(kept) if kept > EVERYTHING => add(
            format!(
                "Nearly every fake is kept: {} % in the last epoch, at threshold {threshold}.",
                short(100.0 * kept)
            ),
            "The threshold filters nothing, so poor fakes count too. Raise --threshold, for instance to 0.95.",
        ),
        _ => {}
    }
    if let (Some(real), Some(fake)) = (last.loss_d_real, last.loss_d_fake)
        && real + fake < D_WINS
    {
        let suggestion = match run.settings.diff_augment {
            DiffAugment::None if !run.settings.method.is_shared() => {
                "The generator then learns little. Try --diff-augment all, lower --lr (--lr-c keeps the classifier's), or \
                 take more images."
            }
            _ => "The generator then learns little. Lower --lr (--lr-c keeps the classifier's), or take more images.",
        };
        add(
            format!("The discriminator tells every fake: its loss is {} in the last epoch.", short(real + fake)),
            suggestion,
        );
    }
    let Some(kept) = last.kept_per_class.as_deref().filter(|kept| kept.len() > 1) else { return };
    let (total, most) = (kept.iter().sum::<u64>(), kept.iter().copied().max().unwrap_or(0));
    let limit = if kept.len() == 2 { ONE_OF_TWO } else { ONE_OF_MORE };
    if total > 0 && most as f64 > limit * total as f64 {
        let class = kept.iter().position(|&count| count == most).and_then(|k| run.classes.get(k));
        add(
            format!(
                "{} % of the kept fakes are taken for one class, {}.",
                short(100.0 * most as f64 / total as f64),
                class.map_or("?", String::as_str)
            ),
            match run.settings.fake_statistics {
                FakeStatistics::Running => {
                    "Fakes that are normalised by the running statistics turn the classifier towards one class, whatever they \
                     show. Take --fake-statistics frozen."
                }
                _ => {
                    "Look at the samples: the generator may make one picture only. Lower --lambda, so that it weighs less, or \
                     another --seed."
                }
            },
        );
    }
}

fn classifier(run: &Run, last: &EpochMetrics, add: &mut impl FnMut(String, &str)) {
    let test = run.evaluation.as_ref().map(|test| (test.accuracy, test.total, "in the test"));
    let val = last.val_accuracy.zip(run.summary.as_ref()).map(|(val, summary)| (val, summary.n_val, "in validation"));
    if let (Some(train), Some((accuracy, images, which))) = (last.train_accuracy, val.or(test))
        && train >= BY_HEART
        && train - accuracy > OVERFIT
        && is_below(accuracy, images, train)
        && too_short(run).is_none()
    {
        let suggestion = match run.settings.augment {
            Augment::None => {
                "It knows its training images by heart. Try --augment paper (or flip, where a mirror image is of the same class), \
                 more images, or a larger --weight-decay-c."
            }
            Augment::Paper => {
                "It knows its training images by heart. Try --augment flip, where a mirror image is of the same class, more \
                 images, a larger --weight-decay-c or a smaller --width."
            }
            Augment::Flip => {
                "It knows its training images by heart. Try more images, a larger --weight-decay-c or a smaller --width."
            }
        };
        add(format!("Accuracy is {train:.1} % in training and {accuracy:.1} % {which}."), suggestion);
    }
    // The rates of a cosine are near 0 in the last epochs, whose weights are the best as a rule; what has ended early went on to learn.
    let constant = run.settings.schedule == Schedule::Constant && run.epochs.len() > 1;
    if constant && run.summary.is_some() && run.best().is_some_and(|(epoch, _)| epoch == last.epoch) {
        add(format!("The best epoch was the last, {}.", last.epoch), "More --epochs may do better.");
    }
    if let Some((epoch, best, val)) = fallen(run) {
        add(
            format!("Validation accuracy fell from {best:.1} % (epoch {epoch}) to {val:.1} %."),
            &format!("Use {BEST_CHECKPOINT}, or train for fewer --epochs."),
        );
    }
}

fn test(evaluation: &Evaluation, longer: bool, settings: &Settings, add: &mut impl FnMut(String, &str)) {
    let largest = evaluation.per_class.iter().map(|class| class.total).max().unwrap_or(0);
    if evaluation.total > 0 && evaluation.correct <= largest {
        add(
            format!(
                "The test accuracy, {:.1} %, is no better than always naming the most frequent class, {:.1} %.",
                evaluation.accuracy,
                100.0 * largest as f64 / evaluation.total as f64
            ),
            // By which the test's images are normalised: a small set may end so, whatever else is right.
            match longer {
                _ if settings.method.has_gan() && settings.fake_statistics != FakeStatistics::Frozen => {
                    "Fakes that enter the running statistics, or are normalised by them, do that: take --fake-statistics frozen, \
                     or compare with --method classifier."
                }
                true => {
                    "Train for more --epochs, with another --lr-c; check that the folders' names are the right labels."
                }
                false => {
                    "Check that the folders' names are the right labels, those of the test too; try another --lr-c."
                }
            },
        );
    }
    let never: Vec<&str> = evaluation
        .per_class
        .iter()
        .filter(|class| class.total > 0 && class.predicted == 0)
        .map(|class| class.class.as_str())
        .collect();
    if !never.is_empty() {
        let more = if never.len() > 8 { format!(" and {} more", never.len() - 8) } else { String::new() };
        add(
            format!("Never predicted: {}{more}.", never[..never.len().min(8)].join(", ")),
            match (longer, settings.sampling) {
                (true, Sampling::Natural) => {
                    "Give such a class more training images, or, where it is smaller than others, --sampling balanced; or train for \
                     more --epochs."
                }
                (true, Sampling::Balanced) => "Give such a class more training images, or train for more --epochs.",
                (false, Sampling::Natural) => {
                    "Give such a class more training images, or, where it is smaller than others, --sampling balanced."
                }
                (false, Sampling::Balanced) => "Give such a class more training images.",
            },
        );
    }
    if evaluation.expected_calibration_error - calibration_by_chance(evaluation) > MISCALIBRATED {
        add(
            format!(
                "Confidence and accuracy differ by {:.1} points on average.",
                100.0 * evaluation.expected_calibration_error
            ),
            "Take its confidences as a ranking, not as probabilities; the threshold for fakes means less, too.",
        );
    }
    if (1..FEW).contains(&evaluation.total) {
        add(
            format!("The test has {} images only.", evaluation.total),
            "Differences of a few points are chance. Test on more images, or compare several --seed.",
        );
    }
}

/// The calibration error to expect of confidences that are right, from so many images: the mean deviation of each bin's correct
/// images, as that of a normal distribution of variance sum c (1 - c), sqrt(2 / pi) of its root.
fn calibration_by_chance(evaluation: &Evaluation) -> f64 {
    let deviation = |bin: &CalibrationBin| {
        let confidence = bin.confidence.unwrap_or(0.0);
        (FRAC_2_PI * bin.count as f64 * confidence * (1.0 - confidence)).sqrt()
    };
    evaluation.calibration.iter().map(deviation).sum::<f64>() / evaluation.total.max(1) as f64
}
