//! What lies below the flags, and how a preset takes the place of a file's.

use super::{Partial, Settings};
use crate::Error;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The sources below the flags: variables, and below these a file.
#[derive(Clone, Debug, Default)]
pub struct Lower {
    /// What the variables say.
    pub variables: Partial,
    /// What the file says.
    pub file: Partial,
    /// Where that lies.
    pub path: Option<PathBuf>,
}

impl Lower {
    /// The settings that come about with `given` above. An error about a value of the file names the file.
    ///
    /// # Errors
    /// As [`Settings::resolve`]; [`Error::ConfigValue`] where it is the file's value.
    pub fn resolve(&self, given: Partial) -> Result<Settings, Error> {
        Settings::resolve(self.under(given.clone())).map_err(|error| match &error {
            Error::Setting { name, .. } => match self.file_of(name, &given) {
                Some(path) => Error::ConfigValue { path: path.into(), problem: error.to_string() },
                None => error,
            },
            _ => error,
        })
    }

    /// The file, where it is what gives this setting, with `given` above.
    pub fn file_of(&self, key: &str, given: &Partial) -> Option<&Path> {
        let has = |source: &Partial| source.given().any(|known| known == key);
        self.path.as_deref().filter(|_| has(&self.file) && !has(&self.variables) && !has(given))
    }

    /// What is `given` above, completed by these. A preset above the file takes the place of the file's, with all that the file has from
    /// that: the file of a run gives every setting, whatever the run was begun with.
    pub fn under(&self, given: Partial) -> Partial {
        let above = given.over(self.variables.clone());
        let other = above.preset.is_some() && above.preset != self.file.preset;
        let file = self.file.clone();
        above.over(if other { file.without_preset() } else { file })
    }
}

/// A file alone.
impl From<Partial> for Lower {
    fn from(file: Partial) -> Self {
        Self { file, ..Self::default() }
    }
}

impl Partial {
    /// What these settings say that their preset, where they name one, does not say anyway. Of a pair that is for all networks and for the
    /// classifier alone, both stay where one does.
    fn without_preset(self) -> Self {
        let (preset, data, method) = (self.preset, self.data.clone(), self.method);
        let of_preset = |method| Settings::complete(Self { preset, data: data.clone(), method, ..Self::default() });
        let (Some(_), Ok(taken), Ok(default)) = (preset, of_preset(method), of_preset(None)) else { return self };
        // No preset has a folder, which need not be text.
        let (out, mut given) = (self.out.clone(), Self { out: None, preset: None, ..self }.table());
        let taken = Self { method: Some(default.method), data: None, ..taken.to_partial() }.table();
        let mut stays: BTreeSet<String> =
            given.iter().filter(|(key, value)| taken.get(*key) != Some(*value)).map(|(key, _)| key.clone()).collect();
        for (general, own) in Self::PAIRS {
            if stays.contains(general) || stays.contains(own) {
                stays.extend([general, own].map(String::from));
            }
        }
        given.retain(|key, _| stays.contains(key));
        Self { out, ..given.try_into().expect("they were settings") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Method, Preset};

    /// A preset hides what a run's file has from another one, and nothing that the file has of its own, nor what variables say.
    #[test]
    fn a_preset_takes_the_place_of_a_files_own() {
        let preset = |preset| Partial { preset: Some(preset), ..Partial::default() };
        let (best, quick) = (preset(Preset::Best), preset(Preset::Quick));
        let of = |given: Partial| Settings { simd: kernels::Simd::Portable, ..Settings::complete(given).unwrap() };
        let run = Partial { data: Some("pets".into()), seed: Some(3), width: Some(7), ..Partial::default() };
        let under = |file: &Partial, above: &Partial| Lower::from(file.clone()).under(above.clone());
        for method in [None, Some(Method::Classifier), Some(Method::SharedDc)] {
            let run = Partial { method, ..run.clone() };
            let file = Settings::complete(run.clone()).unwrap().used();
            assert_eq!(of(under(&file, &best)), of(best.clone().over(run)), "{method:?}");
            assert_eq!(of(under(&file, &quick)), of(file), "the same preset changes nothing");
        }
        let own = Partial { epochs: Some(3), lr_c: Some(0.5), ..Partial::default() };
        assert_eq!(under(&own, &best), Partial { preset: Some(Preset::Best), ..own }, "it names no preset");
        let rates = Partial { lr: Some(0.0005), lr_c: Some(0.002), ..quick.clone() };
        let kept = under(&rates, &best);
        assert_eq!((kept.lr, kept.lr_c), (rates.lr, rates.lr_c), "a pair stays together");
        let variables = Partial { method: Some(Method::EcGan), epochs: Some(12), ..Partial::default() };
        let lower = Lower { variables: variables.clone(), file: quick, path: None };
        assert_eq!(lower.under(best), Partial { preset: Some(Preset::Best), ..variables });
    }

    #[test]
    fn a_value_out_of_range_names_the_file_where_it_is_the_files() {
        let width = |width| Partial { width: Some(width), ..Partial::default() };
        let lower = Lower { file: width(99_999), path: Some("my.toml".into()), ..Lower::default() };
        let message = |lower: &Lower, given| lower.resolve(given).unwrap_err().to_string();
        let wrong = "width: expected a whole number from 1 to 1024, got ";
        assert_eq!(message(&lower, Partial::default()), format!("my.toml: {wrong}99999"));
        assert_eq!(lower.resolve(Partial::default()).unwrap_err().kind(), crate::ErrorKind::Usage);
        assert_eq!(message(&lower, width(0)), format!("{wrong}0"));
        assert_eq!(message(&Lower { variables: width(0), ..lower.clone() }, Partial::default()), format!("{wrong}0"));
        assert_eq!(lower.resolve(width(2)).unwrap().width, 2);
        let both = Partial { lambda: Some(-1.0), ..width(3) };
        assert!(message(&lower, both).starts_with("lambda: "), "the file has no such value");
    }
}
