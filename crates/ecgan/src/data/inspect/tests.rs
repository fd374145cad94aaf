use super::*;
use crate::data::mat::writer::{Variable, write};
use crate::grid;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use std::fs;
use std::path::Path;

const OPTIONS: SyntheticOptions = SyntheticOptions { seed: 0, train: 30, test: 20 };

fn grey(folder: &Path, name: &str, width: u32, value: u8) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(width, 10, Luma([value])).save(path).unwrap();
}

/// Two classes, one of them three times the other, every size another; nothing odd, but for too few to validate.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in
        ["train/a/1.png", "train/a/2.png", "train/a/3.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"]
            .into_iter()
            .enumerate()
    {
        grey(folder.path(), name, 10 * (i as u32 + 1), i as u8);
    }
    folder
}

fn look_at(folder: &Path) -> Inspection {
    inspect(folder.to_str().unwrap(), &OPTIONS).unwrap()
}

#[test]
fn counts_sizes_and_channels() {
    let folder = folder();
    RgbImage::from_pixel(7, 500, Rgb([1, 2, 3])).save(folder.path().join("test/b/2.png")).unwrap();
    let found = look_at(folder.path());
    assert_eq!((found.format, found.classes.concat()), ("image folders", "ab".into()));
    let [train, test] = &found.parts[..] else { panic!("{found:?}") };
    assert_eq!((train.part, train.images, train.imbalance), ("train", 4, Some(3.0)));
    assert_eq!(train.per_class.iter().map(|class| class.images).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(train.width, Some(Range { min: 10, median: 30, max: 40 }));
    assert_eq!((test.grey, test.colour, test.height), (2, 1, Some(Range { min: 10, median: 10, max: 500 })));
    assert!(found.unreadable.is_empty() && found.warnings.is_empty(), "{found:?}");
    assert!(found.refusals.concat().contains("of 4 images: 0 for validation"), "{found:?}");
    assert!(found.shared.is_empty() && found.conflicting_labels == 0 && train.duplicates == 0, "{found:?}");
}

/// One that could be seen through and is not is as any other.
#[test]
fn images_with_transparency_are_counted() {
    let folder = folder();
    for (name, alpha) in [("2.png", 254), ("3.png", 255)] {
        RgbaImage::from_pixel(7, 7, Rgba([1, 2, 3, alpha])).save(folder.path().join("test/b").join(name)).unwrap();
    }
    let found = look_at(folder.path());
    assert_eq!([found.parts[0].transparent, found.parts[1].transparent], [0, 1]);
}

#[test]
fn every_unreadable_file_is_listed() {
    let folder = folder();
    for name in ["train/a/x.png", "train/b/x.gif", "test/a/y.jpg", "train/b/notes.txt"] {
        fs::write(folder.path().join(name), "no image").unwrap();
    }
    let found = look_at(folder.path());
    let named: Vec<_> = found.unreadable.iter().map(|u| (u.part, u.problem.contains("not an image"))).collect();
    assert_eq!(named, [("train", true), ("train", true), ("test", true)]);
    assert_eq!((found.parts[0].images, found.parts[0].unreadable), (6, 2));
    assert!(found.unreadable[1].problem.contains("train/b/x.gif: "));
    assert!(found.unreadable[1].problem.ends_with("expected a PNG or JPEG image"), "no word of another inspection");
    assert!(found.warnings.concat().contains("ignored 1 file in the class folders not"), "{:?}", found.warnings);
}

/// The others are looked at; a run refuses it.
#[cfg(unix)]
#[test]
fn a_class_folder_that_cannot_be_read_is_listed_among_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let unsplit = tempfile::tempdir().unwrap();
    for (i, name) in ["a/1.png", "a/2.png", "a/3.png", "b/1.png"].into_iter().enumerate() {
        grey(unsplit.path(), name, 10, i as u8);
    }
    for (folder, class) in [(folder(), "train/b"), (unsplit, "b")] {
        let locked = folder.path().join(class);
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        if locked.read_dir().is_err() {
            let found = look_at(folder.path());
            let [unreadable] = &found.unreadable[..] else { panic!("{found:?}") };
            let problem = format!("{}: cannot read: ", locked.display());
            assert!(unreadable.part == "train" && unreadable.problem.starts_with(&problem), "{unreadable:?}");
            assert_eq!(
                found.parts[0].per_class.iter().map(|class| class.images > 0).collect::<Vec<_>>(),
                [true, false]
            );
            assert!(found.refusals.is_empty(), "{:?}", found.refusals);
            let refused = Source::open(folder.path().to_str().unwrap(), &OPTIONS).unwrap_err().to_string();
            assert!(refused.starts_with(&problem), "{refused}");
        } else {
            println!("skipped: nothing is locked to the superuser");
        }
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn duplicates_are_counted_by_their_pixels() {
    let folder = folder();
    let image = |width, value| GrayImage::from_pixel(width, 10, Luma([value]));
    // The first training image again: in train, under the other class, and twice in test, once in another file format.
    for name in ["train/a/4.png", "train/b/4.png", "test/a/4.png", "test/a/5.jpg"] {
        image(10, 0).save(folder.path().join(name)).unwrap();
    }
    // The same pixels in another shape are another image.
    GrayImage::from_pixel(100, 1, Luma([0])).save(folder.path().join("test/a/6.png")).unwrap();
    let found = look_at(folder.path());
    assert_eq!((found.parts[0].duplicates, found.parts[1].duplicates, found.conflicting_labels), (2, 1, 1));
    let is_pair = |pair: &Option<[String; 2]>, expected: [&str; 2]| {
        let pair = pair.as_ref().expect("there are some");
        assert!(pair.iter().zip(expected).all(|(name, end)| name.ends_with(end)), "{pair:?} {expected:?}");
    };
    is_pair(&found.parts[0].duplicate_example, ["train/a/4.png", "train/a/1.png"]);
    is_pair(&found.parts[1].duplicate_example, ["test/a/5.jpg", "test/a/4.png"]);
    is_pair(&found.conflicting_example, ["train/b/4.png", "train/a/1.png"]);
    let [shared] = &found.shared[..] else { panic!("{:?}", found.shared) };
    assert_eq!((shared.of, shared.also_in, shared.images), ("test", "train", 2));
    assert!(shared.example.ends_with("test/a/4.png"), "{}", shared.example);
}

/// What a run refuses at its first error is all told.
#[test]
fn what_no_run_could_use_is_told() {
    let folder = folder();
    grey(folder.path(), "test/wolf/1.png", 5, 77);
    grey(folder.path(), "train/a/deep/1.png", 5, 78);
    fs::create_dir(folder.path().join("train/empty")).unwrap();
    let found = look_at(folder.path());
    let said = |what: &str| found.refusals.iter().any(|refusal| refusal.contains(what));
    assert!(said("test/wolf: train has no class `wolf`") && said("train/empty: no images"), "{:?}", found.refusals);
    assert!(said("train/a/deep: a folder inside a class folder"), "{:?}", found.refusals);
    assert_eq!(found.classes, ["a", "b", "empty", "wolf"]);
    assert_eq!(found.parts[1].per_class[3].images, 1);
    assert_eq!(found.parts[1].imbalance, None);
    fs::remove_dir_all(folder.path().join("train")).unwrap();
    let found = look_at(folder.path());
    assert!(found.missing[0].contains("train: no such folder"), "{:?}", found.missing);
    assert_eq!(found.parts.len(), 1);
}

/// Of such sets a run says so only once it is begun.
#[test]
fn too_few_images_for_a_test_or_validation_part_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let refusals = |names: &[&str]| {
        for (i, name) in names.iter().enumerate() {
            grey(folder.path(), name, 10, i as u8);
        }
        let found = look_at(folder.path());
        assert!(found.missing.is_empty(), "{:?}", found.missing);
        found.refusals.concat()
    };
    let said = refusals(&["a/1.png", "b/1.png"]);
    assert!(said.starts_with(&format!("{data}: no image for the test part; expected ")), "{said}");
    let said = refusals(&["a/2.png", "b/2.png"]);
    let none =
        format!("{data}: val_fraction 0.1 of 2 images: 0 for validation; expected at least 1 (--val-fraction 0 ");
    assert!(said.starts_with(&none), "{said}");
    assert_eq!(refusals(&["a/3.png", "a/4.png", "a/5.png", "a/6.png", "a/7.png", "b/3.png"]), "");
}

/// In formats that say by themselves which classes there are.
#[test]
fn a_class_without_a_training_image_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let digits = |part: &str, labels: &[u8]| {
        let n = labels.len();
        let x = Variable::u8("X", &[32, 32, 3, n as i32], (0..3072 * n).map(|i| (i / 3072) as u8).collect());
        let file = write(&[x, Variable::u8("y", &[n as i32, 1], labels.to_vec())], true, false);
        fs::write(folder.path().join(format!("{part}_32x32.mat")), file).unwrap();
    };
    digits("test", &[1, 2]);
    digits("train", &[1, 2, 3, 5, 6, 7, 8, 9, 10]);
    let data = folder.path().to_str().unwrap();
    let refusal = || look_at(folder.path()).refusals.concat();
    assert_eq!(refusal(), format!("{data}: no training image of class `4`; expected at least one of each class"));
    digits("train", &[3, 10]);
    assert!(refusal().contains("no training image of class `1`, nor of 7 others; "), "{}", refusal());
    digits("train", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].repeat(2));
    assert_eq!(refusal(), "");
}

