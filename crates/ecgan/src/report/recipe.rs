//! The settings of a run, those that differ from its preset first, and the command that repeats it.

use super::html::Escaped;
use super::plot::put;
use super::run::Run;
use crate::run_folder::names::CONFIG;
use crate::settings::{Partial, SYNTHETIC, Settings};
use crate::shell::quoted;
use toml::{Table, Value};

/// Settings that are found on the machine unless they are given, and change a result in its last bits only.
const MACHINE: [&str; 2] = ["device", "simd"];

/// A command's HTML, whose lines may end between its flags, not within one.
fn unbroken(command: &str) -> String {
    let flags = command.split(" --").map(|flag| Escaped(flag).to_string());
    flags.collect::<Vec<_>>().join("</span> <span>--")
}

/// The section's HTML.
pub fn section(run: &Run) -> String {
    let (all, changed) = (table(&run.settings.to_partial()), changed(&run.settings));
    let mut html = format!(
        "<p>This repeats the run:</p><pre tabindex=\"0\"><code><span>{}</span></code></pre><p class=\"soft\">With <code>--config {}\
         </code> alone it does so bit for bit, on the same kind of processor. Add <code>--seed</code> for another \
         draw.</p>",
        unbroken(&command(&run.settings)),
        Escaped(&quoted(&run.path.join(CONFIG).to_string_lossy()))
    );
    let row = |key: &str| {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let value = all.get(key).map(text).unwrap_or_default();
        format!("<tr><th scope=\"row\"><code>{key}</code></th><td>{}</td></tr>", Escaped(&value))
    };
    let keys = || Partial::KEYS.iter().filter(|key| all.contains_key(**key));
    let own: String = keys().filter(|key| changed.contains_key(**key)).map(|key| row(key)).collect();
    let rest: String = keys().filter(|key| !changed.contains_key(**key)).map(|key| row(key)).collect();
    let preset = run.settings.preset;
    if own.is_empty() {
        put(&mut html, format_args!("<p>Every setting is that of preset <code>{preset}</code>.</p>"));
    } else {
        put(
            &mut html,
            format_args!("<h3>Not as in preset <code>{preset}</code></h3><table class=\"settings\">{own}</table>"),
        );
    }
    html + &format!("<details><summary>The other settings</summary><table class=\"settings\">{rest}</table></details>")
}

/// `ecgan train` with the flags that make these settings.
pub fn command(settings: &Settings) -> String {
    let changed = changed(settings);
    let mut command = "ecgan train".to_owned();
    for key in Partial::KEYS.iter().filter(|key| changed.contains_key(**key)) {
        let flag = key.replace('_', "-");
        match &changed[*key] {
            // A switch; a value has to be joined to it.
            Value::Boolean(true) => put(&mut command, format_args!(" --{flag}")),
            Value::Boolean(value) => put(&mut command, format_args!(" --{flag}={value}")),
            Value::String(text) => put(&mut command, format_args!(" --{flag} {}", quoted(text))),
            other => put(&mut command, format_args!(" --{flag} {other}")),
        }
    }
    command
}

/// The settings that make a run of its preset into this one.
fn changed(settings: &Settings) -> Table {
    let start = |method| {
        let data = Some(settings.data.clone());
        let given = Partial { preset: Some(settings.preset), data, method, ..Partial::default() };
        Settings::complete(given).expect("a preset has one budget")
    };
    // What the method does not use, or what follows from it, is no flag.
    let (mut all, defaults) = (table(&settings.used()), table(&start(Some(settings.method)).used()));
    let method = start(None).method;
    let differs = |key: &str, value: &Value| match key {
        "data" => settings.data != SYNTHETIC,
        "preset" => settings.preset != crate::settings::Preset::Quick,
        "method" => settings.method != method,
        _ => defaults.get(key) != Some(value),
    };
    let mut keys: Vec<String> =
        all.iter().filter(|(key, value)| differs(key, value)).map(|(key, _)| key.clone()).collect();
    keys.retain(|key| !MACHINE.contains(&key.as_str()));
    // Given for all networks, these hide what the preset says about the classifier's own.
    for (general, own) in [("lr", "lr_c"), ("weight_decay", "weight_decay_c")] {
        if keys.iter().any(|key| key == general) && !keys.iter().any(|key| key == own) {
            keys.push(own.to_owned());
        }
    }
    all.retain(|key, _| keys.iter().any(|changed| changed == key));
    all
}

fn table(settings: &Partial) -> Table {
    Table::try_from(settings).expect("numbers and words are TOML")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Preset;

    fn resolved(toml: &str) -> Settings {
        Settings::complete(toml::from_str(toml).unwrap()).unwrap()
    }

    #[test]
    fn the_command_has_what_differs_and_nothing_else() {
        for (toml, expected) in [
            ("", "ecgan train"),
            ("device = \"cpu\"", "ecgan train"),
            ("preset = \"paper\"\nseed = 3", "ecgan train --preset paper --seed 3"),
            ("data = \"my pets\"\ntensorboard = true", "ecgan train --data 'my pets' --tensorboard"),
            ("lr = 0.01", "ecgan train --lr 0.01 --lr-c 0.01"),
            ("lr = 0.01\nlr_c = 0.002", "ecgan train --lr 0.01 --lr-c 0.002"),
            ("per_class = 5", "ecgan train --per-class 5"),
            ("preset = \"best\"\nmethod = \"classifier\"", "ecgan train --method classifier --preset best"),
            ("method = \"shared-dc\"", "ecgan train --method shared-dc"),
        ] {
            assert_eq!(command(&resolved(toml)), expected);
        }
    }

    #[test]
    fn what_differs_makes_the_same_settings_again() {
        for toml in [
            "lr = 0.01\nlr_c = 0.002\nweight_decay = 0.1",
            "data = \"x\"\nfraction = 0.5\nmethod = \"classifier\"\nwidth = 4\nval_fraction = 0.0",
            "preset = \"notebook\"\nlambda = 0.0\nmax_steps = 7\nfake_statistics = \"running\"",
        ] {
            let settings = resolved(toml);
            assert_eq!(Settings::complete(changed(&settings).try_into().unwrap()).unwrap(), settings, "{toml}");
        }
        assert_eq!(resolved("").preset, Preset::Quick);
    }
}
