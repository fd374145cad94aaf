use super::*;
use crate::data::inspect::inspect;
use crate::data::{Format, Images, Source, SyntheticOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use tempfile::TempDir;

const GREY: Format = Format { size: 32, channels: 1 };

/// Three images of 2 rows and 3 columns.
fn images() -> Vec<u8> {
    let header = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3];
    header.into_iter().chain(1..=18).collect()
}

fn labels() -> Vec<u8> {
    vec![0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const PLAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const PACKED: [&str; 2] = ["train-images.idx3-ubyte.gz", "train-labels.idx1-ubyte.gz"];

/// A folder with a training pair.
fn folder(names: [&str; 2], images: &[u8], labels: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(names[0]), images).unwrap();
    fs::write(folder.path().join(names[1]), labels).unwrap();
    folder
}

fn source(folder: &Path) -> Source {
    Source::open(folder.to_str().unwrap(), &SyntheticOptions { seed: 0, train: 0, test: 0 }).unwrap()
}

fn train(folder: &TempDir) -> Result<Images, DataError> {
    source(folder.path()).read_train(GREY)
}

fn refusal(names: [&str; 2], images: &[u8], labels: &[u8]) -> String {
    let message = train(&folder(names, images, labels)).unwrap_err().to_string();
    assert!(message.contains("ubyte") && message.contains("; expected "), "{message}");
    message
}

#[test]
fn every_name_plain_or_packed_and_in_subfolders() {
    for (joint, end) in [("-", ""), (".", ""), ("-", ".gz"), (".", ".gz")] {
        for below in ["", "raw", "MNIST/raw"] {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join(below)).unwrap();
            for part in ["train", "t10k"] {
                for (kind, bytes) in [("images", images()), ("labels", labels())] {
                    let dims = if kind == "images" { 3 } else { 1 };
                    let name = format!("{below}/{part}-{kind}{joint}idx{dims}-ubyte{end}");
                    let bytes = if end.is_empty() { bytes } else { gzip(&bytes) };
                    fs::write(folder.path().join(name.trim_start_matches('/')), bytes).unwrap();
                }
            }
            let source = source(folder.path());
            assert_eq!(source.classes().concat(), "0123456789");
            let train = source.read_train(GREY).unwrap();
            assert_eq!(train.labels, [9, 0, 4]);
            let corner = |i: usize| train.batch(&[i]).unwrap()[0];
            assert_eq!([corner(0), corner(1), corner(2)], [1, 7, 13], "corners stay when an image is enlarged");
            assert_eq!(source.read_test(GREY).unwrap().len(), 3);
        }
    }
}

#[test]
fn what_is_missing_is_named_when_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t10k-images-idx3-ubyte"), images()).unwrap();
    fs::write(folder.path().join("t10k-labels-idx1-ubyte.gz"), gzip(&labels())).unwrap();
    let source = source(folder.path());
    assert_eq!(source.read_test(GREY).unwrap().labels, [9, 0, 4]);
    let message = source.read_train(GREY).unwrap_err().to_string();
    let missing = "no train-images-idx3-ubyte and no train-images-idx3-ubyte.gz, which the train part needs";
    assert!(message.contains(missing), "{message}");
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let message = source.read_test(GREY).unwrap_err().to_string();
    assert!(message.contains("no t10k-labels-idx1-ubyte and no"), "{message}");
}

#[test]
fn both_files_that_cannot_be_read_are_told() {
    let folder = folder(PLAIN, &images()[..20], &labels()[..9]);
    let found = inspect(folder.path().to_str().unwrap(), &SyntheticOptions { seed: 0, train: 0, test: 0 }).unwrap();
    let [first, second] = &found.unreadable[..] else { panic!("{:?}", found.unreadable) };
    assert!(first.problem.contains(PLAIN[0]) && second.problem.contains(PLAIN[1]), "{first:?} {second:?}");
}

/// Images of the digit 0 alone can be measured, and not trained on.
#[test]
fn one_class_is_refused_to_who_trains() {
    let folder = folder(PLAIN, &images(), &[0, 0, 8, 1, 0, 0, 0, 3, 0, 0, 0]);
    let (data, options) = (folder.path().to_str().unwrap(), SyntheticOptions { seed: 0, train: 0, test: 0 });
    let refused = Source::open(data, &options).unwrap_err().to_string();
    assert!(refused.contains("every label is 0; expected at least two classes"), "{refused}");
    assert_eq!(Source::open_to_measure(data, &options).unwrap().classes(), ["0"]);
}

#[test]
fn every_truncation_and_anything_more_is_refused() {
    for (names, pack) in [(PLAIN, false), (PACKED, true)] {
        let packed = |bytes: Vec<u8>| if pack { gzip(&bytes) } else { bytes };
        let (images, labels) = (packed(images()), packed(labels()));
        for length in 0..images.len() {
            assert!(refusal(names, &images[..length], &labels).contains(names[0]));
        }
        for length in 0..labels.len() {
            assert!(refusal(names, &images, &labels[..length]).contains(names[1]));
        }
        refusal(names, &[&images[..], b"x"].concat(), &labels);
        refusal(names, &images, &[&labels[..], b"x"].concat());
        assert_eq!(train(&folder(names, &images, &labels)).unwrap().len(), 3);
    }
    // A whole stream of too much or too little.
    let message = refusal(PACKED, &gzip(&[&images()[..], b"x"].concat()), &gzip(&labels()));
    assert!(message.contains("more than 18 bytes of values; expected 18, as its header says: [3, 2, 3]"), "{message}");
    let message = refusal(PACKED, &gzip(&images()[..33]), &gzip(&labels()));
    assert!(message.contains("17 bytes of values; expected 18"), "{message}");
}

