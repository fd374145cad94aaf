//! Which folders are data sets, and what is odd about them.

mod images;

use super::*;
use crate::data::{Source, SyntheticOptions};
use image::{GrayImage, Luma};
use std::fs;
use tempfile::TempDir;

const RGB: Format = Format { size: 32, channels: 3 };

fn open(folder: &TempDir) -> Result<Source, DataError> {
    let options = SyntheticOptions { seed: 0, train: 10, test: 10 };
    Source::open(folder.path().to_str().unwrap(), &options)
}

/// A folder with one flat grey image in each of these places; its brightness counts from 1.
fn folder(paths: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, path) in paths.iter().enumerate() {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(32, 32, Luma([i as u8 + 1])).save(path).unwrap();
    }
    folder
}

fn small() -> TempDir {
    folder(&["train/b/1.png", "train/a/2.png", "train/a/10.png", "test/a/x.png", "test/b/x.png"])
}

fn refusal(folder: &TempDir) -> String {
    let message = open(folder).unwrap_err().to_string();
    assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
    message
}

#[test]
fn classes_and_files_are_sorted_by_name() {
    let folder = small();
    fs::write(folder.path().join("train/a/.DS_Store"), "hidden").unwrap();
    fs::create_dir(folder.path().join("train/.cache")).unwrap();
    // What operating systems leave there, by whatever case.
    fs::write(folder.path().join("train/b/Thumbs.db"), "previews").unwrap();
    fs::write(folder.path().join("train/Desktop.ini"), "view").unwrap();
    fs::create_dir(folder.path().join("train/__MACOSX")).unwrap();
    let source = open(&folder).unwrap();
    assert_eq!(source.classes(), ["a", "b"]);
    assert!(source.warnings().is_empty());
    let train = source.read_train(RGB).unwrap();
    assert_eq!(train.labels, [0, 0, 1]);
    assert_eq!(
        (0..3).map(|i| train.batch(&[i]).unwrap()[0]).collect::<Vec<_>>(),
        [3, 2, 1],
        "10.png sorts before 2.png"
    );
    assert!(
        (0..3).all(|i| train.batch(&[i]).unwrap().iter().all(|v| *v == train.batch(&[i]).unwrap()[0])),
        "grey in all channels"
    );
    assert_eq!(source.read_test(RGB).unwrap().labels, [0, 1]);
}

#[test]
fn layouts_that_do_not_fit_are_refused_and_oddities_reported() {
    assert!(
        refusal(&folder(&["train/a/1.png", "test/a/1.png"])).contains("train: 1 class folder; expected at least 2")
    );
    let unknown = folder(&["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"]);
    assert!(refusal(&unknown).contains("test/c: train has no class `c`; expected one of a, b"));

    let folder = small();
    fs::create_dir(folder.path().join("train/c")).unwrap();
    assert!(refusal(&folder).contains("train/c: no images in this class"));
    fs::create_dir(folder.path().join("train/c/more")).unwrap();
    assert!(refusal(&folder).contains("train/c/more: a folder inside a class folder"));
    fs::remove_dir(folder.path().join("train/c/more")).unwrap();
    fs::copy(folder.path().join("train/a/2.png"), folder.path().join("train/c/1.png")).unwrap();
    fs::write(folder.path().join("train/README.txt"), "about").unwrap();
    let source = open(&folder).unwrap();
    let [loose, missing] = source.warnings() else { panic!("{:?}", source.warnings()) };
    assert!(loose.contains("train: ignored 1 file") && loose.contains("README.txt"), "{loose}");
    assert!(missing.contains("test: class `c` of train is missing"), "{missing}");
}

