//! One seed, one result.

use crate::binary::{command, json, metrics, train};
use crate::data_sets::pets;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What two equal runs share: the checkpoint's bytes, the samples' bytes, the metrics without times.
fn result(run: &Path) -> (Vec<u8>, Vec<u8>, Vec<Value>) {
    let mut metrics = metrics(run);
    for line in &mut metrics {
        let line = line.as_object_mut().unwrap();
        assert!(line.remove("seconds").is_some() && line.remove("images_per_second").is_some());
    }
    let read = |file: &str| fs::read(run.join(file)).unwrap();
    (read("checkpoints/last.safetensors"), read("samples/epoch-0002.png"), metrics)
}

#[test]
fn config_toml_repeats_a_run_bit_for_bit_on_any_number_of_threads() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // Everything random is in use, and every fake counts.
    let settings = ["--data", "pets", "--seed", "7", "--augment", "paper", "--threshold", "0", "--max-steps", "6"];
    train(here.path(), &[&settings[..], &["--out", "first"]].concat());
    let first = result(&here.path().join("first"));
    let again = |out: &str, more: &[&str]| {
        let repeat = ["train", "--config", "first/config.toml", "--json", "--quiet", "--out", out];
        json(&command(here.path(), &[&repeat, more].concat()).output().unwrap());
        result(&here.path().join(out))
    };
    assert!(again("second", &[]) == first, "the same settings give another run");
    assert!(again("threads", &["--threads", "2"]) == first, "two threads give another run than one");
    assert!(again("seed", &["--seed", "8"]).0 != first.0, "another seed gives the same run");
}
