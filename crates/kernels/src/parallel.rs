//! Splitting work over threads by shape alone, so that results never depend on the number of threads.

use rayon::prelude::*;

/// Below this many elements an elementwise kernel runs on the calling thread.
pub const SMALL: usize = 1 << 13;

/// Elements of one task of an elementwise kernel: 64 KiB of f32, so that a task's operands sit in L2.
pub const CHUNK: usize = 1 << 14;

/// Runs `task(0) .. task(n - 1)`, in parallel where there are several. Each task must write its own output.
pub fn for_each(n: usize, task: impl Fn(usize) + Sync + Send) {
    if n == 1 {
        task(0);
    } else {
        (0..n).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Calls `task(start, chunk)` on consecutive chunks of `out`, in parallel; `start` is the chunk's first index.
pub fn chunks_mut<T: Send>(out: &mut [T], chunk: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    if out.len() <= chunk.max(SMALL) {
        for (i, part) in out.chunks_mut(chunk).enumerate() {
            task(i * chunk, part);
        }
    } else {
        out.par_chunks_mut(chunk).enumerate().for_each(|(i, part)| task(i * chunk, part));
    }
}
