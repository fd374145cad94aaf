use super::writer::{Variable, write};
use super::*;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

fn anything() -> [Wanted; 1] {
    [Wanted { name: "a", expected: "any numbers", accepts: |_, _| true }]
}

fn parse(bytes: &[u8]) -> Result<Array, DataError> {
    read_from(Path::new("file.mat"), bytes, bytes.len() as u64, anything()).map(|[a]| a)
}

fn refusal(bytes: &[u8]) -> String {
    let message = parse(bytes).unwrap_err().to_string();
    assert!(message.starts_with("file.mat: ") && message.contains("; expected "), "{message}");
    message
}

fn numbers() -> Variable {
    Variable::f64("a", &[2, 3], &[1.0, -2.0, 3.5, 4.0, 1e9, 6.0])
}

#[test]
fn both_byte_orders_compressed_or_not() {
    for (compress, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
        let other = Variable::u8("another", &[1, 3], vec![7; 3]);
        let file = write(&[other.clone(), numbers(), other], compress, big_endian);
        let array = parse(&file).unwrap();
        assert_eq!(array.dims, [2, 3], "compressed {compress}, big-endian {big_endian}");
        assert_eq!(array.values().collect::<Vec<_>>(), [1.0, -2.0, 3.5, 4.0, 1e9, 6.0]);
    }
}

#[test]
fn every_numeric_type() {
    let bytes = |value: f64, kind: u32| match kind {
        1 | 2 => (value as i64 as u8).to_le_bytes().to_vec(),
        3 | 4 => (value as i64 as u16).to_le_bytes().to_vec(),
        5 | 6 => (value as i64 as u32).to_le_bytes().to_vec(),
        7 => (value as f32).to_le_bytes().to_vec(),
        9 => value.to_le_bytes().to_vec(),
        _ => (value as i64).to_le_bytes().to_vec(),
    };
    for kind in [1, 2, 3, 4, 5, 6, 7, 9, 12, 13] {
        let values = if matches!(kind, 2 | 4 | 6 | 13) { [3.0, 200.0] } else { [3.0, -100.0] };
        let data: Vec<u8> = values.iter().flat_map(|&v| bytes(v, kind)).collect();
        let claimed_bytes = data.len() as u32;
        let variable = Variable { name: "a", class: 6, dims: vec![1, 2], kind, data, claimed_bytes };
        for big_endian in [false, true] {
            let array = parse(&write(std::slice::from_ref(&variable), false, big_endian)).unwrap();
            assert_eq!(array.values().collect::<Vec<_>>(), values, "type {kind}, big-endian {big_endian}");
        }
    }
}

#[test]
fn headers_that_are_not_level_5() {
    let file = write(&[numbers()], false, false);
    assert!(refusal(&file[..127]).contains("127 bytes"));
    assert!(refusal(b"").contains("0 bytes"));
    let mut newer = file.clone();
    newer[..10].copy_from_slice(b"MATLAB 7.3");
    assert!(refusal(&newer).contains("HDF5"));
    let mut order = file.clone();
    order[126..].copy_from_slice(&write(&[numbers()], false, true)[126..]);
    order[126] = b'X';
    assert!(refusal(&order).contains("byte order mark"));
    let mut version = file;
    version[124] = 9;
    assert!(refusal(&version).contains("version 0x0109"));
}

#[test]
fn every_truncation_is_an_error() {
    for compress in [false, true] {
        let file = write(&[numbers()], compress, false);
        for length in 0..file.len() {
            refusal(&file[..length]);
        }
    }
}

/// No byte, whatever its value, makes the reader panic; in compressed data the checksum finds every change.
#[test]
fn any_changed_byte_is_survived() {
    for compress in [false, true] {
        let file = write(&[numbers()], compress, false);
        for i in 0..file.len() {
            for change in [1, 0x80, 0xFF] {
                let mut damaged = file.clone();
                damaged[i] ^= change;
                let result = parse(&damaged);
                // A few bits after the stream's end mean nothing.
                let same = |a: &Array| a.values().eq(parse(&file).unwrap().values());
                let noticed = result.is_err() || result.is_ok_and(|a| same(&a));
                assert!(!compress || i < 136 || noticed, "byte {i} ^ {change:#x}");
            }
        }
    }
}

#[test]
fn sizes_that_lie() {
    for compress in [false, true] {
        let check = |change: fn(&mut Variable), what: &str| {
            let mut variable = numbers();
            change(&mut variable);
            let message = refusal(&write(&[variable], compress, false));
            assert!(message.contains(what), "{message} (looking for {what})");
        };
        check(|v| v.claimed_bytes = u32::MAX - 7, "but has 4294967288 bytes");
        check(|v| v.dims = vec![i32::MAX, i32::MAX, i32::MAX], "but has 48 bytes");
        check(|v| v.dims = vec![i32::MAX / 8, 16], "but has 48 bytes");
        check(|v| v.dims = vec![-2, 3], "dimensions [-2, 3]");
        check(|v| v.dims = vec![2], "dimensions have type 5 and 4 bytes");
        check(|v| v.dims = vec![1; 40], "dimensions have type 5 and 160 bytes");
        check(|v| v.kind = 8, "values of type 8");
        check(|v| v.class = 2, "array class 2");
        check(|v| v.class = 6 | 0x0800, "complex");
        check(|v| v.name = "b", "no variable `a`");
        // Dimensions and values agree on 4 GB that their matrix has no room for.
        check(promise, "bytes where 48 are left");
    }
}

fn promise(variable: &mut Variable) {
    variable.dims = vec![0x7FFF_FFC0, 2];
    variable.kind = 2;
    variable.claimed_bytes = 0xFFFF_FF80;
}

/// A file whose one element is `matrix`, compressed.
fn packed(matrix: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(matrix).unwrap();
    let packed = zlib.finish().unwrap();
    let mut file = write(&[], false, false);
    file.extend(15u32.to_le_bytes());
    file.extend((packed.len() as u32).to_le_bytes());
    file.extend(packed);
    file
}

#[test]
fn a_matrix_that_promises_more_than_there_is() {
    let mut file = write(&[numbers()], false, false);
    file[132..136].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(&file).contains("needs 4294967295 bytes"));

    // Compressed, nothing says how much there is: 4 GB are promised throughout, and are read until the stream ends.
    let mut variable = numbers();
    promise(&mut variable);
    let mut matrix = write(&[variable], false, false)[128..].to_vec();
    matrix[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let message = refusal(&packed(&matrix));
    assert!(message.contains("bytes early"), "{message}");
}

#[test]
fn a_stream_that_goes_on_after_its_matrix_is_not_unpacked_further() {
    let matrix = &write(&[numbers()], false, false)[128..];
    let message = refusal(&packed(&[matrix, &[0; 1 << 20]].concat()));
    assert!(message.contains("data after the end"), "{message}");
}
