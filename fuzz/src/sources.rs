//! Data folders of given files, read as a run reads them.

use ecgan::data::{Format, Source, SyntheticOptions};

/// Writes `files` into the folder `name`, and reads its training images.
pub fn read(name: &str, files: &[(String, Vec<u8>)], format: Format, classes: i32) {
    let folder = crate::path(name);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).expect("a temporary folder");
    }
    let options = SyntheticOptions { seed: 0, train: 10, test: 10 };
    let Ok(source) = Source::open(folder.to_str().expect("plain names"), &options) else { return };
    let Ok(images) = source.read_train(format) else { return };
    let pixels = images.pixels().expect("all are held");
    assert!(!images.is_empty() && pixels.len() == images.len() * format.bytes(), "{images:?}");
    assert!(images.labels.iter().all(|label| (0..classes).contains(label)), "{:?}", images.labels);
}
