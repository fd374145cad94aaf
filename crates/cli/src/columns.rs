//! Names in columns of a terminal, where a letter of some scripts takes two places.

use unicode_width::UnicodeWidthStr;

/// The places of the widest of these, but no fewer than that of `least`.
pub fn widest<T: AsRef<str>>(names: &[T], least: &str) -> usize {
    names.iter().map(|name| name.as_ref().width()).max().unwrap_or(0).max(least.width())
}

/// With blanks behind it up to so many places; what is wider stays as it is.
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_one_width() {
        let names = ["cat", "日本", "blå"];
        assert_eq!((widest(&names, ""), widest(&names, "class"), widest::<&str>(&[], "x")), (4, 5, 1));
        assert_eq!(names.map(|name| padded(name, 4)), ["cat ", "日本", "blå "]);
        assert_eq!(padded("horse", 4), "horse");
    }
}
