//! What a training run leaves in its folder and on stdout.

use crate::binary::{command, files, json, keys, metrics, small, stderr, stdout, train};
use crate::data_sets::pets;
use serde_json::Value;
use std::path::{Path, PathBuf};

const METRICS: [&str; 14] = [
    "epoch",
    "images_per_second",
    "kept_fraction",
    "kept_per_class",
    "loss_c_fake",
    "loss_c_real",
    "loss_d_fake",
    "loss_d_real",
    "loss_g",
    "mean_confidence",
    "seconds",
    "step",
    "train_accuracy",
    "val_accuracy",
];

const SUMMARY: [&str; 12] = [
    "best_val_accuracy",
    "data",
    "ended_by",
    "epochs",
    "method",
    "n_test",
    "n_train",
    "n_val",
    "seconds",
    "seed",
    "steps",
    "test_accuracy",
];

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

fn summary(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn ec_gan_leaves_exactly_the_documented_files() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let output = small(here.path(), &["train", "--data", "pets", "--out", "a/run", "--json"]).output().unwrap();
    let mut printed = json(&output);
    let run = here.path().join("a/run");
    let expected = [
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "config.toml",
        "evaluation.json",
        "metrics.csv",
        "metrics.jsonl",
        "mistakes.csv",
        "mistakes.png",
        "report.html",
        "samples/epoch-0001.png",
        "samples/epoch-0002.png",
        "samples/real.png",
        "summary.json",
    ];
    assert_eq!(files(&run), paths(&expected));

    // Eight rows of eight tiles of 96 pixels with captions.
    let samples = image::open(run.join("samples/epoch-0002.png")).unwrap();
    assert!(samples.width() > 768 && samples.height() > 768 + 8 * 10, "{}x{}", samples.width(), samples.height());
    let metrics = metrics(&run);
    assert_eq!(metrics.len(), 2);
    for (i, line) in metrics.iter().enumerate() {
        assert_eq!(keys(line), METRICS);
        assert!(METRICS.iter().all(|key| !line[key].is_null()), "{line}");
        assert_eq!((line["epoch"].as_u64(), line["step"].as_u64()), (Some(i as u64 + 1), Some(4 * (i as u64 + 1))));
        assert_eq!(line["kept_per_class"].as_array().unwrap().len(), 3);
    }
    let summary = summary(&run);
    assert_eq!(keys(&summary), SUMMARY);
    let counts = ["n_train", "n_val", "n_test", "seed", "epochs"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!((counts, summary["method"].as_str()), ([16, 2, 9, 0, 2], Some("ec-gan")));
    assert_eq!((summary["steps"].as_u64(), summary["ended_by"].as_str()), (Some(8), Some("epochs")));
    assert_eq!(printed.as_object_mut().unwrap().remove("run").unwrap(), "a/run");
    assert_eq!(printed, summary);
    // People read the same on stderr.
    let stderr = stderr(&output);
    for part in ["ec-gan: 16 training and 2 validation images of 3 classes", "epoch 2/2", "test accuracy", "a/run"] {
        assert!(stderr.contains(part), "{part} in {stderr}");
    }
    let resolved =
        stdout(&command(here.path(), &["train", "--dry-run", "--config", "a/run/config.toml"]).output().unwrap());
    assert_eq!(resolved, std::fs::read_to_string(run.join("config.toml")).unwrap());
}

#[test]
fn the_bare_classifier_has_no_samples_and_nulls_for_the_gan() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let summary = train(
        here.path(),
        &["--data", "pets", "--out", "run", "--method", "classifier", "--epochs", "1", "--val-fraction", "0"],
    );
    let run = here.path().join("run");
    let expected = [
        "checkpoints/last.safetensors",
        "config.toml",
        "evaluation.json",
        "metrics.csv",
        "metrics.jsonl",
        "mistakes.csv",
        "mistakes.png",
        "report.html",
        "samples/real.png",
        "summary.json",
    ];
    assert_eq!(files(&run), paths(&expected), "no validation part, so no best checkpoint");
    let metrics = metrics(&run);
    assert_eq!((metrics.len(), keys(&metrics[0])), (1, METRICS.to_vec()));
    let measured = ["epoch", "images_per_second", "loss_c_real", "seconds", "step", "train_accuracy"];
    for key in METRICS {
        assert_eq!(metrics[0][key].is_null(), !measured.contains(&key), "{key}");
    }
    assert!(summary["best_val_accuracy"].is_null() && summary["test_accuracy"].is_number(), "{summary}");
    assert_eq!((summary["n_train"].as_u64(), summary["n_val"].as_u64()), (Some(18), Some(0)));
}

#[test]
fn max_steps_ends_a_run_as_its_last_epoch_ends() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let summary = train(here.path(), &["--data", "pets", "--out", "run", "--epochs", "3", "--max-steps", "5"]);
    let run = here.path().join("run");
    let steps: Vec<_> = metrics(&run).iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [4, 5]);
    assert_eq!((summary["epochs"].as_u64(), summary["ended_by"].as_str()), (Some(2), Some("max-steps")));
    assert!(summary["test_accuracy"].is_number());
    for file in ["samples/epoch-0002.png", "checkpoints/last.safetensors", "summary.json"] {
        assert!(run.join(file).exists(), "{file}");
    }
}

#[test]
fn runs_without_a_folder_are_numbered_and_a_large_batch_is_lowered() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("my pets"));
    for number in 1..=2 {
        let arguments = ["train", "--data", "my pets", "--method", "classifier", "--batch", "17", "--json"];
        let output = small(here.path(), &arguments).env("ECGAN_MAX_STEPS", "1").output().unwrap();
        assert_eq!(json(&output)["run"], format!("runs/000{number}-classifier-my_pets"));
        let stderr = stderr(&output);
        assert!(stderr.contains("warning: batch 17 lowered to 16: that is all training images"), "{stderr}");
    }
}

#[test]
fn quiet_prints_nothing_where_nothing_is_odd() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let arguments = ["train", "--data", "pets", "--method", "classifier", "--max-steps", "1", "--quiet"];
    let output = small(here.path(), &arguments).env("ECGAN_OUT", "by variable").output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("", ""));
    assert!(here.path().join("by variable/summary.json").exists());
}
