//! EC-GAN: the networks, the pseudo-label loss, data readers and the trainer.

pub mod error;
pub mod grid;
pub mod metrics;
pub mod run_folder;
pub mod settings;

pub use error::{Error, ErrorKind};
