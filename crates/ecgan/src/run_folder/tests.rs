use super::*;
use crate::ErrorKind;
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
        test_accuracy: Some(12.5),
        best_val_accuracy: None,
        seconds: 0.5,
    };
    run.write_summary(&summary).unwrap();
    let text = fs::read_to_string(run.path().join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    let path = run.path().to_path_buf();
    assert!(run.discard_if_empty());
    assert!(path.join("summary.json").exists());
}

#[test]
fn a_run_that_could_not_begin_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("a/runs");
    assert!(!RunFolder::create(None, &runs, Method::EcGan, "d").unwrap().discard_if_empty());
    let out = root.path().join("b/c");
    assert!(!RunFolder::create(Some(&out), &runs, Method::EcGan, "d").unwrap().discard_if_empty());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    // A folder that was there before stays.
    fs::create_dir_all(&out).unwrap();
    assert!(RunFolder::create(Some(&out), &runs, Method::EcGan, "d").unwrap().discard_if_empty());
}
