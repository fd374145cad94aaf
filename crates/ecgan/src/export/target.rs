//! Names that a file may be written under: of its own kind, and not of anything else that is there.

use crate::run_folder::{check_can_write, is_our_png};
use crate::{Error, mistakes};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Bytes at a file's beginning that tell what it is.
const HEAD: u64 = 4096;

/// A kind of file that a command writes where it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture.
    Png,
    /// The report of a run.
    Html,
    /// The curves of a run.
    Svg,
    /// The features that are compared where a generator is measured.
    Features,
    /// What a classifier was wrong about.
    Mistakes,
}

impl FileKind {
    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Features => "safetensors",
            Self::Mistakes => "csv",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "a picture of ecgan",
            Self::Html => "a report of ecgan",
            Self::Svg => "curves of ecgan",
            Self::Features => "features of ecgan",
            Self::Mistakes => "mistakes of ecgan",
        }
    }

    /// Whether this is the beginning of such a file of ours.
    fn begins(self, head: &[u8]) -> bool {
        let has = |text: &str| head.windows(text.len()).any(|part| part == text.as_bytes());
        match self {
            Self::Png => is_our_png(head),
            Self::Html => has("<meta name=\"generator\" content=\"ecgan "),
            Self::Svg => head.starts_with(b"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\""),
            // No checkpoint and no state dict has tensors of these names.
            Self::Features => has("\"generated\":{") && has("\"real\":{"),
            Self::Mistakes => head.starts_with(mistakes::HEADER.as_bytes()),
        }
    }
}

/// Checks, before the work, that a file of this kind may be written to `path`, which the setting `name` gives: the name has
/// the kind's ending, nothing is there but a file of the same kind, or an empty one, and the folder takes files.
///
/// # Errors
/// [`Error::Setting`] where it may not; [`Error::Io`] where the file that is there cannot be read, and where none can be written.
pub fn check_file(name: &'static str, path: &Path, kind: FileKind) -> Result<(), Error> {
    let wrong = |expected: String, got: String| Err(Error::Setting { name, expected, got });
    let shown = path.display();
    if extension(path).as_deref() != Some(kind.extension()) {
        return wrong(format!("a name that ends in .{}", kind.extension()), shown.to_string());
    }
    check_can_write(path)?;
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let expected = format!("a new file, or {} to replace", kind.name());
    if !found.is_file() {
        return wrong(expected, format!("{shown}, which is no regular file"));
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).map_err(Error::io(path, "read"))?;
    if head.is_empty() || kind.begins(&head) { Ok(()) } else { wrong(expected, format!("{shown}, which is none")) }
}

/// What a name ends in, in small letters.
pub(super) fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::run_folder::png;
    use image::RgbImage;

    #[test]
    fn a_name_has_the_ending_of_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kind, ending) in [
            ("a.jpg", FileKind::Png, ".png"),
            ("png", FileKind::Png, ".png"),
            ("config.toml", FileKind::Html, ".html"),
            ("summary.json", FileKind::Svg, ".svg"),
            ("out", FileKind::Features, ".safetensors"),
            ("out.png", FileKind::Mistakes, ".csv"),
        ] {
            let path = folder.path().join(name);
            let error = check_file("grid", &path, kind).unwrap_err();
            let expected = format!("grid: expected a name that ends in {ending}, got {}", path.display());
            assert_eq!((error.to_string(), error.kind()), (expected, ErrorKind::Usage));
        }
        assert!(check_file("grid", &folder.path().join("new/A.PNG"), FileKind::Png).is_ok());
    }

    #[test]
    fn what_is_there_is_replaced_by_its_own_kind_only() {
        let folder = tempfile::tempdir().unwrap();
        let check = |file: &str, kind, contents: &[u8]| {
            let path = folder.path().join(file);
            fs::write(&path, contents).unwrap();
            check_file("out", &path, kind).map_err(|error| error.to_string())
        };
        let mut picture = Vec::new();
        png(&RgbImage::new(2, 2), &mut picture).unwrap();
        let page = b"<!DOCTYPE html>\n<meta name=\"generator\" content=\"ecgan 0.1.0\">";
        let features = b"\x80\0\0\0\0\0\0\0{\"generated\":{\"dtype\":\"F64\"},\"real\":{\"dtype\":\"F64\"}}";
        for (file, kind, ours, other) in [
            ("a.png", FileKind::Png, &picture[..], &b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR"[..]),
            ("a.html", FileKind::Html, page, b"<!DOCTYPE html>\n<title>Mine</title>"),
            ("a.svg", FileKind::Svg, b"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\">", b"<svg></svg>"),
            ("a.safetensors", FileKind::Features, features, b"\x20\0\0\0\0\0\0\0{\"classifier.conv1.weight\":{"),
            ("a.csv", FileKind::Mistakes, b"image,actual,predicted,confidence\n", b"image,actual\n"),
        ] {
            assert_eq!(check(file, kind, ours), Ok(()), "{file}");
            assert_eq!(check(file, kind, b""), Ok(()), "{file}");
            let message = check(file, kind, other).unwrap_err();
            let of_kind = format!("out: expected a new file, or {} to replace, got ", kind.name());
            assert!(message.starts_with(&of_kind) && message.ends_with(", which is none"), "{message}");
        }
        fs::create_dir(folder.path().join("folder.png")).unwrap();
        let error = check_file("out", &folder.path().join("folder.png"), FileKind::Png).unwrap_err();
        assert!(error.to_string().ends_with("folder.png, which is no regular file"), "{error}");
    }
}
