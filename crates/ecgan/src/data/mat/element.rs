//! Tagged data elements, and the bounds within which they are read.

use super::DataError;
use std::io::{self, Read};
use std::path::Path;

pub const MATRIX: u32 = 14;
pub const COMPRESSED: u32 = 15;

/// A numeric type of stored values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

impl Number {
    pub fn from_tag(kind: u32) -> Option<Self> {
        Some(match kind {
            1 => Self::I8,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::U16,
            5 => Self::I32,
            6 => Self::U32,
            7 => Self::F32,
            9 => Self::F64,
            12 => Self::I64,
            13 => Self::U64,
            _ => return None,
        })
    }

    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// One value from its [`Number::bytes`] bytes.
    pub fn decode(self, value: &[u8], big_endian: bool) -> f64 {
        let mut bits = [0; 8];
        for (i, &byte) in value.iter().enumerate() {
            bits[if big_endian { value.len() - 1 - i } else { i }] = byte;
        }
        let bits = u64::from_le_bytes(bits);
        match self {
            Self::I8 => f64::from(bits as i8),
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::I16 => f64::from(bits as i16),
            Self::I32 => f64::from(bits as i32),
            Self::I64 => bits as i64 as f64,
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
        }
    }
}

/// Bytes of a file, of an element, or out of a zlib stream, of which `left` may still be read.
pub struct Input<'a, R> {
    pub path: &'a Path,
    pub reader: R,
    pub big_endian: bool,
    pub left: u64,
}

impl<'a, R: Read> Input<'a, R> {
    pub fn wrong(&self, wrong: impl Into<String>, expected: impl Into<String>) -> DataError {
        DataError::unfit(self.path, wrong, expected)
    }

    /// Claims `bytes` of what is left.
    fn claim(&mut self, bytes: u64) -> Result<(), DataError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            self.wrong(format!("an element needs {bytes} bytes where {} are left", self.left), "a whole MATLAB 5 file")
        })?;
        Ok(())
    }

    /// The next `bytes` bytes. Memory grows as they arrive, not by what was claimed.
    pub fn take(&mut self, bytes: u64) -> Result<Vec<u8>, DataError> {
        self.claim(bytes)?;
        let mut data = Vec::new();
        let read = self.reader.by_ref().take(bytes).read_to_end(&mut data);
        let read = read.map_err(|e| read_error(self.path, e))?;
        if (read as u64) < bytes {
            return Err(self.wrong(format!("ends {} bytes early", bytes - read as u64), "a whole MATLAB 5 file"));
        }
        Ok(data)
    }

    pub fn skip(&mut self, bytes: u64) -> Result<(), DataError> {
        self.claim(bytes)?;
        let skipped = io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink());
        let skipped = skipped.map_err(|e| read_error(self.path, e))?;
        if skipped < bytes {
            return Err(self.wrong(format!("ends {} bytes early", bytes - skipped), "a whole MATLAB 5 file"));
        }
        Ok(())
    }

    /// The next `bytes` bytes of this input as one of its own.
    pub fn inside(&mut self, bytes: u64) -> Result<Input<'a, &mut R>, DataError> {
        if bytes > self.left {
            self.claim(bytes)?;
        }
        Ok(Input { path: self.path, reader: &mut self.reader, big_endian: self.big_endian, left: bytes })
    }

    pub fn u32(&self, bytes: &[u8]) -> u32 {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// (type, bytes) of an element in the long form.
    pub fn tag(&mut self) -> Result<(u32, u64), DataError> {
        let tag = self.take(8)?;
        Ok((self.u32(&tag), u64::from(self.u32(&tag[4..]))))
    }

    /// The data of the next element, long or short, after `check(type, bytes)` has accepted its tag.
    pub fn element(&mut self, check: impl FnOnce(u32, u64) -> Result<(), DataError>) -> Result<Vec<u8>, DataError> {
        let tag = self.take(8)?;
        let (first, second) = (self.u32(&tag), self.u32(&tag[4..]));
        let short = u64::from(first >> 16);
        if short > 0 {
            if short > 4 {
                return Err(self.wrong(format!("a short element of {short} bytes"), "at most 4"));
            }
            check(first & 0xFFFF, short)?;
            return Ok(tag[4..4 + short as usize].to_vec());
        }
        let bytes = u64::from(second);
        check(first, bytes)?;
        let data = self.take(bytes)?;
        // The last element of a compressed matrix may lack its padding.
        self.skip((bytes.next_multiple_of(8) - bytes).min(self.left))?;
        Ok(data)
    }
}

/// A read that failed, of a zlib stream or of the file itself.
pub fn read_error(path: &Path, error: io::Error) -> DataError {
    DataError::read(path, error, "in its compressed data", "a whole MATLAB 5 file")
}
