//! Downloads of published data sets from their publishers.
//!
//! ```text
//! NAME.part          what has arrived, which a later run goes on with
//! NAME.part.from     where it came from, so that two versions of a file are never joined
//! NAME               the file, once its length and MD5 are those published
//! ```
//! An archive is unpacked beside its destination and renamed, then deleted. At the end our own readers open what is there.
//! Whoever downloads or unpacks a file holds the lock of its `NAME.part`.

mod download;
mod part_file;
mod published;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
mod unpack;

pub use published::PublishedSet;

use super::{DataError, Part, Source};
use crate::settings::SYNTHETIC;
use download::Download;
use part_file::PartFile;
use published::{Archive, Published};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens on the way.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing to do: it is there, as published.
    Already(&'a Path),
    /// A file begins or goes on at `done` of `total` bytes.
    Begun {
        /// Its address.
        url: &'a str,
        /// Bytes that were there.
        done: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// So many bytes of the file are there.
    Arrived(u64),
    /// The connection failed and is tried again after a pause.
    Again {
        /// What failed.
        reason: String,
        /// The pause.
        pause: Duration,
    },
    /// The archive is unpacked.
    Unpacking(&'a Path),
    /// The data set is read, to see that it can be.
    Checking(&'a Path),
}

/// A data set that was fetched.
#[derive(Debug, Serialize)]
pub struct Fetched {
    /// Its folder, as `--data` takes it.
    pub data: PathBuf,
    /// What it was recognised as.
    pub format: &'static str,
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
    /// Number of classes.
    pub classes: usize,
}

/// How often and after which pauses a failed connection is tried again.
#[derive(Clone, Copy)]
struct Patience {
    /// Attempts in a row that bring nothing new.
    attempts: u32,
    /// The first pause; each further one is twice as long, at most 30 s.
    pause: Duration,
    /// How long a server may be silent.
    silence: Duration,
}

const PATIENCE: Patience = Patience { attempts: 6, pause: Duration::from_secs(1), silence: Duration::from_secs(60) };

/// Downloads `set` into `folder`, from `base` rather than the publisher where there is one, and says what happens.
///
/// Repeated, it goes on where it was stopped, and does nothing once all is there.
///
/// # Errors
/// [`DataError`] naming the address or the file. What has arrived stays, except where it is wrong.
pub fn fetch(
    set: PublishedSet,
    folder: &Path,
    base: Option<&str>,
    event: &mut dyn FnMut(Event),
) -> Result<Fetched, DataError> {
    fetch_published(&set.published(), folder, base, PATIENCE, event)
}

fn fetch_published(
    set: &Published,
    folder: &Path,
    base: Option<&str>,
    patience: Patience,
    event: &mut dyn FnMut(Event),
) -> Result<Fetched, DataError> {
    std::fs::create_dir_all(folder).map_err(|e| DataError::write(folder, e))?;
    let base = base.unwrap_or(&set.base).trim_end_matches('/');
    let download = Download::new(patience);
    for file in &set.files {
        if let Some(archive) = &file.archive
            && archive.is_there(folder)?
        {
            event(Event::Already(&folder.join(&archive.folder)));
            continue;
        }
        let target = folder.join(&file.name);
        download.file(&format!("{base}/{}", file.name), file, &target, event)?;
        if let Some(archive) = &file.archive {
            event(Event::Unpacking(&target));
            unpack_alone(&target, archive, folder)?;
        }
    }
    event(Event::Checking(folder));
    read_back(folder)
}

/// Unpacks an archive, unless another process has since; two of them would destroy each other's work.
fn unpack_alone(path: &Path, archive: &Archive, folder: &Path) -> Result<(), DataError> {
    let lock = PartFile::open(path)?;
    let done = match archive.is_there(folder) {
        Ok(false) => unpack::unpack(path, archive, folder),
        Ok(true) => {
            let _ = std::fs::remove_file(path); // of no use any more, and no harm
            Ok(())
        }
        Err(error) => Err(error),
    };
    lock.discard();
    done
}

/// Opens both parts as a run would.
fn read_back(folder: &Path) -> Result<Fetched, DataError> {
    let source = Source::open_folder(folder)?;
    let count = |part| Ok::<_, DataError>(source.listing(part)?.labels().len());
    // Of itself that name means the built-in set.
    let data = if folder == Path::new(SYNTHETIC) { Path::new(".").join(folder) } else { folder.to_path_buf() };
    Ok(Fetched {
        data,
        format: source.format(),
        train: count(Part::Train)?,
        test: count(Part::Test)?,
        classes: source.classes().len(),
    })
}

impl Archive {
    /// Whether its folder is there, with all of its files.
    fn is_there(&self, parent: &Path) -> Result<bool, DataError> {
        let folder = parent.join(&self.folder);
        if !folder.exists() {
            return Ok(false);
        }
        match self.files.iter().find(|name| !folder.join(name).is_file()) {
            None => Ok(true),
            Some(missing) => {
                let expected = "all of the archive's files; remove the folder, or give another --dir";
                Err(DataError::unfit(&folder, format!("is there, but has no {missing}"), expected))
            }
        }
    }
}
