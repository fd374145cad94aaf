//! `ecgan sweep --ledger`: files that cannot be written, or no more.

use crate::binary::{refused, small, stderr, stdout};
use crate::data_sets::pets;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

const SWEEP: [&str; 12] = [
    "sweep",
    "--out",
    "s",
    "--data",
    "pets",
    "--method",
    "classifier",
    "--val-fraction",
    "0",
    "--epochs",
    "1",
    "--seeds=1",
];

fn sweep(folder: &Path, more: &[&str]) -> Output {
    small(folder, &[&SWEEP, more].concat()).output().unwrap()
}

#[test]
fn a_ledger_that_cannot_be_written_is_refused_before_anything_trains() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // Not even root writes where a link leads nowhere.
    symlink("none", here.path().join("link")).unwrap();
    symlink("none/l.jsonl", here.path().join("l.jsonl")).unwrap();
    for (ledger, message) in [
        ("link/l.jsonl", "error: link: cannot create: "),
        ("link/er/l.jsonl", "error: link/er: cannot create: "),
        ("l.jsonl", "error: l.jsonl: cannot write: "),
    ] {
        let output = sweep(here.path(), &["--ledger", ledger]);
        let told = stderr(&output);
        assert!(output.status.code() == Some(3) && told.contains(message), "{message} in {told}");
        assert!(!here.path().join("s/runs").exists(), "{ledger}: trained");
        stdout(&sweep(here.path(), &["--ledger", ledger, "--dry-run"]));
    }
    stdout(&sweep(here.path(), &["--ledger", "new/er/l.jsonl"]));
    assert_eq!(fs::read_to_string(here.path().join("new/er/l.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn a_ledger_to_be_read_alone_shows_what_it_has() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    stdout(&sweep(here.path(), &["--ledger", "l.jsonl"]));
    let ledger = here.path().join("l.jsonl");
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o444)).unwrap();
    let shown = stdout(&sweep(here.path(), &["--ledger", "l.jsonl"]));
    assert!(shown.contains("1 run, of which 0 to train here\n\n| images |"), "{shown}");
    // Tables that cannot be written are shown, and then told of.
    fs::remove_file(here.path().join("s/table.csv")).unwrap();
    fs::create_dir(here.path().join("s/table.csv")).unwrap();
    let output = sweep(here.path(), &["--ledger", "l.jsonl"]);
    let (shown, told) = (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output));
    assert!(output.status.code() == Some(3) && told.contains("table.csv: cannot write: "), "{told}");
    assert!(shown.contains("\n\n| images |") && !shown.contains("the same in"), "{shown}");
    // Root may write it.
    if File::options().append(true).open(&ledger).is_err() {
        let more = [&SWEEP[..], &["--ledger", "l.jsonl", "--seed", "1"]].concat();
        let output = small(here.path(), &more).output().unwrap();
        assert!(stderr(&output).contains("error: l.jsonl: cannot write: "), "{}", stderr(&output));
        assert_eq!(fs::read_dir(here.path().join("s/runs")).unwrap().count(), 1);
    }
}

/// What was trained is in the runs' folders, from where the next sweep takes it.
#[test]
fn a_ledger_that_takes_no_more_ends_no_run() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let arguments = [&SWEEP[..], &["--ledger", "l.jsonl", "--grid", "lr_c=0.001,0.002,0.003,0.004"]].concat();
    let mut child = small(here.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (runs, ledger) = (here.path().join("s/runs"), here.path().join("l.jsonl"));
    while !runs.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    File::options().append(true).open(&ledger).unwrap().write_all(b"{}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let told = stderr(&output);
    assert!(output.status.code() == Some(3) && told.contains("error: l.jsonl: line "), "{told}");
    // At once, but not after each run.
    assert_eq!(told.matches("; the runs go on, and what is finished is added once it can be").count(), 1, "{told}");
    let finished = |run: fs::DirEntry| run.path().join("summary.json").exists();
    assert_eq!(fs::read_dir(&runs).unwrap().flatten().filter(|run| run.path().is_dir()).count(), 4);
    assert!(fs::read_dir(&runs).unwrap().flatten().all(finished), "{told}");
    fs::remove_file(&ledger).unwrap();
    let shown = stdout(&small(here.path(), &arguments).output().unwrap());
    assert!(shown.contains("4 combinations, 1 seed: 4 runs, of which 0 to train here"), "{shown}");
    assert_eq!(fs::read_to_string(&ledger).unwrap().lines().count(), 4);
    // Another part's run that is damaged keeps none but itself out.
    let of_first = |run: &fs::DirEntry| run.file_name().to_str().unwrap().starts_with("0.001");
    let first = fs::read_dir(&runs).unwrap().flatten().find(of_first).expect("a run by its label");
    fs::write(first.path().join("summary.json"), "torn").unwrap();
    fs::remove_file(&ledger).unwrap();
    let told = stderr(&small(here.path(), &[&arguments[..], &["--shard", "2/2"]].concat()).output().unwrap());
    assert!(told.contains("summary.json: expected"), "{told}");
    assert_eq!(fs::read_to_string(&ledger).unwrap().lines().count(), 3, "{told}");
    refused(here.path(), &[&SWEEP[..], &["--ledger", "pets"]].concat(), 3, "pets: cannot read: ");
}
