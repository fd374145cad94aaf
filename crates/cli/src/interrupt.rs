//! Ctrl-C, and the signals that ask a process to end: the first ends training after the current step, the second ends the process.

use crate::output::tell;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, SIGTERM and SIGHUP from now on, but for what this process was started to ignore (`nohup`).
pub fn listen() -> anyhow::Result<()> {
    let ignored = ignored();
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        tell("stopping after this step; Ctrl-C again stops at once");
    })?;
    ignored.into_iter().for_each(ignore);
    Ok(())
}

/// Of the signals that are listened for those that are ignored now.
#[cfg(unix)]
fn ignored() -> Vec<libc::c_int> {
    let is_ignored = |signal: &libc::c_int| {
        // SAFETY: all bits zero are a `sigaction`, and with a null for the new action it is only written to.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        }
    };
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().filter(is_ignored).collect()
}

#[cfg(unix)]
fn ignore(signal: libc::c_int) {
    // SAFETY: it runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

#[cfg(not(unix))]
fn ignored() -> Vec<()> {
    Vec::new()
}

#[cfg(not(unix))]
fn ignore((): ()) {}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
