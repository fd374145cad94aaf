//! `ecgan bench`.

use crate::binary::{ecgan, json, keys, stdout};

#[test]
fn a_report_has_the_documented_fields_which_agree() {
    let here = tempfile::tempdir().unwrap();
    let command = ["bench", "--batch", "2", "--width", "1", "--steps", "3", "--threads", "2"];
    let report = json(&ecgan(here.path(), &[&command[..], &["--json"]].concat()));
    let fields = ["device", "gflops", "images_per_second", "ms_per_step_median", "peak_rss_mb", "threads"];
    assert_eq!(keys(&report), fields);
    let number = |key: &str| report[key].as_f64().unwrap();
    assert!((number("images_per_second") * number("ms_per_step_median") / 1e3 - 2.0).abs() < 1e-6, "{report}");
    assert!(number("gflops") > 0.0 && number("peak_rss_mb") > 1.0 && number("threads") == 2.0, "{report}");
    assert!(report["device"].as_str().unwrap().starts_with("cpu "), "{report}");
    let text = stdout(&ecgan(here.path(), &command));
    assert!(text.contains(" images/s, ") && text.contains("with 2 threads"), "{text}");
}
