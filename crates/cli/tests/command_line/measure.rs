//! `ecgan measure`.

use crate::binary::{ecgan, entries, json, keys, refused, stderr, stdout, train};
use crate::data_sets::pets;
use crate::tensors_file::{Stored, TensorsFile};
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
        "inception",
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
    let of_neighbours = ["closer_by_chance", "closer_fraction", "closer_than", "generated_median", "real_median"];
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
fn identical_real_images_are_warned_of() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &["--val-fraction", "0"]);
    let warnings = |arguments: &[&str]| stderr(&ecgan(here.path(), &[&COMMAND, arguments].concat()));
    assert_eq!(warnings(&[]), "");
    let fish = here.path().join("pets/train/fish");
    std::fs::copy(fish.join("0.png"), fish.join("3.png")).unwrap();
    let message = "warning: more than 1 % of the real images have the same features as another of them";
    assert!(warnings(&[]).starts_with(message), "{}", warnings(&[]));
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
    refused(folder, &with(&["--pairs", "p.jpg"]), 2, "pairs: expected ");
    refused(folder, &with(&["--features", CHECKPOINT]), 2, "features: expected ");
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

#[test]
fn features_are_written_as_they_are_compared() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    let measured = measure(here.path(), &["--judge", JUDGE, "--features", "new/features.safetensors"]);
    let file = TensorsFile::read(&here.path().join("new/features.safetensors"));
    let shapes: Vec<_> = file.tensors.iter().map(|(name, t)| (&name[..], &t.dtype[..], t.shape.clone())).collect();
    let n_real = measured["n_real"].as_u64().unwrap() as usize;
    assert_eq!(shapes, [("generated", "F64", vec![70, 16]), ("real", "F64", vec![n_real, 16])]);
    let rows = |name: &str| {
        let numbers: Vec<f64> =
            file.tensors[name].bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        numbers.chunks(16).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    let (generated, real) = (rows("generated"), rows("real"));
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let nearest = |a: &Vec<f64>| real.iter().map(|b| distance(a, b)).fold(f64::INFINITY, f64::min);
    let mut nearest: Vec<f64> = generated.iter().map(nearest).collect();
    nearest.sort_by(f64::total_cmp);
    let median = number(&measured["neighbours"]["generated_median"]);
    assert!((median - (nearest[34] + nearest[35]) / 2.0).abs() < 1e-12, "{median}");
}

#[test]
fn weights_that_are_none_of_an_inception_are_named() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    trained(folder, &[]);
    let with = |file: &'static str| [&COMMAND[..], &["--inception", file, "--features", "out.safetensors"]].concat();
    refused(folder, &with("none"), 3, "none: cannot read: ");
    std::fs::write(folder.join("text"), "no weights").unwrap();
    refused(folder, &with("text"), 3, "text: not a safetensors file (");
    refused(
        folder,
        &with(JUDGE),
        3,
        "last.safetensors: `Conv2d_1a_3x3.conv.weight`: missing; expected the state dict of",
    );
    let mut file = TensorsFile { metadata: None, tensors: Default::default() };
    let mut add = |name: &str, shape: &[usize], message: &str| {
        let bytes = vec![0; 4 * shape.iter().product::<usize>()];
        file.tensors.insert(name.into(), Stored { dtype: "F32".into(), shape: shape.to_vec(), bytes });
        file.write(&folder.join("part"));
        refused(folder, &with("part"), 3, message);
    };
    add("Conv2d_1a_3x3.conv.weight", &[32, 3, 3, 3], "part: `Conv2d_1a_3x3.bn.weight`: missing");
    let message = "part: `Conv2d_1a_3x3.bn.weight`: expected F32, F16 or BF16 of shape [32], got F32 of shape [31]";
    add("Conv2d_1a_3x3.bn.weight", &[31], message);
    assert!(!folder.join("out.safetensors").exists());
}

/// PyTorch's state dicts have neither class names nor the size of the images.
#[test]
fn a_state_dict_judges_too() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    stdout(&ecgan(
        here.path(),
        &["export", "--checkpoint", JUDGE, "--net", "classifier", "--out", "judge.safetensors"],
    ));
    let mut file = TensorsFile::read(&here.path().join("judge.safetensors"));
    file.metadata = None;
    file.write(&here.path().join("bare.safetensors"));
    let (judged, by_bare) =
        (measure(here.path(), &["--judge", JUDGE]), measure(here.path(), &["--judge", "bare.safetensors"]));
    assert_eq!(by_bare["pseudo_labels"], judged["pseudo_labels"]);
    assert_eq!(by_bare["frechet_distance"], judged["frechet_distance"]);
    let warned = |judge| stderr(&ecgan(here.path(), &[&COMMAND[..], &["--judge", judge]].concat()));
    assert!(warned(CHECKPOINT).contains("warning: the judge is the run's own classifier"), "{}", warned(CHECKPOINT));
    assert!(!warned("bare.safetensors").contains("the judge is"));
    for name in ["linear.weight", "linear.bias"] {
        file.tensors.get_mut(name).unwrap().shape[0] = 4;
    }
    file.write(&here.path().join("bare.safetensors"));
    let message = "bare.safetensors: 4 classes; the run that it is to judge has 3";
    refused(here.path(), &[&COMMAND[..], &["--judge", "bare.safetensors"]].concat(), 3, message);
}

/// Of the data that was named, and of the run's own.
#[test]
fn nothing_is_written_into_the_data() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    for (arguments, name) in [
        (&["--pairs", "pets/train/cat/p.png"][..], "pairs"),
        (&["--pairs", "pets/train/cat/p.png", "--data", "pets"], "pairs"),
        (&["--features", "pets/train/f.safetensors"], "features"),
    ] {
        let message = format!("{name}: expected a name outside pets, whose images it could be taken for, got pets/");
        refused(here.path(), &[&COMMAND, arguments].concat(), 2, &message);
    }
    let written = ["cat/p.png", "f.safetensors"].map(|name| here.path().join("pets/train").join(name));
    assert!(written.iter().all(|path| !path.exists()));
}

/// A class that follows from them would mean nothing.
#[test]
fn logits_that_are_not_finite_label_nothing() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path(), &[]);
    let path = here.path().join(CHECKPOINT);
    let mut file = TensorsFile::read(&path);
    for name in ["classifier.linear.weight", "classifier.linear.bias"] {
        let stored = file.tensors.get_mut(name).unwrap();
        stored.bytes = 3e38f32.to_le_bytes().repeat(stored.bytes.len() / 4);
    }
    file.write(&path);
    let message = "error: a logit of the classifier is not finite";
    refused(here.path(), &COMMAND, 4, message);
    refused(here.path(), &["generate", "--checkpoint", CHECKPOINT, "--dir", "fakes"], 4, message);
    refused(here.path(), &["generate", "--checkpoint", CHECKPOINT, "--grid", "fakes.png"], 4, message);
    assert!(!here.path().join("fakes").exists() && !here.path().join("fakes.png").exists());
}
