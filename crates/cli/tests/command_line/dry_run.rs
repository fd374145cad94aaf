//! `train --dry-run`: what a run would be, and nothing written.

use crate::binary::{command, entries, json, refused, small, stderr, stdout, train};
use crate::data_sets::pets;

#[test]
fn it_tells_the_data_the_networks_and_the_time_and_writes_nothing() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let arguments = ["train", "--dry-run", "--data", "pets", "--json"];
    let told = json(&small(here.path(), &arguments).output().unwrap());
    assert_eq!((told["epochs"].as_u64(), told["data"].as_str()), (Some(2), Some("pets")), "the settings");
    let plan = &told["plan"];
    let counts =
        ["n_train", "n_val", "n_test", "batch", "steps_per_epoch", "steps", "done"].map(|key| plan[key].as_u64());
    assert_eq!(counts, [16, 2, 9, 4, 4, 8, 0].map(Some), "{plan}");
    let networks: Vec<_> = plan["networks"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(networks, ["classifier", "generator", "discriminator"]);
    let of = |i: usize| plan["networks"][i]["parameters"].as_u64().unwrap();
    assert_eq!((of(1), of(2)), (1_068_928, 663_424));
    let classes = plan["classes"].as_array().unwrap();
    assert_eq!(classes.iter().map(|class| class["train"].as_u64().unwrap()).sum::<u64>(), 16);
    for key in ["iteration_ms", "seconds"] {
        assert!(plan[key].as_f64().unwrap() > 0.0, "{plan}");
    }
    assert_eq!(entries(here.path()), 1);

    // People: the settings on stdout, which a file takes, the rest beside.
    let output = small(here.path(), &arguments[..4]).output().unwrap();
    let settings = stdout(&output);
    assert!(settings.lines().all(|line| line.contains(" = ") || line.starts_with('#')), "{settings}");
    let told = stderr(&output);
    for part in ["16 training, 2 validation, 9 test images", "generator 1068928", "8 in all", "an iteration takes"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(entries(here.path()), 1);
}

#[test]
fn it_fails_as_the_run_would() {
    let here = tempfile::tempdir().unwrap();
    refused(here.path(), &["train", "--dry-run", "--data", "nowhere"], 3, "nowhere");
    pets(&here.path().join("pets"));
    refused(here.path(), &["train", "--dry-run", "--data", "pets", "--per-class", "100"], 2, "100 images per class");
    refused(
        here.path(),
        &["train", "--dry-run", "--data", "pets", "--out", "pets"],
        2,
        "out: expected a new or an empty folder",
    );
    assert_eq!(entries(here.path()), 1);
}

#[test]
fn of_a_stopped_run_it_tells_what_is_left() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "3", "--schedule", "constant"]);
    let arguments = ["train", "--dry-run", "--resume", "run", "--max-steps", "8", "--json"];
    let told = json(&command(here.path(), &arguments).output().unwrap());
    assert_eq!((told["plan"]["steps"].as_u64(), told["plan"]["done"].as_u64()), (Some(8), Some(3)), "{told}");
}

/// The iterations that are timed are of one batch, and what becomes of them is nothing to the run.
#[test]
fn a_plan_is_made_where_its_own_iterations_diverge() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let arguments = ["train", "--data", "pets", "--method", "classifier", "--lr-c", "1e30", "--dry-run"];
    let output = small(here.path(), &arguments).output().unwrap();
    stdout(&output);
    assert!(stderr(&output).contains("an iteration takes "), "{}", stderr(&output));
}
