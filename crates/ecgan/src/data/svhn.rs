//! SVHN's cropped digits (Netzer et al. 2011): `train_32x32.mat` and `test_32x32.mat`, with `X` uint8 [32, 32, 3, N]
//! and `y` [N, 1], in which the digit 0 has the label 10. A class index here is the digit, y mod 10.

use super::fit::Raw;
use super::mat::{self, Array, Number, Wanted};
use super::{DataError, Found, Listing, Part, Reader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const LOOKED_FOR: &str = "train_32x32.mat and test_32x32.mat (SVHN)";

const SIDE: usize = 32;
const IMAGE: usize = SIDE * SIDE * 3;

/// More images have no room in an array, whose bytes are counted in 32 bits.
const MOST: usize = u32::MAX as usize / IMAGE;

struct Svhn {
    folder: PathBuf,
}

fn file(folder: &Path, part: Part) -> PathBuf {
    folder.join(format!("{}_32x32.mat", part.name()))
}

/// Recognises a folder that has one of the two files.
pub(super) fn recognise(path: &Path) -> Result<Option<Found>, DataError> {
    if !file(path, Part::Train).exists() && !file(path, Part::Test).exists() {
        return Ok(None);
    }
    let reader = Box::new(Svhn { folder: path.into() });
    Ok(Some(Found::new("SVHN (MATLAB 5 files)", super::digits(), reader)))
}

impl Reader for Svhn {
    fn check(&self, part: Part) -> Result<(), DataError> {
        if part == Part::Val {
            return Err(DataError::unfit(&self.folder, "SVHN has no val part", "train or test"));
        }
        let path = file(&self.folder, part);
        if path.exists() {
            return Ok(());
        }
        Err(DataError::unfit(&path, "no such file, though there is the other one", LOOKED_FOR))
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        let path = file(&self.folder, part);
        let wanted = [
            Wanted { name: "X", expected: "uint8 [32, 32, 3, N]", accepts: accepts_images },
            Wanted { name: "y", expected: "numbers [N, 1]", accepts: accepts_labels },
        ];
        let [images, y] = mat::read(&path, wanted)?;
        let labels = digits(&path, y.values())?;
        let n = images.dims.get(3).copied().unwrap_or(1);
        if n == 0 || labels.len() != n {
            let wrong = format!("{n} images in `X` and {} labels in `y`", labels.len());
            return Err(DataError::unfit(&path, wrong, "at least one image, and as many labels"));
        }
        Ok(Arc::new(Digits { path, images, labels }))
    }
}

/// A file that was read; its images as they lie in it.
struct Digits {
    path: PathBuf,
    images: Array,
    labels: Vec<i32>,
}

impl Listing for Digits {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        format!("{}, image {index}", self.path.display())
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let pixels = rows(&self.images.bytes[index * IMAGE..][..IMAGE]).to_vec();
        Ok(Raw::new(pixels, SIDE, SIDE, 3))
    }
}

/// [32, 32, 3, N]; MATLAB drops a last dimension of one.
fn accepts_images(dims: &[usize], number: Number) -> bool {
    number == Number::U8 && dims.len() <= 4 && dims.starts_with(&[SIDE, SIDE, 3])
}

fn accepts_labels(dims: &[usize], _: Number) -> bool {
    dims.len() == 2 && (dims[0] == 1 || dims[1] == 1) && dims.iter().all(|&n| n <= MOST)
}

/// One image from MATLAB's column-major order (row fastest, then column, then channel) to [row, column, channel].
fn rows(columns: &[u8]) -> [u8; IMAGE] {
    let mut pixels = [0; IMAGE];
    for (i, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (row, column) = (i / SIDE, i % SIDE);
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = columns[row + SIDE * (column + SIDE * channel)];
        }
    }
    pixels
}

