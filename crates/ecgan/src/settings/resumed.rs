//! The settings that a stopped run goes on with: its own, but for what leaves its numbers as they are.

use super::Partial;
use crate::Error;
use toml::{Table, Value};

/// What may differ when a run goes on: where the data lies, what computes, and when the run ends or writes.
const FREE: [&str; 13] = [
    "data",
    "epochs",
    "max_steps",
    "patience",
    "max_time",
    "device",
    "simd",
    "no_graph",
    "threads",
    "checkpoint_every",
    "save_every",
    "tensorboard",
    "memory_limit",
];

/// Those that a variable may say: what to compute with. Any other is said once, when the run begins.
const OF_THE_MACHINE: [&str; 3] = ["simd", "no_graph", "threads"];

/// Those that the learning rates of a schedule depend on.
const LENGTH: [&str; 2] = ["epochs", "max_steps"];

impl Partial {
    /// The settings of a run begun with `self` and resumed with these `flags` and `variables`; a warning for each
    /// variable that is not heeded.
    ///
    /// # Errors
    /// [`Error::Setting`] for a flag that would change the numbers of the run.
    pub fn resumed(self, flags: Self, variables: &Self) -> Result<(Self, Vec<String>), Error> {
        if let Some(out) = flags.out.as_ref().filter(|out| self.out.as_ref() != Some(out)) {
            let expected = "nothing, as a resumed run stays in its folder".into();
            return Err(Error::Setting { name: "out", expected, got: out.display().to_string() });
        }
        // It need not be text.
        let without_out = |given: &Self| Self { out: None, ..given.clone() }.table();
        let (flags, variables) = (without_out(&flags), without_out(variables));
        let mut all = self.table();
        let spans = spans(&all);
        let mut warnings = Vec::new();
        for (key, value) in variables {
            if OF_THE_MACHINE.contains(&key.as_str()) {
                all.insert(key, value);
            } else if all.get(&key) != Some(&value) && !flags.contains_key(&key) {
                let (name, own) = (key.to_uppercase(), or_nothing(all.get(&key)));
                warnings.push(format!("ECGAN_{name}: not heeded; a resumed run keeps its {key}, {own}"));
            }
        }
        for (key, value) in flags {
            if all.get(&key) != Some(&value) {
                may_differ(&key, spans, all.get(&key), &value)?;
                all.insert(key, value);
            }
        }
        Ok((all.try_into().expect("values that were settings before"), warnings))
    }

    /// Checks that a run can go on by these settings from a checkpoint of `before`.
    ///
    /// # Errors
    /// As [`Partial::resumed`].
    pub fn continues(&self, before: &Self) -> Result<(), Error> {
        let (now, mut before) = (self.table(), before.table());
        let spans = spans(&before);
        for (key, value) in now {
            match before.remove(&key) {
                Some(was) if was == value => {}
                was => may_differ(&key, spans, was.as_ref(), &value)?,
            }
        }
        before.iter().try_for_each(|(key, was)| may_differ(key, spans, Some(was), &Value::String("nothing".into())))
    }
}

/// What in these settings depends on the run's length, where something does.
fn spans(all: &Table) -> Option<&'static str> {
    let above_zero = |key| all.get(key).and_then(Value::as_float).is_some_and(|part| part > 0.0);
    match all.get("schedule").and_then(Value::as_str) {
        Some("cosine") => Some("the cosine schedule's learning rates depend"),
        _ if above_zero("lambda_start") || above_zero("lambda_ramp") => Some("the ramp of lambda depends"),
        _ => None,
    }
}

fn may_differ(key: &str, spans: Option<&str>, was: Option<&Value>, now: &Value) -> Result<(), Error> {
    let name = Partial::KEYS.iter().find(|name| **name == key).expect("a field is a key");
    let why = match spans {
        Some(what) if LENGTH.contains(&key) => {
            format!("{}, as the run was begun with: {what} on the run's length", or_nothing(was))
        }
        _ if FREE.contains(&key) => return Ok(()),
        _ => format!("{}, as the run was begun with: another one needs a new run (--config)", or_nothing(was)),
    };
    Err(Error::Setting { name, expected: why, got: shown(now) })
}

fn or_nothing(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".into(), shown)
}

/// A value as a flag has it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(toml: &str) -> Partial {
        toml::from_str(toml).unwrap()
    }

    fn resumed(schedule: &str, flags: &str, variables: &str) -> Result<(Partial, Vec<String>), String> {
        let run = partial(&format!("seed = 1\nepochs = 5\nbatch = 8\nthreads = 2\nschedule = \"{schedule}\""));
        run.resumed(partial(flags), &partial(variables)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_leaves_the_numbers_as_they_are_may_differ() {
        let flags = "seed = 1\nepochs = 9\nthreads = 1\nmax_time = \"2h\"\ndata = \"moved\"\nsave_every = 2";
        let (settings, warnings) = resumed("constant", flags, "").unwrap();
        let expected = Partial { batch: Some(8), schedule: Some(super::super::Schedule::Constant), ..partial(flags) };
        assert_eq!((settings, warnings), (expected, vec![]));
        assert_eq!(
            resumed("constant", "batch = 9", "").unwrap_err(),
            "batch: expected 8, as the run was begun with: another one needs a new run (--config), got 9"
        );
        assert!(resumed("constant", "lr = 1", "").unwrap_err().starts_with("lr: expected nothing, as the run"));
        let message = resumed("constant", "out = \"x\"", "").unwrap_err();
        assert_eq!(message, "out: expected nothing, as a resumed run stays in its folder, got x");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let no_text = Partial { out: Some(std::ffi::OsString::from_vec(vec![0xff]).into()), ..Partial::default() };
            assert!(Partial::default().resumed(no_text.clone(), &partial("")).is_err());
            assert_eq!(Partial::default().resumed(partial(""), &no_text).unwrap().1, [""; 0], "it goes unheeded");
        }
        assert_eq!(
            resumed("cosine", "epochs = 9", "").unwrap_err(),
            "epochs: expected 5, as the run was begun with: the cosine schedule's learning rates depend on the run's \
             length, got 9"
        );
        assert!(resumed("cosine", "epochs = 5\npatience = 2", "").is_ok());
        let ramp = partial("epochs = 5\nschedule = \"constant\"\nlambda_ramp = 0.5");
        assert_eq!(
            ramp.resumed(partial("epochs = 9"), &partial("")).unwrap_err().to_string(),
            "epochs: expected 5, as the run was begun with: the ramp of lambda depends on the run's length, got 9"
        );
    }

    #[test]
    fn variables_speak_for_the_machine_only() {
        let (settings, warnings) =
            resumed("constant", "epochs = 7", "threads = 4\nsimd = \"portable\"\nbatch = 9\nepochs = 6\nseed = 1")
                .unwrap();
        assert_eq!((settings.threads, settings.batch, settings.epochs), (Some(4), Some(8), Some(7)));
        assert!(settings.simd.is_some());
        assert_eq!(warnings, ["ECGAN_BATCH: not heeded; a resumed run keeps its batch, 8"]);
    }

    #[test]
    fn a_checkpoint_of_other_settings_is_not_gone_on_from() {
        let run = partial("epochs = 5\nbatch = 8\nschedule = \"cosine\"");
        assert!(partial("epochs = 5\nbatch = 8\nschedule = \"cosine\"\nthreads = 4").continues(&run).is_ok());
        for other in ["batch = 9\nepochs = 5\nschedule = \"cosine\"", "epochs = 5\nschedule = \"cosine\"", "batch = 8"]
        {
            assert!(partial(other).continues(&run).is_err(), "{other}");
        }
    }
}
