//! `ecgan config`: the settings file with every setting, its default and what it means, from the flags' own help.

use super::train::TrainArgs;
use crate::output::Output;
use crate::values::choice;
use clap::{Arg, Args, Command};
use ecgan::settings::{Partial, Preset};

/// Columns of a comment.
const WIDTH: usize = 96;

/// A value for each setting that is commented out, as a line to uncomment.
const COULD_BE: [(&str, &str); 15] = [
    ("samples", "2000"),
    ("fraction", "0.1"),
    ("per_class", "100"),
    ("architecture", "\"resnet18\""),
    ("fake_labels", "\"pseudo\""),
    ("max_steps", "10000"),
    ("patience", "10"),
    ("max_time", "\"2h\""),
    ("lr_c", "0.001"),
    ("weight_decay_c", "0.001"),
    ("threads", "2"),
    ("memory_limit", "1024"),
    ("out", "\"runs/mine\""),
    ("checkpoint_every", "1000"),
    ("save_every", "10"),
];

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

/// Settings stand in the order of the help, under its headings; one that is not given is commented out.
fn file(preset: Preset) -> String {
    let mut values = toml::Table::try_from(preset.values()).expect("settings are TOML");
    // The preset's number is the built-in data's: given in a file it would be that of any data, which is used whole.
    let built_in = values.remove("samples").map(|n| format!(" (preset {preset}: {n})")).unwrap_or_default();
    let mut text = format!("# Settings of `ecgan train`, as preset {preset} has them.\n");
    text += "# What is commented out is not given; its value is an example.\n";
    let mut heading = None;
    let command = TrainArgs::augment_args(Command::new("train"));
    for arg in command.get_arguments().filter(|arg| Partial::KEYS.contains(&arg.get_id().as_str())) {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            text += &format!("\n# {}\n", heading.unwrap_or_default().to_uppercase());
        }
        let key = arg.get_id().as_str();
        text += &comment(arg, if key == "samples" { &built_in } else { "" });
        text += &values.get(key).map_or_else(|| format!("# {key} = {}\n", could_be(key)), |v| format!("{key} = {v}\n"));
    }
    text
}

fn could_be(key: &str) -> &'static str {
    let found = COULD_BE.iter().find(|(name, _)| *name == key);
    found.expect("a setting that a preset leaves open has an example").1
}

/// The help, and what is to be added to it.
fn comment(arg: &Arg, more: &str) -> String {
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default() + more;
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
    use ecgan::settings::{Budget, Settings};

    #[test]
    fn a_printed_file_reads_back_as_its_preset() {
        for &preset in Preset::ALL {
            let text = file(preset);
            let back: Partial = toml::from_str(&text).unwrap();
            assert_eq!(back, Partial { samples: None, ..preset.values() }, "{text}");
            let resolved = |given| Settings::resolve(given).unwrap();
            assert_eq!(resolved(back), resolved(Partial { preset: Some(preset), ..Partial::default() }));
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn the_number_of_the_built_in_images_is_not_that_of_ones_own() {
        let text = file(Preset::Quick);
        assert!(text.contains("preset quick: 2000)") && text.contains("\n# samples = 2000\n"), "{text}");
        let mine = text.replace("\ndata = \"synthetic\"\n", "\ndata = \"mine\"\n");
        let settings = Settings::resolve(toml::from_str(&mine).unwrap()).unwrap();
        assert_eq!((settings.data.as_str(), settings.budget), ("mine", Budget::All));
    }

    #[test]
    fn each_line_that_is_commented_out_can_be_uncommented() {
        for &preset in Preset::ALL {
            // As on a machine without a GPU.
            let text = file(preset).replace("\ndevice = \"auto\"\n", "\ndevice = \"cpu\"\n");
            let given = toml::from_str::<toml::Table>(&text).unwrap().len();
            let mut uncommented = 0;
            for key in Partial::KEYS {
                let line = format!("\n# {key} = ");
                if text.contains(&line) {
                    let text = text.replace(&line, &format!("\n{key} = "));
                    assert_eq!(toml::from_str::<toml::Table>(&text).unwrap().len(), given + 1, "{key}");
                    Settings::resolve(toml::from_str(&text).unwrap()).unwrap();
                    uncommented += 1;
                }
            }
            // The SIMD path has a variable and a key only.
            assert_eq!(given + uncommented, Partial::KEYS.len() - 1);
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
