//! Names as they may be printed: a file or class name can hold anything, a line's end and a terminal's commands too.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

/// Whether a terminal would obey the character rather than show it; U+202A to U+2069 turn the direction of what follows.
fn commands(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// `name` on one line, with what a terminal would obey escaped: `\n`, `\u{1b}`.
pub fn printable(name: &str) -> Cow<'_, str> {
    escaped(name, commands)
}

/// The same for text of several lines.
pub fn printable_text(text: &str) -> Cow<'_, str> {
    escaped(text, |c| commands(c) && !matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&which) {
        return text.into();
    }
    let escape = |c: char| if which(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// All names on one line, or of many the first few and how many there are.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let first = names.iter().take(SHOWN).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{first}, ... ({} in all)", names.len()) } else { first }
}

/// A path as messages have it.
pub(crate) struct Shown<'a>(pub &'a Path);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        assert!(matches!(printable("a b/ä.png"), Cow::Borrowed("a b/ä.png")));
        let hostile = "a\u{1b}[2Jb\nc\r\u{9b}31m\u{7f}\u{202e}d\te";
        assert_eq!(printable(hostile), "a\\u{1b}[2Jb\\nc\\r\\u{9b}31m\\u{7f}\\u{202e}d\\te");
        assert_eq!(printable_text(hostile), "a\\u{1b}[2Jb\nc\\r\\u{9b}31m\\u{7f}\\u{202e}d\te");
        assert_eq!(Shown(Path::new("x\ny")).to_string(), "x\\ny");
    }

    #[test]
    fn many_names_are_listed_by_the_first() {
        let names: Vec<String> = (0..13).map(|i| format!("{i}\n")).collect();
        assert_eq!(listed(&names[..2]), "0\\n, 1\\n");
        assert!(listed(&names).ends_with(", 11\\n, ... (13 in all)") && listed(&names[..12]).ends_with(", 11\\n"));
    }
}
