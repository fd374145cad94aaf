//! A run that goes on leaves what one that was never stopped leaves; and what it does not go on from.

use crate::{Silent, run, settings, tensors};
use ecgan::checkpoint::Checkpoint;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics};
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Augment, ClassThreshold, DiffAugment, FakesFrom, Method, NormD, Partial, Sampling, Settings};
use ecgan::train::{finished, resume};
use ecgan::{Error, ErrorKind};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use tensor::Device;

/// Stops after every iteration.
#[derive(Default)]
struct Impatient {
    steps: usize,
}

impl Observer for Impatient {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, _: &str) {}
    fn step(&mut self, _: &StepMetrics) {
        self.steps += 1;
    }
    fn epoch(&mut self, _: &EpochMetrics) {}
    fn interrupted(&self) -> bool {
        self.steps > 0
    }
}

/// What metrics say but for times.
pub fn metrics(folder: &RunFolder) -> Vec<EpochMetrics> {
    let text = fs::read_to_string(folder.metrics_file()).expect("metrics");
    let without_times = |line| EpochMetrics {
        seconds: 0.0,
        images_per_second: 0.0,
        ..serde_json::from_str(line).expect("a line of ours")
    };
    text.lines().map(without_times).collect()
}

/// Every file but those with times, by its bytes; and the metrics.
pub fn left(folder: &RunFolder) -> (BTreeMap<String, Vec<u8>>, Vec<EpochMetrics>) {
    let mut files = BTreeMap::new();
    for part in ["checkpoints", "samples"] {
        for entry in fs::read_dir(folder.path().join(part)).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).expect("a file"));
        }
    }
    files.insert("config".into(), fs::read(folder.config_file()).expect("settings"));
    (files, metrics(folder))
}

/// Three iterations an epoch, everything random in use.
pub fn random(method: Method) -> Settings {
    settings(Partial {
        method: Some(method),
        epochs: Some(2),
        threshold: Some(0.0),
        augment: Some(Augment::Flip),
        sampling: Some(Sampling::Balanced),
        save_every: Some(1),
        ..Partial::default()
    })
}

/// The same with every option that has a state of its own, or depends on where the run is.
fn optional(method: Method) -> Settings {
    Settings {
        lambda_start: 0.2,
        lambda_ramp: 0.5,
        ema_c: 0.9,
        ema_g: 0.9,
        fakes_from: FakesFrom::Average,
        label_smoothing: 0.1,
        diff_augment: if method.is_shared() { DiffAugment::None } else { DiffAugment::All },
        norm_d: if method.is_shared() { NormD::Batch } else { NormD::Spectral },
        class_threshold: ClassThreshold::Balanced,
        ..random(method)
    }
}

#[test]
fn a_run_stopped_after_every_iteration_leaves_the_same_bytes() {
    let optional = [Method::EcGan, Method::SharedDc, Method::Classifier].map(optional);
    for settings in Method::ALL.iter().map(|&method| random(method)).chain(optional) {
        let method = settings.method;
        let (_whole, folder, summary) = run(&settings, &mut Silent);
        let (want, summary) = (left(&folder), summary.expect("it ends well"));
        assert_eq!(
            want.0.keys().filter(|name| name.starts_with("epoch-000") && name.ends_with("safetensors")).count(),
            2
        );

        let (_stopped, folder, result) = run(&settings, &mut Impatient::default());
        assert_eq!(result.expect_err("it is stopped").kind(), ErrorKind::Interrupted);
        let mut stops = 1;
        let ended = loop {
            let stood = Checkpoint::read(&folder.last_checkpoint()).and_then(|last| last.position()).expect("it says");
            assert_eq!((stood.step, stood.epoch, stood.sums.steps()), (stops, stops / 3, stops % 3), "{method}");
            match resume(&settings, &folder, &mut Impatient::default()) {
                Err(Error::Interrupted) => stops += 1,
                ended => break ended.expect("it ends well"),
            }
        };
        assert_eq!(stops, 6);
        assert!(left(&folder) == want, "{method}: other bytes");
        let of = |s: &ecgan::metrics::Summary| (s.test_accuracy, s.best_val_accuracy, s.epochs, s.steps, s.ended_by);
        assert_eq!(of(&ended), of(&summary));
        assert_eq!(finished(&settings, &folder).expect("it says"), Some(ended));
    }
}

