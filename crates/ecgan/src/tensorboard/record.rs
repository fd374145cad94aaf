//! TFRecord: `u64 length | u32 masked crc of it | data | u32 masked crc of them`, little-endian.
//! <https://www.tensorflow.org/tutorials/load_data/tfrecord>

/// The record that holds `data`.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// The checksum is rotated and shifted, for one over data that hold checksums not to be weak.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::framed;

    #[test]
    fn a_record_is_framed_as_tensorboard_reads_it() {
        // The crc32c of "123456789" is the algorithm's published check value, e3069283; rotated by 15, plus a282ead8.
        let record = framed(b"123456789");
        assert_eq!(record[..8], 9u64.to_le_bytes());
        assert_eq!(record[12..21], *b"123456789");
        assert_eq!(record[21..], 0xc78a_b0e5_u32.to_le_bytes());
        assert_eq!(record.len(), 25);
    }
}
