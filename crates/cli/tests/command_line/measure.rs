//! `ecgan measure`.

use crate::binary::{ecgan, entries, json, keys, refused, stderr, stdout, train};
use crate::data_sets::pets;
use serde_json::{Value, json};
use std::path::Path;

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";
const JUDGE: &str = "all/checkpoints/last.safetensors";
const COMMAND: [&str; 7] = ["measure", "--checkpoint", CHECKPOINT, "-n", "70", "--threads", "1"];

/// A run with a GAN on the pets, whose pseudo-labels are kept from a low threshold on, and a judge.
fn trained(folder: &Path, more: &[&str]) {
    pets(&folder.join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--max-steps", "3", "--threshold", "0.34"];
    train(folder, &[&settings[..], more].concat());
    train(folder, &["--data", "pets", "--out", "all", "--method", "classifier", "--width", "2", "--epochs", "9"]);
}

fn measure(folder: &Path, arguments: &[&str]) -> Value {
    json(&ecgan(folder, &[&COMMAND, arguments, &["--json"]].concat()))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn names_and_ranges_of_the_measures() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &["--val-fraction", "0.34"]);
    let own = measure(here.path(), &[]);
    let names = [
        "checkpoint",
        "feature_count",
        "features_of",
        "frechet_distance",
        "judge",
        "kernel_distance",
        "n_generated",
        "n_real",
        "neighbours",
        "pseudo_labels",
        "seed",
        "split",
    ];
    assert_eq!(keys(&own), names);
    assert_eq!(keys(&own["kernel_distance"]), ["mean", "standard_deviation", "subset_size", "subsets"]);
    let of_neighbours = ["closer_fraction", "closer_than", "generated_median", "real_median"];
    assert_eq!(keys(&own["neighbours"]), of_neighbours);
    let of_labels = ["all_accuracy", "kept_accuracy", "kept_fraction", "per_class", "threshold"];
    assert_eq!(keys(&own["pseudo_labels"]), of_labels);
    let of_class = ["all_accuracy", "class", "kept", "kept_accuracy", "labelled"];
    assert_eq!(keys(&own["pseudo_labels"]["per_class"][0]), of_class);
    // Width 1 has 8 features. Of 18 images 6 validate.
    assert_eq!((&own["features_of"], &own["feature_count"]), (&json!("own_classifier"), &json!(8)));
    assert_eq!((&own["n_generated"], &own["n_real"], &own["split"]), (&json!(70), &json!(12), &json!("train")));
    assert_eq!((&own["judge"], &own["pseudo_labels"]["all_accuracy"]), (&Value::Null, &Value::Null));
    assert_eq!(own["pseudo_labels"]["threshold"], 0.34);

    let judged = measure(here.path(), &["--judge", JUDGE]);
    assert_eq!((&judged["judge"], &judged["features_of"]), (&json!(JUDGE), &json!("judge")));
    assert_eq!(judged["feature_count"], 16, "the judge's width");
    let labels = &judged["pseudo_labels"];
    let per_class = labels["per_class"].as_array().unwrap();
    let total = |name: &str| per_class.iter().map(|class| class[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!(total("labelled"), 70);
    assert!((number(&labels["kept_fraction"]) - total("kept") as f64 / 70.0).abs() < 1e-12, "{labels}");
    assert!((0.0..=100.0).contains(&number(&labels["all_accuracy"])), "{labels}");
    assert_eq!(labels["kept_fraction"], own["pseudo_labels"]["kept_fraction"], "the run's own, whoever judges");
    assert!(number(&judged["frechet_distance"]) > 0.0 && number(&judged["neighbours"]["real_median"]) > 0.0);
    for (split, n) in [("val", 6), ("test", 9)] {
        assert_eq!(measure(here.path(), &["--split", split])["n_real"], n, "{split}");
    }
    assert_ne!(measure(here.path(), &["--seed", "1"])["frechet_distance"], own["frechet_distance"]);
    std::fs::rename(here.path().join("pets"), here.path().join("cats")).unwrap();
    assert_eq!(measure(here.path(), &["--data", "cats"]), own, "the run's own data are what it defaults to");
}

#[test]
fn lines_name_the_features_and_call_them_by_no_other_name() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    let text = |more: &[&str]| stdout(&ecgan(here.path(), &[&COMMAND, more].concat()));
    let (own, judged) = (text(&[]), text(&["--judge", JUDGE]));
    let distance = number(&measure(here.path(), &[])["frechet_distance"]);
    let line = format!("\nFrechet distance in the 8 features of the run's own classifier: {distance:.4}\n");
    assert!(own.contains(&line), "{line} in {own}");
    assert!(judged.contains(&format!("\nFrechet distance in the 16 features of {JUDGE}: ")), "{judged}");
    for text in [own, judged] {
        assert!(!text.contains("FID") && !text.contains("KID"), "{text}");
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    let of = |threads: &str| {
        let command =
            ["measure", "--checkpoint", CHECKPOINT, "--judge", JUDGE, "--json", "-n", "300", "--threads", threads];
        stdout(&ecgan(here.path(), &command))
    };
    assert_eq!(of("1"), of("3"));
}

/// Of a conditional run the label is the class that an image was made for: as many of each.
#[test]
fn known_labels_are_the_classes_made_for() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &["--method", "conditional"]);
    let labels = &measure(here.path(), &["--judge", JUDGE])["pseudo_labels"];
    let counts: Vec<_> =
        labels["per_class"].as_array().unwrap().iter().map(|class| class["labelled"].as_u64()).collect();
    assert_eq!(counts, [Some(24), Some(23), Some(23)]);
}

