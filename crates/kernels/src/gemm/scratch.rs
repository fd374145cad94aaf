//! Memory of one thread for what a task packs, kept for the thread's next task.

use crate::Real;
use std::cell::Cell;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding; every bit pattern is valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Runs `f` on `len` numbers of scratch with unspecified contents.
pub(crate) fn with<T: Real, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = LINES.take();
    let needed = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    if lines.len() < needed {
        lines.resize(needed, Line([0; 64]));
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    LINES.set(lines);
    result
}
