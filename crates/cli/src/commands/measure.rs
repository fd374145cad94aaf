//! `ecgan measure`.

use crate::columns::{padded, widest};
use crate::compute::ComputeArgs;
use crate::output::Output;
use crate::progress::Counted;
use crate::values::{choice, integer, within};
use clap::Args;
use ecgan::export::{FileKind, check_file};
use ecgan::measure::{Agreement, Event, FeaturesOf, Measures, Options, measure};
use ecgan::printable::printable;
use ecgan::run_folder::write_png;
use ecgan::settings::SplitName;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Measure a generator: distance to reals, copies, pseudo-labels
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct MeasureArgs {
    /// A checkpoint of a run with a generator: any --method but classifier
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// The checkpoint of another classifier of the same classes and images, best one trained on all of the data: distances are
    /// taken in its features, and it says whether pseudo-labels are right [default: the run's own classifier's features]
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// A folder of images, as for train, or `synthetic` [default: the run's own]
    #[arg(long, value_name = "DIR", env = "ECGAN_DATA", hide_env = true)]
    data: Option<String>,
    /// The real images: those the run trained on or validated on, those of the test split, or every one (all)
    #[arg(long, value_parser = choice::<SplitName>(), default_value = "train")]
    split: SplitName,
    /// How many images to generate, 2 to 100,000
    #[arg(short, value_name = "N", default_value_t = 2048, value_parser = within::<usize>(2..=100_000))]
    n: usize,
    /// The seed of the noise, and of the kernel distance's subsets
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = integer::<u64>())]
    seed: u64,
    /// Draw the 16 generated images that are closest to a real one, each above it
    #[arg(long, value_name = "FILE.png")]
    pairs: Option<PathBuf>,
    /// Take distances in the features of an Inception v3 with these weights, which makes them FID and KID (see below); on the
    /// processor, some images a second
    #[arg(long, value_name = "FILE")]
    inception: Option<PathBuf>,
    /// Write the features as `generated` and `real`, one row an image
    #[arg(long, value_name = "FILE.safetensors")]
    features: Option<PathBuf>,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

const EXAMPLES: &str = "\
Distances of one judge compare with each other only: with the same --judge, data, split and -n.
They are no FID and KID, which are taken in the features of one certain network: that is
--inception, whose weights are the state dict of PyTorch's port of it without names changed:

  import torch, safetensors.torch
  weights = torch.load('pt_inception-2015-12-05-6726825d.pth', map_location='cpu')
  safetensors.torch.save_file(weights, 'inception.safetensors')

Examples:
  ecgan measure --checkpoint RUN/checkpoints/last.safetensors
  ecgan measure --checkpoint RUN/checkpoints/last.safetensors \\
    --judge ALL/checkpoints/best.safetensors
  ecgan measure --checkpoint RUN/checkpoints/last.safetensors --split test \\
    --pairs closest.png --json
  ecgan measure --checkpoint RUN/checkpoints/last.safetensors \\
    --inception inception.safetensors";

/// The JSON object.
#[derive(Serialize)]
struct Report<'a> {
    checkpoint: &'a Path,
    judge: Option<&'a Path>,
    inception: Option<&'a Path>,
    #[serde(flatten)]
    measures: &'a Measures,
}

