//! `ecgan sweep`: what is trained, skipped, shared out and compared.

use crate::binary::{json, refused, small, stderr, stdout};
use crate::data_sets::pets;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

const SWEEP: [&str; 15] = [
    "sweep",
    "--out",
    "s",
    "--data",
    "pets",
    "--val-fraction",
    "0",
    "--epochs",
    "1",
    "--seeds",
    "2",
    "--grid",
    "method=classifier,ec-gan",
    "--grid",
    "lambda=0.1,0.5",
];

fn sweep(folder: &Path, more: &[&str]) -> Output {
    small(folder, &[&SWEEP, more].concat()).output().unwrap()
}

fn trains(folder: &Path, more: &[&str]) -> String {
    stdout(&sweep(folder, more)).lines().next().unwrap().to_owned()
}

#[test]
fn a_sweep_trains_each_run_once_and_tells_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    let told = json(&sweep(folder.path(), &["--json"]));
    // To the classifier both lambdas are one.
    assert_eq!(fs::read_dir(folder.path().join("s/runs")).unwrap().count(), 6);
    let rows = told["rows"].as_array().unwrap();
    assert_eq!((rows.len(), told["unfinished"].as_u64()), (4, Some(0)));
    assert!(rows[0]["difference"].is_null() && rows[3]["difference"]["n"] == 2);
    let summary = |run: &str| {
        let text = fs::read_to_string(folder.path().join("s/runs").join(run).join("summary.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["test_accuracy"].as_f64().unwrap()
    };
    let run = |start: &str| {
        let names =
            fs::read_dir(folder.path().join("s/runs")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        summary(&names.filter(|name| name.starts_with(start)).last().unwrap())
    };
    let difference =
        (0..2).map(|s| run(&format!("ec-gan-0.5-seed{s}")) - run(&format!("classifier-0.1-seed{s}"))).sum::<f64>();
    assert!((rows[3]["difference"]["mean"].as_f64().unwrap() - difference / 2.0).abs() < 1e-3);
    for name in ["table.md", "table.csv", "table.json", "ledger.jsonl"] {
        assert!(folder.path().join("s").join(name).exists(), "{name}");
    }

    assert_eq!(trains(folder.path(), &[]), "4 combinations, 2 seeds: 6 runs, of which 0 to train here");
    let other = stdout(&sweep(folder.path(), &["--seed", "1", "--dry-run"]));
    assert!(other.contains("4 combinations without all seeds yet"), "seed 2 is to train: {other}");
    assert!(other.contains("not asked for now, but counted, as the ledger has them: seed 0 ("), "{other}");
    let fewer = [&SWEEP[..SWEEP.len() - 1], &["lambda=0.1", "--dry-run"]].concat();
    let fewer = stdout(&small(folder.path(), &fewer).output().unwrap());
    let left_out = "not asked for now, hence not in this table: 1 finished combination of the ledger\n";
    assert!(fewer.contains(left_out), "{fewer}");
    assert!(!other.contains(left_out), "{other}");
    // The ledger alone is enough.
    fs::remove_dir_all(folder.path().join("s/runs")).unwrap();
    assert!(trains(folder.path(), &[]).ends_with("of which 0 to train here"));
    let grown = ["--grid", "threshold=0.7,0.9", "--dry-run"];
    assert!(trains(folder.path(), &grown).ends_with("8 combinations, 2 seeds: 10 runs, of which 4 to train here"));
}

#[test]
fn shards_share_the_runs_and_a_finished_one_of_another_counts() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    assert!(trains(folder.path(), &["--shard", "1/2"]).ends_with("6 runs, of which 3 to train here"));
    let second = json(&sweep(folder.path(), &["--shard", "2/2", "--json"]));
    assert_eq!(second["unfinished"], 0);
    // A run that was cut off goes on from its last checkpoint, and where that is of no use begins anew.
    let run = fs::read_dir(folder.path().join("s/runs")).unwrap().next().unwrap().unwrap().path();
    let last = run.join("checkpoints/last.safetensors");
    let whole = fs::read(&last).unwrap();
    for (damaged, warned) in [(false, false), (true, true)] {
        fs::remove_file(folder.path().join("s/ledger.jsonl")).unwrap();
        fs::remove_file(run.join("summary.json")).unwrap();
        fs::write(run.join("left"), "by the run before").unwrap();
        if damaged {
            fs::write(&last, &whole[..whole.len() / 2]).unwrap();
        }
        let output = sweep(folder.path(), &[]);
        assert!(stdout(&output).lines().next().unwrap().ends_with("of which 1 to train here"));
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(err.contains("the run cannot go on and begins anew"), warned, "{err}");
        assert_eq!(run.join("left").exists(), !damaged);
        assert!(fs::read(&last).unwrap() == whole, "other bytes");
    }
    // What is wrong with the data is no reason to give up what a run has.
    fs::remove_file(folder.path().join("s/ledger.jsonl")).unwrap();
    fs::remove_file(run.join("summary.json")).unwrap();
    let image = any_file(&folder.path().join("pets"));
    fs::write(run.join("left"), "by the run before").unwrap();
    let good = fs::read(&image).unwrap();
    fs::write(&image, &good[..good.len() / 2]).unwrap();
    assert_eq!(sweep(folder.path(), &[]).status.code(), Some(3));
    assert!(run.join("left").exists(), "the run was given up");
    fs::write(&image, good).unwrap();
    assert!(stdout(&sweep(folder.path(), &[])).lines().next().unwrap().ends_with("of which 1 to train here"));
}

/// The first file below a folder.
fn any_file(folder: &Path) -> PathBuf {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    if paths[0].is_dir() { any_file(&paths[0]) } else { paths.swap_remove(0) }
}

#[test]
fn a_run_that_another_process_has_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    stdout(&sweep(folder.path(), &[]));
    let run = fs::read_dir(folder.path().join("s/runs")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(folder.path().join("s/ledger.jsonl")).unwrap();
    fs::remove_dir_all(&run).unwrap();
    // It has only begun: there are no settings yet.
    fs::create_dir(&run).unwrap();
    fs::write(run.join("left"), "by that process").unwrap();
    let lock = fs::File::create(run.join(".lock")).unwrap();
    lock.lock().unwrap();
    let output = sweep(folder.path(), &[]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("another process trains in this folder"), "{err}");
    assert!(run.join("left").exists() && run.join(".lock").exists(), "taken from it");
    drop(lock);
    stdout(&sweep(folder.path(), &[]));
    assert!(run.join("summary.json").exists() && !run.join("left").exists());
}

/// Flags and grids are one source, variables another below it.
#[test]
fn a_grid_leaves_other_flags_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let planned = |arguments: &[&str], variable: &str| {
        let all = [&["sweep", "--seeds", "1", "--dry-run", "--grid", "lr=0.0001,0.0002"], arguments].concat();
        let output = small(folder.path(), &all).env("ECGAN_LR_C", variable).output().unwrap();
        stdout(&output).lines().next().unwrap().to_owned()
    };
    // The classifier alone has no other rate.
    let alone = planned(&["--method", "classifier", "--lr-c", "0.005"], "0.1");
    assert_eq!(alone, "2 combinations, 1 seed: 1 run, of which 1 to train here");
    assert!(planned(&["--method", "classifier"], "0.1").ends_with("2 runs, of which 2 to train here"));
    let both = planned(&["--grid", "lr_c=0.001,0.002"], "0.1");
    assert_eq!(both, "4 combinations, 1 seed: 4 runs, of which 4 to train here");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    for (arguments, message) in [
        (["--shard", "3/2"], "expected I/N with I from 1 to N"),
        (["--baseline", "bare"], "baseline: expected one of 0.1, 0.5, classifier, ec-gan, got bare"),
        (
            ["--baseline=0.5", "--grid=threshold=0.5,0.7"],
            "baseline: expected a name that one axis has, got 0.5, which lambda and threshold have",
        ),
        (
            ["--grid", "seed=1"],
            "grid: expected a setting that runs may differ in; of the sweep it is given by --seed and --seeds, got seed",
        ),
        (["--arm", ":"], "arm: expected NAME:key=value,key=value.., got :"),
        (["--arm", "a:threshold=2"], "threshold: expected a number from 0 to 1, got 2"),
        (["--grid", "lambda=0.9"], "grid: expected a setting that no other --grid or --arm gives, got lambda"),
        (["--arm", "x:samples=100,fraction=0.1"], "samples and fraction: expected at most one of them"),
        (
            ["--by", "val"],
            "val_fraction: expected a part that validates, above 0, to compare --by val, got 0 (method classifier, lambda 0.1)",
        ),
    ] {
        refused(folder.path(), &[&SWEEP, &arguments[..]].concat(), 2, message);
    }
    let message = "seeds: expected seeds up to 9223372036854775807, got 2 from 9223372036854775807 on";
    refused(folder.path(), &[&SWEEP[..], &["--seed", "9223372036854775807"]].concat(), 2, message);
    assert!(!folder.path().join("s").exists());
}

