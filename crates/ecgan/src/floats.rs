//! The floating-point numbers of safetensors files: f32 and, as half-precision models are saved, f16 and bf16.

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// The types that [`floats`] reads, for messages.
pub(crate) const EXPECTED: &str = "F32, F16 or BF16";

/// The elements of a tensor, exact; `None` where it is of another type.
pub(crate) fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => Some(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()),
        Dtype::F16 => Some(bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()),
        Dtype::BF16 => Some(bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect()),
        _ => None,
    }
}
