//! Where a run ends, and what goes on from there: longer, or from before its end.

use crate::resume::{left, metrics, random};
use crate::{Silent, run, settings, tensors};
use ecgan::ErrorKind;
use ecgan::metrics::{Ending, EpochMetrics, Observer, Started, StepMetrics};
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Method, Partial, Schedule, Settings};
use ecgan::train::{finished, resume};
use std::fs;

/// A rate so small that nothing is learned: the first epoch stays the best.
#[test]
fn patience_ends_a_run_and_more_of_it_goes_on() {
    let given = Partial {
        method: Some(Method::Classifier),
        lr: Some(1e-12),
        lr_c: Some(1e-12),
        epochs: Some(9),
        patience: Some(2),
        // Running statistics would go on changing predictions.
        ..Partial::default()
    };
    let settings = settings(given);
    let (_root, folder, summary) = run(&settings, &mut Silent);
    let summary = summary.expect("it ends well");
    let accuracies = |folder: &RunFolder| -> Vec<f64> {
        metrics(folder).iter().map(|line| line.val_accuracy.expect("it validates")).collect()
    };
    // The last epoch is the second after the best so far.
    let best = |accuracies: &[f64]| {
        (0..accuracies.len()).fold(0, |best, i| if accuracies[i] > accuracies[best] { i } else { best })
    };
    let found = accuracies(&folder);
    assert_eq!((summary.ended_by, summary.epochs), (Ending::Patience, best(&found) + 3), "{found:?}");
    assert!(summary.epochs < 9 && summary.test_accuracy.is_some(), "{found:?}");
    assert!(finished(&settings, &folder).expect("it says").is_some());
    let longer = Settings { patience: Some(3), ..settings };
    assert!(finished(&longer, &folder).expect("it says").is_none());
    let summary = resume(&longer, &folder, &mut Silent).expect("it ends well");
    let found = accuracies(&folder);
    assert_eq!((summary.ended_by, summary.epochs), (Ending::Patience, best(&found) + 4), "{found:?}");
}

#[test]
fn a_run_that_is_prolonged_is_the_longer_run() {
    let constant = |epochs, max_steps| Settings {
        schedule: Schedule::Constant,
        save_every: None,
        epochs,
        max_steps,
        ..random(Method::Classifier)
    };
    // One ends with an epoch, the others within the first and the second.
    let limited = |max_steps| constant(9, Some(max_steps));
    for (short, long) in [(constant(1, None), constant(2, None)), (limited(2), limited(6)), (limited(4), limited(6))] {
        let (_whole, folder, _) = run(&long, &mut Silent);
        // But for the settings in them, which a best one from before it went on has of the shorter run.
        let left = |folder: &RunFolder| {
            let last = fs::read(folder.last_checkpoint()).expect("a checkpoint");
            (last, tensors(&folder.best_checkpoint()), metrics(folder))
        };
        let want = left(&folder);
        let (_short, folder, _) = run(&short, &mut Silent);
        assert!(folder.best_checkpoint().exists(), "of a cut epoch, where there is no other");
        let summary = resume(&long, &folder, &mut Silent).expect("it ends well");
        assert!(left(&folder) == want, "{:?} steps of {} epochs", short.max_steps, short.epochs);
        assert_eq!((summary.epochs, summary.steps), (2, 6));
        let error = resume(&short, &folder, &mut Silent).expect_err("it is longer already");
        assert!(
            error.kind() == ErrorKind::Usage && error.to_string().contains("the 6 iterations that are done"),
            "{error}"
        );
    }
    let settings = random(Method::Classifier);
    let (_root, folder, _) = run(&settings, &mut Silent);
    let error =
        resume(&Settings { epochs: 3, ..settings }, &folder, &mut Silent).expect_err("a cosine is as long as it is");
    assert!(
        error.to_string().starts_with("epochs: expected 2, as the run was begun with: the cosine schedule's"),
        "{error}"
    );
}

/// Going on from an older checkpoint, by hand or after a kill, a run keeps the best of an epoch that it comes to again, and no other.
#[test]
fn the_best_of_an_epoch_that_a_run_ends_before_is_not_its_best() {
    let kept = Settings { epochs: 3, threshold: 0.2, schedule: Schedule::Constant, ..random(Method::EcGan) };
    for save_every in [Some(1), None] {
        let (_root, folder, _) = run(&kept, &mut Silent);
        let [first, third] = [1, 3].map(|epoch| fs::read(folder.epoch_checkpoint(epoch)).expect("kept"));
        let settings = Settings { save_every, ..kept.clone() };
        if save_every.is_none() {
            (1..=3).for_each(|epoch| fs::remove_file(folder.epoch_checkpoint(epoch)).expect("removed"));
        }
        let want = left(&folder);
        fs::write(folder.last_checkpoint(), &first).expect("written");
        resume(&settings, &folder, &mut Silent).expect("it ends well");
        // Without what it kept, its settings are others.
        assert!(save_every.is_none() || left(&folder) == want, "it leaves the same bytes");
        fs::write(folder.last_checkpoint(), &first).expect("written");
        fs::write(folder.best_checkpoint(), &third).expect("written");
        let mut told = Told::default();
        resume(&Settings { epochs: 1, ..settings.clone() }, &folder, &mut told).expect("it ends well");
        if save_every.is_some() {
            assert_eq!((fs::read(folder.best_checkpoint()).expect("it is there"), told.0), (first.clone(), vec![]));
        } else {
            assert!(!folder.best_checkpoint().exists());
            assert!(
                told.0[0].starts_with("best.safetensors is removed: it is of epoch 3, which the run"),
                "{:?}",
                told.0
            );
            // Whatever has become of it, the best from here on is there.
            resume(&Settings { epochs: 2, ..settings }, &folder, &mut Silent).expect("it ends well");
            assert!(folder.best_checkpoint().exists());
        }
    }
}

#[derive(Default)]
struct Told(Vec<String>);

impl Observer for Told {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, message: &str) {
        self.0.push(message.into());
    }
    fn step(&mut self, _: &StepMetrics) {}
    fn epoch(&mut self, _: &EpochMetrics) {}
}

/// A process that is killed between the last checkpoint and the summary.
#[test]
fn the_summary_of_a_run_cut_short_is_that_of_one_that_was_not_stopped() {
    let settings = Settings { max_steps: Some(2), ..random(Method::Classifier) };
    let (_root, folder, summary) = run(&settings, &mut Silent);
    let of = |s: &ecgan::metrics::Summary| (s.test_accuracy, s.best_val_accuracy, s.epochs, s.steps, s.ended_by);
    let want = of(&summary.expect("it ends well"));
    assert!(want.1.is_some(), "it validates");
    fs::remove_file(folder.path().join("summary.json")).expect("removed");
    assert_eq!(of(&resume(&settings, &folder, &mut Silent).expect("it ends well")), want);
}
