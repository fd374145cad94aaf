//! What can go wrong with tensors: a shape that does not fit, named with the operation and every operand, or the GPU.

use crate::Shape;
use kernels::cuda::CudaError;

/// A tensor operation that could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The operands' shapes do not fit the operation.
    #[error("{op}: expected {expected}, got {got:?}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// What shapes it takes.
        expected: String,
        /// What it was given, in order.
        got: Vec<Shape>,
    },
    /// The GPU, its memory or its driver failed.
    #[error(transparent)]
    Device(#[from] CudaError),
}

/// A result whose error is a tensor [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Fails with a [`Error::Shape`] unless `ok`.
pub(crate) fn check(ok: bool, op: &'static str, expected: impl Into<String>, got: &[&Shape]) -> Result<()> {
    if ok {
        return Ok(());
    }
    Err(Error::Shape { op, expected: expected.into(), got: got.iter().map(|&&s| s).collect() })
}
