//! Writes small MAT-files for tests.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// An array to write: every part of it may lie.
#[derive(Clone)]
pub struct Variable {
    pub name: &'static str,
    pub class: u32,
    pub dims: Vec<i32>,
    pub kind: u32,
    /// Values, little-endian.
    pub data: Vec<u8>,
    /// What the tag of the values says.
    pub claimed_bytes: u32,
}

impl Variable {
    pub fn u8(name: &'static str, dims: &[i32], data: Vec<u8>) -> Self {
        let claimed_bytes = data.len() as u32;
        Self { name, class: 9, dims: dims.into(), kind: 2, data, claimed_bytes }
    }

    pub fn f64(name: &'static str, dims: &[i32], values: &[f64]) -> Self {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { name, class: 6, dims: dims.into(), kind: 9, claimed_bytes: data.len() as u32, data }
    }
}

/// Bytes of the values of a type.
fn width(kind: u32) -> usize {
    [1, 1, 1, 2, 2, 4, 4, 4, 1, 8, 1, 1, 8, 8][kind as usize]
}

struct Output {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Output {
    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.bytes.extend(if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
        }
    }

    /// An element with values of `data`, little-endian, turned where the file is big-endian.
    fn element(&mut self, kind: u32, data: &[u8], claimed: u32) {
        let mut data = data.to_vec();
        if self.big_endian {
            data.chunks_mut(width(kind)).for_each(<[u8]>::reverse);
        }
        if (1..=4).contains(&data.len()) && claimed as usize == data.len() {
            self.words(&[claimed << 16 | kind]);
            data.resize(4, 0);
        } else {
            self.words(&[kind, claimed]);
            data.resize(data.len().next_multiple_of(8), 0);
        }
        self.bytes.extend(data);
    }
}

/// A file with these arrays.
pub fn write(variables: &[Variable], compress: bool, big_endian: bool) -> Vec<u8> {
    let mut file = vec![b' '; 124];
    file.extend(if big_endian { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
    for variable in variables {
        let mut inside = Output { bytes: Vec::new(), big_endian };
        let flags: Vec<u8> = [variable.class, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
        inside.element(6, &flags, 8);
        let dims: Vec<u8> = variable.dims.iter().flat_map(|d| d.to_le_bytes()).collect();
        inside.element(5, &dims, dims.len() as u32);
        inside.element(1, variable.name.as_bytes(), variable.name.len() as u32);
        inside.element(variable.kind, &variable.data, variable.claimed_bytes);
        let mut matrix = Output { bytes: Vec::new(), big_endian };
        matrix.words(&[14, inside.bytes.len() as u32]);
        matrix.bytes.extend(inside.bytes);
        if compress {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(&matrix.bytes).unwrap();
            let packed = zlib.finish().unwrap();
            let mut element = Output { bytes: file, big_endian };
            element.words(&[15, packed.len() as u32]);
            element.bytes.extend(packed);
            file = element.bytes;
        } else {
            file.extend(matrix.bytes);
        }
    }
    file
}
