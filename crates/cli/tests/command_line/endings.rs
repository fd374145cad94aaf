//! How a run ends that does not end well: diverged, or interrupted.

use crate::binary::{ecgan, files, json, metrics, refused, small, stderr, train};
use crate::data_sets::pets;
use std::path::{Path, PathBuf};

#[test]
fn an_absurd_learning_rate_exits_with_4_and_names_the_step() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let output = small(here.path(), &["train", "--data", "pets", "--out", "run", "--lr", "1e30"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = stderr(&output);
    assert!(stderr.contains("error: diverged at step 1: loss_g is not finite; try a smaller --lr\n"), "{stderr}");
    assert!(stderr.contains("what was written until then is in run\n"), "{stderr}");
    let left = ["config.toml", "diverged.json", "metrics.csv", "samples/real.png"];
    assert_eq!(files(&here.path().join("run")), left.map(PathBuf::from));
}

/// What ended it is told later too, until it goes on well.
#[test]
fn a_divergence_is_told_by_the_report_and_before_the_run_goes_on() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings = ["train", "--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"];
    assert!(small(here.path(), &settings).output().unwrap().status.success());
    let run = here.path().join("run");
    let note = run.join("diverged.json");
    assert!(!note.exists());
    let diverged = small(here.path(), &["train", "--data", "pets", "--out", "bad", "--lr", "1e30"]).output().unwrap();
    assert_eq!(diverged.status.code(), Some(4));
    json(&ecgan(here.path(), &["report", "bad", "--json"]));
    let html = std::fs::read_to_string(here.path().join("bad/report.html")).unwrap();
    assert!(html.contains("The run diverged at step 1: loss_g is not finite, after 0 of 2 epochs."), "{html}");
    let again = ecgan(here.path(), &["train", "--resume", "bad"]);
    let said = stderr(&again);
    assert!(said.starts_with("warning: the run diverged at step 1: loss_g is not finite; going on"), "{said}");
    assert!(again.status.code() == Some(4) && here.path().join("bad/diverged.json").exists(), "{said}");
    // The note of another run, which this one passes.
    std::fs::copy(here.path().join("bad/diverged.json"), &note).unwrap();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    assert!(ecgan(here.path(), &["train", "--resume", "run"]).status.success());
    assert!(!note.exists() && run.join("summary.json").exists());
}

#[test]
fn what_was_good_before_a_run_diverged_is_kept() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // One iteration an epoch: the loss of the first is finite, that of a later one is not.
    let settings = ["train", "--data", "pets", "--out", "run", "--method", "classifier", "--lr", "1e30"];
    let output = small(here.path(), &[&settings[..], &["--batch", "16", "--epochs", "4"]].concat()).output().unwrap();
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    let epochs = metrics(&here.path().join("run")).len();
    assert!(epochs >= 1 && stderr.contains(&format!("error: diverged at step {}: loss_c", epochs + 1)), "{stderr}");
    assert!(stderr.contains("try a smaller --lr-c or --lr\n"), "{stderr}");
    // Diverging, it would diverge again.
    refused(here.path(), &["train", "--out", "run"], 2, "got run which is not empty\n");
    let export = ["export", "--checkpoint", "run/checkpoints/last.safetensors", "--net", "classifier", "--out"];
    json(&ecgan(here.path(), &[&export[..], &["whole.safetensors", "--json"]].concat()));
    assert!(!here.path().join("run/summary.json").exists());
}

/// The last checkpoint of `run` can be evaluated.
fn readable(folder: &Path) {
    let eval = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--json"];
    assert_eq!(json(&ecgan(folder, &eval))["total"], 9);
}

/// Signals are Unix's.
#[cfg(unix)]
mod interrupted {
    use super::*;
    use crate::running::{Running, wait_for};
    use std::fs;

    #[test]
    fn after_an_epoch_its_checkpoint_stays() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        let mut running = Running::start(here.path(), &["--method", "classifier", "--epochs", "1000000"]);
        let run = here.path().join("run");
        wait_for(&run.join("checkpoints/best.safetensors"));
        running.interrupt("INT");
        let (code, stderr) = running.end();
        assert_eq!(code, Some(130), "{stderr}");
        let says = stderr.contains("what was written until then is in run; to go on:\n    ");
        assert!(says && stderr.ends_with(" train --resume run\nerror: interrupted\n"), "{stderr}");
        let expected = [
            "checkpoints/best.safetensors",
            "checkpoints/last.safetensors",
            "config.toml",
            "metrics.csv",
            "metrics.jsonl",
            "samples/real.png",
        ];
        assert_eq!(files(&run), expected.map(PathBuf::from));
        assert!(metrics(&run).len() < 1_000_000);
        readable(here.path());
        // Who gives the same command again is told of the other one.
        let message = "got run which is not empty; a run is there: `ecgan train --resume run` goes on with it\n";
        refused(here.path(), &["train", "--data", "pets", "--out", "run"], 2, message);
        json(&ecgan(here.path(), &["report", "run", "--json"]));
        let html = fs::read_to_string(run.join("report.html")).unwrap();
        assert!(html.contains("<code>ecgan train --resume run</code> goes on with it."), "{html}");
    }

    #[test]
    fn a_sweep_says_how_it_goes_on() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        let sweep = ["sweep", "--data", "pets", "--out", "s", "--method", "classifier", "--epochs", "1000000"];
        let mut running = Running::of(small(here.path(), &sweep));
        wait_for(&here.path().join("s/runs"));
        running.interrupt("INT");
        let (code, stderr) = running.end();
        assert_eq!(code, Some(130), "{stderr}");
        let says = "what was trained until then is in s; the same command goes on\nerror: interrupted\n";
        assert!(stderr.ends_with(says), "{stderr}");
    }

    #[test]
    fn within_the_first_epoch_the_settings_and_a_checkpoint_are_written() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        // An epoch of seconds.
        let settings = ["--method", "classifier", "--image-size", "64", "--width", "24", "--batch", "2"];
        let mut running = Running::start(here.path(), &settings);
        let run = here.path().join("run");
        wait_for(&run.join("config.toml"));
        running.interrupt("INT");
        let (code, stderr) = running.end();
        assert_eq!(code, Some(130), "{stderr}");
        let expected = ["checkpoints/last.safetensors", "config.toml", "metrics.csv", "samples/real.png"];
        assert_eq!(files(&run), expected.map(PathBuf::from));
        readable(here.path());
        // The settings are whole: the run can be begun again from them.
        train(here.path(), &["--config", "run/config.toml", "--out", "again", "--method", "classifier"]);
    }

    #[test]
    fn while_the_data_is_read_leaves_no_run_folder() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        // Reading these images lasts a second or more.
        let image = |i: usize| here.path().join(format!("pets/train/cat/large-{i}.png"));
        image::GrayImage::new(6000, 6000).save(image(0)).unwrap();
        (1..30).for_each(|i| fs::hard_link(image(0), image(i)).unwrap());
        let running = Running::start(here.path(), &[]);
        wait_for(&here.path().join("run"));
        running.signal("INT");
        let (code, stderr) = running.end();
        assert_eq!((code, stderr.as_str()), (Some(130), "error: interrupted\n"));
        assert!(!here.path().join("run").exists());
    }
}
