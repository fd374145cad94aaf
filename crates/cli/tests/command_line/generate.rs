//! `ecgan generate`.

use crate::binary::{ecgan, entries, files, json, refused, small, train};
use crate::data_sets::pets;
use std::fs;
use std::path::{Path, PathBuf};

const CHECKPOINT: &str = "run/checkpoints/last.safetensors";

fn generate(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let command = ["generate", "--checkpoint", CHECKPOINT, "--threads", "1", "--json"];
    json(&ecgan(folder, &[&command, arguments].concat()))
}

#[test]
fn images_are_drawn_by_the_seed() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);

    let report = generate(folder, &["-n", "5", "--seed", "1", "--grid", "new/a.png"]);
    assert_eq!((&report["n"], &report["seed"], &report["path"]), (&5.into(), &1.into(), &"new/a.png".into()));
    assert_eq!(report["classes"], serde_json::json!(["cat", "dog", "fish"]));
    assert!(report["labels"].as_array().unwrap().iter().all(|label| label.as_u64().unwrap() < 3), "{report}");
    let in_range = |c: &serde_json::Value| (0.3..=1.0).contains(&c.as_f64().unwrap());
    assert!(report["confidences"].as_array().unwrap().iter().all(in_range), "{report}");
    generate(folder, &["-n", "5", "--seed", "1", "--grid", "b.png"]);
    generate(folder, &["-n", "5", "--seed", "2", "--grid", "c.png"]);
    let grid = |name: &str| image::open(folder.join(name)).unwrap().into_rgb8();
    assert!(grid("new/a.png") == grid("b.png") && grid("new/a.png") != grid("c.png"));

    generate(folder, &["-n", "70", "--seed", "1", "--dir", "d"]);
    fs::create_dir(folder.join("e")).unwrap(); // empty, as good as none
    let report = generate(folder, &["-n", "3", "--seed", "1", "--dir", "e"]);
    assert_eq!(entries(&folder.join("d")), 71);
    assert_eq!(files(&folder.join("e")), ["00001.png", "00002.png", "00003.png", "labels.csv"].map(PathBuf::from));
    let table = fs::read_to_string(folder.join("e/labels.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("file,class,confidence"));
    for (i, line) in lines.by_ref().take(3).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let class = ["cat", "dog", "fish"][report["labels"][i].as_u64().unwrap() as usize];
        assert_eq!(fields[..2], [format!("0000{}.png", i + 1).as_str(), class]);
        assert_eq!(fields[2].parse::<f32>().unwrap(), report["confidences"][i].as_f64().unwrap() as f32);
    }
    assert_eq!((lines.next(), table.lines().count()), (None, 4));
    for name in ["00001.png", "00003.png"] {
        let read = |folder: PathBuf| fs::read(folder.join(name)).unwrap();
        assert!(read(folder.join("d")) == read(folder.join("e")), "{name} depends on how many were drawn");
        assert_eq!(image::open(folder.join("e").join(name)).unwrap().into_rgb8().dimensions(), (32, 32));
    }
}

#[test]
fn a_conditional_generator_draws_the_class_that_is_asked_for() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--method", "conditional", "--max-steps", "1"]);
    let given = |arguments: &[&str]| generate(folder, arguments)["given"].clone();
    assert_eq!(given(&["-n", "4", "--dir", "all"]), serde_json::json!([0, 1, 2, 0]));
    assert_eq!(given(&["-n", "4", "--dir", "dogs", "--class", "dog"]), serde_json::json!([1, 1, 1, 1]));
    let table = |dir: &str| fs::read_to_string(folder.join(dir).join("labels.csv")).unwrap();
    let last = |dir| table(dir).lines().map(|line| line.split(',').nth(3).unwrap().into()).collect::<Vec<String>>();
    assert_eq!(last("all"), ["given", "cat", "dog", "fish", "cat"]);
    assert_eq!(last("dogs"), ["given", "dog", "dog", "dog", "dog"]);
    // The second is a dog of the same noise both times, the first is not.
    let same = |name: &str| ["all", "dogs"].map(|dir| fs::read(folder.join(dir).join(name)).unwrap());
    let [(first, dog), (second, same_dog)] = [same("00001.png"), same("00002.png")].map(|[a, b]| (a, b));
    assert!(first != dog && second == same_dog);

    let command = ["generate", "--checkpoint", CHECKPOINT, "--dir", "x", "--class"];
    refused(folder, &[&command[..], &["bird"]].concat(), 2, "class: expected one of cat, dog, fish, got bird");
    refused(folder, &[&command[..], &["dogs"]].concat(), 2, "one of cat, dog, fish, got dogs (did you mean dog?)");
    fs::remove_dir_all(folder.join("run")).unwrap();
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let message =
        "class: expected none: the generator of this checkpoint is not given classes (--method conditional), got cat";
    refused(folder, &[&command[..], &["cat"]].concat(), 2, message);
    assert!(!folder.join("x").exists());
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let command = ["generate", "--checkpoint", CHECKPOINT];
    let message = "last.safetensors: no generator; expected a checkpoint of a method with a GAN";
    refused(folder, &[&command[..], &["--grid", "x.png"]].concat(), 3, message);
    refused(folder, &[&command[..], &["--dir", "x"]].concat(), 3, message);
    let message = "n: expected at most 10000 images with --grid (--dir takes more), got 10001";
    refused(folder, &[&command[..], &["--grid", "x.png", "-n", "10001"]].concat(), 2, message);
    refused(folder, &[&command[..], &["--dir", "x", "-n", "100001"]].concat(), 2, "'-n <N>'");
    assert_eq!(entries(folder), 2, "nothing but pets and run");
}

