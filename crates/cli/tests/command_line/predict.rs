//! `ecgan predict`.

use crate::binary::{ecgan, json, refused, stderr, stdout, train};
use crate::data_sets::pets;
use serde_json::Value;
use std::fs;
use std::path::Path;

const COMMAND: [&str; 5] = ["predict", "--checkpoint", "run/checkpoints/last.safetensors", "--threads", "1"];

/// A classifier that tells the pets apart a little.
fn trained(folder: &Path) {
    pets(&folder.join("pets"));
    let settings = ["--data", "pets", "--out", "run", "--method", "classifier", "--width", "2", "--lr", "0.01"];
    train(folder, &[&settings[..], &["--epochs", "20"]].concat());
}

fn predict(folder: &Path, arguments: &[&str]) -> Value {
    json(&ecgan(folder, &[&COMMAND, arguments, &["--json"]].concat()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn the_test_images_are_taken_for_what_the_evaluation_says() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    let eval = [&["eval"], &COMMAND[1..], &["--data", "pets", "--json"]].concat();
    let evaluation = json(&ecgan(here.path(), &eval));
    let classes: Vec<&str> = evaluation["per_class"].as_array().unwrap().iter().map(|c| text(&c["class"])).collect();
    let mut confusion = vec![vec![0; 3]; 3];
    let report = predict(here.path(), &["pets/test"]);
    for prediction in report["predictions"].as_array().unwrap() {
        let actual = classes.iter().position(|class| text(&prediction["path"]).contains(class)).unwrap();
        let predicted = classes.iter().position(|class| *class == text(&prediction["top"][0]["class"])).unwrap();
        confusion[actual][predicted] += 1;
    }
    assert_eq!(serde_json::json!(confusion), evaluation["confusion"]);
    assert!(evaluation["correct"].as_u64() > Some(3), "told apart: {evaluation}");
    assert_eq!(report["classes"], serde_json::json!(classes));
    assert!(report["images_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn table_csv_and_json_say_the_same() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    let arguments = ["-k", "2", "pets/test/fish", "pets/train/cat/0.png"];
    let report = predict(here.path(), &arguments);
    let predictions = report["predictions"].as_array().unwrap();
    let paths: Vec<&str> = predictions.iter().map(|p| text(&p["path"])).collect();
    let expected = ["pets/test/fish/0.png", "pets/test/fish/1.jpg", "pets/test/fish/2.jpeg", "pets/train/cat/0.png"];
    assert_eq!(paths, expected, "in the order asked for");
    let csv = stdout(&ecgan(here.path(), &[&COMMAND[..], &arguments, &["--csv"]].concat()));
    let table = stdout(&ecgan(here.path(), &[&COMMAND[..], &arguments].concat()));
    assert_eq!(csv.lines().next(), Some("path,class,confidence,class_2,confidence_2"));
    let (csv, table): (Vec<&str>, Vec<&str>) = (csv.lines().skip(1).collect(), table.lines().collect());
    assert_eq!((csv.len(), table.len()), (4, 5));
    assert!(table[4].starts_with("4 images in ") && table[4].ends_with(" images/s"), "{}", table[4]);
    for ((prediction, csv), line) in predictions.iter().zip(csv).zip(table) {
        let (mut row, mut words) =
            (vec![text(&prediction["path"]).to_owned()], vec![text(&prediction["path"]).to_owned()]);
        let top = prediction["top"].as_array().unwrap();
        assert!(top.len() == 2 && top[0]["confidence"].as_f64() >= top[1]["confidence"].as_f64(), "{prediction}");
        for candidate in top {
            let (class, confidence) = (text(&candidate["class"]), candidate["confidence"].as_f64().unwrap());
            row.extend([class.to_owned(), confidence.to_string()]);
            words.extend([class.to_owned(), format!("{confidence:.3}")]);
        }
        assert_eq!(csv.split(',').collect::<Vec<_>>(), row);
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), words);
    }
    let all = predict(here.path(), &["-k", "9", "pets/train/cat/0.png"]);
    let top = all["predictions"][0]["top"].as_array().unwrap();
    let sum: f64 = top.iter().map(|candidate| candidate["confidence"].as_f64().unwrap()).sum();
    assert!(top.len() == 3 && (sum - 1.0).abs() < 1e-9, "{all}");
}

#[test]
fn a_file_that_is_no_image_is_told_of_and_the_others_are_predicted() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    fs::create_dir(here.path().join("mixed")).unwrap();
    for (from, to) in [("cat/0.png", "a.png"), ("dog/1.jpg", "c.jpg")] {
        fs::copy(here.path().join("pets/test").join(from), here.path().join("mixed").join(to)).unwrap();
    }
    fs::write(here.path().join("mixed/b.png"), "no image").unwrap();
    let output = ecgan(here.path(), &[&COMMAND[..], &["mixed", "--csv"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let (rows, said) = (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output));
    let paths: Vec<&str> = rows.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(paths, ["path", "mixed/a.png", "mixed/c.jpg"]);
    assert!(said.contains("warning: ") && said.contains("mixed/b.png"), "{said}");
    assert!(said.contains("1 of 3 images could not be read"), "{said}");
    let output = ecgan(here.path(), &[&COMMAND[..], &["mixed", "--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failed"][0]["path"], "mixed/b.png");
    assert_eq!(report["predictions"].as_array().unwrap().len(), 2);
}

/// A path that leads to no image is as a damaged file, wherever it stands among the others.
#[test]
fn a_path_without_an_image_costs_no_other_its_prediction() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    fs::create_dir(here.path().join("empty")).unwrap();
    let mut odd = vec![
        ("gone.png", "cannot read: "),
        ("empty", "no image in this folder or below; expected a file, or a folder"),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("round.png", here.path().join("round.png")).unwrap();
        odd.push(("round.png", "cannot read: "));
    }
    let names = odd.iter().map(|(name, _)| *name);
    let paths: Vec<&str> = names.chain(["pets/test/cat/0.png"]).collect();
    let output = ecgan(here.path(), &[&COMMAND[..], &paths, &["--json"]].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["predictions"][0]["path"], "pets/test/cat/0.png");
    for ((name, problem), failed) in odd.iter().zip(report["failed"].as_array().unwrap()) {
        assert_eq!(failed["path"], *name);
        assert!(text(&failed["problem"]).starts_with(problem), "{failed}");
        assert!(said.contains(&format!("warning: {name}: {problem}")), "{said}");
    }
    let all = odd.len() + 1;
    assert!(said.contains(&format!("error: {} of {all} images could not be read, as said above", odd.len())), "{said}");
    let table = ecgan(here.path(), &[&COMMAND[..], &["gone.png", "pets/test/cat/0.png"]].concat());
    assert!(String::from_utf8(table.stdout).unwrap().starts_with("pets/test/cat/0.png "));
    assert_eq!(ecgan(here.path(), &[&COMMAND[..], &["gone.png"]].concat()).status.code(), Some(3));
}

/// Where a folder is named, they are not passed over.
#[test]
fn images_of_formats_that_are_not_read_are_told_of() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    fs::create_dir(here.path().join("mixed")).unwrap();
    fs::copy(here.path().join("pets/test/cat/0.png"), here.path().join("mixed/a.png")).unwrap();
    fs::write(here.path().join("mixed/b.webp"), b"RIFF\x24\0\0\0WEBPVP8 ").unwrap();
    fs::write(here.path().join("mixed/notes.txt"), "no image").unwrap();
    let output = ecgan(here.path(), &[&COMMAND[..], &["mixed", "--json"]].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let problem = "WebP is not read; expected PNG or JPEG: convert it to one of them";
    assert!(said.contains(&format!("warning: mixed/b.webp: {problem}\n")) && !said.contains("notes"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failed"], serde_json::json!([{ "path": "mixed/b.webp", "problem": problem }]));
    assert_eq!(report["predictions"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let here = tempfile::tempdir().unwrap();
    trained(here.path());
    fs::write(here.path().join("notes.safetensors"), "no checkpoint").unwrap();
    let with = |arguments: &[&'static str]| [&COMMAND[..], arguments].concat();
    refused(here.path(), &with(&["pets", "-k", "0"]), 2, "'--top-k <K>'");
    refused(here.path(), &with(&["pets", "--csv", "--json"]), 2, "cannot be used with");
    let command = ["predict", "--checkpoint", "notes.safetensors", "pets"];
    refused(here.path(), &command, 3, "notes.safetensors: not a safetensors file");
}
