//! Tensors, a linear autograd tape, and flat parameters.
//!
//! An op is a plain forward function over [`Var`]s and a small struct that implements [`Backward`]; see
//! [`ops`] for the list and `ops/activations.rs` for the shortest example.

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
