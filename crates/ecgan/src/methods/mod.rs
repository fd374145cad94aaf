//! The training methods: what one iteration does to the networks.

mod classifier;
mod ec_gan;
mod found;

pub use classifier::{ClassifierTrainer, argmax};
pub use ec_gan::{EcGan, EcGanConfig};
pub use found::{FakeStep, Found, GanStep, RealStep, Step};
use found::{FakeFound, RealFound};
