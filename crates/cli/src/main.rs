//! The `ecgan` command line: arguments and printing, nothing else.

// It panics where nobody takes what is printed; `output` does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

#[cfg(test)]
mod any_arguments;
mod checkpoint_args;
mod commands;
mod compute;
mod exit;
mod interrupt;
mod output;
mod progress;
mod settings_args;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;
use std::time::Instant;

/// EC-GAN: train a classifier with few labels and a GAN's images.
#[derive(Parser)]
#[command(name = "ecgan", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ecgan train                        a run of minutes on built-in data
  ecgan train --data DIR --preset paper --per-class 100
  ecgan eval --checkpoint RUN/checkpoints/last.safetensors --data synthetic
  ecgan predict --checkpoint RUN/checkpoints/best.safetensors IMAGE DIR
  ecgan report RUN                   one HTML page about a run

Exit codes: 0 done, 1 internal, 2 usage, 3 bad data or file, 4 diverged, 5 device, 130 interrupted.";

#[derive(Subcommand)]
enum Command {
    Train(Box<commands::train::TrainArgs>),
    Eval(commands::eval::EvalArgs),
    Predict(commands::predict::PredictArgs),
    Data(commands::data::DataArgs),
    Generate(commands::generate::GenerateArgs),
    Measure(commands::measure::MeasureArgs),
    Export(commands::export::ExportArgs),
    Sweep(Box<commands::sweep::SweepArgs>),
    Compare(commands::compare::CompareArgs),
    Reproduce(commands::reproduce::ReproduceArgs),
    Report(commands::report::ReportArgs),
    Bench(commands::bench::BenchArgs),
    Devices(commands::devices::DevicesArgs),
    Config(commands::config::ConfigArgs),
    Completions(commands::completions::CompletionsArgs),
    Man(commands::completions::ManArgs),
}

fn main() -> ExitCode {
    let started = Instant::now();
    let prints = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !ecgan::data::decoder_panics() {
            prints(panic);
        }
    }));
    // A panic has printed itself; it means a mistake of ours, which is exit code 1.
    std::panic::catch_unwind(|| exit::code(run(started))).unwrap_or(ExitCode::from(exit::INTERNAL))
}

fn run(started: Instant) -> anyhow::Result<()> {
    let matches = Cli::command().try_get_matches()?;
    let (_, given) = matches.subcommand().expect("clap requires a command");
    match Cli::from_arg_matches(&matches)?.command {
        Command::Train(args) => commands::train::run(&args, given),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Measure(args) => commands::measure::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Sweep(args) => commands::sweep::run(&args, given),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Reproduce(args) => commands::reproduce::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Bench(args) => commands::bench::run(&args, started),
        Command::Devices(args) => commands::devices::run(&args),
        Command::Config(args) => commands::config::run(&args),
        Command::Completions(args) => commands::completions::run(&args, Cli::command()),
        Command::Man(args) => commands::completions::man(&args, Cli::command()),
    }
}
