//! The differentiable operations, one file each: forward function, shape rule, what the reverse keeps, test.
//!
//! Each returns [`Error::Shape`](crate::Error::Shape) for what it cannot take.

mod activations;
mod add;
mod avg_pool2d;
mod batch_norm;
mod bce_with_logits;
mod class_planes;
mod conv2d;
mod conv_transpose2d;
mod cross_entropy;
mod diff_augment;
mod hinge;
mod linear;
mod matmul;
mod reshape;
mod rows;
mod scale;
mod softmax;
mod spectral_norm;

pub use activations::{leaky_relu, relu, sigmoid, tanh};
pub use add::add;
pub use avg_pool2d::{avg_pool2d, global_avg_pool2d};
pub use batch_norm::{Activation, RunningStatistics, Statistics, batch_norm};
pub use bce_with_logits::bce_with_logits;
pub use class_planes::{Coding, class_planes};
pub use conv_transpose2d::{conv_transpose2d, conv_transpose2d_with_statistics};
pub use conv2d::{conv2d, conv2d_with_statistics};
pub use cross_entropy::{Reduction, Target, cross_entropy};
pub use diff_augment::{DRAWN, Policy, diff_augment};
pub use hinge::{Side, hinge};
pub use linear::linear;
pub use matmul::matmul;
pub use reshape::reshape;
pub use rows::rows;
pub use scale::scale;
pub use softmax::softmax;
pub use spectral_norm::spectral_norm;
