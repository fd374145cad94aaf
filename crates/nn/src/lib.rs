//! Layers, initialisation, networks, optimizers and state dicts.
//!
//! A layer is a few ids and hyperparameters; the numbers live in the [`Network`]'s flat parameters, so a layer
//! works for any element type and an optimizer is one kernel a network.

pub mod adam;
pub mod builder;
pub mod layers;
pub mod network;
pub mod residual;
pub mod sgd;
pub mod spectral;
pub mod state_dict;

pub use adam::Adam;
pub use builder::Builder;
pub use kernels::adam::AdamConfig;
pub use kernels::sgd::SgdConfig;
pub use layers::{BatchNorm2d, Conv2d, ConvTranspose2d, Linear};
pub use network::{Mode, Module, Network, Pass};
pub use residual::BasicBlock;
pub use sgd::Sgd;
pub use spectral::SpectralConv2d;
pub use state_dict::{StateDict, StateError, StateTensor};
