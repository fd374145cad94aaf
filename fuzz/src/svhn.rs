//! SVHN's files: any bytes as `train_32x32.mat`.

use crate::writer::{Variable, write};
use crate::{data_sets, sources};
use ecgan::data::Format;

pub fn read(data: &[u8]) {
    let Some((&shape, data)) = data.split_first() else { return };
    read_as(data, shape);
}

/// Reads `bytes` as the training file, in the format that `shape` says.
pub fn read_as(bytes: &[u8], shape: u8) {
    let files = [("train_32x32.mat".to_owned(), bytes.to_vec()), ("test_32x32.mat".to_owned(), Vec::new())];
    sources::read("svhn", &files, format(shape), 10);
}

/// One of the four formats.
pub fn format(shape: u8) -> Format {
    Format { size: [32, 64][usize::from(shape & 1)], channels: [3, 1][usize::from(shape >> 1 & 1)] }
}

/// The arrays of one image.
pub fn variables() -> [Variable; 2] {
    let pixels = (0..3072).map(|i| (i / 12) as u8).collect();
    [Variable::u8("X", &[32, 32, 3, 1], pixels), Variable::f64("y", &[1, 1], &[10.0])]
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![[&[0], &data_sets::mat(2, 2)[..]].concat()];
    for (compress, big_endian) in [(false, false), (true, false), (false, true), (true, true)] {
        seeds.push([&[3], &write(&variables(), compress, big_endian)[..]].concat());
    }
    seeds
}
