//! Kernels: the arithmetic of the engine, one module an operation, on views of a processor's or a GPU's memory.
//!
//! Every kernel takes a [`Device`] first (which processor and SIMD path, or which GPU), then its operands. Activations are
//! `[n, h, w, c]` (NHWC) and row-major; convolution weights are `[o, kh, kw, i]`.
//!
//! Three rules hold everywhere:
//! * outputs are written as [`Store`] says, and [`Store::Set`] never reads what was there;
//! * work is split by the problem's shape, never by the number of threads, so results are bitwise equal
//!   for any number of threads (one device, one SIMD path);
//! * lengths are checked before anything is computed, and where they do not agree, which is a bug of the caller, a kernel panics.

pub mod adam;
pub mod add;
pub mod augment;
pub mod avg_pool2d;
pub mod batch_norm;
pub mod bce_with_logits;
pub mod class_planes;
pub mod class_threshold;
pub mod compiled;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod cross_entropy;
pub mod cuda;
pub mod device;
pub mod diff_augment;
pub mod element;
pub mod ema;
pub mod fill;
pub mod gemm;
pub mod hinge;
pub mod leaky_relu;
pub mod linear;
mod memory;
pub mod parallel;
pub mod philox;
pub mod pool;
pub mod profile;
pub mod pseudo_label;
pub mod record;
pub mod reduce;
pub mod relu;
pub mod scale;
pub mod sgd;
pub mod sigmoid;
pub mod simd;
pub mod softmax;
pub mod spectral_norm;
pub mod store;
pub mod tanh;
#[cfg(test)]
mod testing;
mod vector;
pub mod view;
mod worker;

pub use device::Device;
pub use element::{Element, Real, length};
pub use profile::Work;
pub use simd::Simd;
pub use store::Store;
pub use worker::on_a_worker;
