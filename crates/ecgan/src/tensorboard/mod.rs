//! TensorBoard's event files: scalars of each epoch and its sample grid, `events.out.tfevents.*` in the run folder.
//!
//! A file is a sequence of TFRecords (`record.rs`), each a protobuf message `Event`; the few fields of it that are
//! written here are put together by hand (`message.rs`). <https://www.tensorflow.org/tensorboard>

mod message;
mod record;

use crate::Error;
use crate::metrics::EpochMetrics;
use crate::run_folder::names::{REAL_SAMPLES, epoch_samples};
use crate::run_folder::write_atomically;
use message::{Event, Value};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".ecgan";

/// The event file of a run under way.
pub struct Events {
    folder: PathBuf,
    path: PathBuf,
    classes: Vec<String>,
}

impl Events {
    /// Writes a new event file with the epochs that stand, and removes those of earlier starts of this run. The wall
    /// time of an epoch of an earlier start is now less the training time since.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(folder: &Path, classes: &[String], kept: &[EpochMetrics]) -> Result<Self, Error> {
        let earlier = earlier(folder)?;
        let now = now();
        // The name is later than any other, for a reader that is following the run to go on there.
        let number = earlier.last().map_or(0, |(number, _)| number + 1).max(now as u64);
        let path = folder.join(format!("{PREFIX}{number:010}{SUFFIX}"));
        let events = Self { folder: folder.to_path_buf(), path, classes: classes.to_vec() };
        let trained = kept.last().map_or(0.0, |epoch| epoch.seconds);
        write_atomically(&events.path, |file| {
            file.write_all(&record::framed(&Event { wall_time: now - trained, step: 0 }.file_version()))?;
            file.write_all(&record::framed(&Event { wall_time: now, step: 1 }.session_start()))?;
            kept.iter().try_for_each(|epoch| file.write_all(&events.records(epoch, now - trained + epoch.seconds)))
        })?;
        earlier.iter().try_for_each(|(_, path)| fs::remove_file(path).map_err(Error::io(path, "remove")))?;
        Ok(events)
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn epoch(&self, epoch: &EpochMetrics) -> Result<(), Error> {
        fs::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(&self.records(epoch, now())))
            .map_err(Error::io(&self.path, "write"))
    }

    /// The records of an epoch: scalars, and the pictures that there are.
    fn records(&self, epoch: &EpochMetrics, wall_time: f64) -> Vec<u8> {
        let event = Event { wall_time, step: epoch.step };
        let scalars = epoch.scalars().into_iter().filter(|(name, _)| *name != "step");
        let mut values: Vec<_> =
            scalars.filter_map(|(name, value)| Some(Value::scalar(&tag(name), value? as f32))).collect();
        for (class, &kept) in self.classes.iter().zip(epoch.kept_per_class.iter().flatten()) {
            values.push(Value::scalar(&format!("fakes_kept/{class}"), kept as f32));
        }
        let mut records = record::framed(&event.summary(&values));
        // A run without a generator has no grid of samples; neither is worth failing for.
        for (tag, file) in self.pictures(epoch.epoch) {
            if let Some(value) = fs::read(self.folder.join(file)).ok().and_then(|png| Value::png(tag, &png)) {
                records.extend(record::framed(&event.summary(&[value])));
            }
        }
        records
    }

    fn pictures(&self, epoch: usize) -> impl Iterator<Item = (&'static str, String)> {
        let real = (epoch == 1).then(|| ("samples/real", REAL_SAMPLES.to_owned()));
        real.into_iter().chain([("samples/generated", epoch_samples(epoch))])
    }
}

/// A name of `metrics.jsonl` in TensorBoard's groups: `loss_g` is `loss/g`, `val_accuracy` is `accuracy/val`.
fn tag(name: &str) -> String {
    match (name.strip_prefix("loss_"), name.strip_suffix("_accuracy")) {
        (Some(loss), _) => format!("loss/{loss}"),
        (_, Some(split)) => format!("accuracy/{split}"),
        _ if matches!(name, "kept_fraction" | "mean_confidence") => format!("fakes/{name}"),
        _ => format!("time/{name}"),
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Event files of earlier starts, in order, with the number in their name.
fn earlier(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let number = |name: &str| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok();
    let mut found: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((number(&entry.file_name().to_string_lossy())?, entry.path())))
        .collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(n: usize) -> EpochMetrics {
        EpochMetrics {
            epoch: n,
            step: 4 * n as u64,
            loss_g: Some(n as f64),
            kept_per_class: Some(vec![7]),
            ..EpochMetrics::default()
        }
    }

    /// The only event file of a folder.
    fn file(folder: &Path) -> (PathBuf, Vec<u8>) {
        let mut found = earlier(folder).unwrap();
        let (_, path) = found.pop().unwrap();
        assert!(found.is_empty(), "{found:?}");
        (path.clone(), fs::read(path).unwrap())
    }

    #[test]
    fn a_resumed_run_has_one_file_with_the_epochs_that_stand() {
        let here = tempfile::tempdir().unwrap();
        let classes = ["a".to_owned()];
        let events = Events::start(here.path(), &classes, &[]).unwrap();
        (1..=3).for_each(|n| events.epoch(&epoch(n)).unwrap());
        let (first, all) = file(here.path());
        let events = Events::start(here.path(), &classes, &[epoch(1)]).unwrap();
        let (second, one) = file(here.path());
        assert!(second > first, "{first:?} {second:?}");
        events.epoch(&epoch(2)).unwrap();
        events.epoch(&epoch(3)).unwrap();
        let (_, again) = file(here.path());
        assert!(one.len() < all.len());
        assert_eq!(again.len(), all.len());
    }

    #[test]
    fn names_fall_into_groups() {
        let tags = ["loss_d_real", "val_accuracy", "kept_fraction", "seconds"].map(tag);
        assert_eq!(tags, ["loss/d_real", "accuracy/val", "fakes/kept_fraction", "time/seconds"]);
    }
}
