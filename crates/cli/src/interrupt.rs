//! Ctrl-C, and the signals that ask a process to end. Before training begins, or the writing of a folder, one ends the process; then
//! the first ends that after the current step, and the second the process.

use crate::exit;
use crate::output::tell;
use ecgan::Error;
use ecgan::run_folder::{RunFolder, Traces};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static TRACES: Mutex<Option<Traces>> = Mutex::new(None);
static BEGUN: AtomicBool = AtomicBool::new(false);
static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, SIGTERM and SIGHUP from now on, but for SIGHUP where `nohup` has it ignored. (SIGINT is listened for even so: a
/// shell ignores it for what it starts in the background, where a scheduler sends it to end a run in time.)
pub fn listen() -> anyhow::Result<()> {
    let nohup = ignores_hangups();
    ctrlc::set_handler(|| {
        if !BEGUN.load(Ordering::SeqCst) {
            if let Some(traces) = &*TRACES.lock().unwrap_or_else(PoisonError::into_inner) {
                traces.remove();
            }
            tell(format!("error: {}", Error::Interrupted));
            std::process::exit(exit::INTERRUPTED.into());
        }
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(exit::INTERRUPTED.into());
        }
        tell("stopping after this step; Ctrl-C again stops at once");
    })?;
    if nohup {
        ignore_hangups();
    }
    Ok(())
}

#[cfg(unix)]
fn ignores_hangups() -> bool {
    // SAFETY: all bits zero are a `sigaction`, and with a null for the new action it is only written to.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(unix)]
fn ignore_hangups() {
    // SAFETY: it runs no code of ours.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}

#[cfg(not(unix))]
fn ignores_hangups() -> bool {
    false
}

#[cfg(not(unix))]
fn ignore_hangups() {}

/// Makes a run's folder, which is removed again where the process is ended before training begins.
pub fn making(make: impl FnOnce() -> Result<RunFolder, Error>) -> Result<RunFolder, Error> {
    // Whoever ends the process waits until it is known what there is to remove.
    let mut traces = TRACES.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = make()?;
    *traces = Some(folder.traces());
    Ok(folder)
}

/// From now on the process does not end at once: training begins, or what has to be cleared away where it is not finished.
pub fn begun() {
    BEGUN.store(true, Ordering::SeqCst);
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
