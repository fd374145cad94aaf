//! EC-GAN: data, networks, losses and the trainer.

pub mod augment;
pub mod data;
