//! Pooled buffers: memory goes back on drop, and the lowest free slot of a length is handed out first.
//!
//! A deterministic step therefore receives the same addresses every time it runs, takes no new memory after
//! its first run, and can be captured in a CUDA graph. (A last-in-first-out list permutes its order
//! each step and never settles.)
//!
//! A buffer that goes back may be handed out while the GPU still works on it: what uses it next comes later on the same
//! stream. So each lane of a GPU has buffers of its own, and one that is dropped while another lane may still use it waits
//! until they meet.

use crate::cuda::{Cuda, LANES, Memory};
use crate::element::{Element, LARGEST};
use crate::memory::{Arena, Line, Lines};
use crate::view::{View, ViewMut};
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct Block {
    /// Where it lies in the order of allocation; `None` for a workspace.
    slot: Option<u64>,
    /// Whose it is.
    lane: usize,
    /// How often lanes had parted when it was handed out.
    parting: u64,
    space: Space,
}

/// The memory of a block.
enum Space {
    Host(Lines),
    Gpu(Memory),
}

impl Space {
    fn bytes(&self) -> usize {
        match self {
            Self::Host(lines) => size_of_val(&**lines),
            Self::Gpu(memory) => memory.bytes(),
        }
    }

    fn lines(&self) -> usize {
        self.bytes() / size_of::<Line>()
    }
}

/// What one lane may take.
#[derive(Default)]
struct Lane {
    /// Free blocks by their length in lines, then by slot.
    blocks: HashMap<usize, BTreeMap<Option<u64>, Block>>,
    /// The workspace, as long as the longest that was asked for, while no kernel has it.
    workspace: Option<Block>,
}

#[derive(Default)]
struct Free {
    lanes: [Lane; LANES],
    /// What was dropped while another lane may use it, and how many partings may be open when it is free.
    parked: Vec<(usize, Block)>,
    /// Where all blocks but the workspaces lie.
    arena: Arena,
    allocations: u64,
    bytes: usize,
}

/// Where buffers come from and go back to.
#[derive(Default)]
pub struct Pool {
    free: Mutex<Free>,
    poison: bool,
    /// Whose memory it is, unless the host's.
    gpu: Option<Cuda>,
}

impl Pool {
    /// An empty pool. With `poison`, every buffer handed out is filled with 0xFF bytes (NaN in `f32` and
    /// `f64`), so that a kernel that reads before it writes is found.
    pub fn new(poison: bool) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), poison, gpu: None })
    }

    /// An empty pool of a GPU's memory; `poison` as for [`Pool::new`].
    pub fn on(cuda: &Cuda, poison: bool) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), poison, gpu: Some(cuda.clone()) })
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

    /// The lane that asks, and the free blocks: of those that were parked, the ones whose lanes have met.
    fn free(&self) -> (usize, MutexGuard<'_, Free>) {
        let mut free = self.lock();
        let Some(cuda) = &self.gpu else { return (0, free) };
        let open = cuda.open_partings();
        let parked = std::mem::take(&mut free.parked).into_iter();
        let (met, parted): (Vec<_>, Vec<_>) = parked.partition(|&(most, _)| open <= most);
        free.parked = parted;
        met.into_iter().for_each(|(_, block)| free.put(block));
        (cuda.lane(), free)
    }

    fn parting(&self) -> u64 {
        self.gpu.as_ref().map_or(0, Cuda::partings)
    }

    fn take(&self, lines: usize) -> Block {
        let (lane, mut free) = self.free();
        let reused = free.lanes[lane].blocks.get_mut(&lines).and_then(|blocks| blocks.pop_first());
        let block = match reused {
            Some((_, block)) => block,
            None => self.allocate(&mut free, lane, lines, true),
        };
        self.hand_out(free, block)
    }

    fn take_workspace(&self, lines: usize) -> Block {
        let (lane, mut free) = self.free();
        let block = match free.lanes[lane].workspace.take() {
            Some(block) if block.space.lines() >= lines => block,
            shorter => {
                free.bytes -= shorter.map_or(0, |block| block.space.bytes());
                self.allocate(&mut free, lane, lines, false)
            }
        };
        self.hand_out(free, block)
    }

    fn hand_out(&self, free: MutexGuard<'_, Free>, mut block: Block) -> Block {
        drop(free);
        block.parting = self.parting();
        if self.poison {
            match &mut block.space {
                Space::Host(lines) => bytemuck::cast_slice_mut::<Line, u8>(lines).fill(0xFF),
                Space::Gpu(memory) => memory.poison(),
            }
        }
        block
    }

    fn allocate(&self, free: &mut Free, lane: usize, lines: usize, slot: bool) -> Block {
        free.allocations += 1;
        free.bytes += lines * size_of::<Line>();
        let space = match &self.gpu {
            Some(cuda) => Space::Gpu(cuda.alloc_or_stop(lines * size_of::<Line>())),
            None if slot => Space::Host(free.arena.take(lines)),
            // It goes when a longer one is needed.
            None => Space::Host(Lines::alone(lines)),
        };
        Block { slot: slot.then_some(free.allocations), lane, parting: 0, space }
    }

    fn put(&self, block: Block) {
        let (_, mut free) = self.free();
        match self.gpu.as_ref().and_then(|cuda| cuda.kept_until(block.lane, block.parting)) {
            Some(most) => free.parked.push((most, block)),
            None => free.put(block),
        }
    }
}

