//! `ecgan compare` and `reproduce`, and the methods from outside.

use crate::binary::{ecgan, json, refused, small, stderr, stdout, train};
use crate::data_sets::{house_numbers, mat, pets};
use std::fs;

#[test]
fn every_method_trains_is_evaluated_draws_and_is_compared() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let methods = ["classifier", "ec-gan", "shared-dc", "shared-resnet", "conditional"];
    for method in methods {
        train(here.path(), &["--data", "pets", "--method", method, "--out", method, "--ema-c", "0.5"]);
        let checkpoint = format!("{method}/checkpoints/last.safetensors");
        let measured = json(&ecgan(here.path(), &["eval", "--checkpoint", &checkpoint, "--data", "pets", "--json"]));
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(here.path().join(method).join("summary.json")).unwrap()).unwrap();
        assert_eq!(measured["accuracy"], summary["test_accuracy"], "{method}: what is saved is what was measured");
        let grid = ["generate", "--checkpoint", &checkpoint, "-n", "3", "--grid", "grid.png"];
        if method == "classifier" {
            refused(here.path(), &grid, 3, "no generator");
        } else {
            stdout(&ecgan(here.path(), &grid));
            fs::remove_file(here.path().join("grid.png")).unwrap();
        }
    }
    let table = stdout(&ecgan(here.path(), &[&["compare"], &methods[..]].concat()));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2 + methods.len());
    for (line, method) in lines[2..].iter().zip(methods) {
        assert!(line.starts_with(&format!("| {method} | {method} | 16 + 2 |")), "{line}");
    }
    let report = json(&ecgan(here.path(), &["compare", "classifier", "conditional", "--json"]));
    let of = |i: usize, key: &str| report["runs"][i][key].as_f64();
    assert_eq!((of(0, "difference"), of(0, "paper")), (None, None));
    assert_eq!(of(1, "difference"), Some(of(1, "test_accuracy").unwrap() - of(0, "test_accuracy").unwrap()));
    // The same data by another path is the same; with another number of test images it is not.
    let summary = here.path().join("conditional/summary.json");
    let written = fs::read_to_string(&summary).unwrap();
    let difference = |from: &str, to: &str| {
        assert!(written.contains(from), "{written}");
        fs::write(&summary, written.replace(from, to)).unwrap();
        json(&ecgan(here.path(), &["compare", "classifier", "conditional", "--json"]))["runs"][1]["difference"].as_f64()
    };
    assert!(difference("\"data\": \"pets\"", "\"data\": \"./pets/\"").is_some());
    assert_eq!(difference("\"n_test\": ", "\"n_test\": 1"), None);
}

#[test]
fn what_is_no_finished_run_is_named() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("empty")).unwrap();
    refused(here.path(), &["compare", "empty"], 3, "empty: no summary.json; expected the folder of a finished run");
    refused(here.path(), &["compare"], 2, "RUN");
    // Of several, those that are not finished are left out.
    pets(&here.path().join("pets"));
    for run in ["a", "b"] {
        train(here.path(), &["--data", "pets", "--method", "classifier", "--max-steps", "1", "--out", run]);
    }
    fs::remove_file(here.path().join("a/summary.json")).unwrap();
    let output = ecgan(here.path(), &["compare", "a", "b"]);
    assert_eq!(stderr(&output), "warning: a: not finished, and left out\n");
    assert_eq!(stdout(&output).lines().filter(|line| line.starts_with("| b |")).count(), 1);
    // So is whatever else lies among them.
    fs::write(here.path().join("empty/.lock"), "").unwrap();
    fs::write(here.path().join("notes.txt"), "mine").unwrap();
    fs::write(here.path().join("a/diverged.json"), "{\"step\": 3, \"what\": \"loss_g\"}").unwrap();
    let output = ecgan(here.path(), &["compare", "a", "b", "empty", "notes.txt"]);
    let left_out = "warning: a: diverged at step 3: loss_g is not finite, and left out\n\
                    warning: empty: not the folder of a run, and left out\n\
                    warning: notes.txt: not the folder of a run, and left out\n";
    assert_eq!(stderr(&output), left_out);
    assert_eq!(stdout(&output).lines().filter(|line| line.starts_with("| ")).count(), 2, "the head, and b");
    // And a damaged run, as long as there is another.
    fs::write(here.path().join("a/summary.json"), "{").unwrap();
    let output = ecgan(here.path(), &["compare", "a", "b"]);
    assert!(
        stderr(&output).starts_with("warning: a/summary.json: ") && stderr(&output).contains("this run is left out")
    );
    assert_eq!(stdout(&output).lines().filter(|line| line.starts_with("| b |")).count(), 1);
    refused(here.path(), &["compare", "a"], 3, "a/summary.json: ");
    fs::remove_file(here.path().join("a/summary.json")).unwrap();
    // A name by mistake is none of them.
    refused(here.path(), &["compare", "b", "none"], 3, "none: cannot read: ");
    fs::remove_file(here.path().join("b/summary.json")).unwrap();
    refused(here.path(), &["compare", "a", "b"], 3, "b: no summary.json; expected the folder of a finished run");
    let message = "notes.txt: not a folder; expected the folder of a finished run";
    refused(here.path(), &["compare", "b", "notes.txt"], 3, message);
}

#[test]
fn an_experiment_of_the_papers_is_a_sweep_with_a_plan() {
    let here = tempfile::tempdir().unwrap();
    let svhn = here.path().join("svhn");
    house_numbers(&svhn);
    fs::write(svhn.join("train_32x32.mat"), mat(200, 200)).unwrap();
    let command = ["reproduce", "lambda", "--data", "svhn", "--seeds", "2", "--epochs-part", "0.01"];
    let small_runs = ["--", "--width", "1", "--batch", "16"];
    let planned = small(here.path(), &[&command[..], &small_runs, &["--dry-run"]].concat()).output().unwrap();
    let (out, err) = (stdout(&planned), stderr(&planned));
    assert!(err.contains("ecgan sweep --data svhn --seeds 2 --epochs 1 --expect --preset paper"), "{err}");
    assert!(err.contains("79.7 % at lambda 0, 89.0 at 0.05"), "{err}");
    assert!(out.contains("11 combinations, 2 seeds: 22 runs, of which 22 to train here\nabout "), "{out}");
    assert!(out.contains("lambda 0.9, seed 1") && !here.path().join("lambda").exists(), "{out}");

    let shown = json(&small(here.path(), &[&command[..], &["--json"], &small_runs].concat()).output().unwrap());
    assert_eq!(shown["sweep"], "lambda");
    let table = fs::read_to_string(here.path().join("lambda/table.md")).unwrap();
    assert_eq!(table.lines().count(), 2 + 11, "{table}");
    assert!(!table.contains("the paper's"), "this is no SVHN of its size: {table}");
    assert!(fs::read_to_string(here.path().join("lambda/plot.svg")).unwrap().matches("<circle").count() == 11);

    refused(
        here.path(),
        &["reproduce", "table1", "--data", "synthetic"],
        2,
        "data: expected a folder with the paper's data",
    );
    refused(here.path(), &["reproduce", "table3", "--data", "svhn"], 2, "table3");
    refused(here.path(), &["reproduce", "lambda", "--data", "svhn", "--", "--bogus"], 2, "--bogus");
}
