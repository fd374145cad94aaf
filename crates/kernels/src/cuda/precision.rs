//! What numbers matrix products multiply.

/// The numbers that a convolution or a linear layer multiplies on a GPU. Storage and sums are f32 in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, 24 bits of significand, by fused multiply-add.
    #[default]
    F32,
    /// Operands rounded to 11 bits of significand (ties away from zero), on tensor cores.
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
            Self::Tf32 => 0.5f64.powi(11),
            Self::Bf16 => 0.5f64.powi(8),
        }
    }
}
