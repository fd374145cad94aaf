//! Settings as the flags of `ecgan train` that make them.

use super::{Method, Partial, Preset, SYNTHETIC, Settings};
use crate::shell::{quoted, quoted_path};
use toml::{Table, Value};

/// Settings that are found on the machine unless they are given, and change a result in its last bits only.
const MACHINE: [&str; 2] = ["device", "simd"];

impl Settings {
    /// What follows `ecgan train` on a command line that makes these settings: each flag after a space.
    pub fn flags(&self) -> String {
        let changed = self.changed();
        let keys = Partial::KEYS.iter().filter(|key| changed.contains_key(**key));
        let flag = |key: &&str| {
            let name = key.replace('_', "-");
            match &changed[*key] {
                // A switch; a value has to be joined to it.
                Value::Boolean(true) => format!(" --{name}"),
                Value::Boolean(value) => format!(" --{name}={value}"),
                Value::String(text) if *key == "data" => format!(" --{name} {}", quoted_path(text)),
                Value::String(text) => format!(" --{name} {}", quoted(text)),
                other => format!(" --{name} {other}"),
            }
        };
        keys.map(flag).collect()
    }

    /// Those of another preset and method on the same images: the same budget, seed, validation part and size, shown in the same way.
    pub fn on_the_same_data(&self, preset: Preset, method: Method) -> Self {
        let own = self.to_partial();
        Self::complete(Partial {
            method: Some(method),
            preset: Some(preset),
            data: own.data,
            samples: own.samples,
            fraction: own.fraction,
            per_class: own.per_class,
            subset: own.subset,
            val_fraction: own.val_fraction,
            sampling: own.sampling,
            augment: own.augment,
            channels: own.channels,
            image_size: own.image_size,
            seed: own.seed,
            ..Partial::default()
        })
        .expect("settings have one budget, and a method goes with its preset's")
    }

    /// The settings that make a run of its preset into this one.
    pub(crate) fn changed(&self) -> Table {
        let start = |method| {
            let data = Some(self.data.clone());
            let given = Partial { preset: Some(self.preset), data, method, ..Partial::default() };
            Self::complete(given).expect("a preset has one budget")
        };
        // What the method does not use, or what follows from it, is no flag.
        let (mut all, defaults) = (self.used().table(), start(Some(self.method)).used().table());
        let method = start(None).method;
        let differs = |key: &str, value: &Value| match key {
            "data" => self.data != SYNTHETIC,
            "preset" => self.preset != Preset::Quick,
            "method" => self.method != method,
            _ => defaults.get(key) != Some(value),
        };
        let mut keys: Vec<String> =
            all.iter().filter(|(key, value)| differs(key, value)).map(|(key, _)| key.clone()).collect();
        keys.retain(|key| !MACHINE.contains(&key.as_str()));
        // Given for all networks, these hide what the preset says about the classifier's own.
        for (general, own) in Partial::PAIRS {
            if keys.iter().any(|key| key == general) && !keys.iter().any(|key| key == own) {
                keys.push(own.to_owned());
            }
        }
        all.retain(|key, _| keys.iter().any(|changed| changed == key));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("data = \"-pets\"", "ecgan train --data ./-pets"),
        ] {
            assert_eq!(format!("ecgan train{}", resolved(toml).flags()), expected);
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
            assert_eq!(Settings::complete(settings.changed().try_into().unwrap()).unwrap(), settings, "{toml}");
        }
        assert_eq!(resolved("").preset, Preset::Quick);
    }

    #[test]
    fn another_preset_on_the_same_data_keeps_what_the_data_are() {
        let best = |toml: &str| resolved(toml).on_the_same_data(Preset::Best, Method::Classifier);
        let command = |toml: &str| best(&format!("data = \"pets\"\n{toml}")).flags();
        let plain = " --data pets --method classifier --preset best";
        assert_eq!(command(""), plain);
        assert_eq!(command("epochs = 3\nwidth = 4\nmethod = \"shared-dc\"\npatience = 2"), plain);
        for (toml, flags) in [
            ("samples = 9", "--samples 9"),
            ("fraction = 0.5", "--fraction 0.5"),
            ("per_class = 5", "--per-class 5"),
            ("subset = \"first\"", "--subset first"),
            ("val_fraction = 0.0", "--val-fraction 0.0"),
            ("sampling = \"balanced\"", "--sampling balanced"),
            ("augment = \"flip\"", "--augment flip"),
            ("channels = 1\nimage_size = 64\nseed = 7", "--channels 1 --image-size 64 --seed 7"),
        ] {
            assert_eq!(command(toml), format!("{plain} {flags}"));
            let own = resolved(toml);
            assert_eq!(best(toml).budget, own.budget);
            assert_eq!((best(toml).val_fraction, best(toml).seed), (own.val_fraction, own.seed), "{toml}");
        }
    }
}
