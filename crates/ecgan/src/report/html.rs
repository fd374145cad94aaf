//! What every part of the page writes with: escaping, and numbers for people.

use std::fmt;

/// Text that may hold anything, for an element or a quoted attribute.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // Neither HTML nor XML has a way to write these.
            c if c.is_control() && !matches!(c, '\n' | '\t') => f.write_str("\u{fffd}"),
            c => write!(f, "{c}"),
        })
    }
}

/// Three significant figures where there are no more before the point.
pub fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.001 => 3,
        _ => return format!("{value:.0e}"),
    };
    format!("{value:.decimals$}")
}

/// A whole number with commas at the thousands.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(Escaped("<a href=\"x\">&'\u{1}").to_string(), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}");
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 1234.5, 99.96, 12.345, 1.0 / 3.0, 0.00123, 2e-5].map(short);
        assert_eq!(texts, ["0", "1234", "100", "12.3", "0.333", "0.001", "2e-5"]);
        assert_eq!([7, 1234, 1_000_000].map(grouped), ["7", "1,234", "1,000,000"]);
    }
}
