//! The training methods: what one iteration does to the networks.

mod classifier;
mod ec_gan;
mod found;

pub use classifier::{ClassifierTrainer, argmax};
pub use ec_gan::{EcGan, EcGanConfig};
use found::{FakeFound, RealFound};
pub use found::{FakeStep, Found, GanStep, RealStep, Step};
