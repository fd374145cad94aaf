//! The reliability diagram: of the images that the classifier is p % sure about, how many are right? Underneath, how
//! many images each bin has.

use super::html::{Escaped, grouped};
use super::plot::WIDTH;
use crate::metrics::Evaluation;

const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 254.0;
/// The counts' own axis.
const COUNTS: [f64; 2] = [284.0, 334.0];
const HEIGHT: f64 = 372.0;

/// The `<svg>` element.
pub fn svg(evaluation: &Evaluation) -> String {
    let x = |part: f64| LEFT + part * (RIGHT - LEFT);
    let y = |percent: f64| BOTTOM - percent / 100.0 * (BOTTOM - TOP);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Accuracy against confidence; \
         expected calibration error {:.3}\"><text class=\"t\" x=\"0\" y=\"14\">Accuracy against confidence, %</text>",
        evaluation.expected_calibration_error
    );
    for k in 0..=5 {
        let (percent, part) = (20.0 * f64::from(k), f64::from(k) / 5.0);
        svg += &format!(
            "<path class=\"grid\" d=\"M{LEFT} {line:.1}H{RIGHT}\"/><text class=\"n e\" x=\"{}\" y=\"{:.1}\">\
                 {percent}</text><text class=\"n m\" x=\"{:.1}\" y=\"{}\">{percent}</text>",
            LEFT - 7.0,
            y(percent) + 4.0,
            x(part),
            COUNTS[1] + 17.0,
            line = y(percent)
        );
    }
    let most = evaluation.calibration.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    for bin in evaluation.calibration.iter().filter(|bin| bin.count > 0) {
        let (Some(accuracy), Some(confidence)) = (bin.accuracy, bin.confidence) else { continue };
        let (left, width) = (x(bin.lower) + 1.0, x(bin.upper) - x(bin.lower) - 2.0);
        let tall = (COUNTS[1] - COUNTS[0]) * bin.count as f64 / most as f64;
        let title = format!(
            "confidence {:.0} to {:.0} %\n{} images\n{accuracy:.1} % right\n{:.1} % sure",
            100.0 * bin.lower,
            100.0 * bin.upper,
            grouped(bin.count),
            100.0 * confidence
        );
        svg += &format!(
            "<g class=\"at bin\"><title>{}</title><rect class=\"c1\" x=\"{left:.1}\" y=\"{:.1}\" \
                 width=\"{width:.1}\" height=\"{:.1}\"/><path class=\"line c2\" d=\"M{left:.1} {:.1}h{width:.1}\"/>\
                 <rect class=\"c1 count\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/></g>",
            Escaped(&title),
            y(accuracy),
            BOTTOM - y(accuracy),
            y(100.0 * confidence),
            COUNTS[1] - tall.max(1.0),
            tall.max(1.0)
        );
    }
    svg += &format!("<path class=\"axis\" d=\"M{LEFT} {BOTTOM}L{RIGHT} {TOP}\"/>");
    svg += &format!(
        "<path class=\"grid\" d=\"M{LEFT} {}H{RIGHT}\"/><text class=\"n e\" x=\"{}\" y=\"{}\">{}</text>\
             <text class=\"n\" x=\"{LEFT}\" y=\"{}\">images in each bin</text><rect class=\"c1\" x=\"{LEFT}\" \
             y=\"{}\" width=\"12\" height=\"9\"/><text class=\"l\" x=\"{}\" y=\"{}\">right</text>\
             <path class=\"line c2\" d=\"M{} {}h16\"/><text class=\"l\" x=\"{}\" y=\"{}\">how sure</text>",
        COUNTS[1],
        LEFT - 7.0,
        COUNTS[0] + 8.0,
        grouped(most),
        COUNTS[0] - 8.0,
        HEIGHT - 15.0,
        LEFT + 18.0,
        HEIGHT - 6.0,
        LEFT + 72.0,
        HEIGHT - 10.0,
        LEFT + 94.0,
        HEIGHT - 6.0
    );
    svg + "</svg>"
}
