//! The `ecgan` command line: arguments and printing, nothing else.

// It panics where nobody takes what is printed; `output` does not.
#![warn(clippy::print_stderr, clippy::print_stdout)]

#[cfg(test)]
mod any_arguments;
mod bar;
mod checkpoint_args;
mod columns;
mod commands;
mod compute;
mod exit;
mod interrupt;
mod output;
mod progress;
mod settings_args;
mod values;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use ecgan::shell::quoted_path;
use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// EC-GAN: train a classifier with few labels and a GAN's images.
#[derive(Parser)]
#[command(name = "ecgan", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
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
enum Commands {
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

/// The commands by what they are for.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Train", &["train", "sweep", "compare", "reproduce"]),
    ("Look at a run", &["report", "eval", "measure"]),
    ("Use what was trained", &["predict", "generate", "export"]),
    ("Images and settings", &["data", "config"]),
    ("This machine and this program", &["devices", "bench", "completions", "man", "help"]),
];

/// The program, which lists its commands in groups.
fn program() -> Command {
    let program = Cli::command();
    let styles = program.get_styles();
    let (heading, name) = (*styles.get_header(), *styles.get_literal());
    let mut list = String::new();
    for (title, commands) in GROUPS {
        list += &format!("{heading}{title}:{heading:#}\n");
        for command in commands {
            let about = program.find_subcommand(command).and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| "Print this text, or the help of a command".into()); // clap adds `help`
            list += &format!("  {name}{command:11}{name:#}  {about}\n");
        }
        list.push('\n');
    }
    program.help_template(format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{heading}Options:{heading:#}\n{{options}}{{after-help}}"))
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

/// Who names a folder alone means its images, where a command has a flag for these.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let command = env::args_os().nth(1).and_then(|name| program().find_subcommand(name.to_str()?).cloned());
    if !command.is_some_and(|command| command.get_arguments().any(|argument| argument.get_long() == Some("data"))) {
        return error;
    }
    let folder = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if error.kind() == ErrorKind::UnknownArgument => argument.clone(),
        _ => return error,
    };
    if Path::new(&folder).is_dir() {
        let tip = format!("images are named by --data {}", quoted_path(&folder));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// JSON is text, and what was named goes into it. Before the work, which would be done for nothing.
fn check_names() -> Result<(), ecgan::Error> {
    let variables = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ECGAN_"));
    let given = env::args_os().chain(variables.map(|(_, value)| value));
    let mut wrong = given.filter(|name| name.to_str().is_none());
    let wrong = wrong.next().filter(|_| env::args_os().any(|arg| arg == "--json"));
    wrong.map_or(Ok(()), |name| {
        let (expected, got) =
            ("names that are UTF-8, which JSON has to be".into(), name.to_string_lossy().into_owned());
        Err(ecgan::Error::Setting { name: "json", expected, got })
    })
}

fn run(started: Instant) -> anyhow::Result<()> {
    let matches = program().try_get_matches().map_err(with_tip)?;
    check_names()?;
    let (_, given) = matches.subcommand().expect("clap requires a command");
    match Cli::from_arg_matches(&matches)?.command {
        Commands::Train(args) => commands::train::run(&args, given),
        Commands::Eval(args) => commands::eval::run(&args),
        Commands::Predict(args) => commands::predict::run(&args),
        Commands::Data(args) => commands::data::run(&args),
        Commands::Generate(args) => commands::generate::run(&args),
        Commands::Measure(args) => commands::measure::run(&args),
        Commands::Export(args) => commands::export::run(&args),
        Commands::Sweep(args) => commands::sweep::run(&args, given),
        Commands::Compare(args) => commands::compare::run(&args),
        Commands::Reproduce(args) => commands::reproduce::run(&args),
        Commands::Report(args) => commands::report::run(&args),
        Commands::Bench(args) => commands::bench::run(&args, started),
        Commands::Devices(args) => commands::devices::run(&args),
        Commands::Config(args) => commands::config::run(&args),
        Commands::Completions(args) => commands::completions::run(&args, program()),
        Commands::Man(args) => commands::completions::man(&args, program()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a line that a terminal of 80 columns cannot hold, clap makes two, of which a shell takes the second for a command.
    #[test]
    fn examples_fit_a_terminal_so_that_they_can_be_pasted() {
        let program = program();
        let own = program.get_subcommands().chain(program.get_subcommands().flat_map(Command::get_subcommands));
        let mut examples = 0;
        for command in own {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut goes_on = false;
            for line in text.lines() {
                if goes_on || line.starts_with("  ecgan ") {
                    assert!(line.chars().count() <= 80, "{line}");
                    goes_on = line.ends_with('\\');
                    examples += 1;
                }
            }
        }
        assert!(examples > 40, "{examples}");
    }

    /// In one group, with a line that fits a terminal.
    #[test]
    fn help_lists_every_command_once() {
        let text = program().render_help().to_string();
        let groups = text.split_once("Options:").unwrap().0;
        let lines: Vec<&str> = groups.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        for command in program().get_subcommands().map(Command::get_name).chain(["help"]) {
            let own = |line: &&&str| line.split("  ").next() == Some(command);
            assert_eq!(lines.iter().filter(own).count(), 1, "{command}: {text}");
        }
        assert_eq!(lines.len(), program().get_subcommands().count() + 1, "{text}");
        assert!(lines.iter().all(|line| line.len() < 79), "{text}");
    }
}
