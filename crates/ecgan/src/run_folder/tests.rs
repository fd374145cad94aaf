use super::*;
use crate::ErrorKind;
use crate::metrics::Tally;
use crate::settings::Partial;

fn numbered(root: &Path, data: &str) -> String {
    let folder = RunFolder::create(None, root, Method::EcGan, data).unwrap();
    folder.path().file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn runs_are_numbered_after_the_highest() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("runs");
    assert_eq!(numbered(&runs, "synthetic"), "0001-ec-gan-synthetic");
    assert_eq!(numbered(&runs, "my data/é"), "0002-ec-gan-my_data_é");
    fs::create_dir(runs.join("0041-classifier-x")).unwrap();
    fs::create_dir(runs.join("notes-0099")).unwrap();
    assert_eq!(numbered(&runs, ".."), "0042-ec-gan-data");
    assert_eq!(numbered(&runs, &"𒀀".repeat(255)), format!("0043-ec-gan-{}", "𒀀".repeat(50)));
}

#[test]
fn a_number_that_another_run_took_meanwhile_is_skipped() {
    let root = tempfile::tempdir().unwrap();
    for taken in ["0003-ec-gan-d", "0004-ec-gan-d"] {
        fs::create_dir(root.path().join(taken)).unwrap();
    }
    assert_eq!(first_free(root.path(), "ec-gan-d", 3).unwrap(), root.path().join("0005-ec-gan-d"));
    assert!(first_free(&root.path().join("none"), "ec-gan-d", 3).unwrap_err().to_string().contains("cannot create"));
}

#[test]
fn out_is_the_folder_itself_and_must_be_empty() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("a/b");
    let create = || RunFolder::create(Some(&out), root.path(), Method::EcGan, "d");
    assert_eq!(create().unwrap().path(), out);
    create().unwrap();
    fs::write(out.join("x"), "").unwrap();
    let error = create().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let expected = format!("out: expected a new or an empty folder, got {} which is not empty", out.display());
    assert_eq!(error.to_string(), expected);
    // Of a run that has more to do it says how.
    fs::write(out.join("config.toml"), "").unwrap();
    let goes_on = format!("{expected}; a run is there: `ecgan train --resume {}` goes on with it", out.display());
    assert_eq!(create().unwrap_err().to_string(), goes_on);
    let ended_by = |ending: &str| {
        let counts = "\"n_train\":1,\"n_val\":0,\"n_test\":1,\"seed\":0,\"epochs\":2,\"steps\":2,\"seconds\":2.0";
        let summary = format!(
            "{{\"method\":\"ec-gan\",\"data\":\"d\",{counts},\"ended_by\":\"{ending}\",\"test_accuracy\":80.0,\"best_val_accuracy\":null}}"
        );
        fs::write(out.join("summary.json"), summary).unwrap();
        create().unwrap_err().to_string()
    };
    assert_eq!([ended_by("max-time"), ended_by("epochs")], [goes_on, expected]);
    let error = RunFolder::create(Some(&out.join("x")), root.path(), Method::EcGan, "d").unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().ends_with("which is not a folder"), "{error}");
}

#[test]
fn everything_lands_where_it_is_documented() {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(None, root.path(), Method::Classifier, "synthetic").unwrap();
    let settings = Settings::resolve(Partial::default()).unwrap();
    run.write_config(&settings).unwrap();
    assert_eq!(Settings::resolve(Partial::from_file(&run.path().join("config.toml")).unwrap()).unwrap(), settings);
    for epoch in 1..=2 {
        run.append_metrics(&EpochMetrics { epoch, loss_g: Some(f64::INFINITY), ..EpochMetrics::default() }).unwrap();
    }
    let lines = fs::read_to_string(run.metrics_file()).unwrap();
    let epochs: Vec<EpochMetrics> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((epochs.len(), epochs[1].epoch, epochs[1].loss_g), (2, 2, None));
    run.write_samples(1, &RgbImage::new(3, 2)).unwrap();
    assert_eq!(image::image_dimensions(run.path().join("samples/epoch-0001.png")).unwrap(), (3, 2));
    let summary = Summary {
        method: Method::Classifier,
        data: "synthetic".into(),
        n_train: 3,
        n_val: 0,
        n_test: 4,
        seed: 5,
        epochs: 2,
        steps: 8,
        ended_by: Ending::Epochs,
        test_accuracy: Some(12.5),
        best_val_accuracy: None,
        seconds: 0.5,
    };
    run.write_summary(&summary).unwrap();
    let text = fs::read_to_string(run.path().join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    let mut tally = Tally::new(40);
    tally.add(3, &[0.0; 40]);
    let evaluation = tally.evaluation(&vec!["a".to_owned(); 40]);
    run.write_evaluation(&evaluation).unwrap();
    let text = fs::read_to_string(run.path().join("evaluation.json")).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    assert!(text.contains(&format!("\n    [1{}],\n", ",0".repeat(39))), "a row of the confusion matrix has one line");
    let path = run.path().to_path_buf();
    for name in ["evaluation.json", "report.html"] {
        fs::write(path.join(name), "").unwrap();
    }
    run.remove_ending().unwrap();
    run.remove_ending().unwrap();
    assert!(["summary.json", "evaluation.json", "report.html"].iter().all(|name| !path.join(name).exists()));
    assert!(path.join("metrics.jsonl").exists());
    run.write_summary(&summary).unwrap();
    run.discard_if_empty();
    assert!(path.join("summary.json").exists());
}

#[test]
fn a_run_that_could_not_begin_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("a/runs");
    RunFolder::create(None, &runs, Method::EcGan, "d").unwrap().discard_if_empty();
    let out = root.path().join("b/c");
    RunFolder::create(Some(&out), &runs, Method::EcGan, "d").unwrap().discard_if_empty();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    // A folder that was there before stays.
    fs::create_dir_all(&out).unwrap();
    RunFolder::create(Some(&out), &runs, Method::EcGan, "d").unwrap().discard_if_empty();
    assert!(out.exists());
}

