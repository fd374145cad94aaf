//! Data of one's own: a folder of images of any size and kind, and SVHN's files.

use crate::binary::{ecgan, json, small, stderr, train};
use crate::data_sets::{house_numbers, pets};
use std::fs;

#[test]
fn large_grey_images_from_a_mixed_folder() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--image-size", "64", "--channels", "1", "--max-steps", "2"];
    let summary = train(here.path(), &settings);
    assert_eq!((&summary["n_train"], &summary["n_test"]), (&16.into(), &9.into()));
    // The checkpoint says what images its networks take.
    let checkpoint = ["--checkpoint", "run/checkpoints/last.safetensors", "--threads", "1"];
    let eval = ["eval", "--data", "pets", "--json"];
    let test = json(&ecgan(here.path(), &[&eval[..], &checkpoint].concat()));
    assert_eq!(test["accuracy"], summary["test_accuracy"]);
    let generate = ["generate", "-n", "1", "--dir", "fakes", "--json"];
    json(&ecgan(here.path(), &[&generate[..], &checkpoint].concat()));
    let fake = image::open(here.path().join("fakes/00001.png")).unwrap().into_rgb8();
    assert_eq!(fake.dimensions(), (64, 64));
    assert!(fake.pixels().all(|p| p[0] == p[1] && p[1] == p[2]), "one channel is grey");
}

#[test]
fn house_numbers_from_mat_files() {
    let here = tempfile::tempdir().unwrap();
    house_numbers(&here.path().join("svhn"));
    let settings = ["--data", "svhn", "--out", "run", "--max-steps", "2"];
    let summary = train(here.path(), &settings);
    let counts = ["n_train", "n_val", "n_test"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!(counts, [18, 2, 10]);
    let eval = ["eval", "--data", "svhn", "--checkpoint", "run/checkpoints/last.safetensors", "--json"];
    let test = json(&ecgan(here.path(), &eval));
    assert_eq!(test["accuracy"], summary["test_accuracy"]);
    let digits: Vec<_> = test["per_class"].as_array().unwrap().iter().map(|c| c["class"].as_str().unwrap()).collect();
    assert_eq!(digits.concat(), "0123456789");
}

#[test]
fn a_class_that_is_never_tested_is_a_warning() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    fs::remove_dir_all(here.path().join("pets/test/dog")).unwrap();
    let arguments = ["train", "--data", "pets", "--method", "classifier", "--max-steps", "1", "--json"];
    let output = small(here.path(), &arguments).output().unwrap();
    assert_eq!(json(&output)["n_test"], 6);
    let stderr = stderr(&output);
    assert!(stderr.contains("warning: pets/test: class `dog` of train is missing, so it is never tested"), "{stderr}");
}
