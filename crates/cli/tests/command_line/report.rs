//! `ecgan report`, and what a run leaves to look at.

use crate::binary::{command, ecgan, files, json, metrics, refused, stderr, stdout, train};
use crate::data_sets::pets;
use std::fs;
use std::path::Path;

/// The event files of a run.
fn events(run: &Path) -> Vec<String> {
    let names = files(run).into_iter().map(|path| path.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("events.out.tfevents.")).collect()
}

#[test]
fn a_run_can_be_reported_again_and_elsewhere() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run"]);
    let own = fs::read_to_string(here.path().join("run/report.html")).unwrap();
    let command = ["report", "run", "--out", "page.html", "--curves", "curves.svg"];
    assert_eq!(stdout(&ecgan(here.path(), &command)), "report page.html\ncurves curves.svg\n");
    assert_eq!(fs::read_to_string(here.path().join("page.html")).unwrap(), own);
    assert!(fs::read_to_string(here.path().join("curves.svg")).unwrap().contains("Classifier C: loss"));
    for part in ["<h1>ec-gan on pets</h1>", "16 training, 2 validation and 9 test images of 3 classes", "--data pets"] {
        assert!(own.contains(part), "{part}");
    }
    // Two epochs, the real images, and the mistakes.
    assert_eq!(own.matches("data:image/png;base64,").count(), 4);

    // An unfinished run, reported where it is.
    fs::remove_file(here.path().join("run/summary.json")).unwrap();
    fs::remove_file(here.path().join("run/evaluation.json")).unwrap();
    assert_eq!(json(&ecgan(here.path(), &["report", "run", "--json"]))["report"], "run/report.html");
    let unfinished = fs::read_to_string(here.path().join("run/report.html")).unwrap();
    assert!(unfinished.contains("The run is not finished: 2 of 2 epochs."));
}

#[test]
fn a_folder_that_is_no_run_is_named() {
    let here = tempfile::tempdir().unwrap();
    refused(here.path(), &["report", "."], 3, "no config.toml in it; expected the folder of a run");
    refused(here.path(), &["report", "nothing"], 3, "nothing: cannot read: ");
    fs::create_dir(here.path().join("bad")).unwrap();
    fs::write(here.path().join("bad/config.toml"), "epochs = 0").unwrap();
    refused(here.path(), &["report", "bad"], 3, "bad/config.toml: epochs: expected ");
    fs::remove_dir_all(here.path().join("bad")).unwrap();
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_report_takes_the_place_of_a_report_only() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    let read = |name: &str| fs::read_to_string(here.path().join(name)).unwrap();
    let (config, summary) = (read("run/config.toml"), read("run/summary.json"));
    fs::write(here.path().join("mine.html"), "<!DOCTYPE html><p>mine").unwrap();
    fs::write(here.path().join("mine.svg"), "<svg></svg>").unwrap();
    for (flag, name, message) in [
        ("--out", "run/config.toml", "out: expected a name that ends in .html, got run/config.toml"),
        ("--curves", "run/summary.json", "curves: expected a name that ends in .svg, got run/summary.json"),
        (
            "--out",
            "mine.html",
            "out: expected a new file, or a report of ecgan to replace, got mine.html, which is none",
        ),
        ("--curves", "mine.svg", "curves: expected a new file, or curves of ecgan to replace, got mine.svg"),
    ] {
        refused(here.path(), &["report", "run", flag, name], 2, message);
    }
    assert_eq!((read("run/config.toml"), read("run/summary.json")), (config, summary));
    assert_eq!((read("mine.html").as_str(), read("mine.svg").as_str()), ("<!DOCTYPE html><p>mine", "<svg></svg>"));
    for _ in 0..2 {
        stdout(&ecgan(here.path(), &["report", "run", "--out", "page.html", "--curves", "curves.svg"]));
    }
}

/// An older report may have been put there, which is one to replace otherwise.
#[test]
fn a_report_is_not_written_into_the_data() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    fs::copy(here.path().join("run/report.html"), here.path().join("pets/train/there.html")).unwrap();
    for (flag, name) in
        [("--out", "pets/train/new.html"), ("--out", "pets/train/there.html"), ("--curves", "pets/test/new/c.svg")]
    {
        let message =
            format!("{}: expected a name outside pets, whose images it could be taken for, got {name}", &flag[2..]);
        refused(here.path(), &["report", "run", flag, name], 2, &message);
    }
    assert!(!here.path().join("pets/train/new.html").exists() && !here.path().join("pets/test/new").exists());
    // Where the data has gone, nothing is known to be in it.
    fs::rename(here.path().join("pets"), here.path().join("gone")).unwrap();
    stdout(&ecgan(here.path(), &["report", "run", "--out", "gone/new.html"]));
}

#[test]
fn the_table_has_what_the_lines_have() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run"]);
    let run = here.path().join("run");
    assert!(events(&run).is_empty(), "event files are written where they are asked for");
    let table = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let mut rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    assert_eq!(header[13..], ["kept_per_class.cat", "kept_per_class.dog", "kept_per_class.fish"]);
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 2);
    for (row, line) in rows.iter().zip(metrics(&run)) {
        for (k, name) in header.iter().enumerate() {
            let value = if k < 13 { &line[*name] } else { &line["kept_per_class"][k - 13] };
            assert_eq!(row[k].parse::<f64>().ok(), value.as_f64(), "{name}");
        }
    }
}

#[test]
fn tensorboard_gets_its_events_and_the_run_the_same_numbers() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    for (out, more) in [("plain", &[][..]), ("watched", &["--tensorboard"])] {
        train(here.path(), &[&["--data", "pets", "--out", out], more].concat());
    }
    let watched = here.path().join("watched");
    let names = events(&watched);
    assert_eq!(names.len(), 1);
    let bytes = fs::read(watched.join(&names[0])).unwrap();
    for tag in ["brain.Event:2", "loss/d_real", "accuracy/val", "fakes_kept/dog", "samples/real", "samples/generated"] {
        assert!(bytes.windows(tag.len()).any(|window| window == tag.as_bytes()), "{tag}");
    }
    let checkpoint = |run: &str| fs::read(here.path().join(run).join("checkpoints/last.safetensors")).unwrap();
    assert!(checkpoint("plain") == checkpoint("watched"), "watching a run changes nothing in it");
}

#[test]
fn a_report_that_cannot_be_shown_is_there() {
    let here = tempfile::tempdir().unwrap();
    pets(&here.path().join("pets"));
    train(here.path(), &["--data", "pets", "--out", "run", "--max-steps", "1"]);
    fs::remove_file(here.path().join("run/report.html")).unwrap();
    let output = command(here.path(), &["report", "run", "--open"]).env("PATH", here.path()).output().unwrap();
    let message = "error: run/report.html: written, but `xdg-open` cannot show it here; open it in a browser\n";
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(3), message));
    assert!(here.path().join("run/report.html").exists());
}
