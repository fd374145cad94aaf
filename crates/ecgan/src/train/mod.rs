//! The trainer: epochs of shuffled batches, validation, samples and checkpoints, and the test at the end.

mod iterations;
mod totals;

use crate::checkpoint::{self, Meta, Position};
use crate::data::{Format, Images, Source};
use crate::evaluate::confusion;
use crate::generate::draw;
use crate::labelled::Labelled;
use crate::methods::Step;
use crate::metrics::{EpochMetrics, Evaluation, Observer, Started, StepMetrics, Summary};
use crate::models::{Classifier, ImageShape, ResNet18};
use crate::networks::Networks;
use crate::run_folder::RunFolder;
use crate::settings::Settings;
use crate::{Error, grid};
pub use iterations::{Feed, Iterations};
use std::time::Instant;
use tensor::Device;
use tensor::rng::Stream;
use totals::Totals;

/// Images of a sample grid.
const SAMPLES: usize = 64;

/// Trains the paper's ResNet-18 with these settings and leaves everything in `folder`.
///
/// # Errors
/// [`Error`] of every kind. What was finished before it is in the folder: the last good checkpoint among it.
pub fn train(settings: &Settings, folder: &RunFolder, observer: &mut dyn Observer) -> Result<Summary, Error> {
    train_with(&ResNet18 { width: settings.width }, settings, folder, observer)
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
    let began = Instant::now();
    let mut run = Run::new(architecture, settings, folder, observer)?;
    let best_val_accuracy = run.epochs(observer)?;
    let (n_test, test_accuracy) = run.test().inspect_err(|_| {
        let last = folder.last_checkpoint();
        observer.warning(&format!("training is done and {} holds it; only the test failed", last.display()));
    })?;
    let summary = Summary {
        method: settings.method,
        data: settings.data.clone(),
        n_train: run.labelled.split.train.len(),
        n_val: run.labelled.split.val.len(),
        n_test,
        seed: settings.seed,
        epochs: run.position.epoch as usize,
        test_accuracy: Some(test_accuracy),
        best_val_accuracy,
        seconds: began.elapsed().as_secs_f64(),
    };
    folder.write_summary(&summary)?;
    Ok(summary)
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
    iterations: Iterations,
    batch: usize,
    position: Position,
    /// Training time so far, in seconds.
    seconds: f64,
}

impl<'a> Run<'a> {
    fn new(
        architecture: &impl Classifier,
        settings: &'a Settings,
        folder: &'a RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let device = settings.open_device()?;
        let source = Source::open(&settings.data, &settings.synthetic())?;
        source.warnings().iter().for_each(|warning| observer.warning(warning));
        let classes = source.classes();
        settings.warnings(classes.len()).iter().for_each(|warning| observer.warning(warning));
        let image = ImageShape { channels: settings.channels, size: settings.image_size };
        let format = Format { size: image.size, channels: image.channels };
        let labelled = Labelled::read(&source, settings, format)?;
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let n = labelled.split.train.len();
        let batch = settings.batch.min(n);
        if batch < settings.batch {
            observer.warning(&format!("batch {} lowered to {batch}: that is all training images", settings.batch));
        }
        let networks = Networks::new(&device, settings, architecture, image, classes.len());
        let Settings { augment, seed, no_graph, .. } = *settings;
        let feed = Feed { batch, augment, seed, classes: classes.len(), record: !no_graph, resident: None };
        let run = Self {
            settings,
            folder,
            meta: Meta::new(settings, classes),
            iterations: Iterations::new(&device, networks, &labelled.images, feed)?,
            device,
            source,
            image,
            labelled,
            batch,
            position: Position::default(),
            seconds: 0.0,
        };
        folder.write_config(settings)?;
        observer.started(&Started {
            method: settings.method,
            classes: run.source.classes().to_vec(),
            n_train: n,
            n_val: run.labelled.split.val.len(),
            batch,
            epochs: run.last_epoch(),
            steps: run.last_step(),
            device: run.device.to_string(),
        });
        Ok(run)
    }

    /// Full batches an epoch.
    fn steps_per_epoch(&self) -> u64 {
        (self.labelled.split.train.len() / self.batch) as u64
    }

    /// Iterations of the whole run.
    fn last_step(&self) -> u64 {
        let all = self.settings.epochs as u64 * self.steps_per_epoch();
        self.settings.max_steps.map_or(all, |most| all.min(most as u64))
    }

    /// Epochs of the whole run, the last one perhaps cut short by the limit of iterations.
    fn last_epoch(&self) -> usize {
        self.last_step().div_ceil(self.steps_per_epoch()) as usize
    }

