//! What numbers matrix products multiply.

use super::{Cuda, CudaError};
use std::fmt;
use std::str::FromStr;

/// The numbers that a convolution or a linear layer multiplies on a GPU. Storage and sums are f32 in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, 24 bits of significand, by fused multiply-add.
    #[default]
    F32,
    /// Operands rounded to 11 bits of significand (nearly to nearest: to_tf32 of mma.cuh), on tensor cores.
    Tf32,
    /// Operands rounded to 8 bits of significand (ties to even), on tensor cores.
    Bf16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Tf32, Self::Bf16];

    /// The largest relative error of rounding an operand.
    pub fn roundoff(self) -> f64 {
        match self {
            Self::F32 => 0.0,
            Self::Tf32 => 0.64 * 0.5f64.powi(10),
            Self::Bf16 => 0.5f64.powi(8),
        }
    }

    /// As it is written: `f32`, `tf32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }

    /// An error where the GPU's tensor cores lack it.
    pub(crate) fn check(self, cuda: &Cuda) -> Result<(), CudaError> {
        let (found, needed) = (cuda.compute_capability(), [8, 0]);
        if self == Self::F32 || found >= needed {
            return Ok(());
        }
        Err(CudaError::OldDevice { name: cuda.name().to_owned(), what: self.name(), found, needed })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|precision| precision.name() == text);
        named.ok_or_else(|| format!("expected f32, tf32 or bf16, got {text}"))
    }
}
