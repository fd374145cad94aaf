//! Where a computation of many short kernels runs best.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Runs `f` on one of rayon's threads, the others wide awake.
///
/// From any other thread each kernel would be handed over and waited for. And kernels follow one another within
/// microseconds, but to wake a thread that went to sleep in between takes tens of them: so the others look for work
/// without a rest as long as there is some every now and then. They do so for one `f` at a time; another one meanwhile runs on one of
/// rayon's threads too, and since that may be one that looks for work, the first call may return only after the other's `f`: neither is to
/// wait for what comes after the other.
pub fn on_a_worker<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    static FREE: AtomicBool = AtomicBool::new(true);
    if !FREE.swap(false, Ordering::AcqRel) {
        return rayon::scope(|_| f());
    }
    let _free = OnDrop(&FREE);
    let (begun, done, looking) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    rayon::scope(|scope| {
        let here = rayon::current_thread_index();
        let (begun, done, looking) = (&begun, &done, &looking);
        scope.spawn_broadcast(move |_, context| {
            // A thread that waits within `f` for others takes this up too, where it did not before. It would wait for the end of `f`,
            // and `f` for it.
            if Some(context.index()) != here && !begun.load(Ordering::Acquire) {
                looking.fetch_add(1, Ordering::Release);
                look_for_work(done);
            }
        });
        let _finished = OnDrop(done);
        let asked = Instant::now();
        while looking.load(Ordering::Acquire) + 1 < rayon::current_num_threads() && asked.elapsed() < BUSY {
            std::thread::yield_now();
        }
        begun.store(true, Ordering::Release);
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

/// How long threads that are at other work are waited for; after that, `f` begins without their looking for work.
const BUSY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::on_a_worker;
    use rayon::prelude::*;
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    /// Begun at the same time, each on a thread of its own.
    #[test]
    fn two_at_once_both_end() {
        let (ended, ends) = channel();
        let together = Arc::new(Barrier::new(2));
        for _ in 0..2 {
            let (ended, together) = (ended.clone(), together.clone());
            std::thread::spawn(move || {
                let sum = || (0..1000u32).into_par_iter().with_max_len(10).map(u64::from).sum::<u64>();
                for _ in 0..100 {
                    together.wait();
                    ended.send(on_a_worker(|| (0..20).all(|_| sum() == 499_500))).unwrap();
                }
            });
        }
        for _ in 0..200 {
            assert!(ends.recv_timeout(Duration::from_secs(60)).expect("neither waits for the other"));
        }
    }

    #[test]
    fn one_within_another_is_run() {
        assert_eq!(on_a_worker(|| on_a_worker(|| rayon::join(|| 1, || 2))), (1, 2));
        assert!(std::panic::catch_unwind(|| on_a_worker(|| panic!("meant"))).is_err());
        assert_eq!(on_a_worker(|| 3), 3, "usable afterwards");
    }
}