#[test]
fn the_built_in_set_and_a_damaged_file() {
    let found = inspect("synthetic", &OPTIONS).unwrap();
    assert_eq!(found.parts.iter().map(|part| (part.images, part.colour)).collect::<Vec<_>>(), [(30, 30), (20, 20)]);
    assert_eq!(found.parts[0].imbalance, Some(1.0));
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        fs::write(folder.path().join(format!("{part}_32x32.mat")), "short").unwrap();
    }
    let found = look_at(folder.path());
    assert_eq!((found.parts.len(), found.unreadable.len()), (0, 2));
    assert!(found.unreadable[1].problem.contains("test_32x32.mat: "), "{:?}", found.unreadable);
}

#[test]
fn a_sheet_has_a_row_for_each_class() {
    let folder = folder();
    fs::write(folder.path().join("train/a/0.png"), "no image").unwrap();
    let picture = look_at(folder.path()).sheet().unwrap();
    let tile = |column: u32, row: u32| *picture.get_pixel(4 + 132 * column + 60, 4 + 144 * row + 60);
    assert_eq!(picture.dimensions(), (8 * 132 + 4, 2 * 144 + 4));
    assert_eq!([tile(0, 0), tile(1, 0), tile(2, 0)].map(|pixel| pixel.0), [[0; 3], [1; 3], [2; 3]]);
    assert_eq!((tile(3, 0), tile(0, 1).0, tile(1, 1)), (grid::BACKGROUND, [3; 3], grid::BACKGROUND));
}

