//! What has arrived of a file, under a name of its own until it is whole.

use super::DataError;
use crate::run_folder::{is_at, sync_folder, where_there_are_locks};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file under way, and where its bytes came from.
pub struct PartFile {
    pub path: PathBuf,
    from: PathBuf,
    file: File,
    pub length: u64,
    /// What the server called these bytes.
    pub validator: Option<String>,
}

impl PartFile {
    /// Nobody else may be writing it.
    pub fn open(target: &Path) -> Result<Self, DataError> {
        let named = |end: &str| {
            let mut name = target.file_name().unwrap_or_default().to_owned();
            name.push(end);
            target.with_file_name(name)
        };
        let path = named(".part");
        let file = loop {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            let file = file.map_err(|e| DataError::write(&path, e))?;
            if lock(&file, &path)? {
                break file;
            }
        };
        let length = file.metadata().map_err(|e| DataError::io(&path, e))?.len();
        Ok(Self { from: named(".part.from"), path, file, length, validator: None })
    }

    /// Takes up what an earlier run left of this address; its length.
    pub fn begin(&mut self, url: &str) -> Result<u64, DataError> {
        let from = fs::read_to_string(&self.from).unwrap_or_default();
        match from.split_once('\n') {
            Some((address, validator)) if address == url && !validator.trim().is_empty() => {
                self.validator = Some(validator.trim().to_owned());
            }
            _ => self.restart()?,
        }
        Ok(self.length)
    }

    /// What the server calls the bytes that will be written from now on.
    pub fn remember(&mut self, url: &str, validator: Option<String>) -> Result<(), DataError> {
        let text = format!("{url}\n{}\n", validator.as_deref().unwrap_or(""));
        fs::write(&self.from, text).map_err(|e| DataError::write(&self.from, e))?;
        self.validator = validator;
        Ok(())
    }

    pub fn restart(&mut self) -> Result<(), DataError> {
        self.file.set_len(0).map_err(|e| DataError::write(&self.path, e))?;
        (self.length, self.validator) = (0, None);
        Ok(())
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let written = self.file.write_all(bytes);
        // After a full disk, what is there counts, not what was meant to be.
        self.length = self.file.metadata().map_err(|e| DataError::io(&self.path, e))?.len();
        written.map_err(|e| DataError::write(&self.path, e))
    }

    /// Gives the file its name, which lasts from then on.
    pub fn finish(self, target: &Path) -> Result<(), DataError> {
        self.file.sync_all().map_err(|e| DataError::write(&self.path, e))?;
        let placed = fs::rename(&self.path, target).and_then(|()| target.parent().map_or(Ok(()), sync_folder));
        placed.map_err(|e| DataError::write(target, e))?;
        let _ = fs::remove_file(&self.from); // of no use, and no harm
        Ok(())
    }

    pub fn discard(&self) {
        for path in [&self.path, &self.from] {
            let _ = fs::remove_file(path); // an empty file is left at worst
        }
    }
}

/// Takes the lock of a file that was opened at `path`, and says whether it is still there: whoever had the lock may have
/// given the file its name since, under which nobody may write it any more.
fn lock(file: &File, path: &Path) -> Result<bool, DataError> {
    match where_there_are_locks(file.try_lock()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            let expected = "one at a time; wait for it, or give another --dir";
            Err(DataError::unfit(path, "another download writes it", expected))
        }
        locked => locked.map(|()| is_at(file, path)).map_err(|e| DataError::write(path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_finished_before_its_lock_is_had_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let mut part = PartFile::open(&target).unwrap();
        part.write(b"all of it").unwrap();
        let path = part.path.clone();
        let late = OpenOptions::new().append(true).open(&path).unwrap();
        assert!(lock(&late, &path).unwrap_err().to_string().contains("another download writes it"));
        part.finish(&target).unwrap();
        assert!(!lock(&late, &path).unwrap(), "the lock of the finished file");
        // Of a new file under the old name it is not the lock either.
        let mut new = PartFile::open(&target).unwrap();
        assert!(!lock(&late, &path).unwrap());
        assert_eq!(new.begin("http://somewhere").unwrap(), 0);
        new.discard();
        assert_eq!(fs::read(&target).unwrap(), b"all of it");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
