//! EC-GAN: the networks, the pseudo-label loss, data readers and the trainer.

pub mod augment;
pub mod bench;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod data_place;
pub mod duration;
pub mod error;
pub mod evaluate;
pub mod export;
mod floats;
pub mod generate;
pub mod grid;
pub mod labelled;
pub mod measure;
pub mod methods;
pub mod metrics;
pub mod mistakes;
pub mod models;
pub mod networks;
pub mod onnx;
pub mod paper;
pub mod predict;
pub mod printable;
mod protobuf;
pub mod pseudo_label;
mod regular_file;
pub mod report;
pub mod run_folder;
pub mod settings;
pub mod shell;
pub mod sweep;
pub mod tensorboard;
pub mod train;
pub mod training_images;

pub use error::{Error, ErrorKind};
