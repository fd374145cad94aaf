//! FNV-1a of 64 bits (Fowler, Noll and Vo): the same on every machine and in every version, and enough to tell by accident changed
//! bytes from unchanged ones.

use std::fmt::{self, Display, Formatter};

/// The digest of the bytes so far; 16 hexadecimal digits.
pub struct Digest(u64);

impl Digest {
    /// Of no bytes.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// With more bytes.
    pub fn with(self, bytes: &[u8]) -> Self {
        let next = |digest: u64, &byte: &u8| (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(bytes.iter().fold(self.0, next))
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn the_digest_is_fnv_1a() {
        let of = |text: &str| Digest::new().with(text.as_bytes()).to_string();
        assert_eq!([of(""), of("a"), of("foobar")], ["cbf29ce484222325", "af63dc4c8601ec8c", "85944171f73967e8"]);
        assert_eq!(Digest(10).to_string(), "000000000000000a");
    }
}
