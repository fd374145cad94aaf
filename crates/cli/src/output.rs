//! Where results go: to stdout for people, or one JSON object there and people's text to stderr.

pub use ecgan::counts::many;
use ecgan::printable::printable_text;
use ecgan::shell::quoted;
use serde::Serialize;
use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, BufWriter, Stdout, Write};

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

/// What stdout did not take, and why.
#[derive(Debug)]
pub struct Unwritten(pub io::Error);

impl Display for Unwritten {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "stdout: cannot write: {}", self.0)
    }
}

impl Error for Unwritten {}

/// Bytes on stdout. Its end is told as [`Unwritten`] too: what is still to come would be for nobody.
pub fn print(bytes: &[u8]) -> Result<(), Unwritten> {
    io::stdout().write_all(bytes).map_err(Unwritten)
}

/// A table of many rows on stdout, each with its line's end, which goes there in larger pieces. Like [`print()`] it tells of the end.
pub struct Rows(BufWriter<Stdout>);

impl Rows {
    /// None yet.
    pub fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }

    /// One more, as it is.
    pub fn print(&mut self, row: &str) -> Result<(), Unwritten> {
        self.0.write_all(row.as_bytes()).map_err(Unwritten)
    }

    /// Prints what has not gone yet.
    pub fn finish(mut self) -> Result<(), Unwritten> {
        self.0.flush().map_err(Unwritten)
    }
}

/// Prints a command's result. That the reader of a pipe has seen enough is no reason to end: work may be under way.
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
    pub fn line(self, line: impl AsRef<str>) -> Result<(), Unwritten> {
        let line = line.as_ref();
        match (self.quiet, self.json) {
            (true, _) => Ok(()),
            (_, true) => {
                tell(line);
                Ok(())
            }
            (_, false) => unless_closed(print(format!("{}\n", printable_text(line)).as_bytes())),
        }
    }

    /// The JSON object, where one was asked for.
    pub fn result(self, value: &impl Serialize) -> Result<(), Unwritten> {
        if !self.json {
            return Ok(());
        }
        // Names that are no text were refused with the arguments, or by the command.
        let text = serde_json::to_string_pretty(value).expect("numbers and text are JSON");
        unless_closed(print((text + "\n").as_bytes()))
    }
}

fn unless_closed(printed: Result<(), Unwritten>) -> Result<(), Unwritten> {
    printed.or_else(|refused| if refused.0.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(refused) })
}