/// Without train, the other parts together say which classes there are.
#[test]
fn the_classes_without_train_are_those_of_all_parts() {
    let data = folder(&["val/a/1.png", "val/c/1.png", "test/a/1.png", "test/b/1.png", "test/c/1.png"]);
    let source = open(&data).unwrap();
    assert_eq!(source.classes(), ["a", "b", "c"]);
    assert_eq!(source.listing(Part::Val).unwrap().labels(), [0, 2]);
    assert_eq!(source.listing(Part::Test).unwrap().labels(), [0, 1, 2]);
    let [missing] = source.warnings() else { panic!("{:?}", source.warnings()) };
    assert!(missing.ends_with("val: class `b` of test is missing, so it is never validated"), "{missing}");
    assert!(refusal(&folder(&["test/a/1.png"])).contains("test: 1 class folder; expected at least 2"));
    // Beside a train without any, what is there is at least told.
    let empty = folder(&["test/a/1.png", "test/b/1.png"]);
    fs::create_dir(empty.path().join("train")).unwrap();
    assert!(refusal(&empty).contains("train: 0 class folders; expected at least 2"));
}

/// A part that is missing is refused when it is needed, and the others serve.
#[test]
fn a_part_may_be_missing() {
    for (there, missing) in [("train", Part::Test), ("test", Part::Train)] {
        let folder = folder(&[&format!("{there}/a/1.png"), &format!("{there}/b/1.png")]);
        let source = open(&folder).unwrap();
        assert_eq!((source.classes(), source.has(missing)), (&["a".to_owned(), "b".to_owned()][..], false));
        let message = source.require(missing).unwrap_err().to_string();
        assert!(
            message.contains(&format!("{}: no such folder, though there is {there}/", missing.name())),
            "{message}"
        );
        let read = if missing == Part::Test { source.read_train(RGB) } else { source.read_test(RGB) };
        assert_eq!(read.unwrap().len(), 2);
    }
}

/// A part that is there and empty is as good as none.
#[test]
fn a_part_without_an_image_is_missing() {
    let folder = folder(&["a/1.png", "b/1.png"]);
    let source = open(&folder).unwrap();
    assert!(source.has(Part::Train) && !source.has(Part::Test));
    for error in [source.require(Part::Test).unwrap_err(), source.read_test(RGB).unwrap_err()] {
        let message = error.to_string();
        let wrong = format!("{}: no image for the test part; expected images in ", folder.path().display());
        assert!(message.starts_with(&wrong) && message.contains("at least two in a class, one of which"), "{message}");
    }
    fs::copy(folder.path().join("a/1.png"), folder.path().join("a/2.png")).unwrap();
    open(&folder).unwrap().require(Part::Test).unwrap();
}

/// Notes beside images stop nothing; images are never dropped without a word.
#[test]
fn what_is_not_named_as_an_image_is_passed_over() {
    let folder = small();
    let at = |name: &str| folder.path().join(name);
    fs::copy(at("train/a/2.png"), at("train/a/3.JFIF")).unwrap();
    // Whatever else a name ends in.
    fs::copy(at("train/a/2.png"), at("train/a/Photo 12.30")).unwrap();
    for name in ["train/a/notes.txt", "train/b/labels.csv", "test/b/README.md"] {
        fs::write(at(name), "no image").unwrap();
    }
    let source = open(&folder).unwrap();
    let said = "ignored 3 files in the class folders not named as images (`train/a/notes.txt`)";
    assert_eq!(source.warnings(), [format!("{}: {said}", folder.path().display())]);
    assert_eq!((source.read_train(RGB).unwrap().len(), source.read_test(RGB).unwrap().len()), (5, 2));
    for name in ["train/a/0.webp", "train/a/0.svg"] {
        fs::write(at(name), "an image of some other format").unwrap();
        let message = open(&folder).unwrap().read_train(RGB).unwrap_err().to_string();
        assert!(message.contains(&format!("{name}: not an image by its first bytes")), "{message}");
        fs::remove_file(at(name)).unwrap();
    }
    // A name without an end says nothing.
    fs::rename(at("train/b/1.png"), at("train/b/1")).unwrap();
    assert_eq!(open(&folder).unwrap().read_train(RGB).unwrap().len(), 5);
    fs::rename(at("train/b/1"), at("train/b/1.txt")).unwrap();
    let refused = refusal(&folder);
    assert!(refused.contains("train/b: 2 files, none named as an image (`1.txt`); expected at least one"), "{refused}");
    // Alone as with a split.
    let alone = self::folder(&["a/1.png", "a/2.png", "b/1.png", "b/2.png"]);
    fs::write(alone.path().join("b/notes.md"), "no image").unwrap();
    assert!(open(&alone).unwrap().warnings()[0].contains("ignored 1 file in the class folders not"));
}