/// No byte, whatever its value, makes the reader panic; in packed data the checksum finds every change of contents.
#[test]
fn any_changed_byte_is_survived() {
    for (names, pack) in [(PLAIN, false), (PACKED, true)] {
        let packed = |bytes: Vec<u8>| if pack { gzip(&bytes) } else { bytes };
        let (images, labels) = (packed(images()), packed(labels()));
        let good = train(&folder(names, &images, &labels)).unwrap();
        for i in 0..images.len() {
            for change in [1, 0x80, 0xFF] {
                let mut damaged = images.clone();
                damaged[i] ^= change;
                match train(&folder(names, &damaged, &labels)) {
                    Ok(images) => assert!(!pack || images.pixels() == good.pixels(), "byte {i} ^ {change:#x}"),
                    Err(error) => assert!(error.to_string().contains(names[0]) || !pack, "{error}"),
                }
            }
        }
    }
}

#[test]
fn headers_that_lie() {
    let change = |mut bytes: Vec<u8>, at: usize, to: [u8; 4]| {
        bytes[at..at + 4].copy_from_slice(&to);
        bytes
    };
    let wrong = |at, to, what: &str| {
        for (names, pack) in [(PLAIN, false), (PACKED, true)] {
            let packed = |bytes: Vec<u8>| if pack { gzip(&bytes) } else { bytes };
            let message = refusal(names, &packed(change(images(), at, to)), &packed(labels()));
            assert!(message.contains(what), "{message} (looking for {what})");
        }
    };
    wrong(0, [0, 0, 8, 1], "magic number 0x00000801; expected 0x00000803, unsigned bytes in 3 dimensions");
    wrong(0, [0, 0, 13, 3], "magic number 0x00000d03");
    wrong(4, [0; 4], "number of items 0; expected 1 to 2147483647");
    wrong(4, [0xFF; 4], "number of items 4294967295");
    wrong(8, [0, 0, 0x20, 1], "number of rows 8193; expected 1 to 8192");
    wrong(12, [0; 4], "number of columns 0");
    // Numbers that are allowed by themselves: what they promise cannot be there, and is not allocated.
    wrong(4, [0x7F, 0xFF, 0xFF, 0xFF], "its header says [2147483647, 2, 3], 12884901882 bytes of values; expected ");
    wrong(8, [0, 0, 0x20, 0], "bytes of values; expected ");
    let message = refusal(PLAIN, &images(), &change(labels(), 4, [0, 0, 0, 2]));
    assert!(
        message.contains("its header says [2, 1, 1], 2 bytes of values; expected a file of 10 bytes; it has 11"),
        "{message}"
    );
    let two = [0, 0, 8, 1, 0, 0, 0, 2, 9, 0];
    assert!(refusal(PLAIN, &images(), &two).contains("2 labels; expected 3 labels, as "));
}

/// Three of them or all that a byte can count, whatever the published files have.
#[test]
fn the_classes_are_the_numbers_up_to_the_largest_training_label() {
    let with = |train: [u8; 3], test: [u8; 3]| {
        let of = |values: [u8; 3]| [&labels()[..8], &values].concat();
        let folder = folder(PLAIN, &images(), &of(train));
        fs::write(folder.path().join("t10k-images-idx3-ubyte"), images()).unwrap();
        fs::write(folder.path().join("t10k-labels-idx1-ubyte"), of(test)).unwrap();
        folder
    };
    let three = with([2, 0, 1], [1, 1, 0]);
    assert_eq!(source(three.path()).classes(), ["0", "1", "2"]);
    assert_eq!(source(three.path()).read_test(GREY).unwrap().labels, [1, 1, 0]);
    // Of the test part, where it is alone.
    for name in PLAIN {
        fs::remove_file(three.path().join(name)).unwrap();
    }
    assert_eq!(source(three.path()).classes(), ["0", "1"]);
    let most = with([255, 0, 7], [254, 0, 0]);
    assert_eq!((source(most.path()).classes().len(), train(&most).unwrap().labels[0]), (256, 255));
    let beyond = with([2, 0, 1], [1, 3, 0]);
    let message = source(beyond.path()).read_test(GREY).unwrap_err().to_string();
    let wrong = "t10k-labels-idx1-ubyte: label 3 at index 1; expected 0 to 2, the labels of the training part";
    assert!(message.ends_with(wrong), "{message}");
    let one = with([0; 3], [0; 3]);
    let options = SyntheticOptions { seed: 0, train: 0, test: 0 };
    let message = Source::open(one.path().to_str().unwrap(), &options).unwrap_err().to_string();
    let wrong = "train-labels-idx1-ubyte: every label is 0; expected at least two classes, 0 and 1";
    assert!(message.ends_with(wrong), "{message}");
}

/// A header that promises gigabytes over a stream of a few packed kilobytes: refused before anything is unpacked.
#[test]
fn a_bomb_is_not_unpacked() {
    let mut bytes = images();
    bytes[4..8].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
    bytes.extend(vec![0; 1 << 20]);
    let message = refusal(PACKED, &gzip(&bytes), &gzip(&labels()));
    assert!(message.contains("packed bytes can hold"), "{message}");
}
