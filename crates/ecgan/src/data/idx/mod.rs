//! MNIST's files (LeCun et al. 1998), and those of its like: pairs of IDX files, gzipped or not.
//!
//! ```text
//! images = 0x00000803, n, rows, columns (u32, big-endian), then u8 [n, rows, columns]
//! labels = 0x00000801, n, then u8 [n]
//! ```
//! `train-images-idx3-ubyte` and its like may have `.idx3` for `-idx3`, and `.gz` at the end. Nothing is believed before
//! it is read: a plain file's length must be what its header says, and what is unpacked grows with what arrives, no
//! further than the header says, which must be possible for so many packed bytes.

#[cfg(test)]
mod tests;

use super::fit::Raw;
use super::{DataError, Found, Listing, Part, Reader};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const LOOKED_FOR: &str =
    "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k (MNIST), gzipped or not";

/// Where the files lie: in the folder itself, or where other programs keep them in it.
const FOLDERS: [&str; 3] = ["", "raw", "MNIST/raw"];

/// Deflate packs a run of equal bytes no further than this.
const LARGEST_RATIO: u64 = 1032;

/// The largest side, as for other images.
const LARGEST_SIDE: u32 = 8192;

const CLASSES: u8 = 10;

struct Idx {
    folder: PathBuf,
}

/// One of the two kinds of file.
#[derive(Clone, Copy)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// Dimensions, which the magic number ends in.
    const fn dims(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }
}

/// The names that a file may have, the usual one first.
fn names(part: Part, kind: Kind) -> [String; 4] {
    let part = if part == Part::Train { "train" } else { "t10k" };
    let (kind, dims) = (kind.name(), kind.dims());
    let name = |joint: &str, end: &str| format!("{part}-{kind}{joint}idx{dims}-ubyte{end}");
    [name("-", ""), name("-", ".gz"), name(".", ""), name(".", ".gz")]
}

fn file(folder: &Path, part: Part, kind: Kind) -> Option<PathBuf> {
    names(part, kind).into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Recognises a folder that has any of the four files.
pub(super) fn recognise(path: &Path) -> Result<Option<Found>, DataError> {
    for below in FOLDERS {
        let folder = if below.is_empty() { path.to_path_buf() } else { path.join(below) };
        let kinds = [Kind::Images, Kind::Labels];
        if [Part::Train, Part::Test].iter().any(|&part| kinds.iter().any(|&kind| file(&folder, part, kind).is_some())) {
            let reader = Box::new(Idx { folder });
            return Ok(Some(Found::new("MNIST (IDX files)", super::digits(), reader)));
        }
    }
    Ok(None)
}

impl Idx {
    fn files(&self, part: Part) -> Result<[PathBuf; 2], DataError> {
        let find = |kind: Kind| {
            file(&self.folder, part, kind).ok_or_else(|| {
                let [name, zipped, ..] = names(part, kind);
                let wrong = format!("no {name} and no {zipped}, which the {} part needs", part.name());
                DataError::layout(&self.folder, wrong, LOOKED_FOR)
            })
        };
        Ok([find(Kind::Images)?, find(Kind::Labels)?])
    }
}

impl Reader for Idx {
    fn check(&self, part: Part) -> Result<(), DataError> {
        match part {
            Part::Val => Err(DataError::layout(&self.folder, "IDX files have no val part", "train or test")),
            _ => self.files(part).map(|_| ()),
        }
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        let [path, label_path] = self.files(part)?;
        // Both headers before any contents: a number that lies in one is found by the other.
        let mut file = Input::open(&path, Kind::Images)?;
        let mut label_file = Input::open(&label_path, Kind::Labels)?;
        let ([n, height, width], [labels, ..]) = (file.dims, label_file.dims);
        if n != labels {
            let expected = format!("{n} labels, as {} has images", path.display());
            return Err(DataError::file(&label_path, format!("{labels} labels"), expected));
        }
        let labels = label_file.contents()?;
        if let Some(index) = labels.iter().position(|&label| label >= CLASSES) {
            let wrong = format!("label {} at index {index}", labels[index]);
            return Err(DataError::file(&label_path, wrong, "the digits 0 to 9"));
        }
        let labels = labels.into_iter().map(i32::from).collect();
        let pixels = file.contents()?;
        Ok(Arc::new(Grey { path, pixels, labels, width: width as usize, height: height as usize }))
    }
}

/// A pair of files that was read.
struct Grey {
    path: PathBuf,
    pixels: Vec<u8>,
    labels: Vec<i32>,
    width: usize,
    height: usize,
}

impl Listing for Grey {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        format!("{}, image {index}", self.path.display())
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let size = self.width * self.height;
        let pixels = self.pixels[index * size..][..size].into();
        Ok(Raw { pixels, width: self.width, height: self.height, channels: 1 })
    }
}

