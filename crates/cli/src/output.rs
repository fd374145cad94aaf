//! Where results go: to stdout for people, or one JSON object there and people's text to stderr.

use serde::Serialize;
use std::io::{self, Write};

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
        match (self.quiet, self.json) {
            (true, _) => Ok(()),
            (_, true) => writeln!(io::stderr(), "{}", line.as_ref()),
            (_, false) => writeln!(io::stdout(), "{}", line.as_ref()),
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

/// An argument as a POSIX shell takes it back: quoted where it has to be.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("runs/0001-ec-gan/x.y"), "runs/0001-ec-gan/x.y");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
