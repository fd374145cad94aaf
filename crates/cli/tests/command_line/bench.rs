//! `ecgan bench`.

use crate::binary::{ecgan, json, keys, stdout};
use serde_json::Value;

#[test]
fn a_report_has_the_documented_fields_which_agree() {
    let here = tempfile::tempdir().unwrap();
    let command = ["bench", "--batch", "2", "--width", "1", "--steps", "3", "--threads", "2"];
    let report = json(&ecgan(here.path(), &[&command[..], &["--json"]].concat()));
    let fields =
        ["device", "gflops", "images_per_second", "ms_per_step_median", "peak_rss_mb", "startup_ms", "threads"];
    assert_eq!(keys(&report), fields);
    let number = |key: &str| report[key].as_f64().unwrap();
    assert!((number("images_per_second") * number("ms_per_step_median") / 1e3 - 2.0).abs() < 1e-6, "{report}");
    assert!(number("gflops") > 0.0 && number("peak_rss_mb") > 1.0 && number("threads") == 2.0, "{report}");
    assert!(report["device"].as_str().unwrap().starts_with("cpu "), "{report}");
    let text = stdout(&ecgan(here.path(), &command));
    assert!(text.contains(" images/s, ") && text.contains("with 2 threads"), "{text}");
    let text =
        stdout(&ecgan(here.path(), &["bench", "--batch", "2", "--width", "1", "--steps", "1", "--threads", "1"]));
    assert!(text.contains("with 1 thread") && !text.contains("1 threads"), "{text}");
}

/// Calls of a kernel in one iteration, over all geometries.
fn calls(report: &Value, op: &str) -> f64 {
    let rows = report["profile"].as_array().unwrap().iter().filter(|row| row["op"] == op);
    rows.map(|row| row["calls"].as_f64().unwrap()).sum()
}

#[test]
fn a_profile_has_every_layer_and_adds_up() {
    let here = tempfile::tempdir().unwrap();
    let command = ["bench", "--batch", "2", "--width", "4", "--steps", "1", "--profile"];
    let report = json(&ecgan(here.path(), &[&command[..], &["--json"]].concat()));
    // C has 1 + 16 + 3 (shortcuts) convolutions and sees real and fake; D has 4, for real, fake and G's step.
    assert_eq!(calls(&report, "conv2d.forward"), 2.0 * 20.0 + 3.0 * 4.0, "{report:#}");
    // No first layer needs its input's gradient but D's in G's step, and there D's weights need none.
    assert_eq!(calls(&report, "conv2d.backward_input"), 2.0 * 19.0 + 3.0 + 3.0 + 4.0);
    assert_eq!(calls(&report, "conv2d.backward_weight"), 2.0 * 20.0 + 2.0 * 4.0);
    assert_eq!(calls(&report, "conv_transpose2d.forward"), 4.0);
    assert_eq!(calls(&report, "adam.step"), 3.0);
    // Stage 1 of C: two blocks of two, on real and fake.
    let rows = report["profile"].as_array().unwrap();
    let find = |op: &str, shape: &str| rows.iter().find(|row| row["op"] == op && row["shape"] == shape);
    let stage = find("conv2d.forward", "32x32 4-4 k3 s1").unwrap();
    assert_eq!(keys(stage), ["calls", "gbs", "gflops", "ms", "op", "shape"]);
    assert_eq!(stage["calls"], 8.0);
    assert!(stage["ms"].as_f64().unwrap() > 0.0 && stage["gflops"].as_f64().unwrap() > 0.0, "{stage}");
    let outside = rows.last().unwrap();
    assert!(outside["op"] == "outside kernels" && outside["ms"].as_f64().unwrap() > 0.0, "{outside}");

    let text = stdout(&ecgan(here.path(), &command));
    for part in ["GFLOP/s", "conv2d.forward 32x32 4-4 k3 s1 ", "\nThe same by kernel:", "\nconv2d.forward  ", "100.0 %"]
    {
        assert!(text.contains(part), "`{part}` in: {text}");
    }
}
