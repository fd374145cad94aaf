//! `ecgan generate`.

use crate::binary::{ecgan, entries, files, json, refused, train};
use crate::data_sets::pets;
use std::fs;
use std::path::{Path, PathBuf};

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";

fn generate(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let command = ["generate", "--checkpoint", CHECKPOINT, "--threads", "1", "--json"];
    json(&ecgan(folder, &[&command, arguments].concat()))
}

#[test]
fn images_are_drawn_by_the_seed() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);

    let report = generate(folder, &["-n", "5", "--seed", "1", "--grid", "new/a.png"]);
    assert_eq!((&report["n"], &report["seed"], &report["path"]), (&5.into(), &1.into(), &"new/a.png".into()));
    assert_eq!(report["classes"], serde_json::json!(["cat", "dog", "fish"]));
    assert!(report["labels"].as_array().unwrap().iter().all(|label| label.as_u64().unwrap() < 3), "{report}");
    let in_range = |c: &serde_json::Value| (0.3..=1.0).contains(&c.as_f64().unwrap());
    assert!(report["confidences"].as_array().unwrap().iter().all(in_range), "{report}");
    generate(folder, &["-n", "5", "--seed", "1", "--grid", "b.png"]);
    generate(folder, &["-n", "5", "--seed", "2", "--grid", "c.png"]);
    let grid = |name: &str| image::open(folder.join(name)).unwrap().into_rgb8();
    assert!(grid("new/a.png") == grid("b.png") && grid("new/a.png") != grid("c.png"));

    generate(folder, &["-n", "70", "--seed", "1", "--dir", "d"]);
    generate(folder, &["-n", "3", "--seed", "1", "--dir", "e"]);
    assert_eq!(entries(&folder.join("d")), 70);
    assert_eq!(files(&folder.join("e")), ["00001.png", "00002.png", "00003.png"].map(PathBuf::from));
    for name in ["00001.png", "00003.png"] {
        let read = |folder: PathBuf| fs::read(folder.join(name)).unwrap();
        assert!(read(folder.join("d")) == read(folder.join("e")), "{name} depends on how many were drawn");
        assert_eq!(image::open(folder.join("e").join(name)).unwrap().into_rgb8().dimensions(), (32, 32));
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let command = ["generate", "--checkpoint", CHECKPOINT];
    let message = "last.safetensors: no generator; expected a checkpoint of a method with a GAN";
    refused(folder, &[&command[..], &["--grid", "x.png"]].concat(), 3, message);
    refused(folder, &[&command[..], &["--dir", "x"]].concat(), 3, message);
    let message = "n: expected at most 10000 images with --grid (--dir takes more), got 10001";
    refused(folder, &[&command[..], &["--grid", "x.png", "-n", "10001"]].concat(), 2, message);
    refused(folder, &[&command[..], &["--dir", "x", "-n", "100001"]].concat(), 2, "'-n <N>'");
    assert_eq!(entries(folder), 2, "nothing but pets and run");
}
