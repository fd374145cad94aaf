//! A run that was stopped, however that was, goes on to what it would have left without the stop.

use crate::binary::{command, json, program, refused, small, stderr, stdout};
use crate::data_sets::pets;
use crate::running::{Running, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

/// Everything random is in use, and every fake counts; four iterations an epoch, a checkpoint after every other one.
/// Iterations between checkpoints.
const EVERY: &str = "2";

const SETTINGS: [&str; 13] = [
    "train",
    "--data",
    "pets",
    "--augment",
    "paper",
    "--threshold",
    "0",
    "--checkpoint-every",
    EVERY,
    "--save-every",
    "2",
    "--seed",
    "3",
];

fn begun(method: &'static str, out: &'static str) -> Vec<&'static str> {
    [&SETTINGS[..], &["--method", method, "--out", out]].concat()
}

/// Every file of a run by its bytes; of metrics and summary, what is no time.
pub fn left(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let without_times = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        let object = value.as_object_mut().unwrap();
        assert!(object.remove("seconds").is_some());
        object.remove("images_per_second");
        value.to_string() + "\n"
    };
    let content = |path: &PathBuf| {
        let bytes = fs::read(run.join(path)).unwrap();
        let text = || String::from_utf8(bytes.clone()).unwrap();
        match path.to_str().unwrap() {
            "metrics.jsonl" => text().lines().map(without_times).collect::<String>().into_bytes(),
            "summary.json" => without_times(&text()).into_bytes(),
            // Times are its third and fourth column.
            "metrics.csv" => text()
                .lines()
                .map(|line| {
                    let (mut columns, last): (Vec<_>, _) = (line.split(',').collect(), "\n");
                    columns.drain(2..4);
                    columns.join(",") + last
                })
                .collect::<String>()
                .into_bytes(),
            // It tells times too; what it is made from is compared.
            "report.html" => Vec::new(),
            _ => bytes,
        }
    };
    crate::binary::files(run).into_iter().map(|path| (path.clone(), content(&path))).collect()
}

/// Checks that two runs left the same.
fn same(here: &Path, whole: &str, other: &str) {
    let (whole, other) = (left(&here.join(whole)), left(&here.join(other)));
    assert_eq!(whole.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let differing: Vec<_> = whole.keys().filter(|path| whole[*path] != other[*path]).collect();
    assert!(differing.is_empty(), "other bytes: {differing:?}");
}

fn resume(here: &Path, run: &str) -> Output {
    command(here, &["train", "--resume", run, "--json"]).output().unwrap()
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for (method, whole, killed) in [("ec-gan", "whole", "killed"), ("classifier", "whole-c", "killed-c")] {
        let began = Instant::now();
        stdout(&small(here.path(), &begun(method, whole)).output().unwrap());
        let lasted = began.elapsed();
        // Near its beginning, in the middle of what is left, and near the end.
        let mut run = Running::of(small(here.path(), &begun(method, killed)));
        wait_for(&here.path().join(killed).join("config.toml"));
        for part in [0.02, 0.45, 0.7] {
            std::thread::sleep(lasted.mul_f64(part));
            run.child.kill().unwrap();
            run.child.wait().unwrap();
            run = Running::of(command(here.path(), &["train", "--resume", killed, "--quiet"]));
        }
        let (code, stderr) = run.end();
        assert_eq!(code, Some(0), "{method}: {stderr}");
        same(here.path(), whole, killed);
    }
}

#[test]
fn a_run_that_was_asked_to_stop_goes_on_to_the_same_bytes() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let epochs = ["--epochs", "40"];
    let begun = |out| [&begun("classifier", out)[..], &epochs].concat();
    stdout(&small(here.path(), &begun("whole")).output().unwrap());
    let mut run = Running::of(small(here.path(), &begun("stopped")));
    wait_for(&here.path().join("stopped/checkpoints/last.safetensors"));
    for signal in ["INT", "TERM"] {
        run.interrupt(signal);
        let (code, stderr) = run.end();
        assert_eq!(code, Some(130), "{stderr}");
        assert!(stderr.ends_with(" train --resume stopped\nerror: interrupted\n"), "{stderr}");
        let before = fs::metadata(here.path().join("stopped/metrics.jsonl")).map_or(0, |file| file.len());
        assert!(!here.path().join("stopped/summary.json").exists());
        run = Running::of(command(here.path(), &["train", "--resume", "stopped"]));
        let began = Instant::now();
        while fs::metadata(here.path().join("stopped/metrics.jsonl")).map_or(0, |file| file.len()) <= before {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not go on");
        }
    }
    // At once: what is being written is not finished, and the next process cleans up.
    run.signal("INT");
    run.signal("INT");
    run.child.wait().unwrap();
    fs::write(here.path().join("stopped/checkpoints/.writing-x"), "half").unwrap();
    let mut half = fs::OpenOptions::new().append(true).open(here.path().join("stopped/metrics.jsonl")).unwrap();
    std::io::Write::write_all(&mut half, b"{\"epoch\":99,\"st").unwrap();
    let summary = json(&resume(here.path(), "stopped"));
    assert_eq!((summary["run"].as_str(), summary["steps"].as_u64()), (Some("stopped"), Some(160)));
    same(here.path(), "whole", "stopped");

    let again = resume(here.path(), "stopped/checkpoints/last.safetensors");
    assert!(stderr(&again).contains("stopped: finished, after 40 epochs and 160 iterations\n"), "{}", stderr(&again));
    assert_eq!(json(&again), summary, "what is finished stays as it is");
    same(here.path(), "whole", "stopped");
}

