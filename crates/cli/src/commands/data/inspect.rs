//! `ecgan data inspect`.

use crate::columns::{padded, widest};
use crate::output::Output;
use clap::Args;
use ecgan::Error;
use ecgan::counts::many;
use ecgan::data::inspect::{Inspection, PartReport, Range, inspect};
use ecgan::data::{DataError, SyntheticOptions};
use ecgan::data_place::{Written, check_outside};
use ecgan::export::{FileKind, check_file};
use ecgan::printable::printable;
use ecgan::run_folder::write_png;
use std::path::PathBuf;

/// Of the built-in set, as many as a run with the default settings draws.
const SYNTHETIC: SyntheticOptions = SyntheticOptions { seed: 0, train: 2000, test: 2000 };

/// Classes that are listed one by one.
const LISTED_CLASSES: usize = 120;

/// How many times the images of the smallest class the largest has, from where on that is worth a word.
const UNEVEN: f64 = 1.5;

/// Show what a data set holds and what is odd about it; every image is read
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct InspectArgs {
    /// A data folder, as for train, or `synthetic`
    #[arg(value_name = "DIR", env = "ECGAN_DATA", hide_env = true)]
    data: String,
    /// Write a contact sheet: eight images of each class, as training sees them; a class whose name is not ASCII is its number,
    /// from 0: #3
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Counts, sizes, class balance, files that cannot be read (all of them; exit code 3), files and
folders that a run passes over, images that occur twice, in train and test above all, and
whatever would stop a run.

Examples:
  ecgan data inspect DIR
  ecgan data inspect DIR --sheet classes.png
  ecgan data inspect synthetic --json";

/// Runs the command.
pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.sheet {
        check_file("sheet", path, FileKind::Png)?;
        check_outside("sheet", path, &args.data, Written::File)?;
    }
    let found = inspect(&args.data, &SYNTHETIC).map_err(Error::from)?;
    // Before a word is printed, which stdout may not take. Where there is none, what was found says why.
    let sheet =
        args.sheet.as_ref().map(|path| found.sheet().map_err(Error::from).and_then(|sheet| write_png(path, &sheet)));
    let output = Output::new(args.json, false);
    output.result(&found)?;
    lines(&found).iter().try_for_each(|line| output.line(line))?;
    if let (Some(path), Some(written)) = (&args.sheet, sheet) {
        written?;
        output.line(format!("contact sheet {}", path.display()))?;
    }
    let (files, refusals) = (found.unreadable.len(), found.refusals.len());
    if files + refusals > 0 {
        return Err(Error::Dataset(DataError::Unfit {
            path: args.data.clone().into(),
            wrong: format!(
                "{}, {} to stop a run, all listed above",
                many(files, "unreadable file"),
                many(refusals, "other thing")
            ),
            expected: "none: mend or remove them".into(),
        })
        .into());
    }
    Ok(())
}

fn lines(found: &Inspection) -> Vec<String> {
    let mut lines =
        vec![format!("{}: {}, {}", printable(&found.data), found.format, many(found.classes.len(), "class"))];
    found.parts.iter().for_each(|part| lines.extend(describe(part)));
    lines.extend(table(found));
    let mut odd = Vec::new();
    for shared in &found.shared {
        let (n, of, also, example) =
            (many(shared.images, "image"), shared.of, shared.also_in, printable(&shared.example));
        odd.push(format!("in {also} and again in {of}, pixel by pixel: {n}, as {example}"));
    }
    if let Some([again, first]) =
        found.conflicting_example.as_ref().map(|pair| pair.each_ref().map(|name| printable(name)))
    {
        let count = many(found.conflicting_labels, "image");
        odd.push(format!("again under another class: {count}, as {again}, which is {first} too"));
    }
    odd.extend(found.warnings.clone());
    section(&mut lines, "Odd, but usable:", odd);
    section(&mut lines, "Cannot be read:", found.unreadable.iter().map(|file| file.problem.clone()).collect());
    section(&mut lines, "Missing, to train on it:", found.missing.clone());
    section(&mut lines, "Stops a run:", found.refusals.clone());
    lines
}

fn section(lines: &mut Vec<String>, title: &str, items: Vec<String>) {
    if !items.is_empty() {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(items.into_iter().map(|item| format!("- {item}")));
    }
}

fn describe(part: &PartReport) -> Vec<String> {
    let mut lines = vec![String::new(), format!("{}: {} images", part.part, part.images)];
    if let (Some(width), Some(height)) = (part.width, part.height) {
        let range = |Range { min, median, max }: Range| {
            if min == max { min.to_string() } else { format!("{min} to {max} (median {median})") }
        };
        lines.push(format!("  width {}, height {} pixels", range(width), range(height)));
        lines.push(format!("  {} in colour, {} grey", part.colour, part.grey));
    }
    lines.extend(part.imbalance.map(|imbalance| match imbalance {
        1.0 => "  every class has the same number".into(),
        _ => {
            let remedy = if part.part == "train" && imbalance >= UNEVEN {
                " (`train --sampling balanced` shows each equally often)"
            } else {
                ""
            };
            format!("  the largest class has {imbalance:.1} times the images of the smallest{remedy}")
        }
    }));
    if part.transparent > 0 {
        lines.push(format!("  {} with transparent places, which are laid on white", part.transparent));
    }
    if let Some([again, first]) = &part.duplicate_example {
        let (count, again, first) = (part.duplicates, printable(again), printable(first));
        lines.push(format!("  {count} equal an earlier one, pixel by pixel, as {again} does {first}"));
    }
    if part.unreadable > 0 {
        lines.push(format!("  {} cannot be read (listed below)", part.unreadable));
    }
    lines
}

/// Images of each class, a column for each part.
fn table(found: &Inspection) -> Vec<String> {
    let names: Vec<_> = found.classes.iter().map(|class| printable(class)).collect();
    let width = widest(&names, "class");
    let row = |name: &str, cells: Vec<String>| {
        format!("{}{}", padded(name, width), cells.iter().map(|cell| format!("{cell:>9}")).collect::<String>())
    };
    let mut lines = vec![String::new(), row("class", found.parts.iter().map(|part| part.part.to_owned()).collect())];
    for (label, class) in names.iter().enumerate().take(LISTED_CLASSES) {
        lines.push(row(class, found.parts.iter().map(|part| part.per_class[label].images.to_string()).collect()));
    }
    if found.classes.len() > LISTED_CLASSES {
        lines.push(format!("... and {} more; --json lists all", found.classes.len() - LISTED_CLASSES));
    }
    lines
}