fn digits(path: &Path, values: impl Iterator<Item = f64>) -> Result<Vec<i32>, DataError> {
    let digit = |(i, y): (usize, f64)| {
        if (0.0..=10.0).contains(&y) && y.fract() == 0.0 {
            Ok(y as i32 % 10)
        } else {
            Err(DataError::unfit(path, format!("`y` has {y} at index {i}"), "the digits 1 to 9, and 10 (or 0) for 0"))
        }
    };
    values.enumerate().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mat::writer::{Variable, write};
    use super::*;
    use crate::data::{Format, Images, Source, SyntheticOptions};

    /// Pixel (row, column, channel) of image i.
    fn value(i: usize, row: usize, column: usize, channel: usize) -> u8 {
        (i * 50 + row * 3 + column * 2 + channel * 40) as u8
    }

    fn x(n: usize) -> Variable {
        let mut data = Vec::new();
        for i in 0..n {
            for channel in 0..3 {
                for column in 0..32 {
                    data.extend((0..32).map(|row| value(i, row, column, channel)));
                }
            }
        }
        Variable::u8("X", &[32, 32, 3, n as i32], data)
    }

    fn y(labels: &[u8]) -> Variable {
        Variable::u8("y", &[labels.len() as i32, 1], labels.to_vec())
    }

    fn train(variables: &[Variable], format: Format) -> Result<Images, DataError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train_32x32.mat"), write(variables, true, false)).unwrap();
        std::fs::write(folder.path().join("test_32x32.mat"), b"never opened").unwrap();
        let options = SyntheticOptions { seed: 0, train: 0, test: 0 };
        Source::open(folder.path().to_str().unwrap(), &options).unwrap().read_train(format)
    }

    const RGB: Format = Format { size: 32, channels: 3 };

    fn refusal(variables: &[Variable]) -> String {
        let message = train(variables, RGB).unwrap_err().to_string();
        assert!(message.contains("train_32x32.mat: "), "{message}");
        message
    }

    #[test]
    fn columns_become_rows_and_ten_becomes_zero() {
        let images = train(&[x(3), y(&[10, 1, 9])], RGB).unwrap();
        assert_eq!((images.len(), &images.labels[..]), (3, &[0, 1, 9][..]));
        for (i, row, column, channel) in [(0, 0, 0, 0), (2, 31, 5, 1), (1, 7, 31, 2)] {
            let pixel = images.batch(&[i]).unwrap()[(row * 32 + column) * 3 + channel];
            assert_eq!(pixel, value(i, row, column, channel), "image {i} row {row} column {column} {channel}");
        }
        let double = Variable::f64("y", &[1, 2], &[3.0, 10.0]);
        assert_eq!(
            train(&[double, x(2)], Format { size: 64, channels: 1 }).unwrap().pixels().unwrap().len(),
            2 * 64 * 64
        );
    }

    #[test]
    fn wrong_variables_are_refused() {
        assert!(refusal(&[x(1)]).contains("no variable `y`"));
        assert!(refusal(&[y(&[1])]).contains("no variable `X`; expected `X`: uint8 [32, 32, 3, N]"));
        assert!(refusal(&[x(2), y(&[1])]).contains("2 images in `X` and 1 labels in `y`"));
        assert!(refusal(&[x(0), y(&[])]).contains("0 images"));
        assert!(refusal(&[x(1), y(&[11])]).contains("`y` has 11 at index 0"));
        for bad in [0.5, -1.0, f64::NAN, f64::INFINITY] {
            assert!(refusal(&[x(1), Variable::f64("y", &[1, 1], &[bad])]).contains("`y` has"), "{bad}");
        }
        // As large as a compressed file of kilobytes can make it.
        let endless = Variable { dims: vec![1 << 21, 1], claimed_bytes: 1 << 21, ..y(&[1]) };
        assert!(refusal(&[x(1), endless]).contains("`y` is U8 [2097152, 1]"));
        let grey = Variable::u8("X", &[32, 32, 1, 3], vec![0; 3072]);
        assert!(refusal(&[grey, y(&[1])]).contains("`X` is U8 [32, 32, 1, 3]; expected uint8 [32, 32, 3, N]"));
        let float = Variable::f64("X", &[32, 32, 3, 1], &[0.0; 3072]);
        assert!(refusal(&[float, y(&[1])]).contains("`X` is F64 [32, 32, 3, 1]"));
    }

    #[test]
    fn one_file_without_the_other_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test_32x32.mat"), b"").unwrap();
        let found = recognise(folder.path()).unwrap().unwrap();
        assert!(found.reader.check(Part::Test).is_ok());
        let message = found.reader.check(Part::Train).unwrap_err().to_string();
        assert!(message.contains("train_32x32.mat: no such file"), "{message}");
        // Whatever else is called so is none of SVHN's.
        std::fs::write(folder.path().join("val_32x32.mat"), b"").unwrap();
        let message = found.reader.check(Part::Val).unwrap_err().to_string();
        assert!(message.contains("SVHN has no val part; expected train or test"), "{message}");
    }
}