#[test]
fn a_sheet_tells_classes_apart_that_it_cannot_write() {
    let folder = folder();
    let sheet = |classes: [&str; 2]| {
        let mut found = look_at(folder.path());
        found.classes = classes.map(String::from).into();
        found.sheet().unwrap()
    };
    assert!(sheet(["猫", "狗"]) == sheet(["#0", "#1"]));
    assert!(sheet(["an-animal-that-is-a-cat", "x"]) == sheet(["an-animal..-is-a-cat", "x"]), "not cut at its end");
}

/// It is drawn of what was looked at, without another reading; of nothing it cannot be drawn.
#[test]
fn a_sheet_opens_no_file_again() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "test"] {
        let x = Variable::u8("X", &[32, 32, 3, 1], vec![200; 3072]);
        let file = write(&[x, Variable::u8("y", &[1, 1], vec![1])], true, false);
        fs::write(folder.path().join(format!("{part}_32x32.mat")), file).unwrap();
    }
    let found = look_at(folder.path());
    for part in ["train", "test"] {
        fs::write(folder.path().join(format!("{part}_32x32.mat")), "short").unwrap();
    }
    let picture = found.sheet().unwrap();
    assert_eq!(picture.get_pixel(4 + 60, 4 + 144 + 60).0, [200; 3], "the digit 1 has the second row");
    let message = look_at(folder.path()).sheet().unwrap_err().to_string();
    assert!(message.contains("no part can be opened; expected a part to draw"), "{message}");
}
