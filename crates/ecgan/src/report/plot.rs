//! Lines over epochs as SVG: axes with round numbers, a line a quantity, a legend with the last values.
//!
//! Colours are classes of `style.css`, so that they follow the reader's light or dark scheme.

use super::html::{Escaped, short};

pub const WIDTH: f64 = 460.0;
pub const HEIGHT: f64 = 270.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = HEIGHT - 56.0;
/// More epochs than this are drawn as means of several.
const POINTS: usize = 300;
/// What is larger, either way, is drawn as this: sums and differences of such are finite.
const LARGEST: f64 = 1e100;
/// Up to this many epochs each is marked with a dot.
const DOTS: usize = 40;

/// A line.
pub struct Series {
    pub name: &'static str,
    /// 1 to 5: a colour and a dash of `style.css`.
    pub colour: u8,
    pub values: Vec<Option<f64>>,
}

/// Which values the upright axis shows.
#[derive(Clone, Copy)]
pub enum Range {
    /// From 0 to what there is.
    FromZero,
    /// What there is, at most 100.
    Percent,
    /// 0 to 100.
    AllPercent,
}

/// Lines in one pair of axes.
pub struct Chart {
    pub title: &'static str,
    pub range: Range,
    /// The epoch of each value, rising.
    pub epochs: Vec<usize>,
    pub series: Vec<Series>,
}

impl Chart {
    /// The chart, without the quantities that were not measured; `None` where nothing was.
    pub fn new(title: &'static str, range: Range, epochs: &[usize], series: Vec<Series>) -> Option<Self> {
        let series: Vec<_> = series.into_iter().filter(|s| s.values.iter().any(Option::is_some)).collect();
        let size = epochs.len().div_ceil(POINTS).max(1);
        let mean = |values: &[Option<f64>]| {
            let known: Vec<f64> = values.iter().flatten().map(|v| v.clamp(-LARGEST, LARGEST)).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let thin = |s: Series| Series { values: s.values.chunks(size).map(mean).collect(), ..s };
        let epochs = epochs.chunks(size).map(|chunk| chunk[chunk.len() - 1]).collect();
        (!series.is_empty()).then(|| Self { title, range, epochs, series: series.into_iter().map(thin).collect() })
    }

    /// The `<svg>` element; `attributes` go into it.
    pub fn svg(&self, attributes: &str) -> String {
        let ticks = self.ticks();
        let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
        let y = |v: f64| BOTTOM - (v - low) / (high - low) * (BOTTOM - TOP);
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" {attributes}>\
             <text class=\"t\" x=\"0\" y=\"14\">{}</text>",
            Escaped(&self.described()),
            Escaped(self.title)
        );
        for &tick in &ticks {
            let (line, text) = (y(tick), y(tick) + 4.0);
            svg += &format!("<path class=\"grid\" d=\"M{LEFT} {line:.1}H{RIGHT}\"/>");
            let label = label(tick, ticks[1] - ticks[0]);
            svg += &format!("<text class=\"n e\" x=\"{}\" y=\"{text:.1}\">{label}</text>", LEFT - 7.0);
        }
        self.epoch_axis(&mut svg);
        for series in &self.series {
            self.line(&mut svg, series, y);
        }
        self.columns(&mut svg);
        self.legend(&mut svg);
        svg + "</svg>"
    }

    fn x(&self, i: usize) -> f64 {
        let (first, last) = (self.epochs[0] as f64, self.epochs[self.epochs.len() - 1] as f64);
        match last - first {
            0.0 => (LEFT + RIGHT) / 2.0,
            span => LEFT + 6.0 + (self.epochs[i] as f64 - first) / span * (RIGHT - LEFT - 12.0),
        }
    }

    /// Round numbers around all values, at least two of them.
    fn ticks(&self) -> Vec<f64> {
        let all = || self.series.iter().flat_map(|s| s.values.iter().flatten().copied());
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        match self.range {
            Range::FromZero => round_ticks(low.min(0.0), high.max(1e-6)),
            Range::AllPercent => round_ticks(0.0, 100.0),
            Range::Percent => round_ticks((low - 1.0).clamp(0.0, 99.0), (high + 1.0).clamp(1.0, 100.0)),
        }
    }

    fn epoch_axis(&self, svg: &mut String) {
        let n = self.epochs.len();
        let step = round_step(n as f64 / 9.0).max(1.0) as usize;
        for (i, &epoch) in self.epochs.iter().enumerate() {
            let near_the_end = n > 1 && i + 1 < n && self.x(n - 1) - self.x(i) < 22.0;
            let due = (n <= 10 || epoch % step == 0 || i == 0 || i + 1 == n) && !near_the_end;
            let crowded = i > 0 && i + 1 < n && self.x(i) - self.x(0) < 22.0;
            if due && !crowded {
                let (x, y) = (self.x(i), BOTTOM + 17.0);
                *svg += &format!("<text class=\"n m\" x=\"{x:.1}\" y=\"{y}\">{epoch}</text>");
            }
        }
    }

    /// The line, broken where nothing was measured.
    fn line(&self, svg: &mut String, series: &Series, y: impl Fn(f64) -> f64) {
        let mut path = String::new();
        let mut pen = 'M';
        for (i, value) in series.values.iter().enumerate() {
            match value {
                Some(v) => {
                    path += &format!("{pen}{:.1} {:.1}", self.x(i), y(*v));
                    pen = 'L';
                }
                None => pen = 'M',
            }
        }
        *svg += &format!("<path class=\"line c{}\" d=\"{path}\"/>", series.colour);
        if self.epochs.len() <= DOTS {
            for (i, value) in series.values.iter().enumerate() {
                if let Some(v) = value {
                    let (x, y) = (self.x(i), y(*v));
                    *svg += &format!("<circle class=\"c{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>", series.colour);
                }
            }
        }
    }

