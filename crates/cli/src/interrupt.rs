//! Ctrl-C, and the signals that ask a process to end: the first ends training after the current step, the second ends the process.

use crate::output::tell;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, SIGTERM and SIGHUP from now on, but for SIGHUP where `nohup` has it ignored. (SIGINT is listened for even so: a
/// shell ignores it for what it starts in the background, where a scheduler sends it to end a run in time.)
pub fn listen() -> anyhow::Result<()> {
    let nohup = ignores_hangups();
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
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

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
