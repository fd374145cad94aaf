//! Going on from a checkpoint: what must not have changed since, and what is restored.

use super::Run;
use crate::Error;
use crate::checkpoint::{Checkpoint, Position};
use crate::metrics::{Ending, Observer, Summary};
use crate::printable::listed;
use crate::run_folder::{RunFolder, divergence_of, summary_of, write_bytes};
use crate::settings::{Partial, Settings};
use std::fs;

/// The summary of a run that has come to its end by these settings, so that resuming it would change nothing. One that
/// [`Ending::MaxTime`] ended is not at its end.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`].
pub fn finished(settings: &Settings, folder: &RunFolder) -> Result<Option<Summary>, Error> {
    let Some(summary) = summary_of(folder.path())? else { return Ok(None) };
    let Position { epoch, step, best, .. } = Checkpoint::read(&folder.last_checkpoint())?.position()?;
    let waited = best.map_or(0, |best| epoch.saturating_sub(best.epoch));
    let Settings { epochs, max_steps, patience, .. } = *settings;
    let at_its_end = match summary.ended_by {
        Ending::Epochs => summary.epochs == epochs && max_steps.is_none_or(|most| most as u64 >= step),
        Ending::MaxSteps => max_steps.is_some_and(|most| most as u64 == step),
        Ending::Patience => patience.is_some_and(|patience| waited >= patience as u64),
        Ending::MaxTime => false,
    };
    // A run that was prolonged, and stopped before its new end, still has the summary of the old one.
    Ok((at_its_end && summary.steps == step).then_some(summary))
}

