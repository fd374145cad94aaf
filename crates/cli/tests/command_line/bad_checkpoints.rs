//! Checkpoints and settings files that are not what they should be.

use crate::binary::{entries, refused, train};
use crate::data_sets::{house_numbers, pets};
use std::fs;
use std::path::Path;

/// Checks that both commands that read `checkpoint` refuse it with `message` and write nothing.
fn refused_by_all(folder: &Path, checkpoint: &str, message: &str) {
    let before = entries(folder);
    refused(folder, &["eval", "--checkpoint", checkpoint, "--data", "synthetic"], 3, message);
    refused(folder, &["generate", "--checkpoint", checkpoint, "--grid", "x/fakes.png"], 3, message);
    refused(folder, &["generate", "--checkpoint", checkpoint, "--dir", "fakes"], 3, message);
    assert_eq!(entries(folder), before);
}

#[test]
fn files_that_are_no_checkpoint() {
    let here = tempfile::tempdir().unwrap();
    refused_by_all(here.path(), "none", "none: cannot read: No such file or directory");
    fs::create_dir(here.path().join("folder")).unwrap();
    refused_by_all(here.path(), "folder", "folder: a folder; expected a checkpoint\n");
    fs::write(here.path().join("text"), "not a checkpoint").unwrap();
    refused_by_all(here.path(), "text", "text: not a safetensors file (");
    fs::write(here.path().join("nothing"), "").unwrap();
    refused_by_all(here.path(), "nothing", "expected a checkpoint written by `ecgan train`");
    // A header that claims to be larger than any file.
    fs::write(here.path().join("lying"), [0xFF; 64]).unwrap();
    refused_by_all(here.path(), "lying", "lying: not a safetensors file (");
}

#[test]
fn a_truncated_checkpoint_and_one_of_other_classes() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    house_numbers(&here.path().join("svhn"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let checkpoint = "run/checkpoints/last.safetensors";
    let bytes = fs::read(here.path().join(checkpoint)).unwrap();
    for length in [bytes.len() - 1, bytes.len() / 2, 1000, 7] {
        fs::write(here.path().join("cut"), &bytes[..length]).unwrap();
        refused_by_all(here.path(), "cut", "cut: not a safetensors file (");
    }
    for data in ["svhn", "synthetic"] {
        let message = format!("last.safetensors: trained on the classes cat, dog, fish; {data} has 0, 1, 2, 3, 4,");
        refused(here.path(), &["eval", "--checkpoint", checkpoint, "--data", data], 3, &message);
    }
}

#[test]
fn settings_files_that_cannot_be_read() {
    let here = tempfile::tempdir().unwrap();
    refused(here.path(), &["train", "--config", "none.toml"], 3, "none.toml: cannot read: ");
    fs::create_dir_all(here.path().join("folder/run")).unwrap();
    fs::write(here.path().join("folder/run/config.toml"), "").unwrap();
    for (folder, meant) in [("folder", ""), ("folder/run", ", did you mean folder/run/config.toml?")] {
        let message = format!("error: {folder}: cannot read: a folder; expected a settings file{meant}\n");
        refused(here.path(), &["train", "--config", folder], 3, &message);
    }
    fs::write(here.path().join("broken.toml"), "seed = 1\nlambda = = 3\n").unwrap();
    refused(here.path(), &["train", "--config", "broken.toml"], 3, "broken.toml: TOML parse error at line 2");
    fs::write(here.path().join("binary.toml"), b"\xFF\xFE\0").unwrap();
    refused(here.path(), &["train", "--config", "binary.toml"], 3, "binary.toml: cannot read: ");
    fs::write(here.path().join("kind.toml"), "epochs = \"many\"\n").unwrap();
    refused(here.path(), &["train", "--config", "kind.toml"], 2, "kind.toml: line 1: epochs: expected a whole number");
    assert_eq!(entries(here.path()), 4);
}

#[test]
fn a_run_folder_that_cannot_be_made() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "mine").unwrap();
    let train = |out: &str, code: i32, message: &str| {
        refused(here.path(), &["train", "--max-steps", "1", "--out", out], code, message);
    };
    train("file", 2, "out: expected a new or an empty folder, got file which is not a folder");
    train("file/run", 2, "file/run");
    // Nobody may write there, not even who may write anywhere else.
    if cfg!(target_os = "linux") {
        train("/proc/run", 3, "/proc/run: cannot create: ");
    }
    assert_eq!((entries(here.path()), fs::read(here.path().join("file")).unwrap()), (1, b"mine".to_vec()));
}
