//! Streams that take nothing, and signals that are ignored: a run goes on, a command says what it could not do.

use crate::binary::{command, ecgan, program, small, stderr, stdout, train};
use crate::data_sets::pets;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Output, Stdio};

/// What takes no byte.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

const TRAIN: [&str; 7] = ["train", "--data", "pets", "--method", "classifier", "--out", "run"];

#[test]
fn a_run_whose_stderr_nobody_takes_trains_on() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let status = small(here.path(), &TRAIN).stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert!(status.success(), "{status}");
    // The reader of a pipe that is gone.
    fs::remove_dir_all(here.path().join("run")).unwrap();
    let mut child = small(here.path(), &TRAIN).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert!(here.path().join("run/summary.json").exists());
    // What went wrong still has its code.
    let status = command(here.path(), &["train", "--data", "none"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

fn onto_full(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_full_stdout_is_named() {
    let here = tempfile::tempdir().unwrap();
    for arguments in [&["config"][..], &["--help"], &["completions", "bash"]] {
        let output = onto_full(here.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(stderr(&output).starts_with("error: stdout: cannot write: "), "{}", stderr(&output));
    }
}

/// `head` has seen enough.
#[test]
fn a_pipe_that_is_closed_is_no_error() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &TRAIN[1..]);
    let predict = ["predict", "--checkpoint", "run/checkpoints/last.safetensors", "pets"];
    for arguments in [&predict[..], &["config"]] {
        let mut child = command(here.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stdout(&ecgan(here.path(), &predict)).contains("27 images in "));
}

/// What `nohup` asks for.
#[test]
fn a_hangup_stays_ignored_and_an_interrupt_does_not() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // A shell's background has SIGINT ignored, and a scheduler may send it.
    for (signal, epochs, code) in [("HUP", 60, 0), ("INT", 1_000_000, 130)] {
        let script = format!(
            "trap '' {signal}; exec \"$0\" train --data pets --method classifier --out {signal} --width 1 --batch 4 --epochs {epochs} --threads 1"
        );
        let mut child = program(here.path(), "sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_ecgan")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = here.path().join(format!("{signal}/checkpoints/last.safetensors"));
        while !begun.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was signalled");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{signal}");
    }
}
