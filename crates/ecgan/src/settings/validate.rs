//! The range of each setting.

use super::{
    Budget, ClassThreshold, ClassifierUpdate, DiffAugment, FakeLabels, FakeStatistics, FakesFrom, Method, NormD,
    Settings,
};
use crate::Error;
use std::fmt::Display;

/// TOML's integers end here, and a setting must survive `config.toml`.
const LARGEST: u64 = i64::MAX as u64;

impl Settings {
    pub(crate) fn validate(&self) -> Result<(), Error> {
        self.validate_data()?;
        self.validate_run()?;
        self.validate_method()
    }

    fn validate_data(&self) -> Result<(), Error> {
        check("data", !self.data.is_empty(), "a folder or `synthetic`", "nothing")?;
        match self.budget {
            Budget::All => {}
            Budget::Samples(n) => at_least_one("samples", n)?,
            Budget::Fraction(part) => {
                check("fraction", part > 0.0 && part <= 1.0, "a number above 0 and at most 1", part)?;
            }
            Budget::PerClass(n) => at_least_one("per_class", n)?,
        }
        let limit = self.memory_limit.unwrap_or(0) as u64;
        check("memory_limit", limit <= LARGEST, format!("a whole number from 0 to {LARGEST}"), limit)?;
        let val = self.val_fraction;
        check("val_fraction", (0.0..1.0).contains(&val), "a number >= 0 and below 1", val)?;
        check("channels", [1, 3].contains(&self.channels), "1 or 3", self.channels)?;
        check("image_size", [32, 64].contains(&self.image_size), "32 or 64", self.image_size)
    }

    fn validate_run(&self) -> Result<(), Error> {
        check("width", (1..=1024).contains(&self.width), "a whole number from 1 to 1024", self.width)?;
        at_least_one("epochs", self.epochs)?;
        let counts = [
            ("max_steps", self.max_steps),
            ("patience", self.patience),
            ("checkpoint_every", self.checkpoint_every),
            ("save_every", self.save_every),
        ];
        counts.into_iter().try_for_each(|(name, n)| n.map_or(Ok(()), |n| at_least_one(name, n)))?;
        let validates = self.patience.is_none() || self.val_fraction > 0.0;
        let expected = "a part that validates, above 0, for patience to go by";
        check("val_fraction", validates, expected, self.val_fraction)?;
        check("batch", (1..=65536).contains(&self.batch), "a whole number from 1 to 65536", self.batch)?;
        check("seed", self.seed <= LARGEST, format!("a whole number from 0 to {LARGEST}"), self.seed)?;
        self.threads.map_or(Ok(()), |n| check("threads", (1..=4096).contains(&n), "a whole number from 1 to 4096", n))
    }

    fn validate_method(&self) -> Result<(), Error> {
        at_least_zero("lambda", self.lambda)?;
        check("threshold", (0.0..=1.0).contains(&self.threshold), "a number from 0 to 1", self.threshold)?;
        for (name, lr) in [("lr", self.lr), ("lr_c", self.lr_c)] {
            check(name, lr.is_finite() && lr > 0.0, "a number > 0", lr)?;
            not_too_large(name, lr)?;
        }
        let part = "a number >= 0 and below 1";
        let decays = [("ema_g", self.ema_g), ("ema_c", self.ema_c), ("label_smoothing", self.label_smoothing)];
        decays.into_iter().try_for_each(|(name, v)| check(name, (0.0..1.0).contains(&v), part, v))?;
        for (name, part) in [("lambda_start", self.lambda_start), ("lambda_ramp", self.lambda_ramp)] {
            check(name, (0.0..=1.0).contains(&part), "a part of the run, from 0 to 1", part)?;
        }
        let averaged = self.fakes_from == FakesFrom::Generator || self.ema_g > 0.0 || !self.method.learns_from_fakes();
        check("fakes_from", averaged, "generator, as there is no average without ema_g", self.fakes_from)?;
        let seen = self.diff_augment == DiffAugment::None || !self.method.is_shared();
        let expected = format!("none with method {}, whose trunk sees an image once for both heads", self.method);
        check("diff_augment", seen, expected, self.diff_augment)?;
        let trunk = format!("batch with method {}, whose discriminator is the classifier's layers", self.method);
        check("norm_d", self.norm_d == NormD::Batch || !self.method.is_shared(), trunk, self.norm_d)?;
        at_least_zero("weight_decay", self.weight_decay)?;
        at_least_zero("weight_decay_c", self.weight_decay_c)
    }

    /// What is allowed but hardly meant, once the number of classes is known.
    pub fn warnings(&self, classes: usize) -> Vec<String> {
        let Self { method, threshold, lambda_start, lambda_ramp, .. } = *self;
        let mut warnings = Vec::new();
        if self.lambda == 0.0 || method == Method::Classifier {
            return warnings;
        }
        if method.learns_from_fakes() {
            // The largest of `classes` probabilities is at least 1 / classes.
            if self.fake_labels != FakeLabels::Known && threshold * classes as f64 <= 1.0 {
                warnings.push(format!(
                    "threshold: {threshold} filters nothing with {classes} classes: the largest softmax is never below 1/{classes}"
                ));
            }
            if threshold >= 1.0 && self.class_threshold == ClassThreshold::Same {
                warnings.push(format!("threshold: {threshold} keeps nothing: no softmax is above 1"));
            }
        }
        if lambda_start >= 1.0 {
            warnings.push("lambda_start: 1 is the whole run, in which lambda stays 0".into());
        } else if lambda_start + lambda_ramp > 1.0 {
            let most = (1.0 - lambda_start) / lambda_ramp * self.lambda;
            warnings.push(format!("lambda_ramp: the run ends within the ramp, at a lambda of {most:.3}"));
        }
        if lambda_ramp > 0.0 && self.fake_statistics == FakeStatistics::Shared {
            let frozen = "frozen keeps them out";
            warnings.push(format!(
                "lambda_ramp: fakes enter the running statistics of batch norm in full from its beginning (fake_statistics: {frozen})"
            ));
        }
        if lambda_ramp > 0.0 && method.learns_from_fakes() && self.classifier_update() == ClassifierUpdate::TwoSteps {
            warnings.push(format!(
                "lambda_ramp: preset {} takes a step of Adam for the fakes, which is about as long whatever lambda is",
                self.preset
            ));
        }
        warnings
    }
}

fn check(name: &'static str, ok: bool, expected: impl Display, got: impl Display) -> Result<(), Error> {
    if ok { Ok(()) } else { Err(Error::Setting { name, expected: expected.to_string(), got: got.to_string() }) }
}

fn at_least_one(name: &'static str, n: usize) -> Result<(), Error> {
    check(name, n >= 1, "a whole number >= 1", n)?;
    check(name, n as u64 <= LARGEST, format!("at most {LARGEST}"), n)
}

fn at_least_zero(name: &'static str, value: f64) -> Result<(), Error> {
    check(name, value.is_finite() && value >= 0.0, "a number >= 0", value)?;
    not_too_large(name, value)
}

/// Networks have f32: a number beyond would be infinite there, as if training had diverged.
fn not_too_large(name: &'static str, value: f64) -> Result<(), Error> {
    check(name, (value as f32).is_finite(), "a number up to 3.4e38, as f32 has it", value)
}
