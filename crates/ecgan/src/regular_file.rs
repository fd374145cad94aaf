//! Reading files that end: a pipe may never be written to, and a device may go on for ever.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Opens a file, and says how long it is. What is not a regular file is refused before it is opened, which for a pipe
/// would mean to wait for who writes to it.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

/// Reads a file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length > most {
        return Err(io::Error::other(format!("{length} bytes, expected at most {most}")));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize)?;
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file of any length; `None` where there is none.
pub fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match read(path, u64::MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}
