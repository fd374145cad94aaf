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
    /// Bytes that storing into the whole of `out` moves: it is written, and with [`Store::Add`] read before.
    pub(crate) fn bytes<T>(self, out: &[T]) -> usize {
        match self {
            Store::Set => size_of_val(out),
            Store::Add => 2 * size_of_val(out),
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
