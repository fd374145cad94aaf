//! How a kernel writes its output.

use crate::Real;

/// Overwrite, or accumulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// `out = value`; what was in `out` is never read (it may be NaN).
    Set,
    /// `out += value`.
    Add,
}

impl Store {
    /// Bytes that storing into an output of `bytes` moves: it is written, and with [`Store::Add`] read before.
    pub(crate) fn bytes(self, bytes: usize) -> usize {
        match self {
            Store::Set => bytes,
            Store::Add => 2 * bytes,
        }
    }

    /// Writes `value` into `out`.
    #[inline(always)]
    pub fn write<T: Real>(self, out: &mut T, value: T) {
        match self {
            Store::Set => *out = value,
            Store::Add => *out += value,
        }
    }
}
