//! `ecgan data`, and data sets in their several forms.

use crate::binary::{command, ecgan, files, json, metrics, refused, small, stderr, stdout, train};
use crate::data_sets::{house_numbers, idx, pets};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

#[test]
fn inspect_tells_all_and_draws_a_sheet() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    fs::copy(here.path().join("pets/train/cat/0.png"), here.path().join("pets/test/cat/again.png")).unwrap();
    let inspect = ["data", "inspect", "pets", "--sheet", "sheet.png"];
    let text = stdout(&ecgan(here.path(), &inspect));
    for line in [
        "pets: image folders, 3 classes",
        "train: 18 images",
        "  width 5 to 72 (median 44), height 5 to 40 (median 26) pixels",
        "  9 in colour, 9 grey",
        "class    train     test",
        "dog          6        3",
        "  every class has the same number",
        // A test image of these is a training image, each of them; one of them twice.
        "- in train and again in test, pixel by pixel: 10 images, as pets/test/cat/0.png",
        "contact sheet sheet.png",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert_eq!(image::open(here.path().join("sheet.png")).unwrap().width(), 8 * 132 + 4);
    let value = json(&ecgan(here.path(), &[&inspect[..3], &["--json"]].concat()));
    assert_eq!((&value["parts"][0]["images"], &value["shared"][0]["images"]), (&18.into(), &10.into()));
    let built_in = json(&ecgan(here.path(), &["data", "inspect", "synthetic", "--json"]));
    assert_eq!(built_in["parts"][1]["images"], 2000);
}

#[test]
fn inspect_lists_every_unreadable_file_and_ends_with_3() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for name in ["pets/train/cat/x.png", "pets/test/dog/y.jpg"] {
        fs::write(here.path().join(name), "no image").unwrap();
    }
    let output = ecgan(here.path(), &["data", "inspect", "pets", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["unreadable"].as_array().unwrap().len(), 2);
    let stderr = stderr(&output);
    for name in ["pets/train/cat/x.png: ", "pets/test/dog/y.jpg: ", "error: pets: 2 unreadable files, 0 other"] {
        assert!(stderr.contains(name), "{name} in {stderr}");
    }
    refused(here.path(), &["data", "inspect", "nowhere"], 3, "nowhere: no such folder");
}

/// What is decoded while it trains gives the bits of what is held, with folders and with files, and so do its
/// validation and test.
#[test]
fn a_run_that_streams_is_the_run_that_holds() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    house_numbers(&here.path().join("svhn"));
    idx(&here.path().join("mnist"), "train", 30);
    idx(&here.path().join("mnist"), "t10k", 10);
    for data in ["pets", "svhn", "mnist", "synthetic"] {
        let run = |limit: &str, threads: &str| {
            let out = format!("{data}-{limit}-{threads}");
            let settings = ["--data", data, "--augment", "paper", "--threshold", "0", "--samples", "16"];
            let more = ["--val-fraction", "0.25", "--out", &out, "--memory-limit", limit, "--threads", threads];
            let mut summary = train(here.path(), &[&settings[..], &more].concat());
            let summary = summary.as_object_mut().unwrap();
            summary.retain(|key, _| key.ends_with("accuracy") || key.starts_with("n_"));
            let folder = here.path().join(&out);
            let accuracies: Vec<_> = metrics(&folder).iter().map(|line| line["val_accuracy"].clone()).collect();
            let checkpoint = fs::read(folder.join("checkpoints/last.safetensors")).unwrap();
            (summary.clone(), accuracies, checkpoint)
        };
        let held = run("1000", "1");
        assert!(held.1.len() == 2 && held.1[0].is_number(), "{:?}", held.1);
        assert!(run("0", "1") == held, "{data}: another run");
        assert!(run("0", "3") == held, "{data}: another run with three threads");
    }
}

/// Images outside the budget are never read.
#[test]
fn what_the_budget_leaves_out_is_not_decoded() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for class in ["cat", "dog", "fish"] {
        fs::write(here.path().join(format!("pets/train/{class}/9.png")), "damaged").unwrap();
    }
    let budget = ["--data", "pets", "--subset", "first", "--max-steps", "1", "--per-class"];
    train(here.path(), &[&budget[..], &["6"]].concat());
    let all = [&["train"][..], &budget, &["7"]].concat();
    refused(here.path(), &all, 3, "pets/train/cat/9.png: not an image");
    // Streamed, the same file stops the run when its batch comes.
    refused(here.path(), &[&all[..], &["--memory-limit", "0", "--epochs", "1"]].concat(), 3, "9.png: not an image");
}