#[test]
fn class_folders_beside_the_parts_are_told_of() {
    let folder = folder(&["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "a/1.png", "b/1.png"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("cover.png"), "a file").unwrap();
    let at = folder.path().display();
    let said = format!("{at}: ignored 2 folders with images beside train/ and test/ (`a`, `b`)");
    assert_eq!(open(&folder).unwrap().warnings(), [said]);
}

/// Those of another name for a part that is there, and of what nobody looks for, too.
#[test]
fn folders_of_class_folders_beside_the_parts_are_told_of() {
    let parts = ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"];
    let with = |more: &[&str]| {
        let folder = folder(&[&parts, more].concat());
        fs::create_dir_all(folder.path().join("notes/a")).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        let source = open(&folder).unwrap();
        let start = format!("{}: ignored ", folder.path().display());
        source.warnings().iter().map(|said| said.strip_prefix(&start).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let near = |name| format!("1 folder with images beside train/ and test/ (`{name}`: did you mean `val`?)");
    assert_eq!(
        with(&["Val/a/1.png", "train_extra/a/1.png", "unlabelled/x/1.png"]),
        [near("Val"), "2 folders with images beside train/ and test/ (`train_extra`, `unlabelled`)".into()]
    );
    assert_eq!(with(&["validate/a/1.png"]), [near("validate")]);
    assert_eq!(
        with(&["val/a/1.png", "val/b/1.png", "valid/a/1.png", "Validation/b/1.png"]),
        ["2 folders with images beside train/ and val/ and test/ (`Validation`, `valid`)"]
    );
    assert_eq!(with(&["valid/a/1.png", "valid/b/1.png"]), [""; 0]);
    let many: Vec<String> = (0..10).map(|i| format!("fold{i}/a/1.png")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(with(&many)[0].ends_with("`fold6`, `fold7` and 2 more)"));
}

/// A part's folder by another name is no other folder.
#[cfg(unix)]
#[test]
fn a_link_to_a_part_is_not_told_of() {
    let folder = small();
    std::os::unix::fs::symlink("train", folder.path().join("all")).unwrap();
    assert!(open(&folder).unwrap().warnings().is_empty());
}

#[test]
fn a_class_may_have_the_name_of_a_part() {
    for (name, part) in [("train", "training"), ("test", "test")] {
        let message = refusal(&folder(&[&format!("{name}/1.png"), "car/1.png"]));
        let taken = format!("(`{name}` is taken for the {part} part; if it is a class, rename it)");
        let expected = format!("{name}: 0 class folders; expected at least 2, with images in each {taken}");
        assert!(message.ends_with(&expected), "{message}");
    }
}

/// A checkpoint knows the classes, so that images of one of them can be measured.
#[test]
fn one_class_is_enough_to_measure() {
    let options = SyntheticOptions { seed: 0, train: 10, test: 10 };
    for paths in [&["a/1.png", "a/2.png"][..], &["test/a/1.png"], &["train/a/1.png", "test/a/2.png"]] {
        let folder = folder(paths);
        refusal(&folder);
        let source = Source::open_to_measure(folder.path().to_str().unwrap(), &options).unwrap();
        assert_eq!((source.classes(), source.read_all(RGB).unwrap().len()), (&["a".to_owned()][..], paths.len()));
    }
    let none = folder(&["test/1.png"]);
    let message = Source::open_to_measure(none.path().to_str().unwrap(), &options).unwrap_err().to_string();
    assert!(message.contains("test: 0 class folders; expected at least 1, with images in each"), "{message}");
}

#[test]
fn a_missing_part_may_have_another_name() {
    let folder = folder(&["train/a/1.png", "train/b/1.png", "testing/a/1.png"]);
    let message = open(&folder).unwrap().require(Part::Test).unwrap_err().to_string();
    assert!(message.contains("though there is train/ (`testing`: did you mean `test`?); expected "), "{message}");
}

/// A name can hold what a terminal would obey.
#[cfg(unix)]
#[test]
fn warnings_have_no_commands_to_the_terminal() {
    let (class, file) = ("b\nerror: forged", "evil\u{1b}[31mred");
    let train = format!("train/{class}/1.png");
    let val = folder(&[&train, "train/a/1.png", "val/a/1.png"]);
    fs::write(val.path().join("train").join(file), "x").unwrap();
    let alone = tempfile::tempdir().unwrap();
    let inside = alone.path().join(class);
    for name in ["a/1.png", "a/2.png", "b/1.png"] {
        fs::create_dir_all(inside.join(name).parent().unwrap()).unwrap();
        fs::write(inside.join(name), "never opened").unwrap();
    }
    let options = SyntheticOptions { seed: 0, train: 10, test: 10 };
    let alone = Source::open(inside.to_str().unwrap(), &options).unwrap();
    let said = [open(&val).unwrap().warnings(), alone.warnings()].concat();
    let escaped =
        ["val: taken for the test", r"`evil\u{1b}[31mred`", r"`b\nerror: forged` of train", r"b\nerror: forged: no "];
    assert_eq!(said.len(), escaped.len(), "{said:?}");
    for (said, escaped) in said.iter().zip(escaped) {
        assert!(said.contains(escaped) && !said.contains(['\u{1b}', '\n']), "{said:?}");
    }
}

#[test]
fn a_validation_folder_has_three_names_and_serves_as_test_where_there_is_none() {
    for name in ["val", "valid", "validation"] {
        let val = [format!("{name}/a/1.png"), format!("{name}/b/1.png"), format!("{name}/b/2.png")];
        let mut paths = vec!["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"];
        paths.extend(val.iter().map(String::as_str));
        let source = open(&folder(&paths)).unwrap();
        assert!(source.warnings().is_empty());
        assert_eq!(source.listing(Part::Val).unwrap().labels(), [0, 1, 1]);
        paths.retain(|path| !path.starts_with("test"));
        let source = open(&folder(&paths)).unwrap();
        assert!(
            source.warnings()[0].contains(&format!("{name}: taken for the test images")),
            "{:?}",
            source.warnings()
        );
        assert!(!source.has(Part::Val));
        assert_eq!(source.listing(Part::Test).unwrap().labels(), [0, 1, 1]);
    }
}

/// Class folders alone: a fifth of each class is the test, the same whatever else lies there.
#[test]
fn without_a_split_a_fifth_of_each_class_is_the_test() {
    let paths: Vec<String> = (0..40).map(|i| format!("{}/{i}.jpg", ["a", "b", "b", "b"][i % 4])).collect();
    let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    paths.push("lonely/1.png");
    let names = |source: &Source, part| {
        let listing = source.listing(part).unwrap();
        let name = |i| listing.name(i).rsplit('/').next().unwrap().to_owned();
        (0..listing.labels().len()).map(|i| (listing.labels()[i], name(i))).collect::<Vec<_>>()
    };
    let source = open(&folder(&paths)).unwrap();
    assert_eq!(source.classes(), ["a", "b", "lonely"]);
    let [train, test] = [Part::Train, Part::Test].map(|part| names(&source, part));
    let count = |list: &[(i32, String)], label| list.iter().filter(|(of, _)| *of == label).count();
    assert_eq!([0, 1, 2].map(|label| (count(&train, label), count(&test, label))), [(8, 2), (24, 6), (1, 0)]);
    let [kept] = source.warnings() else { panic!("{:?}", source.warnings()) };
    assert!(kept.contains("so 8 of its 41 images, about a fifth of each class but at least one, are"), "{kept}");
    assert!(kept.ends_with("; class `lonely` has a single image, which trains, so it is never tested"), "{kept}");
    assert!(train.is_sorted_by_key(|(label, _)| *label), "file order");
    // Elsewhere the same, and with another image of a class all but one of the test images stay.
    assert_eq!(names(&open(&folder(&paths)).unwrap(), Part::Test), test);
    paths.push("b/another.png");
    let again = names(&open(&folder(&paths)).unwrap(), Part::Test);
    assert!(again.iter().filter(|image| !test.contains(image)).count() <= 1, "{test:?} {again:?}");
}

#[test]
fn classes_of_one_image_are_told_of() {
    let mut paths = vec!["a/1.png", "a/2.png", "b/1.png", "c/1.png", "d/1.png", "e/1.png"];
    let kept = |paths: &[&str]| open(&folder(paths)).unwrap().warnings()[0].clone();
    let alone = "; 4 classes have a single image, which trains, so they are never tested (`b`, `c`, `d`, `e`)";
    assert!(kept(&paths).ends_with(alone), "{}", kept(&paths));
    paths.extend(["b/2.png", "c/2.png", "d/2.png", "e/2.png"]);
    assert!(kept(&paths).ends_with("whatever the seed"), "{}", kept(&paths));
    // Where no class has two, there is no test, and what wants one says so.
    assert!(open(&folder(&["a/1.png", "b/1.png"])).unwrap().warnings().is_empty());
}

/// A class folder whose name begins with a dot is hidden, as others that systems and tools leave; one of images may have been meant.
#[test]
fn hidden_folders_with_images_are_told_of() {
    let told = |paths: &[&str]| {
        let folder = folder(paths);
        fs::create_dir(folder.path().join(".cache")).unwrap();
        open(&folder).unwrap().warnings().to_vec()
    };
    let hidden = |at: &str, warnings: Vec<String>| {
        let expected = format!("{at}: ignored 1 folder with images and a dot at the beginning of the name (`.net`)");
        assert!(warnings.iter().any(|warning| warning.ends_with(&expected)), "{warnings:?}");
    };
    hidden("", told(&["a/1.png", "a/2.png", "b/1.png", ".net/1.png"]));
    hidden("train", told(&["train/a/1.png", "train/b/1.png", "train/.net/1.png", "test/a/1.png", "test/b/1.png"]));
    let without = told(&["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"]);
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn folders_without_images_are_no_classes() {
    for paths in [&["a/1.png"][..], &["a/b/1.png", "c/d/1.png"]] {
        assert!(refusal(&folder(paths)).contains("no data set found"));
    }
    let folder = folder(&["a/1.png", "b/1.png", "b/c/1.png"]);
    assert!(refusal(&folder).contains("b/c: a folder inside a class folder; expected images only"));
}

#[test]
#[cfg(unix)] // Windows has no name that ends in a space.
fn classes_that_read_alike_are_told_of() {
    let alone = "`a ` and `a` differ in the spaces around them alone";
    let apart = folder(&["train/a/1.png", "train/b/1.png", "test/a /1.png", "test/b/1.png"]);
    assert!(refusal(&apart).ends_with(&format!("train has no class `a `; expected one of a, b ({alone})")));
    let alone = "classes `a` and `a ` differ in the spaces around them alone";
    for prefix in ["train/", ""] {
        let twins = ["a/1.png", "a /1.png", "b/1.png", "b/2.png"].map(|path| format!("{prefix}{path}"));
        let source = open(&folder(&twins.each_ref().map(String::as_str))).unwrap();
        assert!(source.warnings().iter().any(|warning| warning.ends_with(alone)), "{:?}", source.warnings());
    }
}
