//! The device and threads of a command that is not a training run.

use clap::Args;
use ecgan::Error;
use ecgan::settings::DeviceChoice;
use kernels::{Device, Simd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What to compute with.
#[derive(Args)]
#[command(next_help_heading = "Device")]
pub struct ComputeArgs {
    /// `auto`, `cpu` or `cuda[:N]`
    #[arg(long, value_name = "DEVICE", env = "ECGAN_DEVICE", hide_env = true, default_value = "auto")]
    device: DeviceChoice,

    /// Threads [default: one a core]
    #[arg(long, value_name = "N", env = "ECGAN_THREADS", hide_env = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
}

impl ComputeArgs {
    /// Starts the threads and opens the device.
    pub fn open(&self) -> anyhow::Result<Device> {
        use_threads(self.threads.map(usize::from))?;
        Ok(self.device.open(simd_variable()?)?)
    }
}

/// Makes rayon's global pool; without a number it has a thread a core.
pub fn use_threads(threads: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    Ok(())
}

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

/// The SIMD path that `ECGAN_SIMD` forces.
pub fn simd_variable() -> Result<Option<Simd>, Error> {
    let Some(name) = std::env::var_os("ECGAN_SIMD") else { return Ok(None) };
    let name = name.to_string_lossy();
    let wrong = |_| Error::Setting {
        name: "ECGAN_SIMD",
        expected: "portable, avx2 or avx512".into(),
        got: name.clone().into_owned(),
    };
    name.parse().map(Some).map_err(wrong)
}
