//! The training methods: what one iteration does to the networks.

mod classifier;
mod ec_gan;

pub use classifier::ClassifierTrainer;
pub use ec_gan::{EcGan, EcGanConfig, FakeStep, GanStep};

/// What the classifier's step on real images found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealStep {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Images whose most probable class was the label, before the update.
    pub correct: usize,
}
