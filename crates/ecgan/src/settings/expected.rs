//! What a setting's value is, in the words of messages.

use super::{Choice, DeviceChoice, SimdChoice, TimeLimit};
use std::path::PathBuf;

/// A whole number as a setting: TOML's integers end there.
pub const WHOLE_NUMBER: &str = "a whole number from 0 to 9223372036854775807";

/// What is expected of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// In words.
    pub words: String,
    /// Whether a settings file has it in quotes.
    pub quoted: bool,
}

/// The type of a setting's value.
pub(super) trait Value {
    /// What is expected of one.
    fn expected() -> Expected;
}

fn text(words: impl Into<String>) -> Expected {
    Expected { words: words.into(), quoted: true }
}

fn bare(words: &str) -> Expected {
    Expected { words: words.into(), quoted: false }
}

/// The only text that may be any is the data.
impl Value for String {
    fn expected() -> Expected {
        text("a folder or `synthetic`")
    }
}

impl Value for PathBuf {
    fn expected() -> Expected {
        text("a path")
    }
}

impl Value for DeviceChoice {
    fn expected() -> Expected {
        text("auto, cpu, cuda or cuda:N")
    }
}

impl Value for SimdChoice {
    fn expected() -> Expected {
        text("portable, avx2 or avx512")
    }
}

impl Value for TimeLimit {
    fn expected() -> Expected {
        text("a time such as 90s, 30m, 2h or 1h30m")
    }
}

impl<T: Choice> Value for T {
    fn expected() -> Expected {
        text(format!("one of {}", T::NAMES.join(", ")))
    }
}

impl Value for usize {
    fn expected() -> Expected {
        bare(WHOLE_NUMBER)
    }
}

impl Value for u64 {
    fn expected() -> Expected {
        bare(WHOLE_NUMBER)
    }
}

impl Value for f64 {
    fn expected() -> Expected {
        bare("a number")
    }
}

impl Value for bool {
    fn expected() -> Expected {
        bare("true or false")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_end_where_those_of_toml_do() {
        assert_eq!(WHOLE_NUMBER, format!("a whole number from 0 to {}", i64::MAX));
    }
}