#[test]
fn without_a_checkpoint_a_run_begins_anew_in_its_folder() {
    let settings = random(Method::Classifier);
    let (_whole, folder, _) = run(&settings, &mut Silent);
    let want = left(&folder);
    fs::remove_dir_all(folder.path().join("checkpoints")).expect("removed");
    assert!(fs::read_to_string(folder.metrics_file()).expect("metrics").lines().count() == 2, "lines past nothing");
    resume(&settings, &folder, &mut Silent).expect("it ends well");
    assert!(left(&folder) == want);
}

/// Puts a folder where a file of the second epoch is to be.
struct InTheWay<'a> {
    folder: &'a Path,
    file: &'a str,
}

impl Observer for InTheWay<'_> {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, _: &str) {}
    fn step(&mut self, _: &StepMetrics) {}
    fn epoch(&mut self, epoch: &EpochMetrics) {
        if epoch.epoch == 1 {
            let file = self.folder.join(self.file);
            if file.exists() {
                fs::rename(&file, self.folder.join("aside")).expect("moved aside");
            }
            fs::create_dir_all(file.join("x")).expect("a folder in its place");
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_the_run_goes_on_later() {
    let settings = Settings { patience: None, ..random(Method::EcGan) };
    let (_whole, folder, _) = run(&settings, &mut Silent);
    let want = left(&folder);
    for file in ["metrics.jsonl", "samples/epoch-0002.png", "checkpoints/last.safetensors"] {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(None, root.path(), settings.method, "d").expect("a new folder");
        let mut observer = InTheWay { folder: folder.path(), file };
        let error = ecgan::train::train(&settings, &folder, &mut observer).expect_err("it cannot be written");
        let message = format!("{}: cannot write: ", folder.path().join(file).display());
        assert!(error.kind() == ErrorKind::Data && error.to_string().starts_with(&message), "{error}");
        fs::remove_dir_all(folder.path().join(file)).expect("out of the way");
        let aside = folder.path().join("aside");
        if aside.exists() {
            fs::rename(aside, folder.path().join(file)).expect("back");
        }
        resume(&settings, &folder, &mut Silent).expect("it ends well");
        assert!(left(&folder) == want, "{file}");
    }
}

/// Puts a folder in the place of `metrics.csv` after the first epoch, and takes it away after the second.
#[derive(Default)]
struct NoMirror {
    run: std::path::PathBuf,
    warnings: Vec<String>,
}

impl Observer for NoMirror {
    fn started(&mut self, _: &Started) {}
    fn warning(&mut self, message: &str) {
        self.warnings.push(message.to_owned());
    }
    fn step(&mut self, _: &StepMetrics) {}
    fn epoch(&mut self, epoch: &EpochMetrics) {
        if epoch.epoch == 1 {
            let mirror = self.run.join("metrics.csv");
            fs::remove_file(&mirror).expect("it was there");
            fs::create_dir(&mirror).expect("a folder in its place");
        } else if epoch.epoch == 2 {
            fs::remove_dir(self.run.join("metrics.csv")).expect("still a folder");
        }
    }
}

#[test]
fn a_copy_of_the_metrics_that_cannot_be_written_costs_no_epoch() {
    let settings = Settings { patience: None, ..random(Method::Classifier) };
    let (_whole, folder, _) = run(&settings, &mut Silent);
    let want = left(&folder);
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(None, root.path(), settings.method, "d").expect("a new folder");
    let mut observer = NoMirror { run: folder.path().to_path_buf(), ..NoMirror::default() };
    ecgan::train::train(&settings, &folder, &mut observer).expect("it ends well");
    assert!(left(&folder) == want);
    let told = |warning: &String| warning.contains("metrics.csv: cannot write: ");
    assert_eq!(observer.warnings.iter().filter(|warning| told(warning)).count(), 1, "{:?}", observer.warnings);
    // At its end it was written anew.
    let csv = fs::read_to_string(folder.path().join("metrics.csv")).expect("a table");
    assert_eq!(csv.lines().count(), settings.epochs + 1, "{csv}");
}

/// Changes tensors of a checkpoint.
fn edit(path: &Path, change: impl Fn(&mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>)) {
    let bytes = fs::read(path).expect("a checkpoint");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let part = |view: TensorView<'_>| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
    let mut parts = file.iter().map(|(name, view)| (name.to_owned(), part(view))).collect();
    change(&mut parts);
    let views = parts.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes as the shape says"))
    });
    let metadata: Option<HashMap<_, _>> = header.metadata().clone();
    fs::write(path, safetensors::serialize(views, metadata).expect("serialises")).expect("written");
}

