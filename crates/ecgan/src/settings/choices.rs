//! The words that settings are chosen from.

use super::choice::choice;

choice! {
    /// What is trained.
    Method {
        /// Generator, discriminator and external classifier: `CE(C(x), y) + lambda CE(C(G(z)), argmax C(G(z)))`.
        EcGan = "ec-gan",
        /// The external classifier alone, on the real images.
        Classifier = "classifier",
    }
}

choice! {
    /// A named set of values for every setting that is not given.
    Preset {
        /// Small enough for a laptop's processor: minutes.
        Quick = "quick",
        /// The paper's text: one summed classifier step, threshold 0.7, augmentation in both arms.
        Paper = "paper",
        /// The paper's notebook: two classifier steps, threshold 0.2.
        Notebook = "notebook",
    }
}

choice! {
    /// Which images make up a budget.
    Subset {
        /// Drawn by the seed.
        Seed = "seed",
        /// The first of each class, in file order.
        First = "first",
    }
}

choice! {
    /// How real training images are changed each time they are seen.
    Augment {
        /// Not at all.
        None = "none",
        /// Random crop after padding by 4, rotation of up to 10 degrees.
        Paper = "paper",
    }
}

choice! {
    /// What batch norm in the classifier does with a batch of fakes.
    FakeStatistics {
        /// Normalised by its own statistics, which enter the running ones.
        Shared = "shared",
        /// Normalised by its own statistics, which stay out of the running ones.
        Frozen = "frozen",
        /// Normalised by the running statistics.
        Running = "running",
    }
}

choice! {
    /// How the learning rates change over the run.
    Schedule {
        /// Not at all.
        Constant = "constant",
        /// Down to 0 along half a cosine: step k of n has the factor `(1 + cos(pi k / n)) / 2`.
        Cosine = "cosine",
    }
}

choice! {
    /// What convolutions and matrix products multiply on a GPU. Storage, sums and everything else are f32.
    Precision {
        /// f32, the only one on the CPU.
        F32 = "f32",
        /// f32 rounded to 11 bits of significand, on tensor cores.
        Tf32 = "tf32",
        /// f32 rounded to 8 bits of significand, on tensor cores.
        Bf16 = "bf16",
    }
}

choice! {
    /// A part of a data set.
    SplitName {
        /// The images kept for the final figure.
        Test = "test",
        /// The images trained on.
        Train = "train",
        /// The part of the budget that chooses the best checkpoint.
        Val = "val",
    }
}

choice! {
    /// One of the networks of a checkpoint.
    NetworkName {
        /// Noise to images.
        Generator = "generator",
        /// Images to real or generated.
        Discriminator = "discriminator",
        /// Images to classes.
        Classifier = "classifier",
    }
}

/// How the classifier learns from reals and fakes in one iteration; decided by the preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassifierUpdate {
    /// One Adam step on the summed loss.
    Summed,
    /// Two Adam steps: on the reals, then on lambda times the fakes' loss.
    TwoSteps,
}

impl From<Precision> for kernels::cuda::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Tf32 => Self::Tf32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

impl Schedule {
    /// What iteration `step` (from 0) of `steps` multiplies the learning rates by.
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => (1.0 + (std::f64::consts::PI * (step as f64 / steps as f64)).cos()) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_one_through_a_half_to_nearly_nothing() {
        let cosine = |step| Schedule::Cosine.factor(step, 1000);
        assert_eq!(cosine(0), 1.0);
        for (step, factor) in [(250, 0.853_553_390_593_273_8), (500, 0.5), (999, 2.467_399e-6)] {
            assert!((cosine(step) - factor).abs() < 1e-10, "step {step}: {}", cosine(step));
        }
        assert_eq!(Schedule::Constant.factor(999, 1000), 1.0);
    }
}
