//! Data of one's own: a folder of images of any size and kind, and SVHN's files.

use crate::binary::{ecgan, entries, json, refused, small, stderr, train};
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

/// What a run leaves among class folders would be a class.
#[test]
fn runs_lie_outside_of_class_folders() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let data = here.path().join("pets/train");
    let grid = ["--grid", "lambda=0,0.1"];
    for (command, more, out) in [
        ("train", &[][..], "runs"),
        ("train", &["--dry-run"], "runs"),
        ("train", &["--out", "out1", "--dry-run"], "out1"),
        ("train", &["--out", "cat/out1"], "cat/out1"),
        ("sweep", &grid, "sweep"),
        ("sweep", &["--out", "s", "--dry-run"], "s"),
    ] {
        let message = format!(
            "error: out: expected a folder outside {}, where it would be taken for a class (give --out, or run from \
             the folder above), got {out}\n",
            data.canonicalize().unwrap().display()
        );
        refused(&data, &[&[command, "--data", "."], more].concat(), 2, &message);
    }
    let message = "out: expected a folder outside pets/train, where it would be taken for a class";
    refused(here.path(), &["train", "--data", "pets/train", "--out", "pets/train/new"], 2, message);
    assert_eq!(entries(&data), 3, "nothing was created");
    let settings = ["--method", "classifier", "--max-steps", "1"];
    train(&data, &[&["--data", ".", "--out", "../../run"], &settings[..]].concat());
    // Beside train/ and test/ there is room.
    train(&here.path().join("pets"), &[&["--data", "."], &settings[..]].concat());
    assert!(here.path().join("pets/runs/0001-classifier-pets/summary.json").exists());
    train(&here.path().join("pets"), &[&["--data", "."], &settings[..]].concat());
}

#[test]
fn from_another_folder_the_runs_data_is_not_there() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let elsewhere = here.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let said = |file: &str| {
        format!(
            "error: ../run/{file}: its data, pets, is not there as seen from here; --data DIR says where the images are\n"
        )
    };
    let (checkpoint, config) = ("../run/checkpoints/last.safetensors", "../run/config.toml");
    for (arguments, file) in [
        (&["eval", "--checkpoint", checkpoint][..], "checkpoints/last.safetensors"),
        (&["measure", "--checkpoint", checkpoint, "-n", "2"], "checkpoints/last.safetensors"),
        (&["train", "--config", config], "config.toml"),
        (&["train", "--config", config, "--dry-run"], "config.toml"),
        (&["sweep", "--config", config, "--grid", "lambda=0,0.1"], "config.toml"),
    ] {
        refused(&elsewhere, arguments, 3, &said(file));
    }
    assert_eq!(entries(&elsewhere), 0);
    // Of a flag nothing but what it says is known.
    refused(
        &elsewhere,
        &["eval", "--checkpoint", checkpoint, "--data", "pets"],
        3,
        "error: pets: no such folder; expected",
    );
    refused(&elsewhere, &["train", "--config", config, "--data", "pets"], 3, "error: pets: no such folder; expected");
    let eval = ["eval", "--checkpoint", checkpoint, "--data", "../pets", "--json"];
    assert_eq!(json(&ecgan(&elsewhere, &eval))["total"], 9);
}

/// What is passed over is told of, once, by everything that reads the set.
#[test]
fn notes_and_class_folders_beside_the_parts_are_warnings() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for name in ["train/dog/notes.txt", "test/dog/labels.csv"] {
        fs::write(here.path().join("pets").join(name), "no image").unwrap();
    }
    fs::create_dir(here.path().join("pets/dog")).unwrap();
    fs::copy(here.path().join("pets/train/dog/0.png"), here.path().join("pets/dog/0.png")).unwrap();
    let said = [
        "pets: ignored 1 folder with images beside train/ and test/ (`dog`)",
        "pets: ignored 2 files in the class folders not named as images (`train/dog/notes.txt`)",
    ];
    let arguments = ["train", "--data", "pets", "--method", "classifier", "--max-steps", "1", "--json", "--out", "run"];
    let trained = small(here.path(), &arguments).output().unwrap();
    assert_eq!((&json(&trained)["n_train"], &json(&trained)["n_test"]), (&16.into(), &9.into()));
    let measured = ecgan(here.path(), &["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--json"]);
    assert_eq!(json(&measured)["total"], 9);
    for stderr in [stderr(&trained), stderr(&measured)] {
        said.iter().for_each(|said| assert_eq!(stderr.matches(&format!("warning: {said}\n")).count(), 1, "{stderr}"));
    }
    let inspected = json(&ecgan(here.path(), &["data", "inspect", "pets", "--json"]));
    assert_eq!(inspected["warnings"], serde_json::json!(said));
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