#[test]
fn class_folders_alone_are_split_for_the_test() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("both"));
    fs::rename(here.path().join("both/train"), here.path().join("pets")).unwrap();
    let run = |out: &str, seed: &str| {
        let settings = ["train", "--data", "pets", "--max-steps", "1", "--seed", seed, "--json", "--out", out];
        let output = small(here.path(), &settings).output().unwrap();
        let warning = "warning: pets: no train/ and test/ folders, so 3 of its 18 images, about a fifth of each class but at least one, are";
        assert!(stderr(&output).contains(warning), "{}", stderr(&output));
        json(&output)
    };
    for seed in ["0", "1"] {
        let summary = run(seed, seed);
        assert_eq!((&summary["n_train"], &summary["n_val"], &summary["n_test"]), (&13.into(), &2.into(), &3.into()));
        let checkpoint = format!("{seed}/checkpoints/last.safetensors");
        let test = json(&ecgan(here.path(), &["eval", "--checkpoint", &checkpoint, "--data", "pets", "--json"]));
        assert_eq!(test["accuracy"], summary["test_accuracy"]);
    }
}

#[test]
fn a_validation_folder_validates() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    fs::create_dir_all(here.path().join("pets/valid/cat")).unwrap();
    for class in ["cat", "dog", "fish"] {
        fs::create_dir_all(here.path().join("pets/valid").join(class)).unwrap();
        let from = here.path().join(format!("pets/train/{class}/0.png"));
        fs::copy(from, here.path().join(format!("pets/valid/{class}/0.png"))).unwrap();
    }
    let settings = ["train", "--data", "pets", "--max-steps", "1", "--json", "--out", "run"];
    let output = small(here.path(), &settings).output().unwrap();
    let summary = json(&output);
    assert_eq!((&summary["n_train"], &summary["n_val"], &summary["n_test"]), (&18.into(), &3.into(), &9.into()));
    assert!(stderr(&output).contains("warning: the data set's own 3 validation images choose"), "{}", stderr(&output));
    let eval =
        ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "pets", "--split", "val", "--json"];
    assert_eq!(json(&ecgan(here.path(), &eval))["accuracy"], summary["best_val_accuracy"]);
    let none = train(here.path(), &["--data", "pets", "--max-steps", "1", "--val-fraction", "0"]);
    assert_eq!((&none["n_train"], &none["n_val"]), (&18.into(), &0.into()));
}

#[test]
fn a_test_part_alone_can_be_measured_but_not_trained_on() {
    let here = tempfile::tempdir().unwrap();
    idx(&here.path().join("mnist"), "train", 30);
    idx(&here.path().join("mnist"), "t10k", 10);
    let summary = train(here.path(), &["--data", "mnist", "--max-steps", "1", "--out", "run"]);
    for name in ["images-idx3", "labels-idx1"] {
        fs::remove_file(here.path().join(format!("mnist/train-{name}-ubyte"))).unwrap();
    }
    let eval = ["eval", "--checkpoint", "run/checkpoints/last.safetensors", "--data", "mnist", "--json"];
    assert_eq!(json(&ecgan(here.path(), &eval))["accuracy"], summary["test_accuracy"]);
    let missing = "mnist: no train-images-idx3-ubyte and no train-images-idx3-ubyte.gz, which the train part needs";
    refused(here.path(), &["train", "--data", "mnist"], 3, missing);
    refused(here.path(), &[&eval[..], &["--split", "train"]].concat(), 3, missing);
    let text = stdout(&ecgan(here.path(), &["data", "inspect", "mnist"]));
    assert!(text.contains("test: 10 images") && text.contains(&format!("- {missing}")), "{text}");
}

