//! What must hold whatever the numbers are: repeatability, lambda 0, checkpoints, divergence.

mod checkpoints;
mod damaged;
mod divergence;
mod ends;
mod hostile;
mod lambda_zero;
mod repeatable;
mod resume;

use ecgan::Error;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics, Summary};
use ecgan::networks::Networks;
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Partial, Settings};
use std::path::Path;
use tempfile::TempDir;

/// Watches nothing.
struct Silent;

impl Observer for Silent {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, _: &str) {}
    fn step(&mut self, _: &StepMetrics) {}
    fn epoch(&mut self, _: &EpochMetrics) {}
}

/// Settings of a run of seconds on the built-in data, with `given` over them.
fn settings(given: Partial) -> Settings {
    let small = Partial {
        samples: Some(40),
        val_fraction: Some(0.25),
        batch: Some(10),
        epochs: Some(1),
        width: Some(2),
        ..Partial::default()
    };
    Settings::resolve(given.over(small)).expect("settings within their range")
}

/// A run in a folder that lasts as long as the first value.
fn run(settings: &Settings, observer: &mut dyn Observer) -> (TempDir, RunFolder, Result<Summary, Error>) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(None, root.path(), settings.method, &settings.data).expect("a new folder");
    let result = ecgan::train::train(settings, &folder, observer);
    (root, folder, result)
}

/// Every tensor of a checkpoint as it is stored: name, shape and bytes.
type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

fn tensors(checkpoint: &Path) -> Tensors {
    let bytes = std::fs::read(checkpoint).expect("the checkpoint is there");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let mut tensors: Tensors =
        file.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec(), view.data().to_vec())).collect();
    tensors.sort();
    tensors
}

/// The bits of all parameters, running statistics and moments.
fn bits(networks: &Networks) -> Vec<u32> {
    let flat = networks
        .named()
        .into_iter()
        .flat_map(|(_, network, adam)| [network.params().values().flat(), network.buffers().flat(), &adam.m, &adam.v]);
    flat.flat_map(|x| x.as_slice()).map(|v| v.to_bits()).collect()
}