/// The images of the run, and what would be a class of them.
#[test]
fn nothing_is_drawn_into_the_data() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let images = files(&folder.join("pets"));
    for (flag, name) in
        [("grid", "pets/train/cat/g.png"), ("grid", "pets/train/new/g.png"), ("dir", "pets/train/fakes")]
    {
        let message = format!("{flag}: expected a name outside pets, whose images it could be taken for, got {name}");
        refused(folder, &["generate", "--checkpoint", CHECKPOINT, &format!("--{flag}"), name], 2, &message);
    }
    assert_eq!(files(&folder.join("pets")), images);
    assert!(!folder.join("pets/train/new").exists() && !folder.join("pets/train/fakes").exists());
    // Where the data has gone, nothing is known to be in it.
    fs::rename(folder.join("pets"), folder.join("gone")).unwrap();
    generate(folder, &["-n", "1", "--dir", "gone/fakes"]);
}

/// Signals are Unix's.
#[cfg(unix)]
#[test]
fn a_folder_of_images_is_whole_or_not_there() {
    use crate::running::Running;
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let command = ["generate", "--checkpoint", CHECKPOINT, "--threads", "1", "-n", "1000", "--dir", "fakes"];
    let unfinished = || {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".writing-")).count()
    };
    for (signal, left) in [("INT", 0), ("TERM", 0), ("KILL", 1)] {
        let mut running = Running::of(small(folder, &command));
        while unfinished() == 0 {
            assert!(running.child.try_wait().unwrap().is_none(), "written without a temporary folder");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        running.signal(signal);
        let (code, stderr) = running.end();
        if code == Some(0) {
            // It was faster than the signal.
            assert_eq!((entries(&folder.join("fakes")), unfinished()), (1001, 0));
            fs::remove_dir_all(folder.join("fakes")).unwrap();
        } else {
            assert_eq!(code, Some(130).filter(|_| left == 0), "{stderr}");
            assert!(left == 1 || stderr.ends_with("error: interrupted\n"), "{stderr}");
            assert!(!folder.join("fakes").exists(), "{signal}");
            assert_eq!(unfinished(), left, "{signal}");
        }
    }
    // The same again is not refused.
    generate(folder, &["-n", "2", "--dir", "fakes"]);
    assert_eq!(entries(&folder.join("fakes")), 3);
}

/// Before the checkpoint is read, too.
#[test]
fn a_picture_takes_the_place_of_a_picture_only() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path();
    pets(&folder.join("pets"));
    train(folder, &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let before = fs::read(folder.join(CHECKPOINT)).unwrap();
    for name in [CHECKPOINT, "g.jpg", "png"] {
        let message = format!("grid: expected a name that ends in .png, got {name}");
        refused(folder, &["generate", "--checkpoint", CHECKPOINT, "--grid", name], 2, &message);
        refused(folder, &["generate", "--checkpoint", "none", "--grid", name], 2, &message);
    }
    assert!(fs::read(folder.join(CHECKPOINT)).unwrap() == before);
    fs::write(folder.join("notes.png"), "mine").unwrap();
    let message = "grid: expected a new file, or a picture of ecgan to replace, got notes.png, which is none";
    refused(folder, &["generate", "--checkpoint", CHECKPOINT, "--grid", "notes.png"], 2, message);
    assert_eq!(fs::read_to_string(folder.join("notes.png")).unwrap(), "mine");
    // A picture, too, that another program wrote.
    let cat = fs::read(folder.join("pets/train/cat/0.png")).unwrap();
    fs::write(folder.join("photo.png"), &cat).unwrap();
    let message = message.replace("notes", "photo");
    refused(folder, &["generate", "--checkpoint", CHECKPOINT, "--grid", "photo.png"], 2, &message);
    assert!(fs::read(folder.join("photo.png")).unwrap() == cat);
    for n in ["2", "3"] {
        generate(folder, &["-n", n, "--grid", "again.PNG"]);
    }
    let inspect = |sheet: &'static str| ["data", "inspect", "pets", "--sheet", sheet];
    let message = "sheet: expected a name outside pets, whose images it could be taken for, got ";
    for sheet in ["pets/train/cat/sheet.png", "pets/test/new/sheet.png"] {
        refused(folder, &inspect(sheet), 2, &format!("{message}{sheet}"));
    }
    refused(folder, &inspect("sheet.jpg"), 2, "sheet: expected a name that ends in .png, got sheet.jpg");
    // One that is there is no picture of ours, so it stays in any case.
    let message =
        "sheet: expected a new file, or a picture of ecgan to replace, got pets/train/cat/0.png, which is none";
    refused(folder, &inspect("pets/train/cat/0.png"), 2, message);
    assert!(fs::read(folder.join("pets/train/cat/0.png")).unwrap() == cat && !folder.join("pets/test/new").exists());
}
