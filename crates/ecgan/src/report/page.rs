//! The page: title, figures, what to look at, and the sections.

use super::findings::{Finding, findings};
use super::html::{Escaped, grouped, short};
use super::run::Run;
use super::wilson::wilson;
use super::{classes, curves, heat, recipe, reliability, samples};
use crate::counts::many;
use crate::duration::duration;
use crate::grid::can_be_drawn;
use crate::metrics::Evaluation;
use crate::settings::SYNTHETIC;
use crate::shell::quoted_path;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("hover.js");

/// The whole page. Nothing in it asks the network for anything, and its policy forbids it to.
pub fn page(run: &Run) -> String {
    let title = format!("{} on {}", run.settings.method, data(run));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';img-src data:;\
         style-src 'unsafe-inline';script-src 'unsafe-inline'\">\n<meta name=\"generator\" content=\"ecgan {}\">\n\
         <title>{}{}</title>\n<style>{}{STYLE}</style></head>\n<body><header><h1>{}</h1>{}</header><main>",
        env!("CARGO_PKG_VERSION"),
        Escaped(&title),
        run.evaluation.as_ref().map(|test| format!(": {:.1} %", test.accuracy)).unwrap_or_default(),
        curves::COLOURS,
        Escaped(&title),
        subtitle(run)
    );
    page.push_str(&figures(run));
    page.push_str(&notes(&findings(run), run));
    section(&mut page, "Training", curve_section(run));
    section(&mut page, "Samples", samples::section(run).map(|grids| sample_note(run) + &grids));
    section(&mut page, "Test", run.evaluation.as_ref().map(|test| test_section(test) + &mistakes(run)));
    section(&mut page, "Settings", Some(recipe::section(run)));
    page += &format!(
        "</main><footer>Written by ecgan {}</footer><script>{SCRIPT}</script></body></html>\n",
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn section(page: &mut String, title: &str, contents: Option<String>) {
    if let Some(contents) = contents {
        *page += &format!("\n<section><h2>{title}</h2>{contents}</section>");
    }
}

/// The data's name for people.
fn data(run: &Run) -> String {
    if run.settings.data == SYNTHETIC { "built-in digits".into() } else { run.settings.data_name() }
}

fn subtitle(run: &Run) -> String {
    let images = match &run.summary {
        Some(s) => format!(
            "{} training, {} validation and {} test images of {} classes",
            grouped(s.n_train),
            grouped(s.n_val),
            grouped(s.n_test),
            run.classes.len()
        ),
        None => run.divergence.as_ref().map_or_else(|| "not finished".to_owned(), ToString::to_string),
    };
    format!("<p class=\"soft\">Run <b>{}</b> \u{b7} {images}</p>", Escaped(&run.name()))
}

/// The figures one asks for first.
fn figures(run: &Run) -> String {
    let mut html = String::from("<dl class=\"tiles\">");
    let mut tile = |name: &str, value: String, detail: String| {
        html += &format!("<div><dt>{name}</dt><dd>{value}</dd><dd class=\"soft\">{}</dd></div>", Escaped(&detail));
    };
    if let Some(test) = &run.evaluation {
        let [low, high] = wilson(test.correct, test.total);
        tile("Test accuracy", format!("{:.1} %", test.accuracy), format!("95 % interval {low:.1} to {high:.1}"));
    }
    if let Some((epoch, best)) = run.best() {
        tile("Best validation accuracy", format!("{best:.1} %"), format!("after epoch {epoch}"));
    }
    if let Some(test) = &run.evaluation {
        tile("Macro F1", format!("{:.3}", test.macro_f1), "mean over the classes".into());
        let error = 100.0 * test.expected_calibration_error;
        tile("Calibration error", format!("{error:.1} %"), "between sure and right".into());
    }
    if let Some(last) = run.last() {
        if let Some(kept) = last.kept_fraction {
            tile("Fakes kept", format!("{:.0} %", 100.0 * kept), "in the last epoch".into());
        }
        let speed = format!("{} images a second", short(last.images_per_second));
        tile("Training", duration(last.seconds), format!("{}, {speed}", many(last.epoch, "epoch")));
    }
    html + "</dl>"
}

fn notes(findings: &[Finding], run: &Run) -> String {
    let mut items: String =
        findings.iter().map(|f| format!("<li><b>{}</b> {}</li>", Escaped(&f.what), Escaped(&f.suggestion))).collect();
    let (epochs, of) = (run.epochs.len(), many(run.settings.epochs, "epoch"));
    if let Some(divergence) = &run.divergence {
        items = format!(
            "<li><b>The run {}, after {epochs} of {of}.</b> Train anew with a smaller --lr or --lr-c. What follows \
             is how far it came.</li>{items}",
            Escaped(&divergence.to_string())
        );
    } else if run.summary.is_none() {
        items = format!(
            "<li><b>The run is not finished: {epochs} of {of}.</b> <code>ecgan train --resume {}</code> goes on with it. \
             What follows is how far it came.</li>{items}",
            Escaped(&quoted_path(&run.path))
        );
    }
    match items.is_empty() {
        true => "<aside class=\"good\"><p><b>Nothing looks odd.</b></p></aside>".into(),
        false => format!("<aside><h2>Worth a look</h2><ul>{items}</ul></aside>"),
    }
}

fn curve_section(run: &Run) -> Option<String> {
    let mut charts: Vec<String> = curves::charts(run).iter().map(|chart| chart.svg("")).collect();
    charts.extend(heat::svg(run));
    if charts.len() % 2 == 1 {
        // Two stand in a row: this one leaves no gap.
        charts.extend(curves::speed(run).map(|chart| chart.svg("")));
    }
    let cards = |charts: Vec<String>| charts.iter().map(|svg| format!("<div class=\"card\">{svg}</div>")).collect();
    let cards: String = if charts.is_empty() { return None } else { cards(charts) };
    Some(format!(
        "<p class=\"soft\">By epoch; the numbers underneath are the last ones.</p><div class=\"charts\">{cards}</div>"
    ))
}

fn sample_note(run: &Run) -> String {
    let generated = if run.samples.is_empty() {
        " Shown as the network sees them, under each its label."
    } else {
        " Real images are shown as the networks see them. Generated ones come from the same noise each time; under each image what the classifier takes it for, and how sure it is."
    };
    format!("<p class=\"soft\">A click enlarges.{generated}{}</p>", Escaped(&numbered(&run.classes)))
}

/// Which classes are numbers in pictures; empty where none is.
fn numbered(classes: &[String]) -> String {
    const NAMED: usize = 12;
    let numbered = || classes.iter().enumerate().filter(|(_, class)| !can_be_drawn(class));
    let named: Vec<String> = numbered().take(NAMED).map(|(number, class)| format!("#{number} is {class}")).collect();
    let more = if numbered().count() > NAMED { ", .." } else { "" };
    if named.is_empty() { String::new() } else { format!(" In all pictures, {}{more}.", named.join(", ")) }
}

/// The surest mistakes of the test; empty where there is no picture of them.
fn mistakes(run: &Run) -> String {
    let card = |picture: String| {
        format!(
            "<div class=\"card below\"><h3>Surest mistakes</h3><p class=\"soft\">Under each test image what the classifier takes it for and how \
             sure it is, and what its label says: some labels may be wrong. All of them are in mistakes.csv.</p>{picture}</div>"
        )
    };
    samples::mistakes(run).map(card).unwrap_or_default()
}

fn test_section(test: &Evaluation) -> String {
    let matrix = classes::matrix(test);
    format!(
        "<p class=\"soft\">{} of {} images right. Mean negative log-likelihood {:.3}, expected calibration error {:.3}.\
         </p><div class=\"two\"><div class=\"card\">{matrix}{}</div><div class=\"card\">{}</div></div>\
         <div class=\"card\">{}</div>",
        grouped(test.correct),
        grouped(test.total),
        test.negative_log_likelihood,
        test.expected_calibration_error,
        classes::confusions(test),
        reliability::svg(test),
        classes::table(test)
    )
}
