//! Paths, names and numbers that somebody chose to do harm, or that a disk made of them: refused or escaped.

use crate::binary::{command, ecgan, entries, metrics, refused, small, stderr, train};
use crate::data_sets::pets;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn devices_and_pipes_are_no_files() {
    let here = tempfile::tempdir().unwrap();
    pipe(&here.path().join("pipe"));
    for path in ["/dev/zero", "pipe"] {
        let message = format!("{path}: cannot read: not a regular file");
        refused(here.path(), &["eval", "--checkpoint", path, "--data", "synthetic"], 3, &message);
        refused(here.path(), &["generate", "--checkpoint", path, "--dir", "fakes"], 3, &message);
    }
    let message = "/dev/zero: cannot read: longer than 1048576 bytes";
    refused(here.path(), &["train", "--config", "/dev/zero"], 3, message);
    pets(&here.path().join("pets"));
    pipe(&here.path().join("pets/train/cat/a.png"));
    refused(here.path(), &["train", "--data", "pets"], 3, "pets/train/cat/a.png: cannot read: not a regular file");
    fs::remove_file(here.path().join("pets/train/cat/a.png")).unwrap();
    // Larger than any memory, and nothing in it.
    let large = fs::File::create(here.path().join("pets/train/cat/a.png")).unwrap();
    large.set_len(1 << 40).unwrap();
    refused(here.path(), &["train", "--data", "pets"], 3, "a.png: cannot read: 1099511627776 bytes, expected at most");
    let eval = ["eval", "--checkpoint", "pets/train/cat/a.png", "--data", "synthetic"];
    refused(here.path(), &eval, 3, "a.png: not a safetensors file");
}

#[test]
fn what_is_written_replaces_files_only() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let (link, own) = (here.path().join("full.png"), here.path().join("own.png"));
    symlink("/dev/full", &link).unwrap();
    pipe(&own);
    fs::create_dir(here.path().join("folder.png")).unwrap();
    for path in ["full.png", "own.png", "folder.png"] {
        let message = format!("to replace, got {path}, which is no regular file");
        refused(here.path(), &["generate", "--checkpoint", CHECKPOINT, "-n", "1", "--grid", path], 2, &message);
    }
    assert!(link.is_symlink() && !fs::symlink_metadata(&own).unwrap().is_file());
    // A folder that a link points to is a folder.
    fs::create_dir(here.path().join("target")).unwrap();
    symlink("target", here.path().join("out")).unwrap();
    train(here.path(), &["--data", "pets", "--out", "out", "--max-steps", "1", "--method", "classifier"]);
    assert!(here.path().join("target/summary.json").exists());
}

#[test]
fn links_in_a_data_folder_that_lead_nowhere() {
    let here = tempfile::tempdir().unwrap();
    let data = here.path().join("pets");
    pets(&data);
    symlink("loop.png", data.join("train/cat/loop.png")).unwrap();
    refused(here.path(), &["train", "--data", "pets"], 3, "pets/train/cat/loop.png: cannot read: ");
    fs::remove_file(data.join("train/cat/loop.png")).unwrap();
    symlink("..", data.join("train/parent")).unwrap();
    refused(here.path(), &["train", "--data", "pets"], 3, "a folder inside a class folder");
}

/// Neither what is typed nor where the program lies has to be text.
#[test]
fn a_command_line_that_is_no_text_is_refused_or_obeyed() {
    let here = tempfile::tempdir().unwrap();
    let no_text = OsStr::from_bytes(b"\xFF");
    let mut refused = 0;
    for arguments in [&[][..], &["train"], &["data", "fetch"], &["no-command"]] {
        for more in [&[no_text][..], &[no_text, OsStr::new("--none")], &[OsStr::new("--none"), no_text]] {
            let output = command(here.path(), arguments).args(more).output().unwrap();
            let told = stderr(&output);
            assert!(output.status.code() == Some(2) && !told.contains("panicked"), "{arguments:?} {more:?}: {told}");
            refused += 1;
        }
    }
    assert_eq!((refused, entries(here.path())), (12, 0));
    for (arguments, code) in [(&["--help"][..], 0), (&["--none"], 2), (&["train", "--none"], 2)] {
        let output = command(here.path(), arguments).arg0(here.path().join(no_text)).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    }
}

/// `--data` is text, so what was downloaded there could not be named.
#[test]
fn a_download_goes_to_a_folder_whose_name_is_text() {
    let here = tempfile::tempdir().unwrap();
    let fetch = ["data", "fetch", "mnist", "--url", "http://127.0.0.1:1", "--dir"];
    let output = command(here.path(), &fetch).arg(OsStr::from_bytes(b"d\xFF")).output().unwrap();
    let message = "error: dir: expected a name that is UTF-8, as --data has to be, got d\u{fffd}\n";
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(2), message));
    assert_eq!(entries(here.path()), 0);
}