    /// An invisible column an epoch, which shows its values under the pointer.
    fn columns(&self, svg: &mut String) {
        let n = self.epochs.len();
        let width = (RIGHT - LEFT) / n as f64;
        for i in 0..n {
            let x = self.x(i);
            let values = self.series.iter().filter_map(|s| Some(format!("{} {}", s.name, short(s.values[i]?))));
            let text = format!("epoch {}\n{}", self.epochs[i], values.collect::<Vec<_>>().join("\n"));
            *svg += &format!(
                "<g class=\"at\"><title>{}</title><path class=\"cross\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>\
                     <rect x=\"{:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\"/></g>",
                Escaped(&text),
                x - width / 2.0,
                BOTTOM - TOP
            );
        }
    }

    /// Names with the last values, spread as wide as they are.
    fn legend(&self, svg: &mut String) {
        let mut x = LEFT - 4.0;
        for series in &self.series {
            let last = series.values.iter().rev().flatten().next().map(|v| short(*v)).unwrap_or_default();
            let (y, colour) = (HEIGHT - 10.0, series.colour);
            *svg += &format!("<path class=\"line c{colour}\" d=\"M{x:.1} {}h16\"/>", y - 4.0);
            *svg += &format!(
                "<text class=\"l\" x=\"{:.1}\" y=\"{y}\">{} <tspan class=\"b\">{last}</tspan></text>",
                x + 21.0,
                series.name
            );
            x += 21.0 + 6.4 * (series.name.len() + 1) as f64 + 7.0 * last.len() as f64 + 14.0;
        }
    }

    /// The picture in words.
    fn described(&self) -> String {
        let mut text = format!("{}, epochs {} to {}", self.title, self.epochs[0], self.epochs[self.epochs.len() - 1]);
        for series in &self.series {
            let mut known = series.values.iter().flatten();
            if let Some(first) = known.next() {
                let last = known.next_back().unwrap_or(first);
                text += &format!("; {} from {} to {}", series.name, short(*first), short(*last));
            }
        }
        text
    }
}

/// 1, 2 or 5 times a power of ten, at least `least`.
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// Multiples of a round step, four or so, the first at most `low` and the last at least `high`.
fn round_ticks(low: f64, high: f64) -> Vec<f64> {
    let step = round_step((high - low).max(1e-9) / 5.0);
    let first = (low / step + 1e-9).floor() as i64;
    let last = ((high / step - 1e-9).ceil() as i64).max(first + 1);
    (first..=last).map(|k| k as f64 * step).collect()
}

/// A tick's number, with as many decimals as its step needs.
fn label(tick: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    format!("{tick:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_values() {
        assert_eq!(round_ticks(0.0, 4.7), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(round_ticks(89.2, 96.4), [88.0, 90.0, 92.0, 94.0, 96.0, 98.0]);
        assert_eq!(round_ticks(0.0, 100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(round_ticks(99.0, 100.0).len(), 6);
        for (tick, step, text) in [(0.2, 0.1, "0.2"), (0.15, 0.05, "0.15"), (20.0, 20.0, "20"), (2.0, 1.0, "2")] {
            assert_eq!(label(tick, step), text);
        }
    }

    fn chart(epochs: &[usize], values: Vec<Option<f64>>) -> Option<Chart> {
        let other = Series { name: "never", colour: 2, values: vec![None; values.len()] };
        Chart::new("Losses", Range::FromZero, epochs, vec![Series { name: "G", colour: 1, values }, other])
    }

    #[test]
    fn a_line_breaks_where_nothing_was_measured() {
        let svg = chart(&[1, 2, 3, 4], vec![Some(1.0), Some(2.0), None, Some(4.0)]).unwrap().svg("");
        let line = svg.split("class=\"line c1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{line}");
        assert_eq!(line, "M52.0 169.0L182.0 124.0M442.0 34.0");
        assert!(!svg.contains("never"));
        assert!(svg.contains("Losses, epochs 1 to 4; G from 1.00 to 4.00"), "{svg}");
        assert!(chart(&[1], vec![None]).is_none());
    }

    #[test]
    fn what_is_below_zero_is_within_the_axes() {
        let svg = chart(&[1, 2], vec![Some(-0.7), Some(2.0)]).unwrap().svg("");
        let line = svg.split("class=\"line c1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let y: f64 = line[1..].split(['L', ' ']).nth(1).unwrap().parse().unwrap();
        assert!(y <= BOTTOM, "{line}");
    }

    #[test]
    fn one_epoch_is_a_dot_and_ten_thousand_are_thinned() {
        assert!(chart(&[7], vec![Some(0.0)]).unwrap().svg("").contains("<circle"));
        let epochs: Vec<_> = (1..=10_000).collect();
        let long = chart(&epochs, epochs.iter().map(|&e| Some(e as f64)).collect()).unwrap();
        assert!(long.epochs.len() <= POINTS && long.svg("").len() < 100_000, "{}", long.svg("").len());
        assert_eq!(long.epochs.last(), Some(&10_000));
    }
}
