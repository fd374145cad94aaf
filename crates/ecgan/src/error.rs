//! The crate's one error: every message names the setting or the file, and what was expected of it.

use crate::data::DataError;
use crate::printable::Shown;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting has a value outside its range.
    #[error("{name}: expected {expected}, got {got}")]
    Setting {
        /// The setting, as its key in `config.toml`.
        name: &'static str,
        /// What is allowed.
        expected: String,
        /// What was given.
        got: String,
    },

    /// Settings that exclude each other were given together.
    #[error("{names}: expected at most one of them")]
    Exclusive {
        /// The settings given, joined by "and".
        names: String,
    },

    /// A settings file has a key that is not a setting.
    #[error("{}: unknown key `{key}`{}", Shown(path), did_you_mean(*nearest))]
    UnknownKey {
        /// The settings file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The known key nearest to it, where one is near.
        nearest: Option<&'static str>,
    },

    /// A settings file gives a key a value of the wrong kind.
    #[error("{}: {problem}", Shown(path))]
    ConfigValue {
        /// The settings file.
        path: PathBuf,
        /// Line, column, key and what was expected.
        problem: String,
    },

    /// The folder to write to already holds something.
    #[error("{name}: expected a new or an empty folder, got {} which {problem}", Shown(path))]
    Occupied {
        /// The setting that named the folder.
        name: &'static str,
        /// The folder.
        path: PathBuf,
        /// What is in the way.
        problem: String,
    },

    /// Another process is at work in a run folder.
    #[error("{}: another process trains in this folder; wait until it ends, or stop it", Shown(path))]
    Locked {
        /// The run folder.
        path: PathBuf,
    },

    /// The operating system refused to read or write.
    #[error("{}: cannot {action}: {reason}", Shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, e.g. `read`.
        action: &'static str,
        /// The system's own reason.
        reason: io::Error,
    },

    /// A file was read, and its contents are not what they should be.
    #[error("{}: {problem}", Shown(path))]
    BadFile {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what was expected.
        problem: String,
    },

    /// The images are not those that the run behind a checkpoint was begun with.
    #[error("{}: {problem}", Shown(path))]
    OtherImages {
        /// The checkpoint.
        path: PathBuf,
        /// What differs, and what was expected.
        problem: String,
    },

    /// Some of many files could not be used; what is wrong with each was said before.
    #[error("{failed} of {total} images could not be read, as said above")]
    Unread {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
    },

    /// A data set could not be read or does not fit the settings.
    #[error(transparent)]
    Dataset(#[from] DataError),

    /// Shapes that do not fit: a network of one's own, or a mistake of ours; or a GPU that failed.
    #[error(transparent)]
    Tensor(#[from] tensor::Error),

    /// Training produced a number that is not finite.
    #[error("diverged at step {step}: {what} is not finite; try a smaller {}", rate(what))]
    Diverged {
        /// Iteration of the whole run, from 1.
        step: u64,
        /// The quantity, e.g. `loss_g`.
        what: String,
    },

    /// A network computed a number that is not finite.
    #[error(
        "{what} is not finite: the network has diverged, or its file is damaged; take an earlier checkpoint, or train with a smaller --lr or --lr-c"
    )]
    NotFinite {
        /// The quantity, e.g. `a logit of the classifier`.
        what: &'static str,
    },

    /// The device asked for is not there or cannot do what was asked.
    #[error("device {device}: {problem}")]
    Device {
        /// The device as asked for.
        device: String,
        /// What is missing.
        problem: String,
    },

    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The kinds of error a caller tells apart; the command line has an exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A setting or a combination of settings.
    Usage,
    /// A file or a data set.
    Data,
    /// Training diverged.
    Diverged,
    /// The device.
    Device,
    /// The user asked to stop.
    Interrupted,
    /// A mistake of ours.
    Internal,
}

impl Error {
    /// Which kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Setting { .. }
            | Error::Exclusive { .. }
            | Error::UnknownKey { .. }
            | Error::ConfigValue { .. }
            | Error::Occupied { .. }
            | Error::Locked { .. } => ErrorKind::Usage,
            // What was asked for does not fit the data: the files are fine.
            Error::Dataset(DataError::Format { .. } | DataError::Split { .. }) => ErrorKind::Usage,
            Error::Io { .. }
            | Error::BadFile { .. }
            | Error::OtherImages { .. }
            | Error::Unread { .. }
            | Error::Dataset(_) => ErrorKind::Data,
            Error::Tensor(tensor::Error::Device(_)) => ErrorKind::Device,
            Error::Tensor(_) => ErrorKind::Internal,
            Error::Diverged { .. } | Error::NotFinite { .. } => ErrorKind::Diverged,
            Error::Device { .. } => ErrorKind::Device,
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// Wraps a system error with the path it is about: `fs::read(p).map_err(Error::io(p, "read"))`.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = path.to_path_buf();
        move |reason| Error::Io { path, action, reason }
    }
}

/// The learning rates that this quantity goes by. The classifier's is lr where lr_c is not given.
fn rate(what: &str) -> &'static str {
    if what.starts_with("loss_c") || what.ends_with("classifier") { "--lr-c or --lr" } else { "--lr" }
}

fn did_you_mean(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(|| "; `ecgan config` prints all keys".into(), |name| format!(", did you mean `{name}`?"))
}