impl Run<'_> {
    /// Goes on from the folder's last checkpoint, or from the beginning where there is none, and drops the metrics of epochs after it.
    pub(super) fn restore(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        if let Some(divergence) = divergence_of(self.folder.path())? {
            observer.warning(&format!("the run {divergence}; going on by the same settings, it may do so again"));
        }
        let last = self.folder.last_checkpoint();
        if last.exists() {
            let checkpoint = Checkpoint::read(&last)?;
            self.check_settings(&checkpoint, observer)?;
            self.check_data(&checkpoint)?;
            let position = checkpoint.position()?;
            self.check_position(&checkpoint, &position)?;
            checkpoint.restore(&mut self.iterations.networks)?;
            self.iterations.set_noise_position(position.noise);
            self.position = position;
        }
        let (goes_on, position) = (self.ending().is_none(), &self.position);
        // The line of an epoch that was cut short gives way to that of the whole epoch.
        let kept = self
            .folder
            .keep_metrics(|line| line.epoch as u64 <= position.epoch || !goes_on && line.step <= position.step)?;
        self.seconds = kept.last().map_or(0.0, |line| line.seconds);
        self.val_accuracy = kept.last().and_then(|line| line.val_accuracy);
        self.check_best(observer)
    }

    /// Sees to it that `best.safetensors` is of an epoch that the run has done or will do. Where a run now ends before the epoch of that, the
    /// best before it, which it has overwritten, takes its place where it was kept; else the best from here on does.
    fn check_best(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let path = self.folder.best_checkpoint();
        if !path.exists() {
            self.position.best = None;
            return Ok(());
        }
        let found = match Checkpoint::read(&path).and_then(|best| best.position()) {
            Ok(found) => found,
            // It is not what the run goes on from.
            Err(error) => {
                observer.warning(&format!("{error}; it stays as it is until an epoch is better"));
                return Ok(());
            }
        };
        let epoch = found.epoch + u64::from(found.sums.steps() > 0);
        if epoch <= self.last_epoch() as u64 {
            return Ok(());
        }
        let before = self.position.best.map(|best| self.folder.epoch_checkpoint(best.epoch));
        if let Some(kept) = before.filter(|kept| kept.exists()) {
            let bytes = fs::read(&kept).map_err(Error::io(&kept, "read"))?;
            return write_bytes(&path, bytes);
        }
        observer.warning(&format!(
            "best.safetensors is removed: it is of epoch {epoch}, which the run ends before, and had taken the place of the best \
             before; the best from here on takes its place"
        ));
        self.position.best = None;
        fs::remove_file(&path).map_err(Error::io(&path, "remove"))
    }

    fn check_settings(&self, checkpoint: &Checkpoint, observer: &mut dyn Observer) -> Result<(), Error> {
        // What an older version wrote does not say so of one's own; where it differs in truth, its tensors do.
        if checkpoint.meta.own_classifier && !self.meta.own_classifier {
            let problem = "its classifier is one of its program's own, not built in: a run goes on with the one it was begun with";
            return Err(checkpoint.bad(problem.into()));
        }
        let bad = |what: &str, error: &dyn std::fmt::Display| checkpoint.bad(format!("metadata: {what}: {error}"));
        let before: Partial = toml::from_str(&checkpoint.meta.config).map_err(|error| bad("config", &error))?;
        // One that an older version wrote lacks what has come since.
        let before = Settings::complete(before).map_err(|error| bad("config", &error))?.used();
        self.settings.used().continues(&before).map_err(|error| match error {
            // That is about a flag.
            Error::Setting { name: "epochs" | "max_steps", .. } => error,
            error => checkpoint.bad(format!("its settings are not those of config.toml: {error}")),
        })?;
        let processor = |config: &str| {
            let of_it = |line: &&str| line.starts_with("# on ") || line.starts_with("simd = ");
            config.lines().filter(of_it).map(|line| line.trim_start_matches("# on ").to_owned()).collect::<Vec<_>>()
        };
        let (was, is) = (processor(&checkpoint.meta.config), processor(&self.meta.config));
        if was != is {
            let (was, is) = (was.join(", "), is.join(", "));
            observer.warning(&format!(
                "begun with {was}, goes on with {is}: from here on the numbers are not exactly those of a run that was \
                 never stopped"
            ));
        }
        Ok(())
    }

    /// The same classes, and the same images as far as their numbers and names tell.
    fn check_data(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (before, now) = (&checkpoint.meta, &self.meta);
        let data = &self.settings.data;
        let changed = |what: String| {
            let problem =
                format!("{what}; a run goes on with the images it was begun with (a new run begins with --config)");
            Err(checkpoint.other_images(problem))
        };
        if before.classes != now.classes {
            let (before, now) = (listed(&before.classes), listed(&now.classes));
            return changed(format!("trained on the classes {before}; {data} has {now}"));
        }
        self.labelled.all.differ_from(before, data).map_or(Ok(()), changed)
    }

    /// Numbers of a position that are possible with these settings and this data.
    fn check_position(&self, checkpoint: &Checkpoint, position: &Position) -> Result<(), Error> {
        let Position { epoch, step, sums, best, .. } = position;
        let whole = epoch.checked_mul(self.steps_per_epoch());
        if whole.and_then(|whole| whole.checked_add(sums.steps())) != Some(*step)
            || sums.steps() >= self.steps_per_epoch()
        {
            let per_epoch = self.steps_per_epoch();
            return Err(checkpoint.bad(format!(
                "`state`: {step} iterations are not {epoch} epochs of {per_epoch} and {} more",
                sums.steps()
            )));
        }
        if let Some(best) = best.filter(|best| best.epoch > *epoch) {
            let problem =
                format!("`state.best.epoch`: expected an epoch of the {epoch} that are done, got {}", best.epoch);
            return Err(checkpoint.bad(problem));
        }
        if !sums.can_be(self.batch as u64) {
            let (steps, batch) = (sums.steps(), self.batch);
            return Err(checkpoint.bad(format!("`state.sums`: not the counts of {steps} iterations of {batch} images")));
        }
        if *step > self.last_step() {
            let got = format!("{} iterations", self.last_step());
            let expected = format!("a run of at least the {step} iterations that are done");
            let name = if self.settings.max_steps.is_some() { "max_steps" } else { "epochs" };
            return Err(Error::Setting { name, expected, got });
        }
        Ok(())
    }
}
