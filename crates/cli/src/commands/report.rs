//! `ecgan report`.

use crate::output::Output;
use clap::Args;
use ecgan::export::{FileKind, check_file};
use ecgan::report::{check_outside_data, write, write_curves};
use ecgan::run_folder::names::REPORT;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Write one HTML page about a run, finished or not
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The page; one file that needs no other and no network [default: RUN/report.html]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Write the curves of losses and accuracies alone too, as a picture
    #[arg(long, value_name = "FILE.svg")]
    curves: Option<PathBuf>,
    /// Show the page in the browser
    #[arg(long)]
    open: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
A finished run has its report.html already; of a run under way this shows how far it is.

Examples:
  ecgan report runs/0001-ec-gan-synthetic --open
  ecgan report RUN --out for-the-boss.html
  ecgan report RUN --curves curves.svg";

/// The JSON object: what was written.
#[derive(Serialize)]
struct Report<'a> {
    report: &'a Path,
    curves: Option<&'a Path>,
}

/// Runs the command.
pub fn run(args: &ReportArgs) -> anyhow::Result<()> {
    args.out.iter().try_for_each(|out| check_file("out", out, FileKind::Html))?;
    args.curves.iter().try_for_each(|curves| check_file("curves", curves, FileKind::Svg))?;
    for (name, path) in [("out", &args.out), ("curves", &args.curves)] {
        path.iter().try_for_each(|path| check_outside_data(&args.run, name, path))?;
    }
    let page = args.out.clone().unwrap_or_else(|| args.run.join(REPORT));
    write(&args.run, &page)?;
    if let Some(curves) = &args.curves {
        write_curves(&args.run, curves)?;
    }
    let output = Output::new(args.json, false);
    output.result(&Report { report: &page, curves: args.curves.as_deref() })?;
    output.line(format!("report {}", page.display()))?;
    args.curves.as_ref().map_or(Ok(()), |curves| output.line(format!("curves {}", curves.display())))?;
    if args.open { show(&page) } else { Ok(()) }
}

/// Asks the desktop to show a file.
fn show(page: &Path) -> anyhow::Result<()> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let problem = format!("written, but `{program}` cannot show it here; open it in a browser");
    let status =
        Command::new(program).arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    // Explorer ends with 1 where all is well.
    let shown = status.is_ok_and(|status| status.success() || program == "explorer");
    // The report is there; what is not is a program of the user's.
    if shown { Ok(()) } else { Err(ecgan::Error::BadFile { path: page.into(), problem }.into()) }
}
