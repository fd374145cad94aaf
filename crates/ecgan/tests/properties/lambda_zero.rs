//! `ec-gan` with lambda 0 is the bare classifier bit for bit: the paired comparison rests on it.

use crate::{Silent, Tensors, run, settings, tensors};
use ecgan::metrics::EpochMetrics;
use ecgan::settings::{Architecture, FakeStatistics, Method, Partial, Preset, Settings};
use std::fs;

/// Of a run's end: the classifier's tensors and optimizer, its accuracies, the last epoch.
fn outcome(settings: &Settings) -> (Tensors, [Option<f64>; 2], EpochMetrics) {
    let (_root, folder, result) = run(settings, &mut Silent);
    let summary = result.expect("the run ends well");
    let mut tensors = tensors(&folder.last_checkpoint());
    tensors.retain(|(name, ..)| name.starts_with("classifier.") || name.starts_with("optimizer.classifier."));
    let metrics = fs::read_to_string(folder.metrics_file()).expect("metrics");
    let last = serde_json::from_str(metrics.lines().last().expect("an epoch")).expect("a record");
    (tensors, [summary.test_accuracy, summary.best_val_accuracy], last)
}

/// Of the methods with one trunk too, whose bare classifier has the same layers; then there is no GAN at all.
#[test]
fn lambda_zero_of_a_shared_trunk_is_its_bare_classifier() {
    for (method, architecture) in
        [(Method::SharedDc, Architecture::Dcgan), (Method::SharedResnet, Architecture::ResNet18)]
    {
        let given = Partial { preset: Some(Preset::Paper), epochs: Some(2), ..Partial::default() };
        let with = |method, lambda| {
            let of_method = Partial {
                method: Some(method),
                architecture: Some(architecture),
                lambda: Some(lambda),
                ..given.clone()
            };
            outcome(&settings(of_method))
        };
        let (bare, bare_accuracies, bare_epoch) = with(Method::Classifier, 0.1);
        let (zero, zero_accuracies, zero_epoch) = with(method, 0.0);
        assert!(zero == bare, "{method}: other weights, running statistics or moments");
        assert_eq!(zero_accuracies, bare_accuracies, "{method}: other predictions");
        assert_eq!(zero_epoch.loss_c_real, bare_epoch.loss_c_real);
        assert!(zero_epoch.loss_g.is_none());

        let (some, _, some_epoch) = with(method, 0.1);
        assert!(some != bare && some_epoch.loss_g.is_some() && some_epoch.kept_fraction.is_none(), "{method}");
    }
}

#[test]
fn lambda_zero_is_the_bare_classifier() {
    for preset in [Preset::Paper, Preset::Notebook] {
        let given = Partial {
            preset: Some(preset),
            epochs: Some(2),
            threshold: Some(0.0),
            fake_statistics: Some(FakeStatistics::Shared),
            ..Partial::default()
        };
        let with = |method, lambda| {
            outcome(&settings(Partial { method: Some(method), lambda: Some(lambda), ..given.clone() }))
        };
        let (bare, bare_accuracies, bare_epoch) = with(Method::Classifier, 0.1);
        let (zero, zero_accuracies, zero_epoch) = with(Method::EcGan, 0.0);
        // 20 convolutions, 20 batch norms of 2 parameters and 3 statistics, a linear layer; twice the parameters, t.
        assert_eq!(bare.len(), (20 + 20 * 5 + 2) + 2 * (20 + 20 * 2 + 2) + 1);
        assert!(zero == bare, "{preset}: other weights, running statistics or moments");
        assert_eq!(zero_accuracies, bare_accuracies, "{preset}: other predictions");
        assert_eq!(zero_epoch.loss_c_real, bare_epoch.loss_c_real);
        assert_eq!(zero_epoch.train_accuracy, bare_epoch.train_accuracy);
        assert!(zero_epoch.loss_g.is_some() && zero_epoch.loss_c_fake.is_none() && zero_epoch.kept_fraction.is_none());

        let (none, none_accuracies, none_epoch) = with(Method::Conditional, 0.0);
        assert!(none == bare && none_accuracies == bare_accuracies && none_epoch.loss_g.is_some(), "{preset}");

        let (some, _, some_epoch) = with(Method::EcGan, 0.1);
        assert!(some != bare, "{preset}: with lambda 0.1 the fakes must count");
        assert_eq!(some_epoch.kept_fraction, Some(1.0));
    }
}
