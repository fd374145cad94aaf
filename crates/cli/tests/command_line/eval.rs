//! `ecgan eval`.

use crate::binary::{ecgan, json, refused, stderr, stdout, train};
use crate::data_sets::{idx, pets};
use crate::tensors_file::TensorsFile;
use serde_json::Value;

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// The figures of an evaluation agree with each other.
fn consistent(evaluation: &Value) {
    let confusion = evaluation["confusion"].as_array().unwrap();
    let per_class = evaluation["per_class"].as_array().unwrap();
    assert_eq!(confusion.len(), per_class.len());
    let (mut correct, mut total) = (0, 0);
    for (k, (row, class)) in confusion.iter().zip(per_class).enumerate() {
        let row: Vec<u64> = row.as_array().unwrap().iter().map(count).collect();
        assert_eq!(row.len(), confusion.len());
        assert_eq!((count(&class["correct"]), count(&class["total"])), (row[k], row.iter().sum()));
        correct += row[k];
        total += row.iter().sum::<u64>();
    }
    assert_eq!((count(&evaluation["correct"]), count(&evaluation["total"])), (correct, total));
    assert_eq!(evaluation["accuracy"].as_f64().unwrap(), 100.0 * correct as f64 / total as f64);
    calibrated(evaluation, correct, total);
}

/// The calibration's bins hold every image, and their gaps are the calibration error.
fn calibrated(evaluation: &Value, correct: u64, total: u64) {
    let bins = evaluation["calibration"].as_array().unwrap();
    assert_eq!((bins.len(), bins.iter().map(|bin| count(&bin["count"])).sum::<u64>()), (15, total));
    let (mut right, mut error) = (0.0, 0.0);
    for bin in bins.iter().filter(|bin| count(&bin["count"]) > 0) {
        let n = count(&bin["count"]) as f64;
        let (confidence, accuracy) = (bin["confidence"].as_f64().unwrap(), bin["accuracy"].as_f64().unwrap() / 100.0);
        assert!(bin["lower"].as_f64().unwrap() < confidence && confidence <= bin["upper"].as_f64().unwrap() + 1e-12);
        right += n * accuracy;
        error += n * (accuracy - confidence).abs() / total as f64;
    }
    assert!((right - correct as f64).abs() < 1e-9);
    assert!((error - evaluation["expected_calibration_error"].as_f64().unwrap()).abs() < 1e-9);
    assert!(evaluation["negative_log_likelihood"].as_f64().unwrap() > 0.0);
    let f1: Vec<f64> = evaluation["per_class"].as_array().unwrap().iter().filter_map(|c| c["f1"].as_f64()).collect();
    let mean = f1.iter().sum::<f64>() / f1.len() as f64;
    assert!((mean - evaluation["macro_f1"].as_f64().unwrap()).abs() < 1e-12);
}

#[test]
fn odd_data_are_warned_of_and_other_classes_are_named() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets"];
    std::fs::write(here.path().join("pets/train/notes.txt"), "no image").unwrap();
    let output = ecgan(here.path(), &command);
    let warned = stderr(&output);
    assert!(warned.contains("warning: ") && warned.contains("pets"), "{warned}");
    assert!(stdout(&output).contains("macro F1 "));
    for part in ["train", "test"] {
        let folder = here.path().join("pets").join(part);
        std::fs::rename(folder.join("fish"), folder.join("bird")).unwrap();
    }
    let message = "run: a folder; expected a checkpoint, such as run/checkpoints/last.safetensors";
    refused(here.path(), &["eval", "--checkpoint", "run", "--data", "pets"], 3, message);
    refused(here.path(), &command, 3, "`fish` is not in the data, and `bird` was not trained on; give --data a set");
}

#[test]
fn a_split_of_other_images_is_refused() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"];
    train(here.path(), &[&settings[..], &["--val-fraction", "0.34"]].concat());
    let fish = here.path().join("pets/train/fish");
    std::fs::copy(fish.join("0.png"), fish.join("99.png")).unwrap();
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--split"];
    for split in ["val", "train"] {
        let message = "last.safetensors: trained with 6 training images of class fish; pets has 7; expected the images of its training";
        refused(here.path(), &[&command[..], &[split]].concat(), 3, message);
    }
    stdout(&ecgan(here.path(), &[&command[..], &["test"]].concat()));
}

/// A validation part of its own is not drawn from the training images, so these may grow.
#[test]
fn a_validation_part_of_its_own_stays_what_it_is() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    std::fs::rename(here.path().join("pets/test"), here.path().join("pets/val")).unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let fish = here.path().join("pets/train/fish");
    std::fs::copy(fish.join("0.png"), fish.join("99.png")).unwrap();
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--split"];
    let val = json(&ecgan(here.path(), &[&command[..], &["val", "--json"]].concat()));
    assert_eq!(val["total"], 9);
    refused(here.path(), &[&command[..], &["train"]].concat(), 3, "trained with 6 training images of class fish");
}

