//! How flags' values are read, and what is said of those that are none.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, Command};
use ecgan::settings::{COUNT, Choice, WHOLE_NUMBER};
use std::ffi::OsStr;
use std::ops::RangeInclusive;

/// One of a choice's names; help lists them.
pub fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    named(PossibleValuesParser::new(T::NAMES).try_map(|name| name.parse::<T>()))
}

/// A whole number of these.
pub fn within<T: TryFrom<i64> + Clone + Send + Sync + 'static>(
    range: RangeInclusive<i64>,
) -> impl TypedValueParser<Value = T> {
    named(move |text: &str| {
        let wrong = || format!("expected a whole number from {} to {}", range.start(), range.end());
        whole(text).filter(|n| range.contains(n)).and_then(|n: i64| n.try_into().ok()).ok_or_else(wrong)
    })
}

/// A whole number from 1 on. 0 passes too: the settings refuse it, as they say which numbers are allowed.
pub fn count() -> impl TypedValueParser<Value = usize> {
    named(|text: &str| whole(text).ok_or_else(|| format!("expected {COUNT}")))
}

/// A whole number; the settings say which of them are allowed.
pub fn integer<T: TryFrom<i64> + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T> {
    named(|text: &str| whole(text).ok_or_else(|| format!("expected {WHOLE_NUMBER}")))
}

/// A whole number as a settings file has it: TOML's integers have 63 bits and a sign.
fn whole<T: TryFrom<i64>>(text: &str) -> Option<T> {
    text.parse::<i64>().ok()?.try_into().ok()
}

/// A number; the settings say which of them are allowed.
pub fn number() -> impl TypedValueParser<Value = f64> {
    named(|text: &str| text.parse::<f64>().map_err(|_| "expected a number"))
}

/// The same parser, whose errors name the variable where the value is a variable's. Of itself clap names the flag.
pub fn named<P: TypedValueParser>(parser: P) -> impl TypedValueParser<Value = P::Value> {
    Named(parser)
}

#[derive(Clone)]
struct Named<P>(P);

impl<P: TypedValueParser> TypedValueParser for Named<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, clap::Error> {
        self.0.parse_ref(command, arg, value)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<P::Value, clap::Error> {
        let variable = arg.and_then(Arg::get_env).filter(|_| source == ValueSource::EnvVariable);
        self.0.parse_ref_(command, arg, value, source).map_err(|mut error| {
            if let Some(name) = variable {
                error.insert(ContextKind::InvalidArg, ContextValue::String(name.to_string_lossy().into_owned()));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}
