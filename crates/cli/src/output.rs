//! Where results go: to stdout for people, or one JSON object there and people's text to stderr.

use ecgan::printable::printable_text;
use ecgan::shell::quoted;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// A line, or several, for people on stderr. That nobody reads there, a closed pipe say, is no reason to end.
pub fn tell(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", printable_text(text.as_ref()));
}

/// The same for what is odd but no error.
pub fn warn(message: impl Display) {
    tell(format!("warning: {message}"));
}

/// This program as a shell starts it.
pub fn program() -> String {
    quoted(&std::env::args_os().next().unwrap_or_else(|| "ecgan".into()).to_string_lossy())
}

/// Prints a command's result.
#[derive(Clone, Copy)]
pub struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// With `json`, [`Output::result`] has stdout to itself; with `quiet`, people's text is left out.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// A line for people.
    pub fn line(self, line: impl AsRef<str>) -> io::Result<()> {
        let line = printable_text(line.as_ref());
        match (self.quiet, self.json) {
            (true, _) => Ok(()),
            (_, true) => {
                tell(line);
                Ok(())
            }
            (_, false) => writeln!(io::stdout(), "{line}"),
        }
    }

    /// The JSON object, where one was asked for.
    pub fn result(self, value: &impl Serialize) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        writeln!(io::stdout(), "{text}")
    }
}
