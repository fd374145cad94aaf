//! PNG files of any chunks, whose lengths and checksums are right: a header that lies about the size, image data that is
//! too short or too long, palettes, text and animations are reached.

use crate::{image, piece, pieces};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

const CHUNKS: [&[u8; 4]; 14] = [
    b"IDAT", b"IDAT", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT",
    b"eXIf", b"IHDR",
];

/// The first byte is for [`image::read`], 13 are the header, then each piece is a byte that chooses the chunk, and its
/// data; the first kind of chunk is compressed here.
pub fn read(data: &[u8]) {
    let Some((&shape, data)) = data.split_first() else { return };
    let Some((header, data)) = data.split_first_chunk::<13>() else { return };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, b"IHDR", header);
    for piece in pieces(data) {
        let Some((&kind, data)) = piece.split_first() else { continue };
        let kind = usize::from(kind) % CHUNKS.len();
        if kind == 0 {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(data).expect("into memory");
            chunk(&mut file, CHUNKS[kind], &zlib.finish().expect("into memory"));
        } else {
            chunk(&mut file, CHUNKS[kind], data);
        }
    }
    chunk(&mut file, b"IEND", &[]);
    image::read(&[&[shape], &file[..]].concat());
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(crc.sum().to_be_bytes());
}

pub fn seeds() -> Vec<Vec<u8>> {
    let header = |width: u32, height: u32, depth: u8, colour: u8, interlaced: u8| {
        let [width, height] = [width, height].map(u32::to_be_bytes);
        [&[0], &width[..], &height, &[depth, colour, 0, 0, interlaced]].concat()
    };
    // 4 x 2 pixels, each line after a byte that names its filter.
    let image = |bytes: usize| piece(&[&[0], &[1; 1][..], &vec![7; bytes], &[2], &vec![9; bytes]].concat());
    let palette = piece(&[2, 255, 0, 0, 0, 255, 0]);
    vec![
        [header(4, 2, 8, 2, 0), image(12)].concat(),
        [header(4, 2, 8, 6, 0), image(16)].concat(),
        [header(4, 2, 16, 0, 0), image(8)].concat(),
        [header(4, 2, 1, 3, 0), palette.clone(), image(1)].concat(),
        [header(4, 2, 8, 3, 1), palette, piece(&[3, 9]), image(4)].concat(),
        [header(100_000, 100_000, 8, 2, 0), image(12)].concat(),
        [header(8192, 8192, 16, 6, 1), image(12)].concat(),
    ]
}
