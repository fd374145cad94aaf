//! Whether a PNG's palette is whole: the decoder (png 0.18.1) takes that for granted and panics where it is not.
//!
//! A PNG (ISO/IEC 15948, clause 5) is a signature of 8 bytes and chunks: length u32, type[4], data, checksum[4].

/// Whether every palette is of whole entries, three bytes each. Damage of other kinds is left to the decoder.
pub fn has_whole_palette(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some(([a, b, c, d, kind @ ..], data)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if kind == b"PLTE" && !length.is_multiple_of(3) {
            return false;
        }
        rest = data.get(length + 4..).unwrap_or_default();
    }
    true
}

/// What the decoder says, without its full stop, and with a chunk's name where it prints all that it knows of the chunk.
pub fn in_brief(said: &str) -> String {
    let said = said.trim_end_matches('.');
    let named = said.split_once("ChunkType { type: ").and_then(|(before, rest)| {
        let (kind, rest) = rest.split_once(", ")?;
        let (_, after) = rest.split_once(" }")?;
        Some(format!("{before}the chunk {kind}{}", after.strip_prefix(" chunk").unwrap_or(after)))
    });
    named.unwrap_or_else(|| said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_told_by_its_name() {
        let said = "have 0x0 while decoding ChunkType { type: IDAT, critical: true, safecopy: false } chunk.";
        assert_eq!(in_brief(said), "have 0x0 while decoding the chunk IDAT");
        assert_eq!(
            in_brief("ChunkType { type: PLTE, private: false } is twice there"),
            "the chunk PLTE is twice there"
        );
        assert_eq!(in_brief("IDAT or fdAT chunk is missing."), "IDAT or fdAT chunk is missing");
    }

    #[test]
    fn a_palette_is_found_behind_other_chunks() {
        let file = |length: u8| {
            let palette = [&[0, 0, 0, length][..], b"PLTE", &vec![7; length.into()], b"sum."].concat();
            [b"\x89PNG\r\n\x1a\n\0\0\0\x02gAMAxxsum.", &palette[..], b"\0\0\0\0IENDsum."].concat()
        };
        for length in 0..12 {
            assert_eq!(has_whole_palette(&file(length)), length % 3 == 0, "{length}");
        }
        let cut = |length: usize| has_whole_palette(&file(6)[..length]);
        assert!((0..file(6).len()).all(cut) && has_whole_palette(b""));
        assert!(has_whole_palette(b"\x89PNG\r\n\x1a\n\xFF\xFF\xFF\xFFIHDR\0"));
    }
}