/// Terminals obey some characters; no message may have one that comes from a name.
#[test]
fn names_are_printed_without_commands_to_the_terminal() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let hostile = "\u{1b}[2J\nerror: \u{9b}31m 'a' \"b\"";
    for part in ["train", "test"] {
        let folder = here.path().join("pets").join(part);
        fs::rename(folder.join("cat"), folder.join(hostile)).unwrap();
    }
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let shown = r#"\u{1b}[2J\nerror: \u{9b}31m 'a' "b""#;
    let clean = |arguments: &[&str]| {
        let output = ecgan(here.path(), arguments);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
        text
    };
    assert!(clean(&["eval", "--checkpoint", CHECKPOINT, "--data", "pets"]).contains(shown));
    clean(&["eval", "--checkpoint", CHECKPOINT, "--data", "synthetic"]);
    clean(&["generate", "--checkpoint", CHECKPOINT, "-n", "2", "--grid", "fakes.png"]);
    fs::write(here.path().join("pets/train").join(hostile).join("0.png"), "x").unwrap();
    let text = clean(&["train", "--data", "pets"]);
    assert!(text.contains(shown) && text.contains("not an image"), "{text}");
    fs::remove_file(here.path().join("pets/train").join(hostile).join("0.png")).unwrap();

    let no_text = OsStr::from_bytes(b"\xFFcat");
    fs::rename(here.path().join("pets/train").join(hostile), here.path().join("pets/train").join(no_text)).unwrap();
    refused(here.path(), &["train", "--data", "pets"], 3, "the name of a class is not UTF-8; expected a name that is");
}

/// One file whose name JSON cannot have costs no other its prediction.
#[test]
fn a_file_whose_name_is_no_text_fails_alone_in_json() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let cats = here.path().join("pets/test/cat");
    fs::rename(cats.join("0.png"), cats.join(OsStr::from_bytes(b"\xFF.png"))).unwrap();
    let predict = ["predict", "--checkpoint", CHECKPOINT, "pets/test/cat"];
    let output = ecgan(here.path(), &[&predict[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["predictions"].as_array().unwrap().len(), 2);
    assert_eq!(report["failed"][0]["path"], "pets/test/cat/\u{fffd}.png");
    assert!(report["failed"][0]["problem"].as_str().unwrap().contains("the name is not UTF-8"), "{report}");
    assert!(ecgan(here.path(), &[&predict[..], &["--csv"]].concat()).status.success());
}

#[test]
fn arguments_and_variables_that_are_no_text() {
    let here = tempfile::tempdir().unwrap();
    let no_text = OsStr::from_bytes(b"\xFF\xFE");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let stderr = stderr(&output);
        assert!(!stderr.contains("panicked"), "{stderr}");
        output.status.code()
    };
    assert_eq!(run(command(here.path(), &["train", "--data"]).arg(no_text)), Some(2));
    assert_eq!(run(command(here.path(), &["eval", "--data", "synthetic", "--checkpoint"]).arg(no_text)), Some(3));
    assert_eq!(run(command(here.path(), &["train", "--config"]).arg(no_text)), Some(3));
    for name in ["ECGAN_EPOCHS", "ECGAN_DATA", "ECGAN_SIMD", "ECGAN_DEVICE"] {
        assert_eq!(run(command(here.path(), &["train", "--dry-run"]).env(name, no_text)), Some(2), "{name}");
    }
    assert_eq!(entries(here.path()), 0);
    pets(&here.path().join("pets"));
    let settings = ["train", "--data", "pets", "--method", "classifier", "--max-steps", "1", "--out"];
    let mut command = small(here.path(), &settings);
    assert_eq!(run(command.arg(no_text).arg0(no_text)), Some(0));
    assert!(here.path().join(no_text).join("summary.json").exists());
}

#[test]
fn numbers_as_large_as_there_are() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let (largest, too_large) = ("9223372036854775807", "18446744073709551615");
    for name in ["samples", "per-class", "epochs", "max-steps"] {
        let message = format!("expected a whole number from 1 to {largest}\n");
        refused(here.path(), &["train", &format!("--{name}"), too_large], 2, &message);
        assert!(ecgan(here.path(), &["train", "--dry-run", "--quiet", &format!("--{name}"), largest]).status.success());
    }
    // Also where it goes on.
    refused(here.path(), &["train", "--resume", "run", "--seed", too_large], 2, "expected a whole number from 0 to");
    refused(here.path(), &["generate", "--checkpoint", "x", "--dir", "d", "-n", too_large], 2, "'-n <N>'");
    // As many iterations as cannot be counted are not none.
    let epochs = ["--data", "pets", "--method", "classifier", "--epochs", largest, "--max-steps", "1", "--out", "run"];
    train(here.path(), &epochs);
    assert_eq!(metrics(&here.path().join("run")).len(), 1);
    // A name of 255 bytes is as long as a name can be, and that of the run folder is longer.
    let long = "x".repeat(255);
    fs::rename(here.path().join("pets"), here.path().join(&long)).unwrap();
    train(here.path(), &["--data", &long, "--method", "classifier", "--max-steps", "1"]);
}

#[test]
fn weights_that_are_no_numbers_and_settings_that_contradict_each_other() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let bytes = fs::read(here.path().join(CHECKPOINT)).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let start = header["classifier.linear.bias"]["data_offsets"][0].as_u64().unwrap() as usize;
    for (value, shown) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let mut changed = bytes.clone();
        changed[8 + length + start..][..4].copy_from_slice(&value.to_le_bytes());
        fs::write(here.path().join("bad"), changed).unwrap();
        let message = format!("bad: classifier: `linear.bias` holds {shown} at element 0; expected finite numbers");
        refused(here.path(), &["eval", "--checkpoint", "bad", "--data", "pets"], 3, &message);
        refused(here.path(), &["generate", "--checkpoint", "bad", "--dir", "fakes"], 3, &message);
    }
    // Of the same length, so that all else stays in its place.
    let text = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let twice = text.replace("lambda = 0.1", "samples = 9").replace("threshold = ", "per_class = ");
    let changed = [&(twice.len() as u64).to_le_bytes()[..], twice.as_bytes(), &bytes[8 + length..]].concat();
    fs::write(here.path().join("bad"), changed).unwrap();
    refused(here.path(), &["eval", "--checkpoint", "bad", "--data", "pets"], 3, "bad: metadata: config: ");
}
