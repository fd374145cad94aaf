//! What `--resume` refuses, and what may stand beside it.

use crate::binary::{command, entries, json, refused, small, stderr, stdout, train};
use crate::data_sets::pets;
use std::fs;
use std::path::Path;

/// A run of a second on a constant schedule, in the folder `run`.
fn begin(here: &Path) {
    pets(&here.join("pets"));
    let settings = ["--data", "pets", "--method", "classifier", "--schedule", "constant", "--val-fraction", "0.2"];
    train(here, &[&settings[..], &["--epochs", "1", "--out", "run"]].concat());
}

#[test]
fn what_is_no_run_folder_is_refused() {
    let here = tempfile::tempdir().unwrap();
    begin(here.path());
    let refused = |run: &str, message: &str| refused(here.path(), &["train", "--resume", run], 3, message);
    refused("none", "none: cannot read: No such file or directory");
    refused("pets", "pets: no config.toml there; expected a run folder that `ecgan train` left");
    refused("run/metrics.jsonl", "run/metrics.jsonl: expected a run folder: the folder that `ecgan train` left");
    let message = "run/checkpoints/best.safetensors: a run goes on from its last.safetensors; expected the run folder";
    refused("run/checkpoints/best.safetensors", message);
    for path in ["run", "run/", "run/config.toml", "run/checkpoints", "run/checkpoints/last.safetensors"] {
        let output = command(here.path(), &["train", "--resume", path]).output().unwrap();
        assert_eq!(
            stdout(&output),
            "run: finished, after 1 epoch and 3 iterations; --epochs with a larger number goes on\n"
        );
    }
    let inside = |folder: &str, path: &str| {
        stdout(&command(&here.path().join(folder), &["train", "--resume", path]).output().unwrap())
    };
    for (folder, path) in [("run", "."), ("run", "config.toml"), ("run/checkpoints", "last.safetensors")] {
        assert!(inside(folder, path).contains(": finished, after 1 epoch"), "{path} in {folder}");
    }
}

#[test]
fn what_would_change_the_numbers_is_refused() {
    let here = tempfile::tempdir().unwrap();
    begin(here.path());
    for (flags, message) in [
        (
            &["--seed", "1"][..],
            "seed: expected 0, as the run was begun with: another one needs a new run (--config), got 1",
        ),
        (&["--lr", "0.1"], "lr: expected 0.001, as the run"),
        (&["--method", "ec-gan"], "method: expected classifier, as the run"),
        (&["--out", "other"], "out: expected nothing, as a resumed run stays in its folder, got other"),
        (&["--config", "run/config.toml"], "config: expected nothing beside --resume"),
        (
            &["--max-steps", "2"],
            "max_steps: expected a run of at least the 3 iterations that are done, got 2 iterations",
        ),
        (&["--epochs", "0"], "epochs: expected a whole number >= 1, got 0"),
        (&["--max-time", "5"], "expected a time such as 90s, 30m, 2h or 1h30m, got 5"),
    ] {
        refused(here.path(), &[&["train", "--resume", "run"], flags].concat(), 2, message);
    }
    let entered = entries(&here.path().join("run"));
    assert_eq!(entered, 10, "checkpoints, config, evaluation, metrics and mistakes twice, report, samples and summary");
}

#[test]
fn a_run_goes_on_for_longer_with_another_machine_s_variables_and_moved_data() {
    let here = tempfile::tempdir().unwrap();
    begin(here.path());
    fs::rename(here.path().join("pets"), here.path().join("moved")).unwrap();
    let message =
        "run/config.toml: its data, pets, is not there as seen from here; --data DIR says where the images are";
    refused(here.path(), &["train", "--resume", "run", "--epochs", "2"], 3, message);
    let message = "error: none: no such folder; expected a data folder or `synthetic`\n";
    refused(here.path(), &["train", "--resume", "run", "--epochs", "2", "--data", "none"], 3, message);
    let arguments = ["train", "--resume", "run", "--epochs", "3", "--data", "moved", "--patience", "9", "--json"];
    let output = small(here.path(), &arguments).env("ECGAN_SIMD", "portable").env("ECGAN_BATCH", "5").output().unwrap();
    let summary = json(&output);
    assert_eq!((summary["epochs"].as_u64(), summary["data"].as_str()), (Some(3), Some("moved")));
    assert_eq!(crate::binary::metrics(&here.path().join("run")).len(), 3);
    let stderr = stderr(&output);
    assert!(stderr.contains("warning: ECGAN_BATCH: not heeded; a resumed run keeps its batch, 4\n"), "{stderr}");
    let other_path =
        stderr.contains("goes on with simd = \"portable\": from here on the numbers are not exactly those");
    let portable = fs::read_to_string(here.path().join("run/config.toml")).unwrap().contains("simd = \"portable\"");
    assert!(portable && (other_path || !stderr.contains("avx")), "{stderr}");
}

#[test]
fn other_data_and_other_checkpoints_are_refused() {
    let here = tempfile::tempdir().unwrap();
    begin(here.path());
    let refused = |message: &str| refused(here.path(), &["train", "--resume", "run", "--epochs", "2"], 3, message);
    let cats = here.path().join("pets/train/cat");
    fs::copy(cats.join("0.png"), cats.join("9.png")).unwrap();
    refused("last.safetensors: trained with 6 training images of class cat; pets has 7; a run goes on with the images");
    fs::remove_file(cats.join("9.png")).unwrap();
    fs::rename(cats.join("0.png"), cats.join("9.png")).unwrap();
    refused(
        "last.safetensors: pets has as many training images of each class as it had in training, but some under other names",
    );
    fs::rename(cats.join("9.png"), cats.join("0.png")).unwrap();
    for part in ["train", "test"] {
        fs::rename(here.path().join("pets").join(part).join("dog"), here.path().join("pets").join(part).join("hen"))
            .unwrap();
    }
    refused("last.safetensors: trained on the classes cat, dog, fish; pets has cat, fish, hen; a run goes on");
    for part in ["train", "test"] {
        fs::rename(here.path().join("pets").join(part).join("hen"), here.path().join("pets").join(part).join("dog"))
            .unwrap();
    }

    let last = here.path().join("run/checkpoints/last.safetensors");
    let good = fs::read(&last).unwrap();
    fs::write(&last, &good[..good.len() / 2]).unwrap();
    refused("run/checkpoints/last.safetensors: not a safetensors file (");
    train(
        here.path(),
        &[
            "--data",
            "pets",
            "--method",
            "classifier",
            "--schedule",
            "constant",
            "--val-fraction",
            "0.2",
            "--width",
            "2",
            "--out",
            "wide",
        ],
    );
    fs::copy(here.path().join("wide/checkpoints/last.safetensors"), &last).unwrap();
    refused("its settings are not those of config.toml: width: expected 2, as the run was begun with");
    fs::write(&last, good).unwrap();
    let config = here.path().join("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("batch = ", "batch = 0 # ")).unwrap();
    let edited = command(here.path(), &["train", "--resume", "run"]).output().unwrap();
    let message = "error: run/config.toml: batch: expected ";
    assert!(edited.status.code() == Some(2) && stderr(&edited).contains(message), "{}", stderr(&edited));
    fs::write(&config, text).unwrap();
    let output = command(here.path(), &["train", "--resume", "run", "--epochs", "2", "--json"]).output().unwrap();
    assert_eq!(json(&output)["epochs"], 2, "nothing that was refused has harmed the run");
}
