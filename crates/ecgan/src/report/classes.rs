//! The test class by class: confusion as a heat table, what is confused most, precision and recall.

use super::html::{Escaped, grouped};
use crate::metrics::{ClassAccuracy, Evaluation};
use std::cmp::Reverse;

/// Largest confusion matrix that is shown whole.
const MATRIX: usize = 40;
/// Classes of the table at most; of more, those with the lowest F1.
const CLASSES: usize = 100;
/// Confusions in words.
const CONFUSIONS: usize = 6;

/// The confusion matrix; empty where there are too many classes for a table.
pub fn matrix(evaluation: &Evaluation) -> String {
    let names: Vec<&str> = evaluation.per_class.iter().map(|class| class.class.as_str()).collect();
    if names.len() > MATRIX {
        return String::new();
    }
    let upright = if names.iter().all(|name| name.chars().count() <= 3) { "" } else { " class=\"upright\"" };
    let heads: String =
        names.iter().map(|name| format!("<th scope=\"col\"{upright}><span>{}</span></th>", Escaped(name))).collect();
    let mut html = format!(
        "<p class=\"soft\">Rows: what it is. Columns: what it was taken for. In images; shading by the part of the row.</p>\
         <div class=\"wide\" role=\"region\" aria-label=\"Confusion matrix\" tabindex=\"0\"><table class=\"heat\"><thead><tr><td></td>{heads}</tr></thead><tbody>"
    );
    for (actual, row) in evaluation.confusion.iter().enumerate() {
        let total: usize = row.iter().sum();
        html += &format!("<tr><th scope=\"row\">{}</th>", Escaped(names[actual]));
        for (predicted, &count) in row.iter().enumerate() {
            cell(&mut html, (names[actual], names[predicted]), actual == predicted, count, total);
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn cell(html: &mut String, (actual, predicted): (&str, &str), right: bool, count: usize, total: usize) {
    if count == 0 {
        return html.push_str("<td class=\"none\">\u{b7}</td>");
    }
    let part = count as f64 / total as f64;
    // A few wrong ones are what one looks for, so they begin visible. On more of a colour than this a number in the page's
    // ink would have a contrast below 4.5, light or dark.
    let (colour, alpha) = if right { ("hit", 0.6 * part) } else { ("miss", 0.08 + 0.5 * part) };
    *html += &format!(
        "<td style=\"background:rgb(var(--{colour})/{alpha:.2})\" title=\"{} taken for {}: {count} of \
             {total} ({:.1} %)\">{}</td>",
        Escaped(actual),
        Escaped(predicted),
        100.0 * part,
        grouped(count)
    );
}

/// What is confused most, in words; empty where nothing is.
pub fn confusions(evaluation: &Evaluation) -> String {
    let mut wrong: Vec<(usize, usize, usize)> = Vec::new();
    for (actual, row) in evaluation.confusion.iter().enumerate() {
        let others = row.iter().enumerate().filter(|(predicted, count)| *predicted != actual && **count > 0);
        wrong.extend(others.map(|(predicted, &count)| (count, actual, predicted)));
    }
    wrong.sort_by_key(|&(count, actual, predicted)| (Reverse(count), actual, predicted));
    wrong.truncate(CONFUSIONS);
    if wrong.is_empty() {
        return String::new();
    }
    let name = |k: usize| Escaped(&evaluation.per_class[k].class);
    let item = |&(count, actual, predicted): &(usize, usize, usize)| {
        let total: usize = evaluation.confusion[actual].iter().sum();
        format!("<li><b>{}</b> taken for <b>{}</b>: {count} of {total}</li>", name(actual), name(predicted))
    };
    format!("<h3>Confused most</h3><ul class=\"plain\">{}</ul>", wrong.iter().map(item).collect::<String>())
}

/// Precision, recall and F1 of each class.
pub fn table(evaluation: &Evaluation) -> String {
    let mut classes: Vec<&ClassAccuracy> = evaluation.per_class.iter().collect();
    let mut caption = String::new();
    if classes.len() > CLASSES {
        classes.sort_by(|a, b| a.f1.unwrap_or(2.0).total_cmp(&b.f1.unwrap_or(2.0)));
        classes.truncate(CLASSES);
        caption =
            format!("<caption>The {CLASSES} classes with the lowest F1, of {}.</caption>", evaluation.per_class.len());
    }
    let mut html = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"Figures of each class\" tabindex=\"0\"><table \
         class=\"figures\">{caption}<thead><tr><th scope=\"col\">class</th><th scope=\"col\">images</th>\
         <th scope=\"col\">precision</th><th scope=\"col\">recall</th><th scope=\"col\">F1</th></tr></thead><tbody>"
    );
    for class in classes {
        html += &format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td>{}{}{}</tr>",
            Escaped(&class.class),
            grouped(class.total),
            bar(class.precision),
            bar(class.recall),
            bar(class.f1)
        );
    }
    html + "</tbody></table></div>"
}

/// A number in 0..1 with a bar behind it.
fn bar(value: Option<f64>) -> String {
    match value {
        None => "<td class=\"none\">\u{2013}</td>".to_owned(),
        Some(v) => format!("<td><span class=\"bar\" style=\"--v:{:.1}%\">{v:.3}</span></td>", 100.0 * v),
    }
}
