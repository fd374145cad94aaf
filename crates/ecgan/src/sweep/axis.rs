//! What a sweep varies: `--grid lambda=0,0.1` takes each value in turn, `--arm NAME:key=value,..` names a combination.

use crate::Error;
use crate::settings::{Partial, nearest};
use std::collections::BTreeSet;

/// What the axis made of all `--arm`s is called.
pub const ARM: &str = "arm";

/// One thing that a sweep varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its name: a setting's key, or [`ARM`].
    pub name: String,
    /// What it takes in turn.
    pub values: Vec<Value>,
}

/// One of an axis' values.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// As it stands in tables.
    pub label: String,
    /// The settings it means.
    pub given: Partial,
}

impl Axis {
    /// From `key=value,value..`, as in a settings file but for quotes.
    ///
    /// # Errors
    /// [`Error::Setting`] where a key or a value is none.
    pub fn grid(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Setting { name: "grid", expected: "key=value,value..".into(), got: text.into() };
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values = values
            .split(',')
            .map(|value| Ok(Value { label: value.trim().into(), given: setting("grid", key.trim(), value.trim())? }));
        let values: Vec<Value> = values.collect::<Result<_, Error>>()?;
        if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].iter().any(|w| w.given == v.given)) {
            let got = format!("{}={} twice", key.trim(), twice.1.label);
            return Err(Error::Setting { name: "grid", expected: "each value once".into(), got });
        }
        Ok(Self { name: key.trim().replace('-', "_"), values })
    }

    /// From `NAME:key=value,key=value..`, each an arm.
    ///
    /// # Errors
    /// [`Error::Setting`] where a key or a value is none, or two arms have one name.
    pub fn arms<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<Self, Error> {
        let values: Vec<Value> = texts.into_iter().map(|text| arm(text)).collect::<Result<_, Error>>()?;
        if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].iter().any(|w| w.label == v.label)) {
            let got = format!("`{}` twice", twice.1.label);
            return Err(Error::Setting { name: ARM, expected: "a name of its own for each".into(), got });
        }
        Ok(Self { name: ARM.into(), values })
    }

    /// The settings that it varies.
    pub(super) fn keys(&self) -> BTreeSet<&'static str> {
        self.values.iter().flat_map(|value| value.given.given()).collect()
    }
}

fn arm(text: &str) -> Result<Value, Error> {
    let expected = || "NAME:key=value,key=value..".to_owned();
    let wrong = || Error::Setting { name: ARM, expected: expected(), got: text.into() };
    let (label, settings) = text.split_once(':').ok_or_else(wrong)?;
    if label.trim().is_empty() {
        return Err(wrong());
    }
    let mut given = Partial::default();
    for one in settings.split(',').filter(|one| !one.trim().is_empty()) {
        let (key, value) = one.split_once('=').ok_or_else(wrong)?;
        let one = setting(ARM, key.trim(), value.trim())?;
        if let Some(twice) = one.given().find(|key| given.given().any(|known| known == *key)) {
            let got = format!("{twice} twice");
            return Err(Error::Setting { name: ARM, expected: "each setting once".into(), got });
        }
        given = given.or(one);
    }
    Ok(Value { label: label.trim().into(), given })
}

/// One setting, its value written as in a settings file or, words, without quotes.
fn setting(name: &'static str, key: &str, value: &str) -> Result<Partial, Error> {
    let key = key.replace('-', "_");
    if let Some(flags) = [("out", "--out"), ("seed", "--seed and --seeds")].iter().find(|(of_all, _)| *of_all == key) {
        let expected = format!("a setting that runs may differ in; of the sweep it is given by {}", flags.1);
        return Err(Error::Setting { name, expected, got: key });
    }
    if !Partial::KEYS.contains(&key.as_str()) {
        let near = nearest(&key, Partial::KEYS).map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        let expected = "any setting except out and seed, see `ecgan train --help`".into();
        return Err(Error::Setting { name, expected, got: format!("{key}{near}") });
    }
    let quoted = toml::Value::String(value.into());
    let expected = || Partial::expected(&key).expect("it is one of the keys").words;
    let read = |value: &str| toml::from_str::<Partial>(&format!("{key} = {value}")).ok();
    // A value of two lines could be two settings.
    read(value).filter(|_| !value.contains('\n')).or_else(|| read(&quoted.to_string())).ok_or_else(|| Error::Setting {
        name,
        expected: expected(),
        got: format!("{key}={value}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{FakeStatistics, Method};

    #[test]
    fn a_grid_takes_words_and_numbers() {
        let axis = Axis::grid("fake-statistics=shared, frozen").unwrap();
        assert_eq!(axis.name, "fake_statistics");
        assert_eq!(axis.values[1].given.fake_statistics, Some(FakeStatistics::Frozen));
        assert_eq!(Axis::grid("lambda=0,0.1").unwrap().values[1].given.lambda, Some(0.1));
        assert_eq!(Axis::grid("data=a b").unwrap().values[0].given.data.as_deref(), Some("a b"));
    }

    #[test]
    fn arms_name_combinations() {
        let arms = ["bare: method=classifier".to_owned(), "gan:method=ec-gan,lambda=0.2".to_owned()];
        let axis = Axis::arms(&arms).unwrap();
        assert_eq!((axis.values[0].label.as_str(), axis.values[0].given.method), ("bare", Some(Method::Classifier)));
        assert_eq!(axis.values[1].given.lambda, Some(0.2));
        assert_eq!(Axis::arms(&["plain:".to_owned()]).unwrap().values[0].given, Partial::default());
        for nameless in [":", " :lambda=0.2"] {
            let error = Axis::arms(&[nameless.to_owned()]).unwrap_err();
            assert_eq!(error.to_string(), format!("arm: expected NAME:key=value,key=value.., got {nameless}"));
        }
    }

    #[test]
    fn what_is_no_setting_is_named() {
        for (text, message) in [
            ("lambda", "grid: expected key=value,value.., got lambda"),
            (
                "lamda=1",
                "grid: expected any setting except out and seed, see `ecgan train --help`, got lamda (did you mean lambda?)",
            ),
            (
                "seed=1,2",
                "grid: expected a setting that runs may differ in; of the sweep it is given by --seed and --seeds, got seed",
            ),
            (
                "method=gan",
                "grid: expected one of ec-gan, classifier, shared-dc, shared-resnet, conditional, got method=gan",
            ),
            ("lr=0.1\nseed=2", "grid: expected a number, got lr=0.1\nseed=2"),
            ("lr=0.1,0.10", "grid: expected each value once, got lr=0.10 twice"),
            ("lr=0.1,abc", "grid: expected a number, got lr=abc"),
            ("epochs=many", "grid: expected a whole number from 0 to 9223372036854775807, got epochs=many"),
        ] {
            assert_eq!(Axis::grid(text).unwrap_err().to_string(), message);
        }
        let twice = ["a:lambda=1".to_owned(), "a:lambda=2".to_owned()];
        assert_eq!(
            Axis::arms(&twice).unwrap_err().to_string(),
            "arm: expected a name of its own for each, got `a` twice"
        );
        let twice = ["a:lr=1,lr_c=1,lr=2".to_owned()];
        assert_eq!(Axis::arms(&twice).unwrap_err().to_string(), "arm: expected each setting once, got lr twice");
    }
}