/// Classes are as many as there are labels, and what `train` refuses of them `inspect` tells.
#[test]
fn idx_files_of_three_classes_and_of_a_class_without_images() {
    let here = tempfile::tempdir().unwrap();
    for part in ["train", "t10k"] {
        idx(&here.path().join("three"), part, 3);
    }
    let settings = ["--data", "three", "--method", "classifier", "--max-steps", "1", "--val-fraction", "0"];
    let summary = train(here.path(), &settings);
    assert_eq!((&summary["n_train"], &summary["n_test"]), (&3.into(), &3.into()));
    // Without that flag a run is stopped, which is told beforehand.
    let output = ecgan(here.path(), &["data", "inspect", "three"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let few =
        "Stops a run:\n- three: val_fraction 0.1 of 3 images: 0 for validation; expected at least 1 (--val-fraction 0";
    assert!(text.starts_with("three: MNIST (IDX files), 3 classes\n") && text.contains(few), "{text}");
    assert_eq!(output.status.code(), Some(3));
    let labels = here.path().join("three/train-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).unwrap();
    bytes[8..].copy_from_slice(&[0, 2, 2]);
    fs::write(&labels, bytes).unwrap();
    let refusal = "three: no training image of class `1`; expected at least one of each class";
    refused(here.path(), &[&["train"][..], &settings].concat(), 3, refusal);
    let output = ecgan(here.path(), &["data", "inspect", "three"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.code() == Some(3) && text.contains(&format!("Stops a run:\n- {refusal}\n")), "{text}");
    assert!(stderr(&output).contains("0 unreadable files, 1 other thing to stop a run"), "{}", stderr(&output));
}

/// A server that answers every request with these bytes.
fn serve(status: &'static str, bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = lines.take_while(|line| !line.is_empty()).count();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
            // Whoever hangs up has seen enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes));
        }
    });
    base
}

#[test]
fn fetch_refuses_what_is_not_the_published_file() {
    let here = tempfile::tempdir().unwrap();
    let fetch = |base: &str, message: &str| {
        let mut command = command(here.path(), &["data", "fetch", "mnist", "--url", base, "--dir", "mnist"]);
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let output = command.output().unwrap();
        let stderr = stderr(&output);
        assert!(output.status.code() == Some(3) && stderr.contains(message), "{message} in {stderr}");
        assert!(files(&here.path().join("mnist")).iter().all(|file| file.extension() != Some("gz".as_ref())));
    };
    fetch(&serve("404 Not Found", b"gone"), "/train-images-idx3-ubyte.gz: 404 Not Found; is this still where");
    fetch(&serve("200 OK", b"a page that says hello"), "has 22 bytes; expected 9912422");
    fetch("ftp://nowhere", "error: ftp://nowhere/train-images-idx3-ubyte.gz: ");
    refused(here.path(), &["data", "fetch", "imagenet"], 2, "[possible values: svhn, cifar10, cifar100, mnist]");
}

/// Where it is there already, nothing is downloaded.
#[test]
fn fetch_leaves_what_is_there() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("data/cifar100/cifar-100-binary");
    fs::create_dir_all(&folder).unwrap();
    let record = |fine: usize| [vec![0, fine as u8], vec![9; 3072]].concat();
    let write = |name: &str, bytes: Vec<u8>| fs::write(Path::new(&folder).join(name), bytes).unwrap();
    write("train.bin", (0..100).flat_map(record).collect());
    write("test.bin", record(5));
    write("fine_label_names.txt", (0..100).map(|i| format!("c{i}\n")).collect::<String>().into_bytes());
    let value = json(&ecgan(here.path(), &["data", "fetch", "cifar100", "--url", "http://127.0.0.1:1", "--json"]));
    assert_eq!(
        (&value["data"], &value["train"], &value["classes"]),
        (&"data/cifar100".into(), &100.into(), &100.into())
    );
    // A folder that is called like the built-in set is none.
    fs::rename(here.path().join("data/cifar100"), here.path().join("synthetic")).unwrap();
    let again = ["data", "fetch", "cifar100", "--url", "http://127.0.0.1:1", "--dir", "synthetic"];
    let text = stdout(&ecgan(here.path(), &again));
    assert!(
        text.starts_with("CIFAR-100 (binary, fine labels): 100 training and 1 test images of 100 classes\n"),
        "{text}"
    );
    assert!(text.contains(" data inspect ./synthetic\n") && text.contains(" train --data ./synthetic --per"), "{text}");
    assert_eq!(json(&ecgan(here.path(), &[&again[..], &["--json"]].concat()))["data"], "./synthetic");
    let seen = ecgan(here.path(), &["data", "inspect", "./synthetic"]).stdout;
    assert!(String::from_utf8(seen).unwrap().starts_with("./synthetic: CIFAR-100 "));
}
