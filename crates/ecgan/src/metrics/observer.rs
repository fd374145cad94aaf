//! How a trainer tells what it is doing, and hears that it should stop.

use super::EpochMetrics;
use crate::settings::Method;

/// What is known when training begins.
#[derive(Clone, Debug)]
pub struct Started {
    /// What is trained.
    pub method: Method,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Images trained on.
    pub n_train: usize,
    /// Images of the validation part.
    pub n_val: usize,
    /// Images in a batch, as lowered to fit the data.
    pub batch: usize,
    /// Epochs to run.
    pub epochs: usize,
    /// Iterations to run in all.
    pub steps: u64,
    /// Iterations that the run had done before it was resumed.
    pub done: u64,
    /// The device and its SIMD path.
    pub device: String,
}

/// One iteration. Losses as in [`EpochMetrics`], `None` where they were not computed.
#[derive(Clone, Debug, Default)]
pub struct StepMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The iteration of the whole run, from 1.
    pub step: u64,
    /// `BCE(D(x), 1) + BCE(D(G(z)), 0)`, or the discriminator's hinge loss.
    pub loss_d: Option<f64>,
    /// `BCE(D(G(z)), 1)`, or `-D(G(z))`.
    pub loss_g: Option<f64>,
    /// `CE(C(x), y)`.
    pub loss_c: Option<f64>,
    /// The part of the fakes above the threshold.
    pub kept_fraction: Option<f64>,
}

/// Follows a run.
pub trait Observer {
    /// The data is read and training begins. Nothing of a new run has been written into its folder before.
    fn started(&mut self, run: &Started);

    /// Something allowed but hardly meant.
    fn warning(&mut self, message: &str);

    /// The same about data or settings, of other runs with them too.
    fn about_input(&mut self, message: &str) {
        self.warning(message);
    }

    /// An iteration is done.
    fn step(&mut self, step: &StepMetrics);

    /// An epoch is done and written.
    fn epoch(&mut self, epoch: &EpochMetrics);

    /// Asked after every iteration: whether to stop with [`crate::Error::Interrupted`].
    fn interrupted(&self) -> bool {
        false
    }
}