/// What was begun is done, and what failed is told, whether anybody reads along or not.
#[test]
fn a_sweep_that_nobody_reads_trains_on() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    let unread = |more: &[&str]| {
        let mut command = small(folder.path(), &[&SWEEP, more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    };
    let output = unread(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("s/ledger.jsonl")).unwrap().lines().count(), 3);
    // One that takes no more ends nothing either, but is told of.
    fs::remove_dir_all(folder.path().join("s")).unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = small(folder.path(), &[&SWEEP[..], &["--json"]].concat()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("s/ledger.jsonl")).unwrap().lines().count(), 3);
    let output = unread(&["--arm", "bad:lr=1e30,lr-c=1e30", "--arm", "good:"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[test]
fn a_sweep_writes_into_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    fs::create_dir_all(folder.path().join("s/runs/0001-ec-gan-pets")).unwrap();
    for name in ["table.csv", "table.json"] {
        fs::write(folder.path().join("s").join(name), "{\"mine\": 1}").unwrap();
    }
    let message = "out: expected a new or an empty folder, or one of a sweep, got s, which holds";
    refused(folder.path(), &SWEEP, 2, message);
    refused(folder.path(), &[&SWEEP[..], &["--dry-run"]].concat(), 2, message);
    assert_eq!(fs::read_to_string(folder.path().join("s/table.csv")).unwrap(), "{\"mine\": 1}");
    // Its own it knows by what it leaves, be it the table alone.
    fs::remove_dir_all(folder.path().join("s")).unwrap();
    for left in ["runs", "ledger.jsonl", "table.json"] {
        stdout(&sweep(folder.path(), &["--ledger", "l.jsonl"]));
        fs::copy(folder.path().join("l.jsonl"), folder.path().join("s/ledger.jsonl")).unwrap();
        let all = ["runs", "ledger.jsonl", "table.json", "table.csv", "table.md", "plot.svg"];
        for name in all.iter().filter(|name| **name != left) {
            let path = folder.path().join("s").join(name);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        assert!(folder.path().join("s").join(left).exists() || left == "runs", "{left}");
        stdout(&sweep(folder.path(), &["--ledger", "l.jsonl"]));
    }
}

/// A run is known by the name of its data's folder, and is not taken for one of another folder of that name.
#[test]
fn runs_of_another_data_set_of_the_same_name_are_not_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    ["one/pets", "two/pets"].iter().for_each(|data| pets(&here(data)));
    let into = |out, data| ["sweep", "--out", out, "--method", "classifier", "--seeds", "1", "--data", data];
    let of = |data| into("s", data);
    let begins = |at: &str, arguments: &[&str]| {
        stdout(&small(&here(at), arguments).output().unwrap()).lines().next().unwrap().to_owned()
    };
    let done = "1 combination, 1 seed: 1 run, of which 0 to train here";
    stdout(&small(folder.path(), &of("one/pets")).output().unwrap());
    assert_eq!(begins("", &of("one/../one/pets/")), done);
    for message in [
        format!("data: expected {}, on which s/runs/", here("one/pets").canonicalize().unwrap().display()),
        " was trained (another data set of its name needs another --out), got two/pets".into(),
    ] {
        refused(folder.path(), &of("two/pets"), 2, &message);
    }
    // Nor are they compared or put together with one's own.
    refused(folder.path(), &[&of("two/pets")[..], &["--seed", "1"]].concat(), 2, "got two/pets");
    refused(folder.path(), &["sweep", "--out", "s", "--data", "two/pets", "--method", "ec-gan"], 2, "got two/pets");
    // Whatever folder one looks from.
    refused(&here("two"), &into("../s", "pets"), 2, "got pets");
    assert_eq!(begins("one", &into("../s", "pets")), done);
    // Nor does one go on that was stopped.
    let run = fs::read_dir(here("s/runs")).unwrap().next().unwrap().unwrap().path();
    fs::rename(run.join("summary.json"), here("summary")).unwrap();
    fs::rename(here("s/ledger.jsonl"), here("l.jsonl")).unwrap();
    refused(folder.path(), &of("two/pets"), 2, "got two/pets");
    fs::rename(here("summary"), run.join("summary.json")).unwrap();
    // A ledger is of all machines, and knows the name alone.
    assert_eq!(begins("", &[&into("t", "two/pets")[..], &["--ledger", "l.jsonl"]].concat()), done);
    // What has moved is the same where it has as many images.
    fs::create_dir(here("three")).unwrap();
    fs::rename(here("one/pets"), here("three/pets")).unwrap();
    assert_eq!(begins("", &of("three/pets")), done);
    fs::remove_file(any_file(&here("two/pets/test"))).unwrap();
    refused(folder.path(), &of("two/pets"), 2, "got two/pets");
    // Within one sweep they would be one as well.
    let both = ["sweep", "--out", "u", "--grid", "data=three/pets,two/pets", "--dry-run"];
    let message =
        "data: expected folders that differ in their own names, by which runs are known, got three/pets and two/pets";
    refused(folder.path(), &both, 2, message);
}

/// Nor are runs put together that were trained on other images in the same place.
#[test]
fn images_that_changed_in_place_are_other_images() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    stdout(&sweep(folder.path(), &[]));
    let cats = folder.path().join("pets/train/cat");
    fs::copy(cats.join("0.png"), cats.join("9.png")).unwrap();
    let message = "data: expected 18 training, 0 validation and 9 test images, which ";
    let got = "(other images need another --out and ledger), got pets with 19 training, 0 validation and 9 test images";
    let refuse = |who: &str| {
        for part in [message, who, got] {
            refused(folder.path(), &[&SWEEP[..], &["--seed", "7"]].concat(), 2, part);
        }
    };
    refuse("the ledger has");
    fs::remove_file(folder.path().join("s/ledger.jsonl")).unwrap();
    refuse("-seed0-");
    // Where names alone differ, a run that would go on says so, and stays what it is.
    fs::remove_file(cats.join("0.png")).unwrap();
    let run = fs::read_dir(folder.path().join("s/runs")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(run.join("summary.json")).unwrap();
    let last = || fs::read(run.join("checkpoints/last.safetensors")).unwrap();
    let before = last();
    let output = sweep(folder.path(), &[]);
    let told = stderr(&output);
    assert!(output.status.code() == Some(3) && told.contains("but some under other names"), "{told}");
    assert!(last() == before && !run.join("summary.json").exists());
    // Data that no run could be trained on are told of at once.
    let dry = ["sweep", "--data", "none", "--grid", "lambda=0.1,0.2", "--dry-run"];
    refused(folder.path(), &dry, 3, "none: no such folder");
    let few = ["sweep", "--data", "pets", "--grid", "per_class=2,99", "--dry-run"];
    refused(folder.path(), &few, 2, "per_class asks for 99 images per class; expected 1 to 6");
}

/// It is odd about all of them alike.
#[test]
fn what_is_odd_about_the_data_or_the_settings_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    let arms = ["--arm", "a:lambda=0.1", "--arm", "b:lambda=0", "--seeds", "2", "--epochs", "1", "--batch", "64"];
    let arguments = [&["sweep", "--data", "pets/train", "--expect"], &arms[..]].concat();
    let output = small(folder.path(), &arguments).output().unwrap();
    assert!(stdout(&output).contains("2 combinations, 2 seeds: 4 runs, of which 4 to train here\nabout "));
    let told = stderr(&output);
    assert_eq!(told.matches("pets/train: no train/ and test/ folders, so 3 of its 18 images").count(), 1, "{told}");
    assert_eq!(told.matches("warning: batch 64 lowered to 13").count(), 1, "{told}");
}

#[test]
fn what_no_method_of_a_sweep_uses_is_warned_about() {
    let folder = tempfile::tempdir().unwrap();
    pets(&folder.path().join("pets"));
    let warned = |method: &str| {
        let arguments = ["sweep", "--data", "pets", "--grid", method, "--threshold", "0.5", "--dry-run"];
        let output = small(folder.path(), &arguments).output().unwrap();
        stdout(&output);
        stderr(&output)
    };
    let message = "warning: --threshold: not heeded; ";
    assert_eq!(warned("method=classifier"), format!("{message}method classifier does not use it\n"));
    assert_eq!(warned("method=classifier,shared-dc"), format!("{message}no method here uses it\n"));
    assert_eq!(warned("method=classifier,ec-gan"), "");
}
