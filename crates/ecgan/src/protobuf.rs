//! The wire format of protocol buffers, as far as it is written here: a message is its fields one after the other, each
//! a key (`number << 3 | type`) and a value. <https://protobuf.dev/programming-guides/encoding/>

/// Wire types.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// A field of type `uint64`, `int64`, `int32` or of an enum; for a negative number, its two's complement in 64 bits.
pub fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// A field of type `string`, `bytes` or of a message.
pub fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(out, field, LENGTH);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A field of type `float`.
pub fn float(out: &mut Vec<u8>, field: u32, value: f32) {
    key(out, field, FIXED32);
    out.extend(value.to_le_bytes());
}

/// A field of type `double`.
pub fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    key(out, field, FIXED64);
    out.extend(value.to_le_bytes());
}

fn key(out: &mut Vec<u8>, field: u32, wire: u32) {
    varint(out, u64::from(field << 3 | wire));
}

/// Seven bits a byte, the lowest first; all bytes but the last have the highest bit.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        // The first two are its own examples.
        assert_eq!(written(|out| number(out, 1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(written(|out| bytes(out, 2, b"testing")), *b"\x12\x07testing");
        assert_eq!(written(|out| number(out, 16, 0)), [0x80, 0x01, 0], "the key of a field from 16 on is two bytes");
        let minus_two = [&[0x08, 0xFE][..], &[0xFF; 8], &[1]].concat();
        assert_eq!(written(|out| number(out, 1, -2i64 as u64)), minus_two);
        assert_eq!(written(|out| float(out, 2, 0.5)), [0x15, 0, 0, 0, 0x3F]);
        assert_eq!(written(|out| double(out, 1, 1.0)), [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);
    }

    #[test]
    fn lengths_need_as_many_bytes_as_they_have() {
        for (length, prefix) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (1 << 14, vec![0x80, 0x80, 1])] {
            let out = written(|out| bytes(out, 1, &vec![7; length]));
            assert_eq!(out[1..], [prefix, vec![7; length]].concat());
        }
    }
}
