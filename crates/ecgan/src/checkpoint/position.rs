//! Where a run stands, as tensors under `state.*`: enough to go on from a checkpoint with the same bits.

use super::Checkpoint;
use super::write::{CLASS_AVERAGE, Stored};
use crate::Error;
use crate::methods::Thresholds;
use crate::networks::Networks;
use crate::train::Totals;
use nn::{StateDict, StateTensor};
use tensor::Tensor;

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Position {
    /// Finished epochs.
    pub epoch: u64,
    /// Finished iterations of the whole run.
    pub step: u64,
    /// The next word of the noise stream.
    pub noise: u64,
    /// What the iterations of the epoch under way found; nothing between two epochs.
    pub sums: Totals,
    /// The best epoch so far, where one was validated.
    pub best: Option<Best>,
}

/// The epoch whose weights are `best.safetensors`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Its accuracy on the validation part, in percent.
    pub val_accuracy: f64,
}

impl Position {
    pub(super) fn store(mut self, tensors: &mut Vec<Stored>) {
        let best = self.best.unwrap_or(Best { epoch: 0, val_accuracy: 0.0 });
        let counts = [("epoch", self.epoch), ("step", self.step), ("noise", self.noise), ("best.epoch", best.epoch)];
        tensors.extend(counts.map(|(name, count)| Stored::count(format!("state.{name}"), count)));
        tensors.push(Stored::numbers("state.best.val_accuracy".into(), Vec::new(), &[best.val_accuracy]));
        for (name, count) in self.sums.counts() {
            tensors.push(Stored::count(format!("state.sums.{name}"), *count));
        }
        for (name, sum) in self.sums.sums() {
            tensors.push(Stored::numbers(format!("state.sums.{name}"), Vec::new(), &[*sum]));
        }
        let kept: Vec<f64> = self.sums.kept_per_class.iter().map(|&kept| kept as f64).collect();
        tensors.push(Stored::numbers("state.sums.kept_per_class".into(), vec![kept.len()], &kept));
    }
}

impl Checkpoint {
    /// Where the run that wrote it stood.
    ///
    /// # Errors
    /// [`Error::BadFile`] where it does not say, as those of older versions.
    pub fn position(&self) -> Result<Position, Error> {
        let state = self.part("state")?;
        let count = |name: &str| match self.state(&state, name)? {
            StateTensor::Count(count) if *count >= 0 => Ok(*count as u64),
            _ => Err(self.bad(format!("`state.{name}`: expected a count of at least 0"))),
        };
        let numbers = |name: &str| match self.state(&state, name)? {
            StateTensor::Real(_, values) if values.iter().all(|v| v.is_finite()) => Ok(values.clone()),
            _ => Err(self.bad(format!("`state.{name}`: expected finite numbers"))),
        };
        let number = |name: &str| match numbers(name)?[..] {
            [number] => Ok(number),
            _ => Err(self.bad(format!("`state.{name}`: expected one number"))),
        };
        let mut sums = Totals::default();
        for (name, sum) in sums.counts() {
            *sum = count(&format!("sums.{name}"))?;
        }
        for (name, sum) in sums.sums() {
            *sum = number(&format!("sums.{name}"))?;
        }
        sums.kept_per_class = numbers("sums.kept_per_class")?.iter().map(|&kept| kept as u64).collect();
        if sums.kept_per_class.len() != self.meta.classes.len() {
            return Err(self.bad("`state.sums.kept_per_class`: expected a number a class".into()));
        }
        let best = Best { epoch: count("best.epoch")?, val_accuracy: number("best.val_accuracy")? };
        let best = (best.epoch > 0).then_some(best);
        Ok(Position { epoch: count("epoch")?, step: count("step")?, noise: count("noise")?, sums, best })
    }

    /// Gives `networks` the weights, running statistics, moments and counts of this checkpoint.
    ///
    /// # Errors
    /// [`Error::BadFile`] naming the tensor that does not fit.
    pub fn restore(&self, networks: &mut Networks) -> Result<(), Error> {
        let names: Vec<&str> = networks.averages().iter().map(|(name, _)| *name).collect();
        for name in &names {
            let average = networks.average_mut(name).expect("listed");
            average.load_state_dict(&self.part(name)?).map_err(|error| self.bad(format!("{name}: {error}")))?;
        }
        for (name, network, adam) in networks.named_mut() {
            let bad = |part: String| move |error| self.bad(format!("{part}: {error}"));
            let part = if names.contains(&name) { format!("optimizer.{name}.weights") } else { name.to_owned() };
            network.load_state_dict(&self.part(&part)?).map_err(bad(part))?;
            for (moment, flat) in [("m", &mut adam.m), ("v", &mut adam.v)] {
                let part = format!("optimizer.{name}.{moment}");
                flat.write(&network.from_state_dict(&self.part(&part)?).map_err(bad(part))?);
            }
            match self.tensor(&format!("optimizer.{name}.t"))? {
                Some(StateTensor::Count(t)) if t >= 0 => adam.set_t(t as u64),
                _ => return Err(self.bad(format!("`optimizer.{name}.t`: expected a count of at least 0"))),
            }
        }
        match networks.thresholds_mut().and_then(Thresholds::average_mut) {
            Some(average) => self.restore_class_average(average),
            None => Ok(()),
        }
    }

    fn restore_class_average(&self, average: &mut Tensor) -> Result<(), Error> {
        average.write(&self.class_average()?);
        Ok(())
    }

    /// The moving average behind thresholds by class, a number for each.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is none.
    pub fn class_average(&self) -> Result<Vec<f32>, Error> {
        let values: Vec<f32> = match self.tensor(CLASS_AVERAGE)? {
            Some(StateTensor::Real(_, values)) => values.iter().map(|&v| v as f32).collect(),
            _ => Vec::new(),
        };
        if values.len() != self.meta.classes.len() || !values.iter().all(|v| (0.0..=1.0).contains(v)) {
            return Err(self.bad(format!("`{CLASS_AVERAGE}`: expected a number from 0 to 1 for each class")));
        }
        Ok(values)
    }

    fn state<'a>(&self, state: &'a StateDict, name: &str) -> Result<&'a StateTensor, Error> {
        state.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor).ok_or_else(|| {
            self.bad(format!(
                "`state.{name}` is missing: it is a file of `ecgan export`, or of a version without --resume; expected a checkpoint \
                 to go on from (eval takes this one, and a new run begins with --config)"
            ))
        })
    }
}
