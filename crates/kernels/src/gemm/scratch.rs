//! Memory of one thread for what a task packs, kept for the thread's next task.

use crate::Real;
use crate::memory::Line;
use std::cell::Cell;

/// Lines of the first scratch, 4 MiB: enough for all tasks as a rule, so that no smaller one is left behind in the heap. What no
/// task touches takes no memory.
const FIRST: usize = 1 << 16;

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Runs `f` on `len` numbers of scratch with unspecified contents.
pub(crate) fn with<T: Real, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = LINES.take();
    let needed = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    if lines.len() < needed {
        drop(lines);
        lines = bytemuck::zeroed_vec(needed.max(FIRST));
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    LINES.set(lines);
    result
}
