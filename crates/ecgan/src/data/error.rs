//! What can be wrong with a data set. Every message names the file or folder, what is wrong, and what was expected.

use crate::printable::{Shown, printable};
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
    #[error("{}: cannot write: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A download that failed for good.
    #[error("{url}: {wrong}; {advice}")]
    Download {
        /// The address.
        url: String,
        /// What is wrong.
        wrong: String,
        /// What to do.
        advice: &'static str,
    },
    /// A folder that holds no data set of a known format.
    #[error("{}: no data set found; looked for {looked_for}", Shown(path))]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// The formats that were looked for.
        looked_for: String,
    },
    /// A folder whose arrangement is not that of the format it was recognised as.
    #[error("{}: {}; expected {}", Shown(path), printable(wrong), printable(expected))]
    Layout {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong.
        wrong: String,
        /// What was expected.
        expected: String,
    },
    /// A file whose contents are damaged or not what they should be.
    #[error("{}: {}; expected {}", Shown(path), printable(wrong), printable(expected))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        wrong: String,
        /// What was expected.
        expected: String,
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
    #[error("{wrong}; expected {expected}")]
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

    pub(super) fn layout(path: &Path, wrong: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Layout { path: path.into(), wrong: wrong.into(), expected: expected.into() }
    }

    pub(super) fn file(path: &Path, wrong: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::File { path: path.into(), wrong: wrong.into(), expected: expected.into() }
    }

    pub(super) fn split(wrong: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Split { wrong: wrong.into(), expected: expected.into() }
    }
}