/// A file whose header was read.
struct Input<'a> {
    path: &'a Path,
    reader: Box<dyn Read>,
    /// The file's own length in bytes, and whether that is packed.
    length: u64,
    packed: bool,
    /// As the header says; 1 where it says nothing.
    dims: [u32; 3],
    header: u64,
}

impl<'a> Input<'a> {
    fn open(path: &'a Path, kind: Kind) -> Result<Self, DataError> {
        let io = |e| DataError::io(path, e);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let file = BufReader::new(file);
        let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut input = Self { path, reader, length, packed, dims: [1; 3], header: 0 };
        input.read_header(kind)?;
        input.check_size()?;
        Ok(input)
    }

    fn read_header(&mut self, kind: Kind) -> Result<(), DataError> {
        let magic = self.word("magic number")?;
        let wanted = 0x0800 | kind.dims() as u32;
        if magic != wanted {
            let expected = format!("{wanted:#010x}, unsigned bytes in {} dimension(s)", kind.dims());
            return Err(DataError::file(self.path, format!("magic number {magic:#010x}"), expected));
        }
        for (i, what) in
            ["number of items", "number of rows", "number of columns"].into_iter().enumerate().take(kind.dims())
        {
            self.dims[i] = self.word(what)?;
            let most = if i == 0 { i32::MAX as u32 } else { LARGEST_SIDE };
            if !(1..=most).contains(&self.dims[i]) {
                return Err(DataError::file(self.path, format!("{what} {}", self.dims[i]), format!("1 to {most}")));
            }
        }
        self.header = 4 + 4 * kind.dims() as u64;
        Ok(())
    }

    fn word(&mut self, what: &str) -> Result<u32, DataError> {
        let mut word = [0; 4];
        self.reader.read_exact(&mut word).map_err(|e| self.read_error(&e, &format!("in its {what}")))?;
        Ok(u32::from_be_bytes(word))
    }

    /// Bytes of the contents, as the header says: less than 2^31 2^26, which cannot overflow.
    fn promised(&self) -> u64 {
        self.dims.iter().map(|&d| u64::from(d)).product()
    }

    fn check_size(&self) -> Result<(), DataError> {
        let (promised, there) = (self.promised(), self.length);
        let said = || format!("its header says {:?}, {promised} bytes of values", self.dims);
        if !self.packed && self.header + promised != there {
            let expected = format!("a file of {} bytes; it has {there}", self.header + promised);
            return Err(DataError::file(self.path, said(), expected));
        }
        if self.packed && promised / LARGEST_RATIO > there {
            let expected = format!("no more than its {there} packed bytes can hold");
            return Err(DataError::file(self.path, said(), expected));
        }
        Ok(())
    }

    /// Everything after the header.
    fn contents(&mut self) -> Result<Vec<u8>, DataError> {
        let promised = self.promised();
        let mut contents = Vec::new();
        // One byte more, so that the end is met: there gzip's checksum is compared.
        let read = self.reader.by_ref().take(promised + 1).read_to_end(&mut contents);
        read.map_err(|e| self.read_error(&e, &format!("after {} bytes of values", contents.len())))?;
        if contents.len() as u64 != promised {
            let more = if contents.len() as u64 > promised { "more than " } else { "" };
            let found = (contents.len() as u64).min(promised);
            let expected = format!("{promised}, as its header says: {:?}", self.dims);
            return Err(DataError::file(self.path, format!("{more}{found} bytes of values"), expected));
        }
        Ok(contents)
    }

    /// A read that failed: damaged gzip shows itself here too.
    fn read_error(&self, error: &io::Error, place: &str) -> DataError {
        let expected = if self.packed { "a whole gzipped IDX file" } else { "a whole IDX file" };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => DataError::file(self.path, format!("ends {place}"), expected),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                DataError::file(self.path, format!("damaged {place} ({error})"), expected)
            }
            kind => DataError::io(self.path, io::Error::new(kind, error.to_string())),
        }
    }
}
