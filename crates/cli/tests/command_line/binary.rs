//! Runs the binary and reads what it left.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary in `folder`, without the variables of whoever runs the tests, and without a GPU, so that it does the same
/// on every machine.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program(folder, env!("CARGO_BIN_EXE_ecgan"));
    command.args(arguments);
    command
}

/// Any program in `folder`, likewise.
pub fn program(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("CUDA_VISIBLE_DEVICES", "-1");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ECGAN_")) {
        command.env_remove(name);
    }
    command
}

/// The same with settings of a run of a second, which `arguments` override.
pub fn small(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(folder, arguments);
    for (name, value) in [("WIDTH", "1"), ("BATCH", "4"), ("EPOCHS", "2"), ("THREADS", "1")] {
        command.env(format!("ECGAN_{name}"), value);
    }
    command
}

pub fn ecgan(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// Trains as [`small`], which must succeed; returns the summary that `--json` prints.
pub fn train(folder: &Path, arguments: &[&str]) -> Value {
    json(&small(folder, &[&["train", "--json", "--quiet"], arguments].concat()).output().unwrap())
}

/// Runs and checks the exit code, that stdout is empty, that stderr has `message` and tells of no panic.
pub fn refused(folder: &Path, arguments: &[&str], code: i32, message: &str) {
    let output = small(folder, arguments).output().unwrap();
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.contains(message), "{arguments:?}: expected `{message}` in: {stderr}");
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one JSON object on stdout.
pub fn json(output: &Output) -> Value {
    let value: Value = serde_json::from_str(&stdout(output)).unwrap();
    assert!(value.is_object(), "{value}");
    value
}

pub fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Every file below `folder`, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_path_buf())
            }
        }
    }
    files.sort();
    files
}

/// The lines of a run's `metrics.jsonl`.
pub fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The keys of an object, sorted.
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
