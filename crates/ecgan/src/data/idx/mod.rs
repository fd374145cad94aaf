//! MNIST's files (LeCun et al. 1998), and those of its like: pairs of IDX files, gzipped or not.
//!
//! ```text
//! images = 0x00000803, n, rows, columns (u32, big-endian), then u8 [n, rows, columns]
//! labels = 0x00000801, n, then u8 [n]
//! ```
//! `train-images-idx3-ubyte` and its like may have `.idx3` for `-idx3`, and `.gz` at the end. The classes are the numbers
//! from 0 to the largest training label (where there is no training part, of the test part). Nothing is believed before
//! it is read: a plain file's length must be what its header says, and what is unpacked grows with what arrives, no
//! further than the header says, which must be possible for so many packed bytes.

#[cfg(test)]
mod tests;

use super::fit::Raw;
use super::{DataError, Found, Listing, Part, Reader};
use crate::counts::many;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const LOOKED_FOR: &str =
    "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k (MNIST), gzipped or not";

/// The format's name.
const IDX: &str = "MNIST (IDX files)";

/// Where the files lie: in the folder itself, or where other programs keep them in it.
const FOLDERS: [&str; 3] = ["", "raw", "MNIST/raw"];

/// Deflate packs a run of equal bytes no further than this.
const LARGEST_RATIO: u64 = 1032;

/// The largest side, as for other images.
const LARGEST_SIDE: u32 = 8192;

struct Idx {
    folder: PathBuf,
    /// How many: a label is less.
    classes: usize,
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

/// Recognises a folder that has any of the four files, of `least` classes or more.
pub(super) fn recognise(path: &Path, least: usize) -> Result<Option<Found>, DataError> {
    for below in FOLDERS {
        let folder = if below.is_empty() { path.to_path_buf() } else { path.join(below) };
        let kinds = [Kind::Images, Kind::Labels];
        if [Part::Train, Part::Test].iter().any(|&part| kinds.iter().any(|&kind| file(&folder, part, kind).is_some())) {
            return Ok(Some(found_in(folder, least)));
        }
    }
    Ok(None)
}

fn found_in(folder: PathBuf, least: usize) -> Found {
    // Labels that cannot be read are refused when their part is opened.
    let known = [Part::Train, Part::Test].into_iter().find_map(|part| largest_label(&folder, part).ok());
    let refusals = match &known {
        Some((path, 0)) if least > 1 => {
            vec![DataError::unfit(path, "every label is 0", "at least two classes, 0 and 1")]
        }
        _ => Vec::new(),
    };
    let numbers = |(_, largest): (PathBuf, u8)| (0..=largest).map(|label| label.to_string()).collect();
    let classes: Vec<String> = known.map_or_else(super::digits, numbers);
    let reader = Box::new(Idx { folder, classes: classes.len() });
    Found { refusals, ..Found::new(IDX, classes, reader) }
}

/// A part's file of labels, and the largest of them.
fn largest_label(folder: &Path, part: Part) -> Result<(PathBuf, u8), DataError> {
    let [images, labels] = files(folder, part)?;
    let largest = read_labels(&labels, &Input::open(&images, Kind::Images)?)?.into_iter().max();
    Ok((labels, largest.expect("a header says one at least")))
}

/// The two files of a part.
fn files(folder: &Path, part: Part) -> Result<[PathBuf; 2], DataError> {
    let find = |kind: Kind| {
        file(folder, part, kind).ok_or_else(|| {
            let [name, zipped, ..] = names(part, kind);
            let wrong = format!("no {name} and no {zipped}, which the {} part needs", part.name());
            DataError::unfit(folder, wrong, LOOKED_FOR)
        })
    };
    Ok([find(Kind::Images)?, find(Kind::Labels)?])
}

/// The labels of these images. Both headers are read before any contents: a number that lies in one is found by the other.
fn read_labels(path: &Path, images: &Input) -> Result<Vec<u8>, DataError> {
    let mut file = Input::open(path, Kind::Labels)?;
    let (n, labels) = (images.dims[0], file.dims[0]);
    if n != labels {
        let expected = format!("{n} labels, as {} has images", images.path.display());
        return Err(DataError::unfit(path, format!("{labels} labels"), expected));
    }
    file.contents()
}

impl Reader for Idx {
    fn check(&self, part: Part) -> Result<(), DataError> {
        match part {
            Part::Val => Err(DataError::unfit(&self.folder, "IDX files have no val part", "train or test")),
            _ => files(&self.folder, part).map(|_| ()),
        }
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        let [path, label_path] = files(&self.folder, part)?;
        let mut file = Input::open(&path, Kind::Images)?;
        let [_, height, width] = file.dims;
        let labels = read_labels(&label_path, &file)?;
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= self.classes) {
            let wrong = format!("label {} at index {index}", labels[index]);
            let expected = format!("0 to {}, the labels of the training part", self.classes - 1);
            return Err(DataError::unfit(&label_path, wrong, expected));
        }
        let labels = labels.into_iter().map(i32::from).collect();
        let pixels = file.contents()?;
        Ok(Arc::new(Grey { path, pixels, labels, width: width as usize, height: height as usize }))
    }

