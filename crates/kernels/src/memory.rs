//! Where the pool's memory lies: side by side in large chunks, for which the system is asked to use huge pages.
//!
//! A step passes over some 100 MB in 4 KiB pages once each, far more than the processor remembers the addresses of; with
//! pages of 2 MiB it remembers all of them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// One cache line: the alignment of every buffer.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding; every bit pattern is valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// A huge page.
const PAGE: usize = 2 << 20;

/// Bytes of the first chunk, and of the largest unless a block needs more: each is twice the one before. Only pages that
/// are used take memory.
const CHUNKS: (usize, usize) = (PAGE, 512 * PAGE);

/// Lines left free behind a block of at least [`LONG`] lines. Lengths are powers of two as a rule: without a gap an element
/// of one operand and the same of another would be a multiple of 4 KiB apart, where the processor takes a load for one of
/// what was just stored.
const SKEW: usize = 21;

/// 256 KiB.
const LONG: usize = 4096;

/// Uninitialised memory, a whole number of pages.
struct Chunk {
    start: NonNull<Line>,
    layout: Layout,
}

// SAFETY: owned memory; `Lines` divide it among themselves.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.next_multiple_of(PAGE), PAGE).expect("a length that exists");
        // SAFETY: the callers' lengths are not 0.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        use_huge_pages(start, layout.size());
        Self { start: start.cast(), layout }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

/// Asks the system for huge pages; without them the memory is as good, only slower.
#[cfg(target_os = "linux")]
fn use_huge_pages(start: NonNull<u8>, bytes: usize) {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" {
        fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }
    /// From Linux's `mman-common.h`.
    const MADV_HUGEPAGE: c_int = 14;
    // SAFETY: whole pages that are ours; the advice does not change what they hold.
    unsafe { madvise(start.as_ptr().cast(), bytes, MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn use_huge_pages(_: NonNull<u8>, _: usize) {}

/// A part of a chunk, which lives as long as any of its parts.
pub(crate) struct Lines {
    start: NonNull<Line>,
    len: usize,
    _chunk: Arc<Chunk>,
}

// SAFETY: it owns its part of the chunk.
unsafe impl Send for Lines {}
// SAFETY: as above.
unsafe impl Sync for Lines {}

impl Lines {
    /// Zeroed lines from the chunk's line `first` on.
    ///
    /// # Safety
    /// They must lie in the chunk, and no one else may have them.
    unsafe fn new(chunk: &Arc<Chunk>, first: usize, len: usize) -> Self {
        // SAFETY: the caller's.
        unsafe {
            let start = chunk.start.add(first);
            start.write_bytes(0, len);
            Self { start, len, _chunk: Arc::clone(chunk) }
        }
    }

    /// Zeroed lines with pages of their own, which go when the lines do.
    pub fn alone(len: usize) -> Self {
        let chunk = Arc::new(Chunk::new((len * size_of::<Line>()).max(1)));
        // SAFETY: the chunk is that long and new.
        unsafe { Self::new(&chunk, 0, len) }
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        // SAFETY: initialised when made, and ours.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

/// Hands out lines one after the other.
#[derive(Default)]
pub(crate) struct Arena {
    /// The chunks, and how many of the lines of each are in use.
    chunks: Vec<(Arc<Chunk>, usize)>,
}

impl Arena {
    /// Zeroed lines, of the first chunk that has room.
    pub fn take(&mut self, len: usize) -> Lines {
        let taken = if len >= LONG { len + SKEW } else { len };
        let bytes = |lines: usize| lines * size_of::<Line>();
        let fits = |(chunk, used): &(Arc<Chunk>, usize)| bytes(used + taken) <= chunk.layout.size();
        let index = self.chunks.iter().position(fits).unwrap_or_else(|| {
            let next = self.chunks.last().map_or(CHUNKS.0, |(chunk, _)| (2 * chunk.layout.size()).min(CHUNKS.1));
            self.chunks.push((Arc::new(Chunk::new(next.max(bytes(taken)))), 0));
            self.chunks.len() - 1
        });
        let (chunk, used) = &mut self.chunks[index];
        let first = *used;
        *used += taken;
        // SAFETY: within the chunk by the test above, and handed out once.
        unsafe { Lines::new(chunk, first, len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_zeroed_apart_and_outlive_the_arena() {
        let mut arena = Arena::default();
        let lens = [1, 0, 1000, PAGE / 64, 3, 9 * PAGE / 64 + 1, 17 * PAGE / 64, 5];
        let mut lines: Vec<Lines> = lens.iter().map(|&len| arena.take(len)).collect();
        lines.push(Lines::alone(7));
        lines.push(Lines::alone(0));
        drop(arena);
        for (i, lines) in lines.iter_mut().enumerate() {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(lines);
            assert!(bytes.iter().all(|&byte| byte == 0), "{i}");
            bytes.fill(i as u8 + 1);
        }
        let kept = |(i, lines): (usize, &Lines)| bytemuck::cast_slice::<_, u8>(lines).iter().all(|&b| b == i as u8 + 1);
        assert!(lines.iter().enumerate().all(kept), "no two share memory");
        assert!(lines.iter().zip(lens).all(|(lines, len)| lines.len() == len));
    }
}