/// Of the run's own classes some may have no image; the others keep their places.
#[test]
fn images_of_some_of_the_classes_are_measured() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--method", "classifier", "--width", "2", "--lr", "0.01"];
    train(here.path(), &[&settings[..], &["--epochs", "10"]].concat());
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--json"];
    let all = json(&ecgan(here.path(), &command));
    assert_eq!(all["total"], 9, "of the run's own data");
    for part in ["train", "test"] {
        std::fs::remove_dir_all(here.path().join("pets").join(part).join("cat")).unwrap();
    }
    let output = ecgan(here.path(), &[&command[..], &["--data", "pets"]].concat());
    let some = json(&output);
    let told = stderr(&output);
    assert!(told.contains("warning: pets: no image of class cat, of which nothing is measured\n"), "{told}");
    assert_eq!((some["total"].as_u64(), &some["confusion"][0]), (Some(6), &serde_json::json!([0, 0, 0])));
    assert_eq!([&some["confusion"][1], &some["confusion"][2]], [&all["confusion"][1], &all["confusion"][2]]);
}

/// Two classes or more are a rule of training.
#[test]
fn images_of_one_class_are_measured() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    std::fs::create_dir_all(here.path().join("new/test")).unwrap();
    for place in ["alone", "new/test"] {
        std::fs::create_dir_all(here.path().join(place)).unwrap();
        let dogs = here.path().join(place).join("dog");
        std::fs::create_dir(&dogs).unwrap();
        for name in ["0.png", "1.jpg", "2.jpeg"] {
            std::fs::copy(here.path().join("pets/test/dog").join(name), dogs.join(name)).unwrap();
        }
    }
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--json", "--data"];
    let all = json(&ecgan(here.path(), &[&command[..], &["pets"]].concat()));
    for more in [&["alone", "--split", "all"][..], &["new"]] {
        let output = ecgan(here.path(), &[&command[..], more].concat());
        let one = json(&output);
        consistent(&one);
        let told = format!("warning: {}: no image of class cat, fish, of which nothing is measured\n", more[0]);
        assert!(stderr(&output).contains(&told), "{}", stderr(&output));
        assert_eq!((count(&one["total"]), &one["confusion"][1]), (3, &all["confusion"][1]));
    }
    let message = "alone: no data set found (one class folder with images, `dog`; two or more are needed); looked for ";
    refused(here.path(), &["train", "--data", "alone"], 3, message);
    refused(here.path(), &["data", "inspect", "alone"], 3, message);
}

/// A fifth of other images is another fifth.
#[test]
fn a_test_that_may_have_been_trained_on_is_warned_of() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    std::fs::rename(here.path().join("pets/train"), here.path().join("mine")).unwrap();
    train(here.path(), &["--data", "mine", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "mine"];
    let warned = |part: &str| stderr(&ecgan(here.path(), &command)).contains(part);
    let changed = "so some of those measured may have been trained on";
    assert!(!warned(changed));
    let (old, new) = (here.path().join("mine/cat/3.png"), here.path().join("mine/cat/new.png"));
    std::fs::rename(&old, &new).unwrap();
    assert!(warned(
        "warning: mine has as many training images of each class as it had in training, but some under other names"
    ));
    assert!(warned(changed));
    std::fs::rename(&new, &old).unwrap();
    std::fs::remove_file(here.path().join("mine/cat/0.png")).unwrap();
    assert!(warned("warning: trained with 5 training images of class cat; mine has 4: its images") && warned(changed));
}

/// IDX files have as many classes as their largest label says.
#[test]
fn a_test_without_the_last_digits_is_measured() {
    let here = tempfile::tempdir().unwrap();
    idx(&here.path().join("all"), "train", 40);
    idx(&here.path().join("all"), "t10k", 20);
    idx(&here.path().join("few"), "t10k", 7);
    let settings = ["--data", "all", "--out", "run", "--method", "classifier", "--max-steps", "1", "--channels", "1"];
    train(here.path(), &settings);
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "few"];
    let test = json(&ecgan(here.path(), &[&command[..], &["--json"]].concat()));
    assert_eq!((test["total"].as_u64(), test["per_class"].as_array().unwrap().len()), (Some(7), 10));
    consistent(&test);
    // Nor does a state dict of PyTorch's need all of them.
    let export = ["export", "--checkpoint", "run/checkpoints/last.safetensors", "--net", "classifier", "--out"];
    stdout(&ecgan(here.path(), &[&export[..], &["c.safetensors"]].concat()));
    let mut file = TensorsFile::read(&here.path().join("c.safetensors"));
    file.metadata = None;
    file.write(&here.path().join("bare.safetensors"));
    let bare = json(&ecgan(here.path(), &["eval", "--checkpoint", "bare.safetensors", "--data", "few", "--json"]));
    assert_eq!(bare["confusion"], test["confusion"]);
    refused(
        here.path(),
        &["eval", "--checkpoint", "bare.safetensors"],
        2,
        "data: expected a folder or `synthetic`, as a",
    );
    // Not what it trained or validated on, and no other classes.
    refused(here.path(), &[&command[..], &["--split", "train"]].concat(), 3, "trained on the classes 0, 1, 2,");
}

