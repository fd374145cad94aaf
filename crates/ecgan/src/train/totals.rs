//! The sums over an epoch's iterations that its metrics are made of.

use crate::Error;
use crate::metrics::EpochMetrics;
use crate::networks::Step;

/// Sums over iterations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    steps: u64,
    images: u64,
    gan_steps: u64,
    fake_steps: u64,
    loss_d_real: f64,
    loss_d_fake: f64,
    loss_g: f64,
    loss_c_real: f64,
    loss_c_fake: f64,
    correct: u64,
    fakes: u64,
    pub(crate) kept_per_class: Vec<u64>,
    confidence: f64,
}

impl Totals {
    /// Nothing yet.
    pub fn new(classes: usize) -> Self {
        Self { kept_per_class: vec![0; classes], ..Self::default() }
    }

    /// Iterations added.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The counts, but for those of each class, by name.
    pub(crate) fn counts(&mut self) -> [(&'static str, &mut u64); 6] {
        let Self { steps, images, gan_steps, fake_steps, correct, fakes, .. } = self;
        [
            ("steps", steps),
            ("images", images),
            ("gan_steps", gan_steps),
            ("fake_steps", fake_steps),
            ("correct", correct),
            ("fakes", fakes),
        ]
    }

    /// The sums by name.
    pub(crate) fn sums(&mut self) -> [(&'static str, &mut f64); 6] {
        let Self { loss_d_real, loss_d_fake, loss_g, loss_c_real, loss_c_fake, confidence, .. } = self;
        [
            ("loss_d_real", loss_d_real),
            ("loss_d_fake", loss_d_fake),
            ("loss_g", loss_g),
            ("loss_c_real", loss_c_real),
            ("loss_c_fake", loss_c_fake),
            ("confidence", confidence),
        ]
    }

    /// Adds iteration number `number` of the run; an error if one of its losses is not finite.
    pub fn add(&mut self, step: &Step, batch: usize, number: u64) -> Result<(), Error> {
        self.steps += 1;
        self.images += batch as u64;
        self.correct += step.real.correct as u64;
        sum(&mut self.loss_c_real, step.real.loss, "loss_c_real", number)?;
        if let Some(gan) = &step.gan {
            self.gan_steps += 1;
            sum(&mut self.loss_d_real, gan.loss_d_real, "loss_d_real", number)?;
            sum(&mut self.loss_d_fake, gan.loss_d_fake, "loss_d_fake", number)?;
            sum(&mut self.loss_g, gan.loss_g, "loss_g", number)?;
        }
        if let Some(fake) = &step.fake {
            self.fake_steps += 1;
            self.fakes += batch as u64;
            sum(&mut self.loss_c_fake, fake.loss, "loss_c_fake", number)?;
            self.confidence += fake.confidence_sum;
            self.kept_per_class.iter_mut().zip(&fake.kept_per_class).for_each(|(sum, kept)| *sum += kept);
        }
        Ok(())
    }

    /// Whether iterations of `batch` images can have given these counts.
    pub(crate) fn can_be(&self, batch: u64) -> bool {
        let Self { steps, images, gan_steps, fake_steps, correct, fakes, .. } = *self;
        let kept = self.kept_per_class.iter().try_fold(0u64, |sum, &kept| sum.checked_add(kept));
        steps.checked_mul(batch) == Some(images)
            && fake_steps.checked_mul(batch) == Some(fakes)
            && gan_steps <= steps
            && fake_steps <= steps
            && correct <= images
            && kept.is_some_and(|kept| kept <= fakes)
    }

    /// Real images seen.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Means; what the method has no part of is `None`.
    pub fn metrics(&self) -> EpochMetrics {
        let mean = |sum: f64, n: u64| (n > 0).then(|| sum / n as f64);
        let kept: u64 = self.kept_per_class.iter().sum();
        EpochMetrics {
            loss_d_real: mean(self.loss_d_real, self.gan_steps),
            loss_d_fake: mean(self.loss_d_fake, self.gan_steps),
            loss_g: mean(self.loss_g, self.gan_steps),
            loss_c_real: mean(self.loss_c_real, self.steps),
            loss_c_fake: mean(self.loss_c_fake, self.fake_steps),
            kept_fraction: mean(kept as f64, self.fakes),
            kept_per_class: (self.fake_steps > 0).then(|| self.kept_per_class.clone()),
            mean_confidence: mean(self.confidence, self.fakes),
            train_accuracy: mean(100.0 * self.correct as f64, self.images),
            ..EpochMetrics::default()
        }
    }
}

fn sum(total: &mut f64, value: f64, name: &str, step: u64) -> Result<(), Error> {
    if !value.is_finite() {
        return Err(Error::Diverged { step, what: name.to_owned() });
    }
    *total += value;
    Ok(())
}
