//! What a setting's value is, in the words of messages.

use super::{Choice, DeviceChoice, SimdChoice, TimeLimit};
use kernels::Simd;
use std::path::PathBuf;

/// A whole number as a setting: TOML's integers end there.
pub const WHOLE_NUMBER: &str = "a whole number from 0 to 9223372036854775807";

/// The same of what is counted, of which none is not enough.
pub const COUNT: &str = "a whole number from 1 to 9223372036854775807";

/// What is expected of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// In words.
    pub words: String,
    /// Whether a settings file has it in quotes.
    pub quoted: bool,
    /// The words it is one of, where there are only some.
    pub names: &'static [&'static str],
}

/// The type of a setting's value.
pub(super) trait Value {
    /// What is expected of one.
    fn expected() -> Expected;
}

/// For each type the words, and whether a settings file has it in quotes.
macro_rules! values {
    ($($type:ty: $words:expr, $quoted:expr;)*) => {
        $(impl Value for $type {
            fn expected() -> Expected {
                Expected { words: $words.into(), quoted: $quoted, names: &[] }
            }
        })*
    };
}

values! {
    // The only text that may be any is the data.
    String: "a folder or `synthetic`", true;
    PathBuf: "a path", true;
    DeviceChoice: "auto, cpu, cuda or cuda:N", true;
    SimdChoice: Simd::NAMES, true;
    TimeLimit: "a time such as 90s, 30m, 2h or 1h30m", true;
    usize: WHOLE_NUMBER, false;
    u64: WHOLE_NUMBER, false;
    f64: "a number", false;
    bool: "true or false", false;
}

impl<T: Choice> Value for T {
    fn expected() -> Expected {
        Expected { words: format!("one of {}", T::NAMES.join(", ")), quoted: true, names: T::NAMES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_end_where_those_of_toml_do() {
        assert_eq!([WHOLE_NUMBER, COUNT], [0, 1].map(|least| format!("a whole number from {least} to {}", i64::MAX)));
    }
}