#[test]
fn logits_that_are_not_finite_are_no_accuracy() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let export = ["export", "--checkpoint", "run/checkpoints/last.safetensors", "--net", "classifier", "--out"];
    stdout(&ecgan(here.path(), &[&export[..], &["c.safetensors"]].concat()));
    let mut file = TensorsFile::read(&here.path().join("c.safetensors"));
    let weight = file.tensors.get_mut("linear.weight").unwrap();
    weight.bytes = 3e38f32.to_le_bytes().repeat(weight.bytes.len() / 4);
    let bias = file.tensors.get_mut("linear.bias").unwrap();
    bias.bytes = 3e38f32.to_le_bytes().repeat(bias.bytes.len() / 4);
    file.write(&here.path().join("huge.safetensors"));
    let message = "error: a logit of the classifier is not finite";
    refused(here.path(), &["eval", "--checkpoint", "huge.safetensors", "--data", "pets"], 4, message);
    refused(here.path(), &["predict", "--checkpoint", "huge.safetensors", "pets"], 4, message);
}

#[test]
fn the_last_checkpoint_has_the_summarys_accuracy() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    // Enough epochs that the classes are told apart a little, or a wrong figure could be right by chance.
    let settings = ["--data", "pets", "--out", "run", "--method", "classifier", "--width", "2", "--lr", "0.01"];
    let summary = train(here.path(), &[&settings[..], &["--val-fraction", "0.34", "--epochs", "20"]].concat());
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--threads", "1"];
    let eval = |more: &[&str]| {
        let evaluation = json(&ecgan(here.path(), &[&command, more, &["--json"]].concat()));
        consistent(&evaluation);
        evaluation
    };
    let test = eval(&[]);
    assert_eq!(test["accuracy"], summary["test_accuracy"]);
    assert_eq!(test["total"], summary["n_test"]);
    let stored = std::fs::read_to_string(here.path().join("run/evaluation.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), test, "the run has stored the same");
    assert_eq!(eval(&["--split", "test"]), test);
    let classes: Vec<_> = test["per_class"].as_array().unwrap().iter().map(|class| class["class"].as_str()).collect();
    assert_eq!(classes, [Some("cat"), Some("dog"), Some("fish")]);
    assert!(
        test["per_class"].as_array().unwrap().iter().all(|class| class["total"] == 3),
        "rows are the actual classes"
    );
    assert_eq!(eval(&["--split", "train"])["total"], summary["n_train"]);
    let val = eval(&["--split", "val"]);
    assert_eq!(val["total"], summary["n_val"]);
    let metrics = crate::binary::metrics(&here.path().join("run"));
    assert_eq!(val["accuracy"], metrics.last().unwrap()["val_accuracy"]);

    let text = stdout(&ecgan(here.path(), &command));
    let first = format!("accuracy {:.2} % ({} of 9)\n", test["accuracy"].as_f64().unwrap(), test["correct"]);
    assert!(text.starts_with(&first), "{first} in {text}");
}

/// What it was wrong about has the numbers of the confusion matrix, and the files' own names.
#[test]
fn mistakes_are_named() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings =
        ["--data", "pets", "--out", "run", "--method", "classifier", "--width", "2", "--val-fraction", "0.34"];
    train(here.path(), &[&settings[..], &["--max-steps", "1"]].concat());
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--split"];
    for (split, folder) in [("test", "pets/test"), ("val", "pets/train")] {
        let files = ["--json", "--mistakes", "m.csv", "--mistakes-grid", "m.png"];
        let output = ecgan(here.path(), &[&command[..], &[split], &files].concat());
        let evaluation = json(&output);
        let table = std::fs::read_to_string(here.path().join("m.csv")).unwrap();
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("image,actual,predicted,confidence"));
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert!(!rows.is_empty(), "one step learns nothing");
        let classes = ["cat", "dog", "fish"];
        let mut confusion = vec![vec![0; 3]; 3];
        for row in &rows {
            let [actual, predicted] =
                [row[1], row[2]].map(|name| classes.iter().position(|class| *class == name).unwrap());
            confusion[actual][predicted] += 1;
            assert_eq!(std::path::Path::new(row[0]).parent(), Some(format!("{folder}/{}", row[1]).as_ref()));
            assert!(here.path().join(row[0]).is_file());
        }
        for (actual, row) in confusion.iter_mut().enumerate() {
            row[actual] = count(&evaluation["per_class"][actual]["correct"]) as usize;
        }
        assert_eq!(evaluation["confusion"], serde_json::json!(confusion));
        let sure: Vec<f64> = rows.iter().map(|row| row[3].parse().unwrap()).collect();
        assert!(sure.is_sorted_by(|a, b| a >= b), "{sure:?}");
        let picture = image::open(here.path().join("m.png")).unwrap();
        assert_eq!(picture.width() as usize, 100 * rows.len().min(8) + 4);
        let first = format!("  {} taken for {}, {:.3}: {}\n", rows[0][1], rows[0][2], sure[0], rows[0][0]);
        assert!(stderr(&output).contains(&first), "{first} in {}", stderr(&output));
        if split == "test" {
            assert_eq!(std::fs::read_to_string(here.path().join("run/mistakes.csv")).unwrap(), table, "the run's own");
        }
    }
    let refuse =
        |more: [&str; 2], message| refused(here.path(), &[&command[..], &["test"], &more].concat(), 2, message);
    refuse(["--mistakes", "m.png"], "mistakes: expected a name that ends in .csv, got m.png");
    refuse(["--mistakes-grid", "pets/train/cat/m.png"], "mistakes_grid: expected a name outside pets, whose images");
    // Nor into the run's own data, which nobody named.
    let own = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--mistakes-grid", "pets/train/cat/m.png"];
    refused(here.path(), &own, 2, "mistakes_grid: expected a name outside pets, whose images it could be taken for");
    refuse(
        ["--mistakes", "run/metrics.csv"],
        "expected a new file, or mistakes of ecgan to replace, got run/metrics.csv",
    );
}