impl Free {
    fn put(&mut self, block: Block) {
        let lane = &mut self.lanes[block.lane];
        match block.slot {
            Some(_) => {
                lane.blocks.entry(block.space.lines()).or_default().insert(block.slot, block);
            }
            // Two kernels at once had two: the longer one stays.
            None => {
                let other = lane.workspace.take();
                let (shorter, longer) = match other {
                    Some(other) if other.space.lines() > block.space.lines() => (Some(block), other),
                    other => (other, block),
                };
                lane.workspace = Some(longer);
                self.bytes -= shorter.map_or(0, |block| block.space.bytes());
            }
        }
    }
}

/// `len` elements of pooled memory, 64-byte aligned. Fresh contents are unspecified (but initialised).
///
/// It derefs to the elements where they lie on the host; that panics for a GPU's memory, which [`View`]s are for.
pub struct Buffer<T: Element> {
    block: Option<Block>,
    len: usize,
    pool: Arc<Pool>,
    element: PhantomData<T>,
}

impl<T: Element> Buffer<T> {
    /// Takes a buffer of `len` elements from the pool.
    pub fn new(pool: &Arc<Pool>, len: usize) -> Self {
        Self { block: Some(pool.take(Self::lines(len))), len, pool: Arc::clone(pool), element: PhantomData }
    }

    /// Takes the pool's workspace, at least `len` elements: memory that kernels of any length share one after the
    /// other, so that it stays small and in the cache. For what a kernel needs until it returns, one at a time.
    pub fn workspace(pool: &Arc<Pool>, len: usize) -> Self {
        Self { block: Some(pool.take_workspace(Self::lines(len))), len, pool: Arc::clone(pool), element: PhantomData }
    }

    /// How many lines hold so many elements; with those that the arena leaves free, and in whole pages, still a length that exists.
    fn lines(len: usize) -> usize {
        let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= LARGEST);
        bytes.unwrap_or_else(|| panic!("{len} elements are more than any memory holds")).div_ceil(size_of::<Line>())
    }

    /// How many elements it has.
    pub fn size(&self) -> usize {
        self.len
    }

    /// The elements, wherever they lie.
    pub fn view(&self) -> View<'_, T> {
        match &self.block.as_ref().expect("present until drop").space {
            Space::Host(lines) => View::Host(&bytemuck::cast_slice(lines)[..self.len]),
            Space::Gpu(memory) => View::Device(memory.slice().slice(..self.len)),
        }
    }

    /// The elements, to write, wherever they lie.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        match &mut self.block.as_mut().expect("present until drop").space {
            Space::Host(lines) => ViewMut::Host(&mut bytemuck::cast_slice_mut(lines)[..self.len]),
            Space::Gpu(memory) => ViewMut::Device(memory.slice_mut().slice(..self.len)),
        }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.view().host()
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.view_mut().host()
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.pool.put(block);
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

    #[test]
    fn kernels_share_one_workspace_of_the_longest_length() {
        let pool = Pool::new(true);
        let first = Buffer::<f32>::workspace(&pool, 100).as_ptr();
        assert_eq!(Buffer::<f64>::workspace(&pool, 10).as_ptr().cast(), first);
        let long = Buffer::<f32>::workspace(&pool, 1000);
        assert!(long.len() == 1000 && long.iter().all(|v| v.is_nan()));
        assert_eq!(pool.bytes(), 4032, "the shorter one is gone");
        // A second one at the same time, and no more than one afterwards.
        let (long, other) = (long.as_ptr(), (long, Buffer::<f32>::workspace(&pool, 50)));
        assert_eq!(pool.bytes(), 4032 + 256);
        drop(other);
        assert_eq!(pool.bytes(), 4032);
        assert_eq!(Buffer::<f32>::workspace(&pool, 1000).as_ptr(), long);
        assert_eq!(pool.allocations(), 3);
    }
}