#[test]
fn lines_past_a_checkpoint_and_half_a_line_are_dropped() {
    let root = tempfile::tempdir().unwrap();
    let run = RunFolder::create(None, root.path(), Method::Classifier, "d").unwrap();
    assert_eq!(run.keep_metrics(|_| true).unwrap(), []);
    for epoch in 1..=3 {
        run.append_metrics(&EpochMetrics { epoch, seconds: 0.5 * epoch as f64, ..EpochMetrics::default() }).unwrap();
    }
    let three = fs::read(run.metrics_file()).unwrap();
    fs::write(run.metrics_file(), [&three[..], b"{\"epoch\":4,\"st"].concat()).unwrap();
    assert_eq!(run.keep_metrics(|_| true).unwrap().last().unwrap().epoch, 3);
    assert_eq!(fs::read(run.metrics_file()).unwrap(), three);
    assert_eq!(run.keep_metrics(|line| line.epoch < 3).unwrap().last().unwrap().seconds, 1.0);
    assert_eq!(fs::read(run.metrics_file()).unwrap(), three[..three.len() / 3 * 2]);
    fs::write(run.metrics_file(), "{}\nmine\n").unwrap();
    assert!(run.keep_metrics(|_| true).unwrap_err().to_string().contains("metrics.jsonl: line 1: missing field"));
    fs::write(run.metrics_file(), "{").unwrap();
    assert_eq!(run.keep_metrics(|_| true).unwrap(), []);
    assert!(!run.metrics_file().exists());
}

#[test]
fn a_killed_run_is_taken_over_and_cleaned() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    fs::create_dir_all(out.join("samples")).unwrap();
    for unfinished in [".writing-1", "samples/.writing-2", ".lock"] {
        fs::write(out.join(unfinished), "").unwrap();
    }
    fs::write(out.join("config.toml"), "").unwrap();
    let images = NewFolder::begin("dir", &out.join("fakes")).unwrap();
    let run = RunFolder::open(&out).unwrap();
    images.finish().unwrap();
    assert!(matches!(RunFolder::open(&out), Err(Error::Locked { .. })));
    drop(run);
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((left.len(), fs::read_dir(out.join("samples")).unwrap().count()), (3, 0), "{left:?}");
    // One that was killed before it wrote anything is as good as new.
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join(".lock"), "").unwrap();
    let run = RunFolder::create(Some(&empty), root.path(), Method::EcGan, "d").unwrap();
    assert!(matches!(RunFolder::create(Some(&empty), root.path(), Method::EcGan, "d"), Err(Error::Locked { .. })));
    drop(run);
}

#[test]
fn a_folder_that_is_cleared_stays_ours_and_what_a_link_leads_to_is_spared() {
    let root = tempfile::tempdir().unwrap();
    let (out, others) = (root.path().join("run"), root.path().join("others"));
    fs::create_dir_all(out.join("samples")).unwrap();
    fs::create_dir(&others).unwrap();
    for file in [out.join("config.toml"), out.join("samples/epoch-0001.png"), others.join("kept")] {
        fs::write(file, "").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(&others, out.join("link")).unwrap();
    let run = RunFolder::open(&out).unwrap();
    run.clear().unwrap();
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [lock::NAME]);
    assert!(others.join("kept").exists());
    assert!(matches!(RunFolder::open(&out), Err(Error::Locked { .. })));
    drop(run);
}