    fn problems(&self, part: Part) -> Vec<DataError> {
        let Ok(paths) = files(&self.folder, part) else { return Vec::new() };
        let read = |(path, kind): (&PathBuf, Kind)| Input::open(path, kind).and_then(|mut input| input.contents());
        paths.iter().zip([Kind::Images, Kind::Labels]).filter_map(|file| read(file).err()).collect()
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
        let pixels = &self.pixels[index * size..][..size];
        Ok(Raw::new(pixels, self.width, self.height, 1))
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
            let expected = format!("{wanted:#010x}, unsigned bytes in {}", many(kind.dims(), "dimension"));
            return Err(DataError::unfit(self.path, format!("magic number {magic:#010x}"), expected));
        }
        for (i, what) in
            ["number of items", "number of rows", "number of columns"].into_iter().enumerate().take(kind.dims())
        {
            self.dims[i] = self.word(what)?;
            let most = if i == 0 { i32::MAX as u32 } else { LARGEST_SIDE };
            if !(1..=most).contains(&self.dims[i]) {
                return Err(DataError::unfit(self.path, format!("{what} {}", self.dims[i]), format!("1 to {most}")));
            }
        }
        self.header = 4 + 4 * kind.dims() as u64;
        Ok(())
    }

    fn word(&mut self, what: &str) -> Result<u32, DataError> {
        let mut word = [0; 4];
        self.reader.read_exact(&mut word).map_err(|e| self.read_error(e, &format!("in its {what}")))?;
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
            return Err(DataError::unfit(self.path, said(), expected));
        }
        if self.packed && promised / LARGEST_RATIO > there {
            let expected = format!("no more than its {there} packed bytes can hold");
            return Err(DataError::unfit(self.path, said(), expected));
        }
        Ok(())
    }

    /// Everything after the header.
    fn contents(&mut self) -> Result<Vec<u8>, DataError> {
        let promised = self.promised();
        let mut contents = Vec::new();
        // One byte more, so that the end is met: there gzip's checksum is compared.
        let read = self.reader.by_ref().take(promised + 1).read_to_end(&mut contents);
        read.map_err(|e| self.read_error(e, &format!("after {} bytes of values", contents.len())))?;
        if contents.len() as u64 != promised {
            let more = if contents.len() as u64 > promised { "more than " } else { "" };
            let found = (contents.len() as u64).min(promised);
            let expected = format!("{promised}, as its header says: {:?}", self.dims);
            return Err(DataError::unfit(self.path, format!("{more}{found} bytes of values"), expected));
        }
        Ok(contents)
    }

    fn read_error(&self, error: io::Error, place: &str) -> DataError {
        let whole = if self.packed { "a whole gzipped IDX file" } else { "a whole IDX file" };
        DataError::read(self.path, error, place, whole)
    }
}
