//! Every CUDA kernel against its CPU counterpart in f64, and the runtime's promises.
//!
//! With the feature `cuda-host` on the stand-in in three thread orders; with `ECGAN_CUDA_TESTS=1` on the first GPU too.
//! Without either there is nothing to run on, and each test says so.

#[path = "cuda/augment.rs"]
mod augment;
#[path = "cuda/batch_norm.rs"]
mod batch_norm;
#[path = "cuda/common.rs"]
mod common;
#[path = "cuda/conv.rs"]
mod conv;
#[path = "cuda/conv_parts.rs"]
mod conv_parts;
#[cfg(feature = "cuda-host")]
#[path = "cuda/driver.rs"]
mod driver;
#[path = "cuda/elementwise.rs"]
mod elementwise;
#[path = "cuda/losses.rs"]
mod losses;
#[path = "cuda/optimizers.rs"]
mod optimizers;
#[path = "cuda/random.rs"]
mod random;
#[path = "cuda/record.rs"]
mod record;
#[path = "cuda/rows.rs"]
mod rows;
#[path = "cuda/runtime.rs"]
mod runtime;