    /// Trains to the end; returns the best validation accuracy.
    fn epochs(&mut self, observer: &mut dyn Observer) -> Result<Option<f64>, Error> {
        let mut best = None;
        while self.position.step < self.last_step() {
            let metrics = self.epoch(observer)?;
            self.finish_epoch(&metrics, &mut best)?;
            observer.epoch(&metrics);
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        Ok(best)
    }

    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochMetrics, Error> {
        let epoch = self.position.epoch;
        let mut order = self.labelled.split.train.clone();
        Stream::Shuffle.nth(self.settings.seed, epoch as u32).shuffle(&mut order);
        let mut totals = Totals::new(self.source.classes().len());
        let began = Instant::now();
        let left = self.last_step() - self.position.step;
        let batches = order.chunks_exact(self.batch).take(left.min(self.steps_per_epoch()) as usize);
        for indices in batches {
            self.step(indices)?;
            if self.iterations.must_read() {
                self.read(&mut totals, observer)?;
            }
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
        }
        self.read(&mut totals, observer)?;
        let seconds = began.elapsed().as_secs_f64();
        self.seconds += seconds;
        self.position.epoch += 1;
        let mut metrics = totals.metrics();
        metrics.epoch = self.position.epoch as usize;
        metrics.step = self.position.step;
        metrics.seconds = self.seconds;
        metrics.images_per_second = totals.images() as f64 / seconds;
        let val = &self.labelled.split.val;
        if !val.is_empty() {
            metrics.val_accuracy =
                Some(accuracy(&mut self.iterations.networks, &self.labelled.images, val, &self.source, &self.device)?);
        }
        Ok(metrics)
    }

    fn step(&mut self, indices: &[usize]) -> Result<(), Error> {
        let factor = self.settings.schedule.factor(self.position.step, self.last_step());
        self.iterations.networks.set_learning_rates(self.settings, factor);
        self.iterations.run(&self.labelled.images, indices, self.position.step * self.batch as u64)?;
        self.position.step += 1;
        Ok(())
    }

    /// Adds what the iterations since the last reading found.
    fn read(&mut self, totals: &mut Totals, observer: &mut dyn Observer) -> Result<(), Error> {
        let steps = self.iterations.read()?;
        let first = self.position.step - steps.len() as u64 + 1;
        for (number, step) in (first..).zip(&steps) {
            totals.add(step, self.batch, number)?;
            observer.step(&step_metrics(step, self.position.epoch as usize + 1, number, self.batch));
        }
        Ok(())
    }

    /// Writes what an epoch leaves: metrics, samples, checkpoints. Weights that are not finite are not saved.
    fn finish_epoch(&mut self, metrics: &EpochMetrics, best: &mut Option<f64>) -> Result<(), Error> {
        for (name, network, _) in self.iterations.networks.named() {
            let finite = |named: &tensor::Named| Ok::<_, Error>(named.flat().to_vec()?.iter().all(|v| v.is_finite()));
            if !finite(network.params().values())? || !finite(network.buffers())? {
                return Err(Error::Diverged { step: self.position.step, what: format!("a weight of the {name}") });
            }
        }
        self.folder.append_metrics(metrics)?;
        self.samples(metrics.epoch)?;
        self.position.noise = self.iterations.noise_position();
        checkpoint::save(&self.folder.last_checkpoint(), &self.iterations.networks, self.position, &self.meta)?;
        if metrics.val_accuracy.is_some() && (best.is_none() || metrics.val_accuracy > *best) {
            *best = metrics.val_accuracy;
            checkpoint::save(&self.folder.best_checkpoint(), &self.iterations.networks, self.position, &self.meta)?;
        }
        Ok(())
    }

    /// The same noise every epoch, through the generator as it is now.
    fn samples(&mut self, epoch: usize) -> Result<(), Error> {
        let Networks::EcGan(ec_gan) = &mut self.iterations.networks else { return Ok(()) };
        let (seed, image, classes) = (self.settings.seed, self.image, self.source.classes());
        let (generator, classifier) = (&mut ec_gan.generator, &mut ec_gan.classifier.network);
        let drawn = draw(generator, classifier, SAMPLES, seed, image, classes, &self.device)?;
        self.folder.write_samples(epoch, &grid::draw(&drawn.images, &drawn.captions()))
    }

    /// Reads the test images, which nothing before this does, and measures the last weights on them.
    fn test(&mut self) -> Result<(usize, f64), Error> {
        let images = self.source.read_test(Format { size: self.image.size, channels: self.image.channels })?;
        let all: Vec<usize> = (0..images.len()).collect();
        Ok((images.len(), accuracy(&mut self.iterations.networks, &images, &all, &self.source, &self.device)?))
    }
}

/// The classifier's accuracy in percent on the images at `indices`.
fn accuracy(
    networks: &mut Networks,
    images: &Images,
    indices: &[usize],
    source: &Source,
    device: &Device,
) -> Result<f64, Error> {
    let classes = source.classes();
    let matrix = confusion(&mut networks.classifier().network, images, indices, classes.len(), device)?;
    Ok(Evaluation::from_confusion(classes, matrix).accuracy)
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
