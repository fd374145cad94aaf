//! Data that is not what it should be: exit code 3, a message that names the file and what is wrong, no run folder.

use crate::binary::{ecgan, entries, refused, small, train};
use crate::data_sets::{house_numbers, mat, pets};
use std::fs;
use std::path::Path;

/// Spoils a good data set with `spoil`, and checks that training and evaluating it is refused with `message`.
fn spoiled(good: fn(&Path), spoil: impl FnOnce(&Path), message: &str) {
    let here = tempfile::tempdir().unwrap();
    let data = here.path().join("data");
    good(&data);
    spoil(&data);
    refused(here.path(), &["train", "--data", "data", "--max-steps", "1"], 3, message);
    refused(here.path(), &["train", "--data", "data", "--max-steps", "1", "--out", "a/b"], 3, message);
    assert_eq!(entries(here.path()), 1, "no run folder is left behind");
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

/// A PNG whose header says 60,000 pixels a side; the checksum of the header is right.
fn lying_png() -> Vec<u8> {
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\x0f\xb0\xe2\x15";
    [&header[..], b"\0\0\0\x0dIDATx\xda\x63\0\0\0\x01\0\x01"].concat()
}

#[test]
fn folders_that_are_no_data_set() {
    let here = tempfile::tempdir().unwrap();
    let train = |data: &str, message: &str| refused(here.path(), &["train", "--data", data], 3, message);
    train("nowhere", "error: nowhere: no such folder; expected a data folder or `synthetic`\n");
    fs::create_dir(here.path().join("empty")).unwrap();
    train("empty", "error: empty: no data set found; looked for train/<class>/ and test/<class>/ with PNG or JPEG");
    fs::write(here.path().join("file"), "x").unwrap();
    train("file", "error: file: not a folder; expected a data folder or `synthetic`\n");
    assert_eq!(entries(here.path()), 2);
}

/// What was found is said before what was looked for.
#[test]
fn folders_that_are_nearly_a_data_set() {
    let here = tempfile::tempdir().unwrap();
    let at = |name: &str| here.path().join(name);
    pets(&at("nest/images"));
    let train = |data: &str, found: &str| {
        let message = format!("error: {data}: no data set found ({found}); looked for train/<class>/ and test/");
        refused(here.path(), &["train", "--data", data], 3, &message);
    };
    train("nest", "but `images` in it is one: did you mean nest/images?");
    train("nest/images/train/cat", "images, such as `0.png`, but not in class folders");
    fs::rename(at("nest/images/train"), at("nest/images/training")).unwrap();
    let message = "train: no such folder, though there is test/ (`training`: did you mean `train`?); expected ";
    refused(here.path(), &["train", "--data", "nest/images"], 3, message);
    fs::rename(at("nest/images/test"), at("nest/images/Testing")).unwrap();
    train("nest/images", "`Testing`, `training`: did you mean `test`, `train`?");
    fs::create_dir(at("one")).unwrap();
    fs::rename(at("nest/images/training/cat"), at("one/cat")).unwrap();
    train("one", "one class folder with images, `cat`; two or more are needed");
    fs::create_dir_all(at("one/dogs/puppies")).unwrap();
    train("one", "one class folder with images, `cat`; two or more are needed, and `dogs` holds folders but no images");
    let said = ecgan(here.path(), &["train", "--data", "one"]).stderr;
    assert!(!String::from_utf8(said).unwrap().contains("CIFAR"), "no word of published sets");
}

#[test]
fn folders_with_a_part_missing() {
    let none = "data/test: no such folder, though there is train/; expected train/<class>/ and test/<class>/";
    spoiled(pets, |data| fs::remove_dir_all(data.join("test")).unwrap(), none);
    let empty = |data: &Path| {
        fs::remove_dir_all(data.join("train/dog")).unwrap();
        fs::create_dir(data.join("train/dog")).unwrap();
    };
    spoiled(pets, empty, "data/train/dog: no images in this class; expected at least one PNG or JPEG");
    let untrained = |data: &Path| fs::rename(data.join("test/dog"), data.join("test/wolf")).unwrap();
    spoiled(pets, untrained, "data/test/wolf: train has no class `wolf`; expected one of cat, dog, fish");
    let one = |data: &Path| ["cat", "dog"].iter().for_each(|c| fs::remove_dir_all(data.join("train").join(c)).unwrap());
    spoiled(pets, one, "data/train: 1 class folder; expected at least 2");
    // One image of each class, and no other.
    let alone = |data: &Path| {
        for class in ["cat", "dog"] {
            fs::create_dir(data.join(class)).unwrap();
            fs::rename(data.join("train").join(class).join("0.png"), data.join(class).join("0.png")).unwrap();
        }
        ["train", "test"].iter().for_each(|part| fs::remove_dir_all(data.join(part)).unwrap());
    };
    let untested = "error: data: no image for the test part; expected images in train/<class>/ and test/<class>/;";
    spoiled(pets, alone, untested);
    let lost = |data: &Path| fs::remove_file(data.join("test_32x32.mat")).unwrap();
    spoiled(house_numbers, lost, "data/test_32x32.mat: no such file, though there is the other one");
}

#[test]
fn images_that_are_damaged() {
    let early = "the image ends early; expected a whole PNG or JPEG image";
    let message = format!("data/train/cat/1.jpg: {early}; `ecgan data inspect data` lists all such files\n");
    spoiled(pets, |data| cut(&data.join("train/cat/1.jpg")), &message);
    // Its decoder panics, which is nobody's business but the reader's.
    let panics = include_bytes!("../../../ecgan/tests/properties/found/blocks.jpg");
    let replace = |data: &Path| fs::write(data.join("train/cat/1.jpg"), panics).unwrap();
    spoiled(pets, replace, "data/train/cat/1.jpg: damage that its decoder does not expect");
    spoiled(pets, |data| cut(&data.join("train/fish/3.png")), "data/train/fish/3.png: ");
    let lying = |data: &Path| fs::write(data.join("train/dog/3.png"), lying_png()).unwrap();
    let message = "data/train/dog/3.png: 60000x60000 pixels; expected a whole PNG or JPEG image of at most 8192";
    spoiled(pets, lying, message);
    let empty = |data: &Path| fs::write(data.join("train/dog/3.png"), "").unwrap();
    spoiled(pets, empty, "data/train/dog/3.png: an empty file; expected a PNG or JPEG image");
    let animation = |data: &Path| fs::write(data.join("train/dog/0.gif"), "GIF89a\x01\0\x01\0").unwrap();
    spoiled(pets, animation, "data/train/dog/0.gif: GIF is not read; expected PNG or JPEG: convert it to one of them");
}

#[test]
fn mat_files_that_are_damaged() {
    let cut_train = |data: &Path| cut(&data.join("train_32x32.mat"));
    spoiled(house_numbers, cut_train, "data/train_32x32.mat: an element needs");
    let lying = |data: &Path| fs::write(data.join("train_32x32.mat"), mat(20, 2_000_000)).unwrap();
    let message = "data/train_32x32.mat: `X` is U8 [32, 32, 3, 2000000] but has 61440 bytes of values";
    spoiled(house_numbers, lying, message);
    let no_zero = |data: &Path| fs::write(data.join("train_32x32.mat"), mat(9, 9)).unwrap();
    spoiled(house_numbers, no_zero, "data: no training image of class `0`; expected at least one of each class");
}

/// It is found before the training, not after hours of it.
#[test]
fn a_damaged_test_image_costs_no_training() {
    let early = "data/test/cat/1.jpg: the image ends early; expected a whole PNG or JPEG image";
    spoiled(pets, |data| cut(&data.join("test/cat/1.jpg")), early);
    let here = tempfile::tempdir().unwrap();
    let (data, run) = (here.path().join("data"), here.path().join("run"));
    pets(&data);
    cut(&data.join("test/cat/1.jpg"));
    refused(here.path(), &["train", "--data", "data", "--dry-run"], 3, early);
    pets(&data);
    // One that is damaged meanwhile is found by the test, and what was trained stays.
    let train = ["train", "--data", "data", "--out", "run", "--method", "classifier", "--epochs", "1000000"];
    let mut child = small(here.path(), &[&train[..], &["--max-time", "3s"]].concat());
    let child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !run.join("metrics.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    cut(&data.join("test/cat/1.jpg"));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    for part in [early, "training is done and run/checkpoints/last.safetensors holds it; only the test failed"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    pets(&data);
    let eval = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "data"];
    assert!(small(here.path(), &eval).output().unwrap().status.success());
}

#[test]
fn eval_refuses_the_same_files() {
    let here = tempfile::tempdir().unwrap();
    let data = here.path().join("data");
    pets(&data);
    train(here.path(), &["--data", "data", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let eval = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data"];
    refused(here.path(), &[&eval[..], &["nowhere"]].concat(), 3, "nowhere: no such folder; expected ");
    cut(&data.join("test/cat/1.jpg"));
    refused(here.path(), &[&eval[..], &["data"]].concat(), 3, "data/test/cat/1.jpg: the image ends early");
}

#[test]
fn a_budget_that_the_data_cannot_give_is_a_usage_error() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for (budget, value, message) in [
        ("--samples", "19", "a budget of 19 images; expected 3 (one per class) to 18 (all there are)"),
        ("--per-class", "7", "7 images per class; expected 1 to 6"),
        ("--fraction", "0.01", "a budget of 0 images; expected 3 (one per class) to 18"),
        ("--val-fraction", "0.9", "val_fraction 0.9 of 18 images: 16 for validation; expected at most 15"),
        ("--val-fraction", "0.01", "val_fraction 0.01 of 18 images: 0 for validation; expected at least 1"),
    ] {
        refused(here.path(), &["train", "--data", "pets", budget, value], 2, message);
    }
    for (budget, value) in [("--samples", "9"), ("--samples", "99999999999999"), ("--per-class", "8999999999999999999")]
    {
        refused(here.path(), &["train", budget, value], 2, "expected 10 (one of each digit) to 1,000,000");
    }
    assert_eq!(entries(here.path()), 1);
}
