//! A run whose numbers leave the finite ones stops and says so, and keeps what was good.

use crate::{run, settings, tensors};
use ecgan::checkpoint::Checkpoint;
use ecgan::evaluate::evaluate_read;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics};
use ecgan::settings::{Method, Partial, SplitName};
use ecgan::{Error, ErrorKind};
use std::fs;
use tensor::Device;

/// Counts what was finished.
#[derive(Default)]
struct Counts {
    steps: u64,
    epochs: usize,
}

impl Observer for Counts {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, _: &str) {}
    fn step(&mut self, step: &StepMetrics) {
        self.steps = step.step;
    }
    fn epoch(&mut self, epoch: &EpochMetrics) {
        self.epochs = epoch.epoch;
    }
}

#[test]
fn a_diverging_run_keeps_its_last_good_checkpoint() {
    // With one trunk the generator is trained against those weights, within the iteration.
    for &method in Method::ALL.iter().filter(|method| !method.is_shared()) {
        // One iteration an epoch. The first one's losses are finite, and so are the absurd weights it leaves C.
        let given = Partial {
            method: Some(method),
            lr: Some(2e-4),
            lr_c: Some(1e30),
            batch: Some(30),
            epochs: Some(4),
            threshold: Some(0.0),
            ..Partial::default()
        };
        let mut counts = Counts::default();
        let (_root, folder, result) = run(&settings(given), &mut counts);
        let error = result.expect_err("such a step cannot end well");
        assert_eq!(error.kind(), ErrorKind::Diverged);
        let Error::Diverged { step, ref what } = error else { panic!("{error}") };
        assert!(step > counts.steps && !what.is_empty(), "{error}");
        assert_eq!(
            error.to_string(),
            format!("diverged at step {step}: {what} is not finite; try a smaller --lr-c or --lr")
        );

        assert!(counts.epochs >= 1, "{method}: an epoch was good");
        let last = folder.last_checkpoint();
        for (name, _, bytes) in tensors(&last) {
            let is_f32 = !name.ends_with("num_batches_tracked") && !name.starts_with("state.") && !name.ends_with(".t");
            let finite = bytes.as_chunks::<4>().0.iter().all(|&b| f32::from_le_bytes(b).is_finite());
            assert!(finite || !is_f32, "{method}: {name} is not finite");
        }
        let read = Checkpoint::read(&last).expect("it loads");
        read.classifier(&Device::cpu()).expect("it fits");
        match evaluate_read(&read, Some("synthetic"), SplitName::Val, &Device::cpu(), &mut |_| ()) {
            Ok(_) | Err(Error::NotFinite { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        let metrics = fs::read_to_string(folder.metrics_file()).expect("metrics");
        assert_eq!(metrics.lines().count(), counts.epochs, "{method}: a line each good epoch");
        assert!(!folder.path().join("summary.json").exists(), "{method}: a run that failed has no summary");
    }
}

/// The squares of its gradients leave the finite numbers, and only the moments show it: steps become 0.
#[test]
fn moments_that_are_not_finite_are_not_saved() {
    let given =
        Partial { method: Some(Method::Classifier), weight_decay_c: Some(1e25), epochs: Some(2), ..Partial::default() };
    let (_root, folder, result) = run(&settings(given), &mut Counts::default());
    let error = result.expect_err("a run could not go on from such a checkpoint");
    assert_eq!(
        error.to_string(),
        "diverged at step 3: a moment of the classifier is not finite; try a smaller --lr-c or --lr"
    );
    assert!(!folder.last_checkpoint().exists() && !folder.best_checkpoint().exists());
}
