//! MNIST's files: the training images and labels, any bytes, gzipped here or as they are.

use crate::svhn::format;
use crate::{piece, pieces, sources};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const PACK: u8 = 4;
const NAMED_PACKED: u8 = 8;

/// The first byte is the format, whether the files are gzipped here, and whether their names say that they are.
pub fn read(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else { return };
    let pieces = pieces(data);
    let [images, labels, ..] = pieces[..] else { return };
    let packed = |bytes: &[u8]| {
        if flags & PACK == 0 {
            return bytes.to_vec();
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).expect("into memory");
        gzip.finish().expect("into memory")
    };
    let end = if flags & NAMED_PACKED == 0 { "" } else { ".gz" };
    let files = [("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)];
    let files = files.map(|(name, bytes)| (format!("{name}{end}"), packed(bytes)));
    sources::read(&format!("idx{end}"), &files, format(flags), 256);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let header = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3];
    let images: Vec<u8> = header.into_iter().chain(1..=18).collect();
    let labels = [0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4];
    let seed = |flags: u8| [&[flags][..], &piece(&images), &piece(&labels)].concat();
    [0, 3, PACK | NAMED_PACKED, NAMED_PACKED].map(seed).into()
}
