//! Batches decoded by threads of their own, a few ahead of whoever uses them.
//!
//! The order is announced first. Each thread takes the next batch that nobody has taken and decodes it; no more batches
//! than [`AHEAD`] a thread, and no more bytes than [`MOST_BYTES`], lie ready or in work, so memory is bounded whatever the size of the
//! data set. What comes out depends on the order alone, not on the threads: where the system gives none, the trainer decodes.

use super::images::Chosen;
use super::{DataError, Format};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

/// Batches a thread that may lie ready or in work.
const AHEAD: usize = 2;

/// Bytes of them, but two batches at least.
const MOST_BYTES: usize = 256 << 20;

/// Threads at most: more than these wait for the trainer, not the trainer for them.
const MOST_THREADS: usize = 16;

type Bytes = Result<Vec<u8>, DataError>;

/// What a thread runs.
type Work = Box<dyn FnOnce() + Send>;

/// Batches under way.
pub struct ReadAhead {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    images: Arc<Chosen>,
    format: Format,
    batches: Vec<Vec<usize>>,
    most: usize,
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The next batch to decode, and the next to hand out.
    next: usize,
    wanted: usize,
    ready: BTreeMap<usize, Bytes>,
    /// Threads that are still there.
    working: usize,
}

impl ReadAhead {
    /// Begins to decode these batches, in this order.
    pub fn start(images: Arc<Chosen>, format: Format, batches: Vec<Vec<usize>>) -> Self {
        Self::start_on(images, format, batches, |work| thread::Builder::new().spawn(work))
    }

    /// The same with the threads that `spawn` gives.
    fn start_on(
        images: Arc<Chosen>,
        format: Format,
        batches: Vec<Vec<usize>>,
        spawn: fn(Work) -> io::Result<JoinHandle<()>>,
    ) -> Self {
        let threads = rayon::current_num_threads().clamp(1, MOST_THREADS).min(batches.len());
        let largest = batches.iter().map(Vec::len).max().unwrap_or(0) * format.bytes();
        let most = (threads * AHEAD).min(MOST_BYTES / largest.max(1)).max(2);
        let state = State { next: 0, wanted: 0, ready: BTreeMap::new(), working: threads };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let stop = AtomicBool::new(false);
        let shared = Arc::new(Shared { images, format, batches, most, stop, state, changed });
        // One that cannot be had ends before its work: what it was to run is dropped, and with it what says that it works.
        let start = |_| {
            let work = Working(shared.clone());
            spawn(Box::new(move || work.decode())).ok()
        };
        Self { threads: (0..threads).filter_map(start).collect(), shared }
    }

    /// The bytes of the next batch, if it is the one with these `indices`.
    pub fn take(&mut self, indices: &[usize]) -> Option<Bytes> {
        let shared = &self.shared;
        let mut state = shared.lock();
        let wanted = state.wanted;
        if shared.batches.get(wanted).is_none_or(|batch| batch != indices) {
            return None;
        }
        while !state.ready.contains_key(&wanted) {
            if state.working == 0 {
                // There never was a thread, or one panicked and the others stopped: the caller decodes, and meets the same image.
                return None;
            }
            state = shared.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        let bytes = state.ready.remove(&wanted);
        state.wanted += 1;
        shared.changed.notify_all();
        bytes
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // With the lock, so that a thread that is about to wait sees it.
        drop(self.shared.lock());
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic was reported where it happened
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The next batch that nobody has taken, once there is room for it; `None` at the end.
    fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if self.stopped() || state.next == self.batches.len() {
                return None;
            }
            if state.next < state.wanted + self.most {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// A batch's bytes; `None` where the work was stopped before all of them were there.
    fn batch(&self, number: usize) -> Option<Bytes> {
        let size = self.format.bytes();
        let batch = &self.batches[number];
        let mut bytes = vec![0; batch.len() * size];
        for (&index, out) in batch.iter().zip(bytes.chunks_exact_mut(size)) {
            if self.stopped() {
                return None;
            }
            if let Err(error) = self.images.decode(index, self.format, out) {
                return Some(Err(error));
            }
        }
        Some(Ok(bytes))
    }
}

/// A thread at work; however it ends, nobody waits for it afterwards.
struct Working(Arc<Shared>);

impl Working {
    fn decode(&self) {
        while let Some(number) = self.0.next() {
            let Some(bytes) = self.0.batch(number) else { return };
            self.0.lock().ready.insert(number, bytes);
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // The batch that this thread owes will never come, and the others would wait for room behind it.
        if thread::panicking() {
            self.0.stop.store(true, Ordering::Relaxed);
        }
        self.0.lock().working -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_thread_can_be_had_the_caller_decodes() {
        let none = Arc::new(Chosen { parts: Vec::new(), order: Vec::new() });
        let format = Format { size: 32, channels: 1 };
        let mut ahead = ReadAhead::start_on(none, format, vec![vec![0]], |_| Err(io::ErrorKind::WouldBlock.into()));
        assert!(ahead.take(&[0]).is_none() && ahead.threads.is_empty());
    }
}
