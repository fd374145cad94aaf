use super::*;
use crate::data::inspect::inspect;
use crate::data::{Format, Images, Source, SyntheticOptions};
use std::fs;
use tempfile::TempDir;

const RGB: Format = Format { size: 32, channels: 3 };

/// Pixel value of plane `channel` at `place` of image `i`.
fn value(i: usize, channel: usize, place: usize) -> u8 {
    (i * 40 + channel * 90 + place % 32 + place / 32 * 2) as u8
}

/// Records with these label bytes.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let record = |(i, labels): (usize, &&[u8])| {
        let pixels = (0..PIXELS).map(move |k| value(i, k / 1024, k % 1024));
        labels.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    labels.iter().enumerate().flat_map(record).collect()
}

fn ten() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 1..=5u8 {
        let name = format!("data_batch_{i}.bin");
        fs::write(folder.path().join(name), records(&[&[i - 1], &[i + 4]])).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), records(&[&[3]])).unwrap();
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    fs::write(folder.path().join("batches.meta.txt"), names).unwrap();
    folder
}

fn open(folder: &Path) -> Result<Source, DataError> {
    Source::open(folder.to_str().unwrap(), &SyntheticOptions { seed: 0, train: 0, test: 0 })
}

fn read(folder: &Path) -> Result<Images, DataError> {
    open(folder)?.read_train(RGB)
}

fn refusal(folder: &Path, file: &str) -> String {
    let message = read(folder).unwrap_err().to_string();
    assert!(message.contains(&format!("{file}: ")) && message.contains("; expected "), "{message}");
    message
}

#[test]
fn planes_become_pixels_and_batches_follow_each_other() {
    let folder = ten();
    let source = open(folder.path()).unwrap();
    assert_eq!(source.classes()[9], "truck");
    let train = source.read_train(RGB).unwrap();
    assert_eq!(train.labels, [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]);
    for (i, place, channel) in [(0, 0, 0), (9, 1023, 2), (4, 517, 1)] {
        assert_eq!(train.batch(&[i]).unwrap()[place * 3 + channel], value(i % 2, channel, place));
    }
    assert_eq!(source.read_test(RGB).unwrap().labels, [3]);
}

#[test]
fn the_fine_labels_of_100_and_the_archives_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("train.bin"), records(&[&[19, 99], &[0, 7]])).unwrap();
    fs::write(folder.join("test.bin"), records(&[&[1, 50]])).unwrap();
    assert!(open(parent.path()).is_err(), "train.bin alone may be anything");
    let names: String = (0..100).map(|i| format!("class {i}\r\n")).collect();
    fs::write(folder.join("fine_label_names.txt"), names).unwrap();
    for path in [parent.path(), &folder] {
        let source = open(path).unwrap();
        assert_eq!(source.classes()[99], "class 99");
        let train = source.read_train(RGB).unwrap();
        assert_eq!((&train.labels[..], train.batch(&[1]).unwrap()[1]), (&[99, 7][..], value(1, 1, 0)));
        assert_eq!(source.read_test(RGB).unwrap().labels, [50]);
    }
    fs::write(folder.join("train.bin"), records(&[&[19, 100]])).unwrap();
    assert!(refusal(&folder, "train.bin").contains("label 100 of image 0; expected 0 to 99"));
}

#[test]
fn every_length_but_whole_records_is_refused() {
    let folder = ten();
    let path = folder.path().join("data_batch_4.bin");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).filter(|length| *length != PIXELS + 1) {
        // Without a file each time: opening thousands of them takes longer than the test may.
        let reader = Cifar { folder: folder.path().into(), version: &CIFAR_10 };
        if length % 97 == 0 || length < 3 || length > whole.len() - 3 {
            fs::write(&path, &whole[..length]).unwrap();
            let message = reader.open(Part::Train).err().unwrap().to_string();
            assert!(
                message.contains(&format!("data_batch_4.bin: {length} bytes; expected a multiple of 3073")),
                "{message}"
            );
        }
    }
}

#[test]
fn every_file_that_cannot_be_read_is_told() {
    let folder = ten();
    for i in [2, 4] {
        fs::write(folder.path().join(format!("data_batch_{i}.bin")), "short").unwrap();
    }
    let found = inspect(folder.path().to_str().unwrap(), &SyntheticOptions { seed: 0, train: 0, test: 0 }).unwrap();
    let [second, fourth] = &found.unreadable[..] else { panic!("{:?}", found.unreadable) };
    for (unreadable, file) in [(second, "data_batch_2.bin"), (fourth, "data_batch_4.bin")] {
        assert!(
            unreadable.problem.contains(&format!("{file}: 5 bytes; expected a multiple of 3073")),
            "{unreadable:?}"
        );
        assert_eq!(unreadable.part, "train");
    }
    assert_eq!(found.parts.len(), 1, "the test part");
}

#[test]
fn labels_and_names_that_cannot_be() {
    let folder = ten();
    let batch = folder.path().join("data_batch_2.bin");
    for label in [10, 0x80, 0xFF] {
        fs::write(&batch, records(&[&[1], &[label]])).unwrap();
        assert!(
            refusal(folder.path(), "data_batch_2.bin").contains(&format!("label {label} of image 1; expected 0 to 9"))
        );
    }
    fs::remove_file(&batch).unwrap();
    assert!(refusal(folder.path(), "data_batch_2.bin").contains("no such file, which the train part needs"));
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    assert!(
        refusal(folder.path(), "data_batch_2.bin").contains("no such file, nor data_batch_4.bin, which the train part")
    );
    assert_eq!(open(folder.path()).unwrap().read_test(RGB).unwrap().len(), 1, "the test part is there");
    for names in ["", "a\nb\n", "a\n\nc\nd\ne\nf\ng\nh\ni\nj", "a\na\nc\nd\ne\nf\ng\nh\ni\nj"] {
        fs::write(folder.path().join("batches.meta.txt"), names).unwrap();
        assert!(refusal(folder.path(), "batches.meta.txt").contains("expected 10 different class names"));
    }
    fs::write(folder.path().join("batches.meta.txt"), [0xFF; 20]).unwrap();
    assert!(refusal(folder.path(), "batches.meta.txt").contains("not text"));
    fs::remove_file(folder.path().join("batches.meta.txt")).unwrap();
    let message = open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("batches.meta.txt: cannot read"), "{message}");
}
