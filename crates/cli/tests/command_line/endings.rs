//! How a run ends that does not end well: diverged, or interrupted.

use crate::binary::{ecgan, files, json, metrics, small, stderr, train};
use crate::data_sets::pets;
use std::path::{Path, PathBuf};

#[test]
fn an_absurd_learning_rate_exits_with_4_and_names_the_step() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let output = small(here.path(), &["train", "--data", "pets", "--out", "run", "--lr", "1e30"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = stderr(&output);
    assert!(stderr.contains("error: diverged at step 1: loss_g is not finite; try a smaller lr\n"), "{stderr}");
    assert!(stderr.contains("what was written until then is in run\n"), "{stderr}");
    assert_eq!(files(&here.path().join("run")), [PathBuf::from("config.toml")]);
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
    readable(here.path());
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
    use std::fs;
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// A run in the folder `run`, on its way.
    struct Running {
        child: Child,
        stderr: BufReader<std::process::ChildStderr>,
    }

    impl Running {
        fn start(folder: &Path, settings: &[&str]) -> Self {
            let arguments = [&["train", "--data", "pets", "--out", "run"], settings].concat();
            let mut child = small(folder, &arguments).stderr(Stdio::piped()).spawn().unwrap();
            let stderr = BufReader::new(child.stderr.take().unwrap());
            Self { child, stderr }
        }

        /// Presses Ctrl-C and waits until that is noticed.
        fn interrupt(&mut self) {
            let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
            assert!(killed.success());
            let mut line = String::new();
            while !line.contains("stopping after this step") {
                line.clear();
                assert!(self.stderr.read_line(&mut line).unwrap() > 0, "ended without a word");
            }
        }

        /// Exit code and the rest of stderr.
        fn end(mut self) -> (Option<i32>, String) {
            let mut text = String::new();
            self.stderr.read_to_string(&mut text).unwrap();
            (self.child.wait().unwrap().code(), text)
        }
    }

    fn wait_for(path: &Path) {
        let began = Instant::now();
        while !path.exists() {
            assert!(began.elapsed() < Duration::from_secs(120), "{} does not appear", path.display());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn after_an_epoch_its_checkpoint_stays() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        let mut running = Running::start(here.path(), &["--method", "classifier", "--epochs", "1000000"]);
        let run = here.path().join("run");
        wait_for(&run.join("checkpoints/best.safetensors"));
        running.interrupt();
        let (code, stderr) = running.end();
        assert_eq!(code, Some(130), "{stderr}");
        assert!(stderr.ends_with("what was written until then is in run\nerror: interrupted\n"), "{stderr}");
        let expected = ["checkpoints/best.safetensors", "checkpoints/last.safetensors", "config.toml", "metrics.jsonl"];
        assert_eq!(files(&run), expected.map(PathBuf::from));
        assert!(metrics(&run).len() < 1_000_000);
        readable(here.path());
    }

    #[test]
    fn before_the_first_epoch_ends_only_the_settings_are_written() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        // An epoch of seconds.
        let mut running = Running::start(here.path(), &["--image-size", "64", "--width", "24", "--batch", "2"]);
        let run = here.path().join("run");
        wait_for(&run.join("config.toml"));
        running.interrupt();
        let (code, stderr) = running.end();
        assert_eq!(code, Some(130), "{stderr}");
        assert_eq!(files(&run), [PathBuf::from("config.toml")]);
        // They are whole: the run can be begun again from them.
        train(here.path(), &["--config", "run/config.toml", "--out", "again", "--method", "classifier"]);
    }

    #[test]
    fn while_the_data_is_read_leaves_no_run_folder() {
        let here = tempfile::tempdir().unwrap();
        pets(&here.path().join("pets"));
        // Reading this image lasts until somebody writes it.
        let image = here.path().join("pets/train/cat/0.png");
        let bytes = fs::read(&image).unwrap();
        fs::remove_file(&image).unwrap();
        assert!(Command::new("mkfifo").arg(&image).status().unwrap().success());
        let mut running = Running::start(here.path(), &[]);
        wait_for(&here.path().join("run"));
        running.interrupt();
        fs::write(&image, bytes).unwrap();
        let (code, stderr) = running.end();
        assert_eq!((code, stderr.as_str()), (Some(130), "error: interrupted\n"));
        assert!(!here.path().join("run").exists());
    }
}
