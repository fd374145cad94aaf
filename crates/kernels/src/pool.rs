//! Pooled buffers: memory goes back on drop, and the lowest free slot of a length is handed out first.
//!
//! A deterministic step therefore receives the same addresses every time it runs, allocates nothing after
//! its first run, and can later be captured in a CUDA graph. (A last-in-first-out list permutes its order
//! each step and never settles.)

use crate::Element;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One cache line: the alignment of every buffer.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding; every bit pattern is valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

struct Block {
    slot: u64,
    lines: Box<[Line]>,
}

#[derive(Default)]
struct Free {
    /// Free blocks by their length in lines, then by slot.
    blocks: HashMap<usize, BTreeMap<u64, Block>>,
    allocations: u64,
    bytes: usize,
}

/// Where buffers come from and go back to.
#[derive(Default)]
pub struct Pool {
    free: Mutex<Free>,
    poison: bool,
}

impl Pool {
    /// An empty pool. With `poison`, every buffer handed out is filled with 0xFF bytes (NaN in `f32` and
    /// `f64`), so that a kernel that reads before it writes is found.
    pub fn new(poison: bool) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), poison })
    }

    /// How many buffers were allocated so far: constant once a repeated step has run twice.
    pub fn allocations(&self) -> u64 {
        self.lock().allocations
    }

    /// Bytes allocated so far, in use or free.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        // The state is consistent at every point where a holder could panic.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, lines: usize) -> Block {
        let mut free = self.lock();
        let reused = free.blocks.get_mut(&lines).and_then(|blocks| blocks.pop_first());
        let mut block = match reused {
            Some((_, block)) => block,
            None => {
                free.allocations += 1;
                free.bytes += lines * size_of::<Line>();
                Block { slot: free.allocations, lines: bytemuck::allocation::zeroed_slice_box(lines) }
            }
        };
        drop(free);
        if self.poison {
            bytemuck::cast_slice_mut::<Line, u8>(&mut block.lines).fill(0xFF);
        }
        block
    }
}

/// `len` elements of pooled memory, 64-byte aligned. Fresh contents are unspecified (but initialised).
pub struct Buffer<T: Element> {
    block: Option<Block>,
    len: usize,
    pool: Arc<Pool>,
    element: PhantomData<T>,
}

impl<T: Element> Buffer<T> {
    /// Takes a buffer of `len` elements from the pool.
    pub fn new(pool: &Arc<Pool>, len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        Self { block: Some(pool.take(lines)), len, pool: Arc::clone(pool), element: PhantomData }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let block = self.block.as_ref().expect("present until drop");
        &bytemuck::cast_slice(&block.lines)[..self.len]
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let block = self.block.as_mut().expect("present until drop");
        &mut bytemuck::cast_slice_mut(&mut block.lines)[..self.len]
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.pool.lock().blocks.entry(block.lines.len()).or_default().insert(block.slot, block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slot_comes_first_and_nothing_new_is_allocated() {
        let pool = Pool::new(false);
        let (a, b, c) =
            (Buffer::<f32>::new(&pool, 100), Buffer::<f32>::new(&pool, 100), Buffer::<f32>::new(&pool, 100));
        let (first, second) = (a.as_ptr(), b.as_ptr());
        drop(c);
        drop(a);
        drop(b); // freed in the order c, a, b
        let again = Buffer::<f32>::new(&pool, 100);
        assert_eq!(again.as_ptr(), first);
        assert_eq!(Buffer::<f32>::new(&pool, 100).as_ptr(), second);
        assert_eq!(pool.allocations(), 3);
    }

    #[test]
    fn buffers_are_aligned_sized_and_poisoned_on_request() {
        let pool = Pool::new(true);
        for round in 0..2 {
            let mut x = Buffer::<f32>::new(&pool, 17);
            assert_eq!((x.len(), x.as_ptr() as usize % 64), (17, 0));
            assert!(x.iter().all(|v| v.is_nan()), "round {round}");
            x.fill(1.0);
        }
        assert!(Buffer::<f64>::new(&pool, 5).iter().all(|v| v.is_nan()));
        assert!(Buffer::<f32>::new(&pool, 0).is_empty());
    }
}