#[test]
fn a_run_that_the_clock_ended_goes_on_to_the_same_bytes() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // Epochs of seconds: the clock cuts one short.
    let begun = |out| {
        let size = ["--image-size", "64", "--width", "32", "--batch", "1", "--epochs", "4", "--threads", "2"];
        [&begun("classifier", out)[..], &size].concat()
    };
    let cut = stdout(&small(here.path(), &[&begun("cut")[..], &["--max-time", "1s"]].concat()).output().unwrap());
    assert!(cut.contains("\nended by --max-time in epoch "), "{cut}");
    assert!(cut.contains("- train on:\n") && cut.contains(" train --resume cut\n"), "{cut}");
    let metrics = crate::binary::metrics(&here.path().join("cut"));
    let step = metrics.last().unwrap()["step"].as_u64().unwrap();
    assert!((1..64).contains(&step), "{step}");
    let summary =
        json(&command(here.path(), &["train", "--resume", "cut", "--json", "--max-time", "1h"]).output().unwrap());
    assert_eq!((summary["ended_by"].as_str(), summary["steps"].as_u64()), (Some("epochs"), Some(64)));
    let whole = small(here.path(), &[&begun("whole")[..], &["--max-time", "1h"]].concat()).output().unwrap();
    assert!(!stdout(&whole).contains("ended by"));
    same(here.path(), "whole", "cut");
}

#[test]
fn a_full_disk_is_an_error_and_the_run_goes_on_later() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let begun = |out, epochs| [&begun("ec-gan", out)[..], &["--schedule", "constant", "--epochs", epochs]].concat();
    stdout(&small(here.path(), &begun("whole", "2")).output().unwrap());
    stdout(&small(here.path(), &begun("full", "1")).output().unwrap());
    let last = here.path().join("full/checkpoints/last.safetensors");
    let good = fs::read(&last).unwrap();
    // No file may grow beyond so many blocks: settings fit, then samples too, but no checkpoint.
    for (blocks, file) in [(16, "full/samples/"), (4000, "full/checkpoints/")] {
        let limited = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" train --resume full --epochs 2 --checkpoint-every 9"
        );
        let output = program(here.path(), "sh").args(["-c", &limited, env!("CARGO_BIN_EXE_ecgan")]).output().unwrap();
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(&format!("error: {file}")) && stderr.contains("File too large"), "{stderr}");
        assert!(stderr.contains(" train --resume full\n"), "{stderr}");
        assert!(fs::read(&last).unwrap() == good, "the last good checkpoint");
        let unfinished = |path: &PathBuf| path.to_string_lossy().contains(".writing");
        assert!(!crate::binary::files(&here.path().join("full")).iter().any(unfinished));
    }
    let every = |n: &'static str| ["train", "--resume", "full", "--json", "--checkpoint-every", n];
    json(&command(here.path(), &every(EVERY)).output().unwrap());
    let (mut whole, mut full) = (left(&here.path().join("whole")), left(&here.path().join("full")));
    // The best one may be of the first epoch, whose settings are those of a run of one epoch; and config.toml says how
    // often checkpoints were asked for last.
    for files in [&mut whole, &mut full] {
        for other in ["checkpoints/best.safetensors", "config.toml"] {
            files.remove(Path::new(other)).unwrap();
        }
    }
    assert!(whole == full, "a prolonged run is the longer one");
}

#[test]
fn one_process_at_a_time() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let mut running = Running::start(here.path(), &["--method", "classifier", "--epochs", "1000000"]);
    wait_for(&here.path().join("run/config.toml"));
    let message = "error: run: another process trains in this folder; wait until it ends, or stop it\n";
    refused(here.path(), &["train", "--resume", "run"], 2, message);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let output = command(here.path(), &["train", "--resume", "run", "--max-time", "1s", "--json"]).output().unwrap();
    assert_eq!(json(&output)["ended_by"], "max-time");
}
