//! Kept fakes by class and epoch as a heat map: a row a class, a column an epoch, darker where more were kept.

use super::html::{Escaped, grouped};
use super::plot::WIDTH;
use super::run::Run;

/// Rows at most; of more classes those with most kept fakes are shown.
const ROWS: usize = 30;
/// Columns at most; of more epochs as many are shown, evenly.
const COLUMNS: usize = 60;
const TOP: f64 = 30.0;

/// The `<svg>` element; `None` where no fakes were counted.
pub fn svg(run: &Run) -> Option<String> {
    let counted: Vec<(usize, &[u64])> =
        run.epochs.iter().filter_map(|epoch| Some((epoch.epoch, epoch.kept_per_class.as_deref()?))).collect();
    let n = counted.len();
    let shown = n.min(COLUMNS);
    // Evenly, the last one among them.
    let columns: Vec<_> = (1..=shown).map(|i| counted[i * n / shown - 1]).collect();
    let classes = columns.first()?.1.len().min(run.classes.len());
    let total = |class: usize| columns.iter().filter_map(|(_, kept)| kept.get(class)).sum::<u64>();
    let mut rows: Vec<usize> = (0..classes).collect();
    if classes > ROWS {
        rows.sort_by_key(|&class| (std::cmp::Reverse(total(class)), class));
        rows.truncate(ROWS);
    }
    Some(draw(run, &columns, &rows, classes))
}

fn draw(run: &Run, columns: &[(usize, &[u64])], rows: &[usize], classes: usize) -> String {
    let label = |class: usize| run.classes[class].as_str();
    let longest = rows.iter().map(|&class| label(class).chars().count()).max().unwrap_or(1).min(14);
    let left = 12.0 + 6.6 * longest as f64;
    let (cell, height) = ((WIDTH - left - 8.0) / columns.len() as f64, if rows.len() > 14 { 14.0 } else { 19.0 });
    let bottom = TOP + height * rows.len() as f64;
    let most = columns.iter().flat_map(|(_, kept)| kept.iter()).copied().max().unwrap_or(0).max(1);
    let of = if rows.len() < classes { format!(", the {} of {classes} kept most", rows.len()) } else { String::new() };
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"Kept fakes of each class by \
         epoch{of}, at most {most} of one class in an epoch\"><text class=\"t\" x=\"0\" y=\"14\">Fakes kept of each \
         class{of}</text>",
        bottom + 30.0
    );
    for (row, &class) in rows.iter().enumerate() {
        let y = TOP + height * row as f64;
        let text: String = label(class).chars().take(14).collect();
        let (x, base) = (left - 7.0, y + height / 2.0 + 4.0);
        svg += &format!("<text class=\"n e\" x=\"{x:.1}\" y=\"{base:.1}\">{}</text>", Escaped(&text));
        for (column, (epoch, kept)) in columns.iter().enumerate() {
            let count = kept.get(class).copied().unwrap_or(0);
            let alpha = 0.04 + 0.9 * count as f64 / most as f64;
            let title = format!("epoch {epoch}\n{}: {} kept", label(class), grouped(count as usize));
            svg += &format!(
                "<g class=\"at cell\"><title>{}</title><rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
                     height=\"{:.1}\" style=\"fill:rgb(var(--hit)/{alpha:.2})\"/></g>",
                Escaped(&title),
                left + cell * column as f64,
                (cell - 1.0).max(0.5),
                height - 1.0
            );
        }
    }
    let every = columns.len().div_ceil(10);
    for (column, (epoch, _)) in columns.iter().enumerate().filter(|(column, _)| column % every == 0) {
        let x = left + cell * (column as f64 + 0.5);
        svg += &format!("<text class=\"n m\" x=\"{x:.1}\" y=\"{:.1}\">{epoch}</text>", bottom + 16.0);
    }
    svg + "</svg>"
}
