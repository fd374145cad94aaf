//! What can be wrong with a data set. Every message names the file or folder, what is wrong, and what was expected.

use crate::printable::{Shown, printable};
use crate::shell::quoted_path;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Bad data, or a request that the data cannot fulfil.
#[derive(Debug, Error)]
pub enum DataError {
    /// The operating system refused a file or a folder.
    #[error("{}: cannot read: {reason}", Shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The operating system refused to write, as it does where a disk is full.
    #[error("{}: cannot write: {reason}", Shown(path))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A download that failed for good.
    #[error("{}: {}; {advice}", printable(url), printable(wrong))]
    Download {
        /// The address.
        url: String,
        /// What is wrong.
        wrong: String,
        /// What to do.
        advice: &'static str,
    },
    /// A folder that holds no data set of a known format.
    #[error("{}: no data set found{}; looked for {looked_for}", Shown(path), in_brackets(near.as_deref()))]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// What is there that comes near to one.
        near: Option<String>,
        /// The formats that were looked for.
        looked_for: String,
    },
    /// A file that is damaged or not what it should be, or a folder whose arrangement is not that of its format.
    #[error("{}: {}; expected {}", Shown(path), printable(wrong), printable(expected))]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        wrong: String,
        /// What was expected.
        expected: String,
    },
    /// A file of a folder of images, where more of them may be like it.
    #[error("{problem}; `ecgan data inspect {}` lists all such files", printable(&quoted_path(data)))]
    Image {
        /// What is wrong with the file.
        problem: Box<DataError>,
        /// The folder that is the data set.
        data: PathBuf,
    },
    /// Images were asked for in a shape that the readers do not make.
    #[error("images of {size}x{size} with {channels} channels; expected a size of 32 or 64, and 1 or 3 channels")]
    Format {
        /// The side asked for, in pixels.
        size: usize,
        /// The channels asked for.
        channels: usize,
    },
    /// A labelled budget or validation part that the training images cannot give.
    #[error("{}; expected {}", printable(wrong), printable(expected))]
    Split {
        /// What is wrong.
        wrong: String,
        /// What was expected.
        expected: String,
    },
}

impl DataError {
    pub(super) fn io(path: &Path, reason: io::Error) -> Self {
        Self::Io { path: path.into(), reason }
    }

    pub(super) fn write(path: &Path, reason: io::Error) -> Self {
        Self::Write { path: path.into(), reason }
    }

    /// A read that failed at `place` of the file, which should be a `whole` one: damage to packed data shows itself
    /// here too.
    pub(super) fn read(path: &Path, error: io::Error, place: &str, whole: &str) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::unfit(path, format!("ends {place}"), whole),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Self::unfit(path, format!("damaged {place} ({error})"), whole)
            }
            _ => Self::io(path, error),
        }
    }

    pub(super) fn unfit(path: &Path, wrong: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Unfit { path: path.into(), wrong: wrong.into(), expected: expected.into() }
    }

    pub(super) fn split(wrong: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Split { wrong: wrong.into(), expected: expected.into() }
    }
}

fn in_brackets(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(" ({})", printable(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and addresses can hold what a terminal would obey.
    #[test]
    fn no_message_has_a_command_to_the_terminal() {
        let evil = || "a\u{1b}[31m\nerror: b".to_owned();
        let unfit = || DataError::unfit(Path::new(&evil()), evil(), evil());
        for error in [
            DataError::io(Path::new(&evil()), io::Error::other("refused")),
            DataError::Download { url: evil(), wrong: evil(), advice: "try again" },
            DataError::Unrecognised { path: evil().into(), near: Some(evil()), looked_for: "images".into() },
            DataError::Image { problem: Box::new(unfit()), data: evil().into() },
            unfit(),
            DataError::split(evil(), evil()),
        ] {
            let message = error.to_string();
            assert!(message.contains(r"a\u{1b}[31m\nerror: b") && !message.contains(['\u{1b}', '\n']), "{message:?}");
        }
    }
}
