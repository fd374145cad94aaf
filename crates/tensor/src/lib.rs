//! Tensors, a linear autograd tape, and flat parameters.
//!
//! An op is a plain forward function over [`Var`]s and a small struct that implements [`Backward`]; see
//! [`ops`] for the list and `ops/activations.rs` for the shortest example.
//!
//! What an op cannot take, a shape that does not fit or a hyperparameter out of its range, is an [`Error::Shape`] that names the op, what
//! it takes and what it was given. A GPU fails later: the next [`Tensor::to_vec`] tells. What panics is the caller's bug, and its
//! documentation says so: a tensor that is written while others share its memory, say.
//!
//! ```
//! use tensor::{Device, Tape, Tensor, ops};
//!
//! let device = Device::cpu();
//! let tape = Tape::new(&device);
//! let x = tape.input(Tensor::from_slice(&device, [2, 2], &[1.0, -2.0, 3.0, 4.0_f32])?);
//! let y = ops::bce_with_logits(&ops::leaky_relu(&x, 0.2)?, 1.0)?;
//! let gradients = tape.backward(&y)?;
//! assert_eq!(gradients.get(&x).expect("y depends on x").shape()[..], [2, 2]);
//! # Ok::<(), tensor::Error>(())
//! ```

pub mod error;
pub mod ops;
pub mod params;
pub mod rng;
pub mod shape;
pub mod tape;
pub mod tensor;
pub mod testing;

pub use error::{Error, Result};
pub use kernels::{Device, Element, Real, Simd, Store};
pub use params::{Named, ParamId, Params};
pub use shape::Shape;
pub use tape::{Backward, Gradients, Grads, Tape, Var};
pub use tensor::Tensor;
