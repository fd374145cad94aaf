//! Layers, initialisation, networks, optimizers and state dicts.
//!
//! A layer is a few ids and hyperparameters; the numbers live in the [`Network`]'s flat parameters, so a layer
//! works for any element type and an optimizer is one kernel a network. Forward passes return the errors of the ops they are made of.
//!
//! ```
//! use nn::{Adam, AdamConfig, Builder, Linear, Mode, Module, Network, Pass};
//! use tensor::ops::{self, Reduction, Target};
//! use tensor::rng::Stream;
//! use tensor::{Device, Real, Result, Tape, Tensor, Var};
//!
//! /// Two features to two classes.
//! struct Classifier(Linear, Linear);
//!
//! impl<T: Real> Module<T> for Classifier {
//!     fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
//!         self.1.forward(pass, &ops::relu(&self.0.forward(pass, x)?)?)
//!     }
//! }
//!
//! let device = Device::cpu();
//! let layers = |b: &mut Builder| -> Box<dyn Module<f32>> {
//!     Box::new(Classifier(b.scope("hidden", |b| Linear::new(b, 2, 16)), b.scope("out", |b| Linear::new(b, 16, 2))))
//! };
//! let mut network = Network::new(&device, Stream::Init.start(0), layers);
//! let mut adam = Adam::new(AdamConfig::dcgan(0.05, 0.0), network.params());
//! // Exclusive or.
//! let x = Tensor::from_slice(&device, [4, 2], &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?;
//! let labels = Tensor::from_slice(&device, [4], &[0, 1, 1, 0])?;
//! let mut last = f32::INFINITY;
//! for _ in 0..200 {
//!     let tape = Tape::new(&device);
//!     let logits = network.forward(&tape.constant(x.clone()), Mode::Train, true)?;
//!     let loss = ops::cross_entropy(&logits, Target::labels(&labels), None, Reduction::All)?;
//!     tape.backward(&loss)?;
//!     last = loss.value().item()?;
//!     drop((logits, loss, tape));
//!     adam.step(network.params_mut());
//! }
//! assert!(last < 0.05, "{last}");
//! # Ok::<(), tensor::Error>(())
//! ```

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
