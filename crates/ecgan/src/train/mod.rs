//! The trainer: epochs of shuffled batches, validation, samples and checkpoints, and the test at the end.
//!
//! A run that was stopped, however that was, goes on from its last checkpoint with the bits of one that was not.

mod iterations;
mod leave;
mod plan;
mod ready;
mod resume;
mod totals;

use crate::checkpoint::{Meta, Position};
use crate::data::{Images, Source};
use crate::evaluate::measure;
use crate::labelled::Labelled;
use crate::methods::Step;
use crate::metrics::{Divergence, Ending, EpochMetrics, Evaluation, Mirrors, Observer, Started, StepMetrics, Summary};
use crate::mistakes::Mistake;
use crate::models::{Classifier, ImageShape};
use crate::networks::Networks;
use crate::run_folder::RunFolder;
use crate::settings::Settings;
use crate::{Error, grid};
pub use iterations::{Feed, Iterations};
use leave::Saved;
pub use plan::{Plan, PlannedClass, PlannedNetwork, plan, steps_done};
use ready::Ready;
pub use resume::finished;
use std::time::Instant;
use tensor::Device;
use tensor::rng::Stream;
pub use totals::Totals;

/// Trains the classifier of these settings and leaves everything in `folder`.
///
/// # Errors
/// [`Error`] of every kind. What was finished before it is in the folder: the last good checkpoint among it.
pub fn train(settings: &Settings, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary, Error> {
    train_with(&settings.classifier(), settings, folder, observer)
}

/// The same with a classifier of your own.
///
/// # Errors
/// As [`train`].
pub fn train_with(
    architecture: &impl Classifier,
    settings: &Settings,
    folder: &RunFolder,
    observer: &mut dyn Observer,
) -> Result<Summary, Error> {
    let mut run = Run::new(architecture, settings, folder, observer)?;
    run.train(observer)
}

/// Goes on with the run in `folder` where its last checkpoint is, or begins it where there is none, by its own settings
/// ([`Partial::resumed`](crate::settings::Partial::resumed)); what it leaves is what it would have left without a stop.
///
/// # Errors
/// As [`train`]; [`Error::BadFile`] also for a checkpoint of other settings or other data.
pub fn resume(settings: &Settings, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary, Error> {
    resume_with(&settings.classifier(), settings, folder, observer)
}

/// The same with the classifier of your own that the run was begun with.
///
/// # Errors
/// As [`resume`].
pub fn resume_with(
    architecture: &impl Classifier,
    settings: &Settings,
    folder: &RunFolder,
    observer: &mut dyn Observer,
) -> Result<Summary, Error> {
    let mut run = Run::new(architecture, settings, folder, observer)?;
    run.restore(observer)?;
    run.train(observer)
}

/// Iterations of a whole run of these settings on `n` training images, and how many make an epoch.
fn steps(settings: &Settings, n: usize, batch: usize) -> (u64, u64) {
    let per_epoch = (n / batch) as u64;
    let all = (settings.epochs as u64).saturating_mul(per_epoch);
    (settings.max_steps.map_or(all, |most| all.min(most as u64)), per_epoch)
}

/// A run under way.
struct Run<'a> {
    settings: &'a Settings,
    folder: &'a RunFolder,
    device: Device,
    source: Source,
    image: ImageShape,
    labelled: Labelled,
    meta: Meta,
    /// From when it trains.
    mirrors: Option<Mirrors>,
    iterations: Iterations,
    batch: usize,
    position: Position,
    /// Of the last checkpoint.
    saved: Saved,
    /// When this process began it.
    began: Instant,
    /// Training time so far, in seconds; what is lost with an epoch's part is not in it.
    seconds: f64,
    /// The last validation accuracy in percent.
    val_accuracy: Option<f64>,
}

impl<'a> Run<'a> {
    /// A run before its first iteration.
    fn new(
        architecture: &impl Classifier,
        settings: &'a Settings,
        folder: &'a RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let began = Instant::now();
        let Ready { device, source, image, labelled, batch, iterations } =
            Ready::new(architecture, settings, observer)?;
        let classes = source.classes();
        Ok(Self {
            settings,
            folder,
            meta: Meta {
                images: labelled.all.of_each_class.clone(),
                names: labelled.all.names.clone(),
                own_classifier: !architecture.is_built_in(),
                ..Meta::new(settings, classes)
            },
            mirrors: None,
            iterations,
            position: Position { sums: Totals::new(classes.len()), ..Position::default() },
            device,
            source,
            image,
            labelled,
            batch,
            saved: Saved::default(),
            began,
            seconds: 0.0,
            val_accuracy: None,
        })
    }

    /// From where the run stands to its end.
    fn train(&mut self, observer: &mut dyn Observer) -> Result<Summary, Error> {
        observer.started(&Started {
            method: self.settings.method,
            classes: self.source.classes().to_vec(),
            n_train: self.labelled.split.train.len(),
            n_val: self.labelled.split.val.len(),
            batch: self.batch,
            epochs: self.last_epoch(),
            steps: self.last_step(),
            done: self.position.step,
            device: self.device.to_string(),
        });
        // Of a run that goes on for longer they are true no more.
        self.folder.remove_ending()?;
        self.folder.write_config(self.settings)?;
        let (classes, train) = (self.source.classes(), &self.labelled.split.train);
        self.folder.write_reals(&grid::draw_reals(&self.labelled.images, train, classes)?)?;
        self.mirror()?;
        let before = self.seconds;
        let ended = self.epochs(observer).and_then(|ending| self.finish(ending, before, observer));
        ended.inspect_err(|error| self.note(error, observer))
    }

    /// Leaves word in the folder of a run that diverged: nothing else there tells it from one that was stopped.
    fn note(&self, error: &Error, observer: &mut dyn Observer) {
        let divergence = match error {
            Error::Diverged { step, what } => Divergence { step: *step, what: what.clone() },
            Error::NotFinite { what } => Divergence { step: self.position.step, what: (*what).into() },
            _ => return,
        };
        if let Err(error) = self.folder.write_divergence(&divergence) {
            observer.warning(&error.to_string());
        }
    }

    /// Full batches an epoch.
    fn steps_per_epoch(&self) -> u64 {
        steps(self.settings, self.labelled.split.train.len(), self.batch).1
    }

    /// Iterations of the whole run.
    fn last_step(&self) -> u64 {
        steps(self.settings, self.labelled.split.train.len(), self.batch).0
    }

    /// Epochs of the whole run, the last one perhaps cut short by the limit of iterations.
    fn last_epoch(&self) -> usize {
        self.last_step().div_ceil(self.steps_per_epoch()) as usize
    }

    /// What has ended the run, where something has; the clock aside.
    fn ending(&self) -> Option<Ending> {
        let Position { epoch, step, ref sums, best, .. } = self.position;
        if step >= self.last_step() {
            let all = step == (self.settings.epochs as u64).saturating_mul(self.steps_per_epoch());
            return Some(if all { Ending::Epochs } else { Ending::MaxSteps });
        }
        let waited = best.filter(|_| sums.steps() == 0).map(|best| epoch.saturating_sub(best.epoch));
        let patience = self.settings.patience.map(|patience| patience as u64);
        waited.zip(patience).filter(|(waited, patience)| waited >= patience).map(|_| Ending::Patience)
    }

    fn time_is_up(&self) -> bool {
        self.settings.max_time.is_some_and(|most| self.began.elapsed() >= most.duration())
    }

    /// Trains to the end.
    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<Ending, Error> {
        let mut ending = self.ending();
        while ending.is_none() {
            let metrics = self.epoch(observer)?;
            self.finish_epoch(&metrics, observer)?;
            observer.epoch(&metrics);
            let interrupted = observer.interrupted();
            ending = self.ending().or_else(|| self.time_is_up().then_some(Ending::MaxTime));
            if (interrupted || ending.is_some()) && self.saved.step != self.position.step {
                self.write_last()?;
            }
            if interrupted {
                return Err(Error::Interrupted);
            }
        }
        Ok(ending.expect("what ended the loop"))
    }

    /// From where the run stands to the end of the epoch, or to where a limit cuts it short.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochMetrics, Error> {
        let mut random = Stream::Shuffle.nth(self.settings.seed, self.position.epoch as u32);
        let order = self.labelled.order(self.settings.sampling, &mut random);
        let (began, images) = (Instant::now(), self.position.sums.images());
        let done = self.position.sums.steps();
        let end = (done + self.last_step() - self.position.step).min(self.steps_per_epoch());
        self.labelled.images.read_ahead(&order[done as usize * self.batch..end as usize * self.batch], self.batch);
        for (number, indices) in order.chunks_exact(self.batch).enumerate().take(end as usize).skip(done as usize) {
            self.step(indices)?;
            if self.iterations.must_read() {
                self.read(observer)?;
            }
            // What follows the last iteration saves all of it.
            if number as u64 + 1 == end || self.time_is_up() {
                break;
            }
            let interrupted = observer.interrupted();
            let every = self.settings.checkpoint_every.map_or(u64::MAX, |every| every as u64);
            if interrupted || self.position.step.is_multiple_of(every) {
                self.read(observer)?;
                self.save_last()?;
            }
            if interrupted {
                return Err(Error::Interrupted);
            }
        }
        self.read(observer)?;
        let seconds = began.elapsed().as_secs_f64();
        self.seconds += seconds;
        let mut metrics = self.position.sums.metrics();
        metrics.epoch = self.position.epoch as usize + 1;
        metrics.step = self.position.step;
        metrics.seconds = self.seconds;
        metrics.images_per_second = (self.position.sums.images() - images) as f64 / seconds;
        let val = &self.labelled.split.val;
        if !val.is_empty() {
            let (networks, images) = (&mut self.iterations.networks, &self.labelled.images);
            metrics.val_accuracy = match measured(networks, images, val, &self.source, &self.device) {
                // Running statistics that lag behind large steps: training may catch up.
                Err(Error::NotFinite { what }) => {
                    observer.warning(&format!("epoch {}: {what} in validation is not finite", metrics.epoch));
                    None
                }
                found => Some(found?.0.accuracy),
            };
        }
        self.val_accuracy = metrics.val_accuracy;
        Ok(metrics)
    }

    fn step(&mut self, indices: &[usize]) -> Result<(), Error> {
        let factor = self.settings.schedule.factor(self.position.step, self.last_step());
        self.iterations.networks.set_learning_rates(self.settings, factor);
        let factor = self.settings.lambda_factor(self.position.step, self.last_step());
        self.iterations.networks.set_lambda(self.settings, factor);
        self.iterations.networks.set_decays(self.settings, self.position.step);
        self.iterations.run(&self.labelled.images, indices, self.position.step * self.batch as u64)?;
        self.position.step += 1;
        Ok(())
    }

    /// Adds what the iterations since the last reading found.
    fn read(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let steps = self.iterations.read()?;
        let first = self.position.step - steps.len() as u64 + 1;
        for (number, step) in (first..).zip(&steps) {
            self.position.sums.add(step, self.batch, number)?;
            observer.step(&step_metrics(step, self.position.epoch as usize + 1, number, self.batch));
        }
        Ok(())
    }
}

/// How the classifier does on the images at `indices`, and what it is wrong about.
fn measured(
    networks: &mut Networks,
    images: &Images,
    indices: &[usize],
    source: &Source,
    device: &Device,
) -> Result<(Evaluation, Vec<Mistake>), Error> {
    measure(networks.classifier().product(), images, indices, source.classes(), device)
}

fn step_metrics(step: &Step, epoch: usize, number: u64, batch: usize) -> StepMetrics {
    StepMetrics {
        epoch,
        step: number,
        loss_d: step.gan.map(|gan| gan.loss_d_real + gan.loss_d_fake),
        loss_g: step.gan.map(|gan| gan.loss_g),
        loss_c: Some(step.real.loss),
        kept_fraction: step.fake.as_ref().map(|fake| fake.kept() as f64 / batch as f64),
    }
}
