//! What a run leaves in its folder: within an epoch, at the end of each, and at its own.
//!
//! The last checkpoint is written last but for copies of the metrics, so whatever it knows of is there, and what is there
//! beyond it is written again with the same bytes when the run goes on. Epochs that are much shorter than it takes to write, as on a
//! GPU, share one.

use super::{Run, Totals, measured};
use crate::checkpoint::{self, Best};
use crate::data::Format;
use crate::generate::draw;
use crate::metrics::{Ending, EpochMetrics, Evaluation, Mirrors, Observer, Summary};
use crate::mistakes::Mistakes;
use crate::{Error, grid, report};
use nn::{Adam, Network};
use std::path::Path;
use std::time::{Duration, Instant};
use tensor::Tensor;

/// Images of a sample grid.
const SAMPLES: usize = 64;

/// Between two checkpoints at the ends of epochs pass at least so many times what the first took to write.
const APART: u32 = 20;

/// Of the last checkpoint: the iterations it knows of, when it was written, and how long that took.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) step: u64,
    written: Option<(Instant, Duration)>,
}

impl Saved {
    /// Whether an epoch's end is to be saved.
    fn due(&self) -> bool {
        self.written.is_none_or(|(at, took)| at.elapsed() >= APART * took)
    }
}

impl Run<'_> {
    /// Writes what an epoch leaves: samples, metrics, checkpoints. Weights and moments that are not finite are not saved.
    ///
    /// An epoch that a limit cut short leaves the same, but stays under way for a run that goes on from there.
    pub(super) fn finish_epoch(&mut self, metrics: &EpochMetrics, observer: &mut dyn Observer) -> Result<(), Error> {
        self.check_finite()?;
        self.samples(metrics.epoch)?;
        let whole = self.position.sums.steps() == self.steps_per_epoch();
        if whole {
            self.position.epoch += 1;
            self.position.sums = Totals::new(self.source.classes().len());
        }
        let best = self.position.best;
        let better = metrics.val_accuracy.filter(|&val| best.is_none_or(|best| val > best.val_accuracy));
        if whole && let Some(val_accuracy) = better {
            self.position.best = Some(Best { epoch: metrics.epoch as u64, val_accuracy });
        }
        // A run that goes on from a cut, by the clock or the limit of iterations, does so as if it had not been validated
        // there: then its weights are the best only as long as no others are.
        if better.is_some() && (whole || best.is_none()) {
            self.save(&self.folder.best_checkpoint())?;
        }
        let kept = self.settings.save_every.is_some_and(|every| metrics.epoch.is_multiple_of(every));
        if whole && kept {
            self.save(&self.folder.epoch_checkpoint(self.position.epoch))?;
        }
        self.folder.append_metrics(metrics)?;
        if self.saved.due() {
            self.write_last()?;
        }
        // What mirrors the metrics is not worth failing for; it is written anew at the end, or when the run goes on.
        if let Some(Err(error)) = self.mirrors.as_ref().map(|mirrors| mirrors.epoch(metrics)) {
            observer.warning(&format!("{error}; metrics.csv and TensorBoard's events end here, metrics.jsonl goes on"));
            self.mirrors = None;
        }
        Ok(())
    }

    /// Writes the mirrors of the metrics whole.
    pub(super) fn mirror(&mut self) -> Result<(), Error> {
        let all = self.folder.keep_metrics(|_| true)?;
        self.mirrors = Some(Mirrors::start(self.folder, self.source.classes(), &all, self.settings.tensorboard)?);
        Ok(())
    }

    /// Writes the last checkpoint within an epoch.
    pub(super) fn save_last(&mut self) -> Result<(), Error> {
        self.check_finite()?;
        self.write_last()
    }

    /// Writes the last checkpoint, of weights that are finite.
    pub(super) fn write_last(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.save(&self.folder.last_checkpoint())?;
        self.saved = Saved { step: self.position.step, written: Some((Instant::now(), began.elapsed())) };
        Ok(())
    }

    /// Measures the last weights on the test images and writes what a finished run leaves. `before` is the training
    /// time of the processes before this one, in seconds.
    pub(super) fn finish(
        &mut self,
        ended_by: Ending,
        before: f64,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Error> {
        if self.mirrors.is_none()
            && let Err(error) = self.mirror()
        {
            observer.warning(&error.to_string());
        }
        let (evaluation, mistakes) = self.test().inspect_err(|_| {
            let last = self.folder.last_checkpoint();
            observer.warning(&format!("training is done and {} holds it; only the test failed", last.display()));
        })?;
        let position = &self.position;
        let summary = Summary {
            method: self.settings.method,
            data: self.settings.data.clone(),
            n_train: self.labelled.split.train.len(),
            n_val: self.labelled.split.val.len(),
            n_test: evaluation.total,
            seed: self.settings.seed,
            epochs: position.epoch as usize + usize::from(position.sums.steps() > 0),
            steps: position.step,
            ended_by,
            test_accuracy: Some(evaluation.accuracy),
            best_val_accuracy: position.best.map(|best| best.val_accuracy).or(self.val_accuracy),
            seconds: before + self.began.elapsed().as_secs_f64(),
        };
        self.folder.write_mistakes(&mistakes)?;
        self.folder.write_evaluation(&evaluation)?;
        self.folder.write_summary(&summary)?;
        report::write_or_warn(self.folder.path(), observer);
        Ok(summary)
    }

    fn save(&self, path: &Path) -> Result<(), Error> {
        self.check_moments()?;
        let mut position = self.position.clone();
        position.noise = self.iterations.noise_position();
        checkpoint::save(path, &self.iterations.networks, position, &self.meta)
    }

    fn check_finite(&self) -> Result<(), Error> {
        self.check("a weight", |network, _| [network.params().values().flat(), network.buffers().flat()])
    }

    /// Moments may leave the finite numbers before the weights do; a run does not go on from such.
    fn check_moments(&self) -> Result<(), Error> {
        self.check("a moment", |_, adam| [&adam.m, &adam.v])
    }

    fn check(&self, what: &str, numbers: for<'a> fn(&'a Network, &'a Adam) -> [&'a Tensor; 2]) -> Result<(), Error> {
        for (name, network, adam) in self.iterations.networks.named() {
            for numbers in numbers(network, adam) {
                if !numbers.to_vec()?.iter().all(|v| v.is_finite()) {
                    return Err(Error::Diverged { step: self.position.step, what: format!("{what} of the {name}") });
                }
            }
        }
        Ok(())
    }

    /// The same noise every epoch, through the generator as it is now.
    fn samples(&mut self, epoch: usize) -> Result<(), Error> {
        let (seed, image, classes) = (self.settings.seed, self.image, self.source.classes());
        let given = self.settings.condition(classes.len()).map(|condition| condition.in_turn(SAMPLES));
        let Some((generator, classifier)) = self.iterations.networks.drawing() else { return Ok(()) };
        let drawn = draw(generator, classifier, given, SAMPLES, seed, image, classes, &self.device, &mut |_| {})?;
        self.folder.write_samples(epoch, &grid::draw(&drawn.images, &drawn.captions()))
    }

    /// Reads the test images, of which it was only seen before that they can be decoded, and measures the last weights on them.
    fn test(&mut self) -> Result<(Evaluation, Mistakes), Error> {
        let images = self.source.read_test(Format { size: self.image.size, channels: self.image.channels })?;
        let all: Vec<usize> = (0..images.len()).collect();
        let (evaluation, found) = measured(&mut self.iterations.networks, &images, &all, &self.source, &self.device)?;
        Ok((evaluation, Mistakes::new(images, self.source.classes(), found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_epochs_share_a_checkpoint() {
        assert!(Saved::default().due(), "the first epoch's end");
        let after = |took| Saved { step: 1, written: Some((Instant::now(), took)) };
        assert!(after(Duration::ZERO).due() && !after(Duration::from_secs(60)).due());
    }
}
