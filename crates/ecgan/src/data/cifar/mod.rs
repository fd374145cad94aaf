//! CIFAR-10 and CIFAR-100 (Krizhevsky 2009), the binary version: records of one or two label bytes and
//! 3072 bytes of pixels, u8 [3, 32, 32]. CIFAR-100's labels are the coarse and the fine one, which is the one taken.

#[cfg(test)]
mod tests;

use super::fit::Raw;
use super::{DataError, Found, Listing, Part, Reader};
use crate::regular_file;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE * 3;

/// Bytes of class names that are read: a hundred names are 1 KB.
const LARGEST_NAMES: u64 = 1 << 16;

/// The largest file of records that is read, in bytes: CIFAR's have 154 MB at most.
const LARGEST_BATCH: u64 = 4 << 30;

/// One of the two data sets.
pub(super) struct Version {
    format: &'static str,
    looked_for: &'static str,
    /// The folder that the archive unpacks to.
    pub(super) subfolder: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    names: &'static str,
    classes: usize,
    /// Label bytes of a record; the last is the class.
    labels: usize,
}

impl Version {
    /// The names of all files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> {
        self.train.iter().chain(self.test).copied().chain([self.names])
    }
}

pub(super) const LOOKED_FOR_10: &str = CIFAR_10.looked_for;
pub(super) const LOOKED_FOR_100: &str = CIFAR_100.looked_for;

pub(super) const CIFAR_10: Version = Version {
    format: "CIFAR-10 (binary)",
    looked_for: "data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt (CIFAR-10, binary version)",
    subfolder: "cifar-10-batches-bin",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: &["test_batch.bin"],
    names: "batches.meta.txt",
    classes: 10,
    labels: 1,
};

pub(super) const CIFAR_100: Version = Version {
    format: "CIFAR-100 (binary, fine labels)",
    looked_for: "train.bin, test.bin and fine_label_names.txt (CIFAR-100, binary version)",
    subfolder: "cifar-100-binary",
    train: &["train.bin"],
    test: &["test.bin"],
    names: "fine_label_names.txt",
    classes: 100,
    labels: 2,
};

/// Recognises a folder, or the archive's folder in it, that has a batch of CIFAR-10.
pub(super) fn recognise_10(path: &Path) -> Result<Option<Found>, DataError> {
    recognise(path, &CIFAR_10, |folder| {
        CIFAR_10.train.iter().chain(CIFAR_10.test).any(|name| folder.join(name).is_file())
    })
}

/// The same of CIFAR-100; its files' names are common, so that the class names must be there.
pub(super) fn recognise_100(path: &Path) -> Result<Option<Found>, DataError> {
    recognise(path, &CIFAR_100, |folder| {
        let any = CIFAR_100.train.iter().chain(CIFAR_100.test).any(|name| folder.join(name).is_file());
        any && folder.join(CIFAR_100.names).is_file()
    })
}

fn recognise(
    path: &Path,
    version: &'static Version,
    is_it: impl Fn(&Path) -> bool,
) -> Result<Option<Found>, DataError> {
    let folders = [path.to_path_buf(), path.join(version.subfolder)];
    let Some(folder) = folders.into_iter().find(|folder| is_it(folder)) else { return Ok(None) };
    let classes = class_names(&folder.join(version.names), version.classes)?;
    Ok(Some(Found::new(version.format, classes, Box::new(Cifar { folder, version }))))
}

/// A name a line; empty lines at the end do not count.
fn class_names(path: &Path, classes: usize) -> Result<Vec<String>, DataError> {
    let mut bytes = Vec::new();
    let (file, _) = regular_file::open(path).map_err(|e| DataError::io(path, e))?;
    file.take(LARGEST_NAMES).read_to_end(&mut bytes).map_err(|e| DataError::io(path, e))?;
    let expected = || format!("{classes} different class names in UTF-8, one a line");
    let text = String::from_utf8(bytes).map_err(|_| DataError::unfit(path, "not text", expected()))?;
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    let different = |names: &[String]| (1..names.len()).all(|i| !names[..i].contains(&names[i]));
    if names.len() != classes || names.iter().any(String::is_empty) || !different(&names) {
        return Err(DataError::unfit(
            path,
            format!("{} lines, or some of them empty or equal", names.len()),
            expected(),
        ));
    }
    Ok(names)
}