/// Runs the command.
pub fn run(args: &MeasureArgs) -> anyhow::Result<()> {
    args.pairs.iter().try_for_each(|path| check_file("pairs", path, FileKind::Png))?;
    args.features.iter().try_for_each(|path| check_file("features", path, FileKind::Features))?;
    let device = args.compute.open()?;
    let (checkpoint, judge) = (args.checkpoint.as_path(), args.judge.as_deref());
    let inception = args.inception.as_deref();
    let outputs = [("pairs", &args.pairs), ("features", &args.features)];
    let outputs: Vec<_> = outputs.iter().filter_map(|(name, path)| Some((*name, path.as_deref()?))).collect();
    let options = Options {
        checkpoint,
        judge,
        data: args.data.as_deref(),
        split: args.split,
        n: args.n,
        seed: args.seed,
        inception,
        outputs: &outputs,
    };
    let mut progress = Counted::new("images");
    let mut event = |event: Event<'_>| match event {
        Event::Warning(message) => progress.warn(message),
        Event::Images { done, of } => progress.show(done, of),
    };
    let measured = kernels::on_a_worker(|| measure(&options, &device, &mut event))?;
    drop(progress);
    if let Some(path) = &args.pairs {
        write_png(path, &measured.closest_pairs()?)?;
    }
    if let Some(path) = &args.features {
        measured.write_features(path)?;
    }
    let output = Output::new(args.json, false);
    let measures = &measured.measures;
    output.result(&Report { checkpoint, judge, inception, measures })?;
    lines(measures, inception.or(judge).unwrap_or(checkpoint)).iter().try_for_each(|line| output.line(line))?;
    if let Some(path) = &args.pairs {
        output.line(format!("the closest pairs in {}", path.display()))?;
    }
    if let Some(path) = &args.features {
        output.line(format!("the features in {}", path.display()))?;
    }
    Ok(())
}

/// `network` is the file of the network that gave the features.
fn lines(measures: &Measures, network: &Path) -> Vec<String> {
    let Measures { n_generated, n_real, split, feature_count, kernel_distance: kernel, neighbours, .. } = measures;
    let network = network.display().to_string();
    let own = measures.features_of == FeaturesOf::OwnClassifier;
    let features = if own { "the run's own classifier".into() } else { printable(&network) };
    // These names are for one certain network's features.
    let [fid, kid] = match measures.features_of {
        FeaturesOf::Inception => ["FID", "KID"],
        FeaturesOf::Judge | FeaturesOf::OwnClassifier => ["Frechet distance", "kernel distance"],
    };
    let mut lines = vec![
        format!("{n_generated} generated images, {n_real} real ones ({split})"),
        format!("{fid} in the {feature_count} features of {features}: {:.4}", measures.frechet_distance),
        format!(
            "{kid} in the same: {:.5} ± {:.5} ({} subsets of {} images)",
            kernel.mean, kernel.standard_deviation, kernel.subsets, kernel.subset_size
        ),
        format!(
            "nearest real image: {:.4} away (median), of real images among themselves {:.4}",
            neighbours.generated_median, neighbours.real_median
        ),
        format!(
            "closer than the closest 1 % of the real ones are to theirs ({:.4}): {:.2} % of the generated images; of new real ones some {:.1} %",
            neighbours.closer_than,
            100.0 * neighbours.closer_fraction,
            100.0 * neighbours.closer_by_chance
        ),
        String::new(),
    ];
    lines.extend(labels(measures));
    if own {
        lines.extend([
            String::new(),
            "These are the features of a classifier that was trained on generated images like these or beside them; a".into(),
            "better judge, and one that says whether pseudo-labels are right, is --judge with a classifier of all the data."
                .into(),
        ]);
    }
    lines
}

/// What becomes of the labels, in total and class by class.
fn labels(measures: &Measures) -> Vec<String> {
    let labels = &measures.pseudo_labels;
    let percent = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    let names: Vec<_> = labels.per_class.iter().map(|class| printable(&class.class)).collect();
    let width = widest(&names, "in total");
    let row = |name: &str, labelled: usize, kept: usize, agreement: &Agreement| {
        let (of_kept, of_all) = (percent(agreement.kept_accuracy), percent(agreement.all_accuracy));
        format!("  {}  {labelled:>8}  {kept:>6}  {of_kept:>13}  {of_all:>12}", padded(name, width))
    };
    let kept = labels.per_class.iter().map(|class| class.kept).sum();
    let mut lines = vec![
        format!(
            "pseudo-labels, with running statistics: {:.2} % kept above the run's threshold {}",
            100.0 * labels.kept_fraction,
            labels.threshold
        ),
        format!("  {:width$}  labelled    kept  right of kept  right of all", "class"),
    ];
    lines.extend(labels.per_class.iter().zip(&names).map(|(c, name)| row(name, c.labelled, c.kept, &c.agreement)));
    lines.push(row("in total", measures.n_generated, kept, &labels.agreement));
    lines
}
