//! How a run ends: the one place that knows the exit codes.

use crate::output::{Unwritten, tell};
use ecgan::ErrorKind;
use std::io;
use std::process::ExitCode;

/// A mistake of ours.
pub const INTERNAL: u8 = 1;
const USAGE: u8 = 2;
const DATA: u8 = 3;
const DIVERGED: u8 = 4;
const DEVICE: u8 = 5;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Prints what went wrong, if anything did, and says with which code to end.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        // Help and version arrive here too, for stdout and with code 0.
        return match error.print() {
            Err(refused) if !error.use_stderr() => unwritten(&Unwritten(refused)),
            _ => ExitCode::from(error.exit_code() as u8),
        };
    }
    if let Some(refused) = error.downcast_ref::<Unwritten>() {
        return unwritten(refused);
    }
    tell(format!("error: {error:#}"));
    ExitCode::from(number(&error))
}

/// The end of a command whose stdout did not take all of it.
fn unwritten(refused: &Unwritten) -> ExitCode {
    if refused.0.kind() == io::ErrorKind::BrokenPipe {
        // The reader of a pipe has seen enough.
        return ExitCode::SUCCESS;
    }
    tell(format!("error: {refused}"));
    ExitCode::from(DATA)
}

fn number(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<ecgan::Error>().map(ecgan::Error::kind) {
        None | Some(ErrorKind::Internal) => INTERNAL,
        Some(ErrorKind::Usage) => USAGE,
        Some(ErrorKind::Data) => DATA,
        Some(ErrorKind::Diverged) => DIVERGED,
        Some(ErrorKind::Device) => DEVICE,
        Some(ErrorKind::Interrupted) => INTERRUPTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use ecgan::Error;

    #[test]
    fn every_kind_has_its_code_even_with_context() {
        let device = || Error::Device { device: "cuda".into(), problem: "x".into() };
        for (error, code) in [
            (Error::Exclusive { names: "a and b".into() }, 2),
            (Error::BadFile { path: "f".into(), problem: "p".into() }, 3),
            (Error::Diverged { step: 3, what: "loss_g".into() }, 4),
            (device(), 5),
            (Error::Interrupted, 130),
        ] {
            assert_eq!(number(&error.into()), code);
        }
        assert_eq!(number(&Err::<(), _>(device()).context("while training").unwrap_err()), 5);
        assert_eq!(number(&anyhow::anyhow!("what")), 1);
    }
}
