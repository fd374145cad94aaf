//! Command lines that are shown to people, to be run again.

use std::path::Path;

/// An argument as a POSIX shell takes it back: quoted where it has to be.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// The same of a path, which is no flag whatever it begins with.
pub fn quoted_path(path: impl AsRef<Path>) -> String {
    let path = path.as_ref().to_string_lossy();
    let here = if path.starts_with('-') { "./" } else { "" };
    quoted(&format!("{here}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("runs/0001-ec-gan/x.y"), "runs/0001-ec-gan/x.y");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("--seeds"), "--seeds");
    }

    #[test]
    fn a_path_is_no_flag() {
        assert_eq!(quoted_path("-dash/x"), "./-dash/x");
        assert_eq!(quoted_path("- -"), "'./- -'");
        assert_eq!(quoted_path("runs/-x"), "runs/-x");
    }
}
