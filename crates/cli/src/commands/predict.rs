//! `ecgan predict`.

use crate::checkpoint_args::CheckpointArgs;
use crate::columns::{padded, widest};
use crate::compute::ComputeArgs;
use crate::output::{Output, Rows, many, warn};
use crate::values::within;
use clap::Args;
use ecgan::Error;
use ecgan::data::image_files;
use ecgan::metrics::csv::quoted;
use ecgan::predict::{Prediction, Predictor};
use ecgan::printable::printable;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tensor::Device;

/// Say which class each image is of
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct PredictArgs {
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Images, PNG or JPEG, and folders of which every file below that is named as an image, and not hidden, is taken
    #[arg(value_name = "IMAGE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// How many classes to show an image, the most probable first
    #[arg(short = 'k', long = "top-k", value_name = "K", default_value_t = 1, value_parser = within::<usize>(1..=i64::MAX))]
    top: usize,
    /// Print a table for programs (RFC 4180) on stdout; everything else goes to stderr
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

const EXAMPLES: &str = "\
A confidence is a probability, in 0..1. What cannot be read, as a path that is not there, a folder
without images, a damaged file, WebP, GIF, BMP, TIFF, AVIF and HEIC, is told of on stderr, the
others are still predicted, and the exit code is 3. In folders what is hidden or not named as an
image is passed over. What is transparent is laid on white.

Examples:
  ecgan predict --checkpoint RUN/checkpoints/best.safetensors cat.jpg
  ecgan predict --checkpoint RUN/checkpoints/best.safetensors -k 3 holiday/
  ecgan predict --checkpoint RUN/checkpoints/best.safetensors \\
    --csv holiday/ > classes.csv";

/// Why a file has no prediction in JSON.
const NO_TEXT: &str = "the name is not UTF-8, which JSON has to be; --csv takes it, with marks in its place";

/// The JSON object.
#[derive(Serialize)]
struct Report<'a> {
    checkpoint: &'a Path,
    classes: &'a [String],
    predictions: Vec<Predicted>,
    failed: Vec<Failed>,
    seconds: f64,
    images_per_second: f64,
}

#[derive(Serialize)]
struct Predicted {
    path: String,
    /// The most probable classes, as many as were asked for.
    top: Vec<Candidate>,
}

#[derive(Serialize)]
struct Candidate {
    class: String,
    confidence: f64,
}

#[derive(Serialize)]
struct Failed {
    /// With marks in place of what is no text.
    path: String,
    /// Without the path.
    problem: String,
}

/// Runs the command.
pub fn run(args: &PredictArgs) -> anyhow::Result<()> {
    let files = image_files(&args.paths);
    let device = args.compute.open()?;
    kernels::on_a_worker(|| predict(args, files, &device))
}

fn predict(args: &PredictArgs, files: Vec<PathBuf>, device: &Device) -> anyhow::Result<()> {
    let total = files.len();
    let read = args.checkpoint.read()?;
    if read.is_bare() {
        let file = args.checkpoint.path().display().to_string();
        warn(format!("{}: no class names in it; classes are numbers, from 0", printable(&file)));
    }
    let mut predictor = Predictor::new(read, device)?;
    let classes = predictor.classes().to_vec();
    let top = classes.len().min(args.top);
    let output = Output::new(args.json || args.csv, false);
    let candidates = |prediction: &Prediction| -> Vec<Candidate> {
        let candidate = |&k: &usize| Candidate { class: classes[k].clone(), confidence: prediction.probabilities[k] };
        prediction.ranking[..top].iter().map(candidate).collect()
    };
    let (mut predictions, mut failed) = (Vec::new(), Vec::new());
    let widths = Widths::new(&files, &classes);
    let started = Instant::now();
    let mut rows = Rows::new();
    if args.csv {
        rows.print(&csv_header(top))?;
    }
    predictor.files(files, |path, prediction| -> anyhow::Result<()> {
        let name = path.to_string_lossy();
        let shown = printable(&name);
        let problem = match prediction {
            // The path, which it begins with, is told beside it.
            Err(error) => {
                let said = error.to_string();
                said.strip_prefix(&format!("{shown}: ")).unwrap_or(&said).to_owned()
            }
            Ok(prediction) => {
                let top = candidates(&prediction);
                match path.to_str() {
                    Some(path) if args.json => {
                        predictions.push(Predicted { path: path.into(), top });
                        return Ok(());
                    }
                    None if args.json => NO_TEXT.to_owned(),
                    _ => {
                        let row = if args.csv { csv_row(path, &top) } else { widths.row(path, &top) };
                        return Ok(rows.print(&row)?);
                    }
                }
            }
        };
        warn(format!("{shown}: {problem}"));
        failed.push(Failed { path: name.into_owned(), problem });
        Ok(())
    })?;
    rows.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    let unread = failed.len();
    let images_per_second = (total - unread) as f64 / seconds;
    let checkpoint = args.checkpoint.path();
    if args.json {
        output.result(&Report { checkpoint, classes: &classes, predictions, failed, seconds, images_per_second })?;
    }
    output.line(format!("{} in {seconds:.2} s, {images_per_second:.0} images/s", many(total - unread, "image")))?;
    if unread > 0 {
        return Err(Error::Unread { failed: unread, total }.into());
    }
    Ok(())
}

/// The columns of the table for people.
struct Widths {
    path: usize,
    class: usize,
}

impl Widths {
    fn new(files: &[PathBuf], classes: &[String]) -> Self {
        let paths: Vec<_> = files.iter().map(|path| printable(&path.to_string_lossy()).into_owned()).collect();
        let classes: Vec<_> = classes.iter().map(|class| printable(class)).collect();
        Self { path: widest(&paths, "").min(60), class: widest(&classes, "") }
    }

    fn row(&self, path: &Path, top: &[Candidate]) -> String {
        let path = path.to_string_lossy();
        let mut line = padded(&printable(&path), self.path);
        for Candidate { class, confidence } in top {
            line += &format!("  {} {confidence:.3}", padded(&printable(class), self.class));
        }
        line + "\n"
    }
}

fn csv_header(top: usize) -> String {
    let more = (2..=top).map(|k| format!(",class_{k},confidence_{k}"));
    format!("path,class,confidence{}\n", more.collect::<String>())
}

fn csv_row(path: &Path, top: &[Candidate]) -> String {
    let fields = top.iter().map(|c| format!(",{},{}", quoted(&c.class), c.confidence));
    format!("{}{}\n", quoted(&path.to_string_lossy()), fields.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up_and_names_are_quoted() {
        let candidate = |class: &str, confidence| Candidate { class: class.into(), confidence };
        let top = [candidate("a,b", 0.75), candidate("horse", 0.125)];
        let (path, files) = (Path::new("x.png"), ["x.png", "long\u{1b}.png"].map(PathBuf::from));
        let widths = Widths::new(&files, &["a,b", "horse"].map(String::from));
        assert_eq!(widths.row(path, &top), "x.png           a,b   0.750  horse 0.125\n");
        assert_eq!(csv_header(2), "path,class,confidence,class_2,confidence_2\n");
        assert_eq!(csv_row(path, &top), "x.png,\"a,b\",0.75,horse,0.125\n");
    }
}
