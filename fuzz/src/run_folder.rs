//! Run folders: the report of one, its curves, and what goes on in one read its files, any text.

use crate::{image, piece, pieces};
use ecgan::metrics::{EpochMetrics, Evaluation};
use ecgan::run_folder::{RunFolder, summary_of};
use ecgan::settings::{Partial, Settings};
use ecgan::{ErrorKind, report};

const FILES: [&str; 5] = ["config.toml", "metrics.jsonl", "evaluation.json", "summary.json", "samples/epoch-0001.png"];

/// A piece a file; an empty one, and what is missing, is no file.
pub fn read(data: &[u8]) {
    let run = crate::path("run");
    std::fs::create_dir_all(run.join("samples")).expect("a temporary folder");
    let pieces = pieces(data);
    for (i, name) in FILES.iter().enumerate() {
        match pieces.get(i).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => std::fs::write(run.join(name), bytes).expect("a temporary folder"),
            None => drop(std::fs::remove_file(run.join(name))),
        }
    }
    let out = crate::path("report");
    for written in [report::write(&run, &out), report::write_curves(&run, &out)] {
        if let Err(error) = written {
            assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Usage), "{error:?}");
        }
    }
    let folder = RunFolder::open(&run).expect("nobody else has it");
    let _ = summary_of(&run);
    if let Ok(lines) = folder.keep_metrics(|epoch| epoch.epoch < 3) {
        assert!(lines.iter().all(|epoch| epoch.epoch < 3));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let config = Settings::resolve(Partial::default()).expect("defaults").to_toml();
    let line = |epoch: usize| {
        let (loss, kept) = (Some(1.0 / epoch as f64), Some(vec![1, 2]));
        let line = EpochMetrics {
            epoch,
            step: 9,
            loss_g: loss,
            val_accuracy: loss,
            kept_per_class: kept,
            ..EpochMetrics::default()
        };
        serde_json::to_string(&line).expect("JSON") + "\n"
    };
    let metrics: String = (1..5).map(line).collect();
    let evaluation = r#"{"accuracy":75.0,"correct":3,"total":4,"macro_f1":0.7,"negative_log_likelihood":0.5,
        "expected_calibration_error":0.1,"per_class":[
        {"class":"a","accuracy":50.0,"correct":1,"total":2,"predicted":1,"precision":1.0,"recall":0.5,"f1":0.7},
        {"class":"b","accuracy":100.0,"correct":2,"total":2,"predicted":3,"precision":0.7,"recall":1.0,"f1":0.8}],
        "confusion":[[1,1],[0,2]],
        "calibration":[{"lower":0.0,"upper":1.0,"count":4,"confidence":0.8,"accuracy":75.0}]}"#;
    serde_json::from_str::<Evaluation>(evaluation).expect("as ours");
    let summary = r#"{"method":"ec-gan","data":"synthetic","n_train":9,"n_val":1,"n_test":4,"seed":0,"epochs":4,
        "test_accuracy":75.0,"best_val_accuracy":null,"seconds":1.5}"#;
    let picture = &image::seeds()[0][1..];
    let files = [config.as_bytes(), metrics.as_bytes(), evaluation.as_bytes(), summary.as_bytes(), picture];
    (1..=files.len()).map(|n| files[..n].iter().flat_map(|bytes| piece(bytes)).collect()).collect()
}
