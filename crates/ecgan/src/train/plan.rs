//! What a run would be, before it is one: the data found, the networks, and from one timed iteration how long it would take.
//!
//! Nothing is written. Of the test part the labels are needed, for which some formats read the whole file; no image of it is
//! looked at. The time is
//! steps (an iteration) + (epochs n_val + n_test) (an evaluated image).

use super::{Ready, measured, steps};
use crate::Error;
use crate::bench::peak_rss_mb;
use crate::checkpoint::Checkpoint;
use crate::data::Part;
use crate::metrics::Observer;
use crate::run_folder::names::LAST_CHECKPOINT;
use crate::settings::Settings;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Iterations are timed until they took this long together, or there were [`MOST`].
const ENOUGH: Duration = Duration::from_secs(1);

/// Iterations timed at most.
const MOST: u32 = 50;

/// Images whose evaluation is timed.
const EVALUATED: usize = 256;

/// A run that was not started.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The data set's format, in words.
    pub format: &'static str,
    /// Each class.
    pub classes: Vec<PlannedClass>,
    /// Images that train.
    pub n_train: usize,
    /// Images that choose the best epoch.
    pub n_val: usize,
    /// Images of the final test.
    pub n_test: usize,
    /// Height and width of an image as it is trained on.
    pub image_size: usize,
    /// Its channels.
    pub channels: usize,
    /// Whether the images stay decoded in memory, or are decoded again each epoch.
    pub images_in_memory: bool,
    /// Each network.
    pub networks: Vec<PlannedNetwork>,
    /// Images in a batch.
    pub batch: usize,
    /// Iterations an epoch.
    pub steps_per_epoch: u64,
    /// Iterations of the run.
    pub steps: u64,
    /// Those that a stopped run has done.
    pub done: u64,
    /// The device, as config.toml has it.
    pub device: String,
    /// Milliseconds of an iteration, the mean of some after the first two.
    pub iteration_ms: f64,
    /// Seconds that the rest of the run takes at that pace, validation and test included.
    pub seconds: f64,
    /// The process's largest resident memory so far in MiB, where the system tells.
    pub peak_rss_mb: Option<f64>,
    /// MiB of a GPU's memory that an iteration takes.
    pub gpu_memory_mb: Option<f64>,
}

/// A class and its images.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedClass {
    /// Its name.
    pub name: String,
    /// Images that train.
    pub train: usize,
    /// Images that choose the best epoch.
    pub val: usize,
}

/// A network and its size.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedNetwork {
    /// Its name.
    pub name: &'static str,
    /// Trainable numbers.
    pub parameters: usize,
}

/// The run of these settings, of which `done` iterations were made already.
///
/// # Errors
/// As [`train`](super::train), which would fail for the same reason.
pub fn plan(settings: &Settings, done: u64, observer: &mut dyn Observer) -> Result<Plan, Error> {
    let mut ready = Ready::new(&settings.classifier(), settings, observer)?;
    let split = ready.labelled.split.clone();
    let (steps, steps_per_epoch) = steps(settings, split.train.len(), ready.batch);
    let iteration = time_iteration(&mut ready)?;
    let evaluation = time_evaluation(&mut ready)?;
    let n_test = ready.source.listing(Part::Test)?.labels().len();
    let left = steps.saturating_sub(done);
    let epochs = left.div_ceil(steps_per_epoch.max(1));
    let evaluated = epochs as f64 * split.val.len() as f64 + n_test as f64;
    let networks = ready.iterations.networks.named();
    let networks = networks.iter().map(|(name, net, _)| PlannedNetwork { name, parameters: net.parameter_count() });
    let of_class = |indices: &[usize], class: usize| {
        indices.iter().filter(|&&index| ready.labelled.images.labels[index] == class as i32).count()
    };
    let classes = ready.source.classes().iter().enumerate().map(|(class, name)| PlannedClass {
        name: name.clone(),
        train: of_class(&split.train, class),
        val: of_class(&split.val, class),
    });
    let gpu = ready.device.gpu().is_some();
    Ok(Plan {
        format: ready.source.format(),
        n_train: split.train.len(),
        n_val: split.val.len(),
        n_test,
        image_size: ready.image.size,
        channels: ready.image.channels,
        images_in_memory: ready.labelled.images.pixels().is_some(),
        networks: networks.collect(),
        batch: ready.batch,
        steps_per_epoch,
        steps,
        done,
        device: ready.device.to_string(),
        iteration_ms: iteration * 1e3,
        seconds: left as f64 * iteration + evaluated * evaluation,
        peak_rss_mb: peak_rss_mb(),
        gpu_memory_mb: gpu.then(|| ready.device.pool().bytes() as f64 / (1 << 20) as f64),
        classes: classes.collect(),
    })
}

/// Iterations that the run in this folder has done, by its last checkpoint.
///
/// # Errors
/// [`Error::BadFile`] for a checkpoint that a run could not go on from.
pub fn steps_done(run: &Path) -> Result<u64, Error> {
    let last = run.join(LAST_CHECKPOINT);
    if !last.exists() {
        return Ok(0);
    }
    Ok(Checkpoint::read(&last)?.position()?.step)
}

/// Seconds of an iteration: the first fills the pool, on a GPU the second records.
fn time_iteration(ready: &mut Ready) -> Result<f64, Error> {
    let indices: Vec<usize> = ready.labelled.split.train[..ready.batch].to_vec();
    let mut step = || {
        let began = Instant::now();
        ready.iterations.run(&ready.labelled.images, &indices, 0)?;
        ready.iterations.read()?;
        Ok::<_, Error>(began.elapsed())
    };
    let first = step()?;
    if first > 10 * ENOUGH {
        return Ok(first.as_secs_f64()); // of so large a network little else
    }
    step()?;
    let (mut sum, mut count) = (Duration::ZERO, 0);
    while count == 0 || (sum < ENOUGH && count < MOST) {
        sum += step()?;
        count += 1;
    }
    Ok(sum.as_secs_f64() / f64::from(count))
}

/// Seconds of the evaluation of an image, of those that train.
fn time_evaluation(ready: &mut Ready) -> Result<f64, Error> {
    let Ready { labelled, iterations, source, device, .. } = ready;
    let indices = &labelled.split.train[..labelled.split.train.len().min(EVALUATED)];
    let began = Instant::now();
    match measured(&mut iterations.networks, &labelled.images, indices, source, device) {
        // After so many iterations of one batch; training may do better.
        Ok(_) | Err(Error::NotFinite { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(began.elapsed().as_secs_f64() / indices.len() as f64)
}