#[test]
fn the_closest_pairs_are_drawn() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    let output = ecgan(here.path(), &[&COMMAND[..], &["--pairs", "new/pairs.png"]].concat());
    assert!(stdout(&output).ends_with("\nthe closest pairs in new/pairs.png\n"), "{}", stderr(&output));
    let size = |name: &str| image::open(here.path().join(name)).unwrap().into_rgb8().dimensions();
    // Tiles of 96 pixels with 4 between them, and 12 of caption: 8 by 4.
    assert_eq!(size("new/pairs.png"), (8 * 100 + 4, 4 * 112 + 4));
    ecgan(here.path(), &["measure", "--checkpoint", CHECKPOINT, "-n", "3", "--pairs", "few.png"]);
    assert_eq!(size("few.png"), (3 * 100 + 4, 2 * 112 + 4), "three pairs");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    trained(folder, &["--val-fraction", "0"]);
    let with = |arguments: &[&'static str]| [&COMMAND[..], arguments].concat();
    let message = "all/checkpoints/last.safetensors: no generator; expected a checkpoint of a method with a GAN";
    refused(folder, &["measure", "--checkpoint", JUDGE], 3, message);
    refused(folder, &["measure", "--checkpoint", "none"], 3, "none: cannot read: ");
    refused(folder, &["measure"], 2, "--checkpoint");
    refused(folder, &["measure", "--checkpoint", CHECKPOINT, "-n", "1"], 2, "'-n <N>'");
    refused(folder, &with(&["--judge", "none"]), 3, "none: cannot read: ");
    refused(folder, &with(&["--split", "val"]), 2, "split: expected test or train, as the run kept nothing");
    refused(
        folder,
        &with(&["--data", "synthetic"]),
        3,
        "trained on the classes cat, dog, fish; synthetic has 0, 1, 2,",
    );
    refused(folder, &with(&["--device", "cuda"]), 5, "error: device cuda:0: ");

    let judge = |out: &'static str, more: &[&str]| {
        let settings = ["--method", "classifier", "--max-steps", "1", "--out", out];
        train(folder, &[&settings[..], more].concat());
    };
    let before = entries(folder);
    judge("digits", &["--samples", "40", "--batch", "4"]);
    judge("grey", &["--data", "pets", "--channels", "1"]);
    judge("large", &["--data", "pets", "--image-size", "64"]);
    for (out, message) in [
        (
            "digits",
            "digits/checkpoints/last.safetensors: trained on the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; the run that it is to judge has cat, dog, fish: `0` is not in that run",
        ),
        ("grey", "grey/checkpoints/last.safetensors: for images of 32x32x1; the run that it is to judge has 32x32x3"),
        ("large", "large/checkpoints/last.safetensors: for images of 64x64x3; the run that it is to judge has 32x32x3"),
    ] {
        let file = format!("{out}/checkpoints/last.safetensors");
        refused(folder, &[&COMMAND[..], &["--judge", &file, "--pairs", "p.png"]].concat(), 3, message);
    }
    assert_eq!(entries(folder), before + 3, "no picture");
}
