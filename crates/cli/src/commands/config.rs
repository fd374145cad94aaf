//! `ecgan config`: the settings file with every setting, its default and what it means, from the flags' own help.

use super::train::TrainArgs;
use crate::output::Output;
use crate::settings_args::choice;
use clap::{Arg, Args, Command};
use ecgan::settings::{Partial, Preset};

/// Columns of a comment.
const WIDTH: usize = 96;

/// Print a settings file with every setting, commented
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    /// Whose defaults to print
    #[arg(long, value_parser = choice::<Preset>(), default_value = "quick")]
    preset: Preset,
}

const EXAMPLES: &str = "\
Example:
  ecgan config --preset paper >mine.toml
  ecgan train --config mine.toml";

/// Runs the command.
pub fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    Ok(Output::new(false, false).line(file(args.preset).trim_end())?)
}

/// Settings stand in the order of the help, under its headings; one without a value is commented out.
fn file(preset: Preset) -> String {
    let values = toml::Table::try_from(preset.values()).expect("settings are TOML");
    let mut text = format!("# Settings of `ecgan train`, as preset {preset} has them.\n");
    let mut heading = None;
    let command = TrainArgs::augment_args(Command::new("train"));
    for arg in command.get_arguments().filter(|arg| Partial::KEYS.contains(&arg.get_id().as_str())) {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            text += &format!("\n# {}\n", heading.unwrap_or_default().to_uppercase());
        }
        text += &comment(arg);
        let key = arg.get_id().as_str();
        text += &values.get(key).map_or_else(|| format!("# {key} =\n"), |value| format!("{key} = {value}\n"));
    }
    text
}

fn comment(arg: &Arg) -> String {
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let names: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !names.is_empty() && arg.get_num_args().is_none_or(|range| range.takes_values()) {
        help += &format!(" [{}]", names.join(", "));
    }
    let mut lines = vec![String::new()];
    for word in help.split_whitespace() {
        let line = lines.last_mut().expect("never empty");
        if line.chars().count() + 1 + word.chars().count() > WIDTH - 2 {
            lines.push(word.into());
        } else {
            *line += if line.is_empty() { "" } else { " " };
            *line += word;
        }
    }
    lines.iter().map(|line| format!("# {line}\n")).fold("\n".to_owned(), |text, line| text + &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecgan::settings::Settings;

    #[test]
    fn a_printed_file_reads_back_as_its_preset() {
        for preset in [Preset::Quick, Preset::Paper, Preset::Notebook] {
            let text = file(preset);
            let back: Partial = toml::from_str(&text).unwrap();
            assert_eq!(back, preset.values(), "{text}");
            let resolved = |given| Settings::resolve(given).unwrap();
            assert_eq!(resolved(back), resolved(Partial { preset: Some(preset), ..Partial::default() }));
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn every_setting_is_there_with_its_meaning() {
        let text = file(Preset::Quick);
        // The SIMD path has a variable and a key only.
        for key in Partial::KEYS.iter().filter(|key| **key != "simd") {
            let setting = text
                .split("\n\n")
                .find(|part| part.lines().any(|line| line.trim_start_matches("# ").split(" =").next() == Some(key)));
            assert!(
                setting.is_some_and(|part| part.starts_with("# ") && part.lines().count() >= 2),
                "{key}: {setting:?}"
            );
        }
    }
}
