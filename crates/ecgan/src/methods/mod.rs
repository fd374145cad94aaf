//! The training methods: what one iteration does to the networks.

mod average;
mod both;
mod classifier;
mod ec_gan;
mod found;
mod gan;
mod noise;
mod shared;
mod threshold;
mod weight;

pub use average::{Average, decay_after};
pub use classifier::{ClassifierTrainer, argmax};
pub use ec_gan::{EcGan, EcGanConfig};
use found::{FakeFound, RealFound};
pub use found::{FakeStep, Found, GanStep, RealStep, Step};
pub use gan::{Gan, GanConfig};
pub use noise::Noise;
pub use shared::Shared;
pub use threshold::Thresholds;
pub use weight::Weight;