struct Cifar {
    folder: PathBuf,
    version: &'static Version,
}

impl Cifar {
    fn files(&self, part: Part) -> impl Iterator<Item = PathBuf> {
        let names = if part == Part::Train { self.version.train } else { self.version.test };
        names.iter().map(|name| self.folder.join(name))
    }

    /// The bytes of a file of whole records, with classes that there are.
    fn records(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let Version { labels, classes, .. } = *self.version;
        let record = labels + PIXELS;
        let whole = |length: u64| {
            let expected =
                || format!("a multiple of {record} bytes: {labels} of labels and {PIXELS} of pixels an image");
            let is_whole = length > 0 && length.is_multiple_of(record as u64);
            if is_whole { Ok(()) } else { Err(DataError::unfit(path, format!("{length} bytes"), expected())) }
        };
        let io = |e| DataError::io(path, e);
        // Before it is read, and after: somebody may be writing it.
        whole(regular_file::open(path).map_err(io)?.1)?;
        let bytes = regular_file::read(path, LARGEST_BATCH).map_err(io)?;
        whole(bytes.len() as u64)?;
        let class = |record: &[u8]| usize::from(record[labels - 1]);
        if let Some((i, wrong)) = bytes.chunks_exact(record).map(class).enumerate().find(|&(_, class)| class >= classes)
        {
            let wrong = format!("label {wrong} of image {i}");
            return Err(DataError::unfit(path, wrong, format!("0 to {}", classes - 1)));
        }
        Ok(bytes)
    }
}

impl Reader for Cifar {
    fn check(&self, part: Part) -> Result<(), DataError> {
        if part == Part::Val {
            return Err(DataError::unfit(&self.folder, "CIFAR has no val part", "train or test"));
        }
        let mut missing = self.files(part).filter(|path| !path.is_file());
        let Some(first) = missing.next() else { return Ok(()) };
        let others: String =
            missing.filter_map(|path| Some(format!(", nor {}", path.file_name()?.display()))).collect();
        let wrong = format!("no such file{others}, which the {} part needs", part.name());
        Err(DataError::unfit(&first, wrong, self.version.looked_for))
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        let record = self.version.labels + PIXELS;
        let (mut batches, mut labels, mut images) = (Vec::new(), Vec::new(), Vec::new());
        for path in self.files(part) {
            let bytes = self.records(&path)?;
            labels.extend(bytes.chunks_exact(record).map(|record| i32::from(record[self.version.labels - 1])));
            images.extend((0..bytes.len() / record).map(|i| (batches.len(), i)));
            batches.push(Batch { path, bytes });
        }
        Ok(Arc::new(Records { record, batches, labels, images }))
    }

    fn problems(&self, part: Part) -> Vec<DataError> {
        self.files(part).filter_map(|path| self.records(&path).err()).collect()
    }
}

/// A file that was read.
struct Batch {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// The files of a part.
struct Records {
    /// Bytes of a record.
    record: usize,
    batches: Vec<Batch>,
    labels: Vec<i32>,
    /// The batch, and the record in it.
    images: Vec<(usize, usize)>,
}

impl Listing for Records {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        let (batch, i) = self.images[index];
        format!("{}, image {i}", self.batches[batch].path.display())
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let (batch, i) = self.images[index];
        let planes = &self.batches[batch].bytes[(i + 1) * self.record - PIXELS..][..PIXELS];
        let mut pixels = vec![0; PIXELS];
        for (i, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = planes[channel * SIDE * SIDE + i];
            }
        }
        Ok(Raw::new(pixels, SIDE, SIDE, 3))
    }
}
