//! Classes whose names read alike: perhaps one that lies in two folders.

use crate::printable::{Shown, printable};
use std::collections::BTreeMap;
use std::path::Path;
use unicode_normalization::UnicodeNormalization;

/// A name as it is read: however its accents are stored (macOS takes them apart), in one case, without spaces around it.
fn read(name: &str) -> String {
    name.trim().nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// What alone tells two names apart that read alike; `None` where they do not, or are one.
pub(super) fn alike(name: &str, other: &str) -> Option<String> {
    if name == other || read(name) != read(other) {
        return None;
    }
    let how = if name.nfc().eq(other.nfc()) {
        "how accents are stored"
    } else if name.trim() == other.trim() {
        "the spaces around them"
    } else if name.to_lowercase() == other.to_lowercase() {
        "upper and lower case"
    } else {
        "case, spaces or how accents are stored"
    };
    Some(format!("`{}` and `{}` differ in {how} alone", printable(name), printable(other)))
}

/// Reports classes that read alike; of many, as letters may be, the first two.
pub(super) fn warn_of_twins(path: &Path, classes: &[String], warnings: &mut Vec<String>) {
    let mut by_reading: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for class in classes {
        by_reading.entry(read(class)).or_default().push(class);
    }
    let mut pairs = by_reading.values().filter_map(|names| names.get(1).and_then(|other| alike(names[0], other)));
    if let Some(first) = pairs.next() {
        let more = match pairs.count() {
            0 => String::new(),
            1 => ", as do those of another pair".into(),
            more => format!(", as do those of {more} more pairs"),
        };
        warnings.push(format!("{}: classes {first}{more}", Shown(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_alike_are_told_with_what_tells_them_apart() {
        let said = |a, b| alike(a, b).unwrap_or_default();
        assert_eq!(said("Cat", "cat"), "`Cat` and `cat` differ in upper and lower case alone");
        assert!(said("cat ", "cat").contains("differ in the spaces around them alone"));
        assert!(said("caf\u{e9}", "cafe\u{301}").contains("differ in how accents are stored alone"));
        assert!(said("Caf\u{e9}", "cafe\u{301} ").contains("differ in case, spaces or how accents are stored alone"));
        for (a, b) in [("cat", "cat"), ("cat", "cats"), ("caf\u{e9}", "cafe"), ("a b", "ab")] {
            assert_eq!(alike(a, b), None, "{a} {b}");
        }
    }

    #[test]
    fn many_pairs_are_one_warning() {
        let warned = |names: &[&str]| {
            let mut warnings = Vec::new();
            warn_of_twins(Path::new("x"), &names.iter().map(ToString::to_string).collect::<Vec<_>>(), &mut warnings);
            warnings
        };
        assert!(warned(&["a", "b"]).is_empty());
        assert_eq!(warned(&["A", "a"]), ["x: classes `A` and `a` differ in upper and lower case alone"]);
        assert!(warned(&["A", "B", "a", "b"])[0].ends_with(" alone, as do those of another pair"));
        assert!(warned(&["A", "B", "C", "a", "b", "c"])[0].ends_with(" alone, as do those of 2 more pairs"));
    }
}
