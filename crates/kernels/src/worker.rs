//! Where a computation of many short kernels runs best.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs `f` on one of rayon's threads, the others wide awake.
///
/// From any other thread each kernel would be handed over and waited for. And kernels follow one another within
/// microseconds, but to wake a thread that went to sleep in between takes tens of them: so the others look for work
/// without a rest as long as there is some every now and then.
pub fn on_a_worker<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let done = AtomicBool::new(false);
    rayon::scope(|scope| {
        let here = rayon::current_thread_index();
        let done = &done;
        scope.spawn_broadcast(move |_, context| {
            if Some(context.index()) != here {
                look_for_work(done);
            }
        });
        let _finished = OnDrop(done);
        f()
    })
}

/// Sets a flag when dropped, also by a panic.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does what the other threads have to share, until `done`.
fn look_for_work(done: &AtomicBool) {
    let mut last = Instant::now();
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            last = Instant::now();
        } else if last.elapsed() < PATIENCE {
            // Lets another program's thread that waits for this core have it.
            std::thread::yield_now();
        } else {
            std::thread::sleep(PATIENCE);
        }
    }
}

/// How long a thread looks for work before it rests, and how long it rests.
const PATIENCE: Duration = Duration::from_millis(1);