#[test]
fn a_checkpoint_that_is_not_whole_is_not_gone_on_from() {
    let settings = Settings { save_every: None, ..random(Method::Classifier) };
    let (_root, folder, _) = run(&settings, &mut Impatient::default());
    let last = folder.last_checkpoint();
    let good = fs::read(&last).expect("a checkpoint");
    assert!(tensors(&last).iter().any(|(name, _, _)| name == "state.sums.loss_c_real"));
    let count = |n: i64| (Dtype::I64, Vec::new(), n.to_le_bytes().to_vec());
    let nan = (Dtype::F64, Vec::new(), f64::NAN.to_le_bytes().to_vec());
    let weight = "classifier.linear.bias";
    type Parts = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;
    type Change<'a> = &'a dyn Fn(&mut Parts);
    let impossible = "`state.sums`: not the counts of 1 iterations of 10 images";
    let changes: [(&str, Change); 10] = [
        (
            "`state.sums.steps` is missing: it is a file of `ecgan export`, or of a version without --resume; expected a checkpoint to go on from",
            &|parts| parts.retain(|name, _| !name.starts_with("state.sums.")),
        ),
        ("`state.step`: expected a count of at least 0", &|parts| drop(parts.insert("state.step".into(), count(-1)))),
        ("`state`: 2 iterations are not 0 epochs of 3 and 1 more", &|parts| {
            drop(parts.insert("state.step".into(), count(2)));
        }),
        (impossible, &|parts| drop(parts.insert("state.sums.correct".into(), count(i64::MAX)))),
        (impossible, &|parts| {
            parts.get_mut("state.sums.kept_per_class").expect("a number a class").2.fill(0x7E);
        }),
        ("`state`: 1 iterations are not", &|parts| drop(parts.insert("state.epoch".into(), count(i64::MAX)))),
        ("`state.sums.loss_c_real`: expected finite numbers", &|parts| {
            drop(parts.insert("state.sums.loss_c_real".into(), nan.clone()));
        }),
        ("classifier: `linear.bias` holds NaN at element 0; expected finite numbers", &|parts| {
            parts.get_mut(weight).expect("a weight").2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        ("optimizer.classifier.m: `linear.bias` is missing", &|parts| {
            parts.remove("optimizer.classifier.m.linear.bias").expect("a moment");
        }),
        ("`optimizer.classifier.t`: expected a count", &|parts| drop(parts.remove("optimizer.classifier.t"))),
    ];
    for (message, change) in changes {
        fs::write(&last, &good).expect("written");
        edit(&last, change);
        let error = resume(&settings, &folder, &mut Silent).expect_err(message);
        let text = error.to_string();
        assert!(
            error.kind() == ErrorKind::Data && text.contains(message) && text.contains("last.safetensors"),
            "{text}"
        );
    }
    // One without the state of a run serves for all else.
    fs::write(&last, &good).expect("written");
    edit(&last, |parts| parts.retain(|name, _| !name.starts_with("state.")));
    Checkpoint::read(&last).and_then(|read| read.classifier(&Device::cpu())).expect("it loads");

    fs::write(&last, &good).expect("written");
    let other = Settings { batch: 9, ..settings.clone() };
    let text = resume(&other, &folder, &mut Silent).expect_err("another batch").to_string();
    assert!(
        text.contains("its settings are not those of config.toml: batch: expected 10, as the run was begun"),
        "{text}"
    );
    resume(&settings, &folder, &mut Silent).expect("nothing that was refused has harmed the run");
}
