//! What has arrived of a file, under a name of its own until it is whole.

use super::DataError;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
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
        let io = |e| DataError::io(&path, e);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            let expected = "one at a time; wait for it, or give another --dir";
            return Err(DataError::file(&path, "another download writes it", expected));
        }
        let length = file.metadata().map_err(io)?.len();
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
        fs::write(&self.from, text).map_err(|e| DataError::io(&self.from, e))?;
        self.validator = validator;
        Ok(())
    }

    pub fn restart(&mut self) -> Result<(), DataError> {
        self.file.set_len(0).map_err(|e| DataError::io(&self.path, e))?;
        (self.length, self.validator) = (0, None);
        Ok(())
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let written = self.file.write_all(bytes);
        // After a full disk, what is there counts, not what was meant to be.
        self.length = self.file.metadata().map_err(|e| DataError::io(&self.path, e))?.len();
        written.map_err(|e| DataError::Write { path: self.path.clone(), reason: e })
    }

    /// Gives the file its name.
    pub fn finish(self, target: &Path) -> Result<(), DataError> {
        self.file.sync_all().map_err(|e| DataError::io(&self.path, e))?;
        fs::rename(&self.path, target).map_err(|e| DataError::io(target, e))?;
        let _ = fs::remove_file(&self.from); // of no use, and no harm
        Ok(())
    }

    pub fn discard(&self) {
        for path in [&self.path, &self.from] {
            let _ = fs::remove_file(path); // an empty file is left at worst
        }
    }
}
