//! The table as a picture: a line a cell, a dot at the mean accuracy, a bar of one standard deviation to either side.

use super::{Mean, Row, Table};
use crate::report::{Escaped, round_step};
use std::fmt::Write;

const LABELS: f64 = 330.0;
const WIDTH: f64 = 820.0;
const RIGHT: f64 = WIDTH - 70.0;
const TOP: f64 = 34.0;
const LINE: f64 = 24.0;

/// Follows the reader's light or dark scheme, where the viewer does.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1c2733}.note{font-size:11px;fill:#5a6877}\
.grid{stroke:#d5dce3}.bar{stroke:#2b6cb0;stroke-width:2}.dot{fill:#2b6cb0}.base{stroke:#b7791f;stroke-dasharray:4 3}\
rect{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e3e9ef}.note{fill:#9fb0c0}.grid{stroke:#35424f}.bar{stroke:#63b3ed}\
.dot{fill:#63b3ed}.base{stroke:#ecc94b}rect{fill:#161d24}}";

impl Table {
    /// As SVG; `None` without a finished cell. A dashed line stands at the comparator, the cell without a difference, where
    /// there is one such and others have one.
    pub fn svg(&self) -> Option<String> {
        let rows: Vec<(&Row, Mean)> = self.rows.iter().filter_map(|row| Some((row, self.accuracy(row)?))).collect();
        let spread = |accuracy: Mean| accuracy.deviation.unwrap_or(0.0);
        let low = rows.iter().map(|&(_, accuracy)| accuracy.mean - spread(accuracy)).reduce(f64::min)?;
        let high = rows.iter().map(|&(_, accuracy)| accuracy.mean + spread(accuracy)).reduce(f64::max)?;
        // About five of them.
        let step = round_step((high - low).max(0.5) / 5.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let high = if high > low { high } else { low + step };
        let x = |accuracy: f64| LABELS + (accuracy - low) / (high - low) * (RIGHT - LABELS);
        let bottom = TOP + LINE * rows.len() as f64;
        let column = self.by.column();
        let height = bottom + 46.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{column} of each combination\"><style>{STYLE}</style>\
             <rect width=\"{WIDTH}\" height=\"{height}\"/>\
             <text x=\"12\" y=\"20\">{}{}, %</text>",
            column[..1].to_uppercase(),
            &column[1..]
        );
        let marks = ((high - low) / step).round() as usize;
        for mark in (0..=marks).map(|i| low + step * i as f64) {
            let at = x(mark);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"note\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                (mark * 1e6).round() / 1e6
            );
        }
        let mut comparators = rows.iter().filter(|(row, _)| row.difference.is_none());
        let compared = rows.iter().any(|(row, _)| row.difference.is_some());
        if let (true, Some((_, one)), None) = (compared, comparators.next(), comparators.next()) {
            let at = x(one.mean);
            let _ = write!(svg, "<line class=\"base\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
        }
        for (i, &(row, accuracy)) in rows.iter().enumerate() {
            let y = TOP + LINE * (i as f64 + 0.5);
            let labels: Vec<&str> = row.cell.iter().map(|(_, label)| label.as_str()).collect();
            let (mean, spread) = (accuracy.mean, spread(accuracy));
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <line class=\"bar\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
                 <text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">{mean:.1}</text>",
                LABELS - 14.0,
                y + 4.0,
                Escaped(&shortened(&labels.join(", "))),
                x(mean - spread),
                x(mean + spread),
                x(mean),
                RIGHT + 14.0,
                y + 4.0
            );
        }
        let seeds = rows.iter().map(|(_, accuracy)| accuracy.n);
        let (fewest, most) = (seeds.clone().min()?, seeds.max()?);
        let seeds = if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
        let _ = writeln!(
            svg,
            "<text class=\"note\" x=\"12\" y=\"{:.1}\">mean and standard deviation of {seeds} seeds</text></svg>",
            height - 10.0
        );
        Some(svg)
    }
}

/// What fits beside the picture.
fn shortened(label: &str) -> String {
    const MOST: usize = 46;
    if label.chars().count() <= MOST {
        return label.to_owned();
    }
    label.chars().take(MOST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::By;

    fn row(label: &str, accuracies: &[f64], compared: bool) -> Row {
        let mean = Mean::of(accuracies).expect("a seed");
        Row {
            cell: vec![("arm".into(), label.into())],
            seeds: vec![0],
            n_train: 100,
            test_accuracy: Some(mean),
            val_accuracy: None,
            difference: compared.then_some(mean),
            half_interval: None,
            kept_fraction: None,
            seconds: mean,
            paper: None,
        }
    }

    #[test]
    fn every_cell_is_a_dot_with_its_bar_within_the_picture() {
        let rows = vec![row("bare", &[80.0, 82.0], false), row("a <gan> & more", &[70.0, 78.0], true)];
        let table = Table {
            by: By::Test,
            axes: vec!["arm".into()],
            rows,
            unfinished: 0,
            other_seeds: Vec::new(),
            other_combinations: 0,
        };
        let svg = table.svg().expect("two cells");
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"base\"").count()), (2, 1));
        assert!(svg.contains("a &lt;gan&gt; &amp; more") && svg.contains("of 2 seeds"));
        // 74 +- 5.7 and 81 +- 1.4: from 68 to 84 in steps of 5.
        for mark in ["65", "70", "75", "80", "85"] {
            assert!(svg.contains(&format!("middle\">{mark}</text>")), "{mark}: {svg}");
        }
        let ends: Vec<f64> = svg
            .split("class=\"bar\" x1=\"")
            .skip(1)
            .map(|bar| bar.split('"').next().expect("a number").parse().expect("a number"))
            .collect();
        assert!(ends.iter().all(|x| (LABELS..RIGHT).contains(x)) && ends[1] < ends[0], "{ends:?}");
        assert!(Table { rows: Vec::new(), ..table }.svg().is_none());
    }
}
