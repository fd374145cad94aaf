//! MAT-files whose elements are any bytes: each is put into a file with a header, compressed or not, so that what is
//! behind a zlib stream is reached.

use crate::svhn::{read_as, variables};
use crate::writer::write;
use crate::{piece, pieces};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

const COMPRESSED: u8 = 4;
const BIG_ENDIAN: u8 = 8;

pub fn read(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else { return };
    let big_endian = flags & BIG_ENDIAN != 0;
    let mut file = write(&[], false, big_endian);
    for element in pieces(data) {
        if flags & COMPRESSED == 0 {
            file.extend(element);
            continue;
        }
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(element).expect("into memory");
        let packed = zlib.finish().expect("into memory");
        for word in [15, packed.len() as u32] {
            file.extend(if big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
        }
        file.extend(packed);
    }
    read_as(&file, flags);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let flags = [0, COMPRESSED, BIG_ENDIAN, COMPRESSED | BIG_ENDIAN, COMPRESSED | 3];
    let seed = |flags: u8| {
        let element = |variable| piece(&write(&[variable], false, flags & BIG_ENDIAN != 0)[128..]);
        [vec![flags], variables().map(element).concat()].concat()
    };
    flags.into_iter().map(seed).collect()
}