/// Labelled images without parts, whether they are those of the training or not.
#[test]
fn all_images_of_a_set_can_be_measured() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    std::fs::rename(here.path().join("pets/train"), here.path().join("mine")).unwrap();
    std::fs::rename(here.path().join("pets/test"), here.path().join("others")).unwrap();
    train(here.path(), &["--data", "mine", "--out", "run", "--method", "classifier", "--max-steps", "1"]);
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--json", "--data"];
    let eval = |more: &[&str]| {
        let output = ecgan(here.path(), &[&command[..], more].concat());
        (json(&output)["total"].as_u64().unwrap(), stderr(&output))
    };
    let hint = "warning: others: only that fifth is measured; --split all measures every image";
    let (total, said) = eval(&["others"]);
    assert!(total == 3 && said.contains(hint) && said.contains("so 3 of its 9 images"), "{total}: {said}");
    let (total, said) = eval(&["others", "--split", "all"]);
    assert!(total == 9 && !said.contains("fifth"), "{total}: {said}");
    let (total, said) = eval(&["mine"]);
    assert!(total == 3 && !said.contains("--split all"), "{total}: {said}");
    refused(here.path(), &[&command[..], &[""]].concat(), 2, "data: expected a folder or `synthetic`, got nothing");
}

#[test]
fn a_run_on_the_built_in_data_is_measured_on_its_own_test_images() {
    let here = tempfile::tempdir().unwrap();
    let settings = ["--samples", "100", "--seed", "3", "--method", "classifier", "--out", "run", "--lr", "0.01"];
    let summary = train(here.path(), &[&settings[..], &["--width", "2", "--batch", "10", "--epochs", "5"]].concat());
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "synthetic", "--json"];
    let test = json(&ecgan(here.path(), &command));
    consistent(&test);
    // One class for everything would be right on 10 % of any seed's images.
    let used = |k: usize| test["confusion"].as_array().unwrap().iter().any(|row| count(&row[k]) > 0);
    assert!((0..10).filter(|&k| used(k)).count() > 1, "{test}");
    assert_eq!((&test["total"], &test["accuracy"]), (&summary["n_test"], &summary["test_accuracy"]));
}

#[test]
fn a_validation_part_that_is_not_there_is_refused() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--method", "classifier", "--max-steps", "1"];
    train(here.path(), &[&settings[..], &["--val-fraction", "0"]].concat());
    let command = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--split", "val"];
    refused(here.path(), &command, 2, "split: expected test or train, as the run kept nothing for validation");
}
