//! A reader of MATLAB level 5 MAT-files, for numeric arrays ("MAT-File Format", The MathWorks).
//!
//! ```text
//! file    = header[128] element*            header: text[116], subsystem[8], version u16, "MI" as a u16
//! element = type u32, bytes u32, data, padding to 8       (or bytes u16, type u16, data[4])
//! miCOMPRESSED holds one element as a zlib stream; miMATRIX holds flags, dimensions, name, values.
//! ```
//! Both byte orders. Nothing is believed before it is read: memory grows with the bytes that arrive, and no further
//! than the dimensions promise, which the caller has accepted first. So a header alone cannot make us allocate. A
//! compressed array can: deflate packs equal bytes a thousand to one, so where the caller accepts any number of images
//! a file of megabytes may take gigabytes, 4 GiB at most, as an array's bytes are counted in 32 bits. Wanted arrays
//! only are decoded, and reading stops after the last of them.

mod element;
mod matrix;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod writer;

use super::DataError;
use crate::regular_file;
use element::{COMPRESSED, Input, MATRIX};
use flate2::bufread::ZlibDecoder;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

pub(super) use element::Number;

/// A numeric array.
#[derive(Debug)]
pub(super) struct Array {
    pub dims: Vec<usize>,
    /// The type the values are stored as, which may be narrower than the array's class.
    number: Number,
    big_endian: bool,
    /// The values as stored, in column-major order.
    pub bytes: Vec<u8>,
}

impl Array {
    /// The values, in column-major order.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.number.bytes()).map(|value| self.number.decode(value, self.big_endian))
    }
}

/// An array to read: its name, and which (dimensions, stored type) will do.
pub(super) struct Wanted {
    pub name: &'static str,
    /// The same in words.
    pub expected: &'static str,
    pub accepts: fn(&[usize], Number) -> bool,
}

/// Reads the arrays `wanted`, in that order.
pub(super) fn read<const N: usize>(path: &Path, wanted: [Wanted; N]) -> Result<[Array; N], DataError> {
    let (file, length) = regular_file::open(path).map_err(|e| DataError::io(path, e))?;
    read_from(path, BufReader::new(file), length, wanted)
}

fn read_from<const N: usize>(
    path: &Path,
    mut file: impl BufRead,
    length: u64,
    wanted: [Wanted; N],
) -> Result<[Array; N], DataError> {
    let big_endian = header(path, &mut file, length)?;
    let mut input = Input { path, reader: file, big_endian, left: length - 128 };
    let mut arrays = [const { None }; N];
    while arrays.iter().any(Option::is_none) && input.left > 0 {
        let (kind, bytes) = input.tag()?;
        let found = match kind {
            MATRIX => {
                let mut inside = input.inside(bytes)?;
                let found = matrix::read(&mut inside, &wanted)?;
                let rest = inside.left;
                input.left -= bytes - rest;
                input.skip(rest)?;
                found
            }
            COMPRESSED => compressed(&mut input, bytes, &wanted)?,
            _ => {
                input.skip(bytes.next_multiple_of(8))?;
                None
            }
        };
        if let Some((i, array)) = found {
            arrays[i] = Some(array);
        }
    }
    if let Some(i) = arrays.iter().position(Option::is_none) {
        let expected = format!("`{}`: {}", wanted[i].name, wanted[i].expected);
        return Err(DataError::unfit(path, format!("no variable `{}`", wanted[i].name), expected));
    }
    Ok(arrays.map(|array| array.expect("checked above")))
}

/// Checks the header and returns whether the file is big-endian.
fn header(path: &Path, file: &mut impl Read, length: u64) -> Result<bool, DataError> {
    let wrong = |what: String| Err(DataError::unfit(path, what, "a MATLAB 5 file (`save -v7` or `-v6`)"));
    let mut header = [0; 128];
    if length < 128 {
        return wrong(format!("{length} bytes are too few for a header of 128"));
    }
    file.read_exact(&mut header).map_err(|e| DataError::io(path, e))?;
    if header.starts_with(b"MATLAB 7.3") || header[..8] == *b"\x89HDF\r\n\x1a\n" {
        return wrong("a MATLAB 7.3 (HDF5) file".into());
    }
    let big_endian = match &header[126..] {
        b"IM" => false,
        b"MI" => true,
        other => return wrong(format!("byte order mark {other:?}, not \"IM\" or \"MI\"")),
    };
    let version = [header[124], header[125]];
    let version = if big_endian { u16::from_be_bytes(version) } else { u16::from_le_bytes(version) };
    if version != 0x0100 {
        return wrong(format!("version {version:#06x}, not 0x0100"));
    }
    Ok(big_endian)
}

fn compressed(
    input: &mut Input<impl BufRead>,
    bytes: u64,
    wanted: &[Wanted],
) -> Result<Option<(usize, Array)>, DataError> {
    let path = input.path;
    let mut stored = input.reader.by_ref().take(bytes);
    let mut zlib = ZlibDecoder::new(&mut stored);
    // A zlib stream does not say how long it is; the tag in it does.
    let mut unpacked = Input { path, reader: &mut zlib, big_endian: input.big_endian, left: 8 };
    let (kind, length) = unpacked.tag()?;
    if kind != MATRIX {
        return Err(DataError::unfit(path, format!("a compressed element of type {kind}"), "a matrix (14)"));
    }
    unpacked.left = length;
    let found = matrix::read(&mut unpacked, wanted)?;
    if found.is_some() {
        // The stream must end here (but for padding); reaching its end verifies its checksum.
        let mut rest = Vec::new();
        zlib.by_ref().take(9).read_to_end(&mut rest).map_err(|e| element::read_error(path, e))?;
        if rest.len() > 8 {
            return Err(DataError::unfit(path, "data after the end of a compressed matrix", "one matrix"));
        }
    }
    let rest = stored.limit();
    input.left -= bytes - rest;
    input.skip(rest)?;
    Ok(found)
}
