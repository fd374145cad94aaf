//! The charts of a run: which quantities go together, and in which colours.

use super::plot::{Chart, HEIGHT, Range, Series, WIDTH};
use super::run::Run;
use crate::metrics::EpochMetrics;

/// Colours and fonts, of the page and of a picture that stands alone.
pub const COLOURS: &str = include_str!("colours.css");

/// Every chart that there are numbers for.
pub fn charts(run: &Run) -> Vec<Chart> {
    let epochs: Vec<usize> = run.epochs.iter().map(|epoch| epoch.epoch).collect();
    if epochs.is_empty() {
        return Vec::new();
    }
    let series = |name, colour, value: fn(&EpochMetrics) -> Option<f64>| {
        let finite = |epoch| value(epoch).filter(|v| v.is_finite());
        Series { name, colour, values: run.epochs.iter().map(finite).collect() }
    };
    let chart = |title, range, series| Chart::new(title, range, &epochs, series);
    let kept = |epoch: &EpochMetrics| epoch.kept_fraction.map(|part| 100.0 * part);
    let confidence = |epoch: &EpochMetrics| epoch.mean_confidence.map(|part| 100.0 * part);
    [
        chart(
            "Accuracy, %",
            Range::Percent,
            vec![
                series("training", 3, |epoch| epoch.train_accuracy),
                series("validation", 2, |epoch| epoch.val_accuracy),
            ],
        ),
        chart(
            "Classifier C: loss",
            Range::FromZero,
            vec![
                series("on real images", 3, |epoch| epoch.loss_c_real),
                series("on kept fakes", 4, |epoch| epoch.loss_c_fake),
            ],
        ),
        chart(
            "Generator G and discriminator D: loss",
            Range::FromZero,
            vec![
                series("D on real", 1, |epoch| epoch.loss_d_real),
                series("D on fakes", 5, |epoch| epoch.loss_d_fake),
                series("G", 2, |epoch| epoch.loss_g),
            ],
        ),
        chart(
            "Fakes kept, and confidence in all, %",
            Range::AllPercent,
            vec![series("kept", 1, kept), series("mean confidence", 4, confidence)],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Images a second.
pub fn speed(run: &Run) -> Option<Chart> {
    let epochs: Vec<usize> = run.epochs.iter().map(|epoch| epoch.epoch).collect();
    let values = run.epochs.iter().map(|epoch| Some(epoch.images_per_second).filter(|v| v.is_finite())).collect();
    let series = Series { name: "images a second", colour: 5, values };
    if epochs.is_empty() { None } else { Chart::new("Speed of training", Range::FromZero, &epochs, vec![series]) }
}

/// All charts in one SVG file, two in a row.
pub fn picture(run: &Run) -> String {
    const GAP: f64 = 24.0;
    let charts = charts(run);
    let rows = charts.len().div_ceil(2).max(1) as f64;
    let (width, height) = (2.0 * WIDTH + 3.0 * GAP, rows * (HEIGHT + GAP) + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{COLOURS}</style><rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (i, chart) in charts.iter().enumerate() {
        let (x, y) = (GAP + (i % 2) as f64 * (WIDTH + GAP), GAP + (i / 2) as f64 * (HEIGHT + GAP));
        let place = format!("x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\"");
        svg += &format!("{}\n", chart.svg(&place));
    }
    svg + "</svg>\n"
}
