//! `ecgan generate`.

use crate::compute::ComputeArgs;
use crate::interrupt;
use crate::output::{Output, many};
use crate::progress::Counted;
use crate::values::{integer, within};
use clap::Args;
use ecgan::Error;
use ecgan::checkpoint::Checkpoint;
use ecgan::data_place::{Written, check_outside_data_of};
use ecgan::export::{FileKind, check_file};
use ecgan::generate::{Generated, generate};
use ecgan::grid;
use ecgan::metrics::csv::quoted;
use ecgan::run_folder::{NewFolder, check_new_or_empty, png, write_png};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Images in one picture: 100 by 100 of them, 11,000 pixels a side.
const LARGEST_GRID: usize = 10_000;

/// Draw images from a checkpoint's generator
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct GenerateArgs {
    /// A checkpoint of a run with a generator: any --method but classifier
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// How many images, at most 100,000; with --grid at most 10,000
    #[arg(short, value_name = "N", default_value_t = 64, value_parser = within::<usize>(1..=100_000))]
    n: usize,
    /// The seed of the noise
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = integer::<u64>())]
    seed: u64,
    /// Draw this class alone, with a generator of --method conditional; without it, each class in turn
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    class: Option<String>,
    #[command(flatten)]
    target: Target,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Write one picture of all, with predicted class and confidence under each; a class whose name is not ASCII is its number,
    /// from 0: #3
    #[arg(long, value_name = "FILE.png")]
    grid: Option<PathBuf>,
    /// Write each image as 00001.png, 00002.png, ... into a new or empty folder, and what the classifier takes each for (and
    /// the class that a conditional generator was given) into labels.csv there; all of it appears at the end, or, where the
    /// command is stopped, nothing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  ecgan generate --checkpoint RUN/checkpoints/last.safetensors -n 64 --seed 1 \\
    --grid fakes.png
  ecgan generate --checkpoint RUN/checkpoints/last.safetensors -n 1000 \\
    --dir fakes
  ecgan generate --checkpoint RUN/checkpoints/last.safetensors -n 100 \\
    --class cat --dir cats";

/// The JSON object: where the images are, what the classifier takes each for, and what a conditional generator was given.
#[derive(Serialize)]
struct Report<'a> {
    n: usize,
    seed: u64,
    path: &'a Path,
    classes: &'a [String],
    labels: &'a [usize],
    confidences: &'a [f32],
    given: Option<&'a [usize]>,
}

/// Runs the command.
pub fn run(args: &GenerateArgs) -> anyhow::Result<()> {
    let path = args.target.grid.as_ref().or(args.target.dir.as_ref()).expect("clap requires one of them");
    let (name, written) = if args.target.dir.is_some() { ("dir", Written::Folder) } else { ("grid", Written::File) };
    if args.target.dir.is_some() {
        check_new_or_empty(name, path)?;
        interrupt::listen()?;
    } else {
        check_file(name, path, FileKind::Png)?;
        if args.n > LARGEST_GRID {
            let expected = format!("at most {LARGEST_GRID} images with --grid (--dir takes more)");
            return Err(Error::Setting { name: "n", expected, got: args.n.to_string() }.into());
        }
    }
    let device = args.compute.open()?;
    let read = Checkpoint::read(&args.checkpoint)?;
    check_outside_data_of(&read, name, path, written)?;
    let (n, class, mut drawn) = (args.n, args.class.as_deref(), Counted::new("images drawn"));
    let draw = move || generate(&read, n, args.seed, class, &device, &mut |done| drawn.show(done, n));
    let generated = kernels::on_a_worker(draw)?;
    let Generated { images, labels, confidences, given, classes } = &generated;
    if args.target.dir.is_some() {
        write_folder(path, &generated)?;
    } else {
        write_png(path, &grid::draw(images, &generated.captions()))?;
    }
    let output = Output::new(args.json, false);
    let given = given.as_deref();
    output.result(&Report { n: images.len(), seed: args.seed, path, classes, labels, confidences, given })?;
    output.line(format!("{} in {}", many(images.len(), "image"), path.display()))?;
    Ok(())
}

/// Each image as a file of its own, and `labels.csv`. Ctrl-C leaves nothing of them.
fn write_folder(path: &Path, generated: &Generated) -> Result<(), Error> {
    interrupt::begun();
    let mut folder = NewFolder::begin("dir", path)?;
    let (images, mut written) = (&generated.images, Counted::new("images written"));
    for i in 0..images.len() {
        if interrupt::requested() {
            return Err(Error::Interrupted);
        }
        folder.write(&file_name(i), |file| png(&images.rgb(i), file))?;
        written.show(i + 1, images.len());
    }
    folder.write("labels.csv", |file| file.write_all(table(generated).as_bytes()))?;
    if interrupt::requested() {
        return Err(Error::Interrupted);
    }
    folder.finish()
}

/// The file of image `i`, from 0.
fn file_name(i: usize) -> String {
    format!("{:05}.png", i + 1)
}

/// `labels.csv`: each file, what the classifier takes it for, how confident it is, and the class the generator was given.
fn table(generated: &Generated) -> String {
    let Generated { labels, confidences, given, classes, .. } = generated;
    let name = |class: usize| quoted(&classes[class]);
    let mut text =
        String::from(if given.is_some() { "file,class,confidence,given\n" } else { "file,class,confidence\n" });
    for (i, (&label, confidence)) in labels.iter().zip(confidences).enumerate() {
        let given = given.as_ref().map_or_else(String::new, |given| format!(",{}", name(given[i])));
        text += &format!("{},{},{confidence}{given}\n", file_name(i), name(label));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_classes_are_quoted_in_the_table() {
        let mut generated = Generated {
            images: grid::Images::new(vec![0; 2], [2, 1, 1, 1]),
            labels: vec![1, 0],
            confidences: vec![0.75, 0.5],
            given: None,
            classes: vec!["cat".into(), "a,\"b\"".into()],
        };
        let expected = "file,class,confidence\n00001.png,\"a,\"\"b\"\"\",0.75\n00002.png,cat,0.5\n";
        assert_eq!(table(&generated), expected);
        generated.given = Some(vec![0, 1]);
        let given =
            "file,class,confidence,given\n00001.png,\"a,\"\"b\"\"\",0.75,cat\n00002.png,cat,0.5,\"a,\"\"b\"\"\"\n";
        assert_eq!(table(&generated), given);
    }
}
