//! The words that settings are chosen from.

use super::choice::choice;

choice! {
    /// What is trained.
    Method {
        /// Generator, discriminator and external classifier: `CE(C(x), y) + lambda CE(C(G(z)), argmax C(G(z)))`.
        EcGan = "ec-gan",
        /// The external classifier alone, on the real images.
        Classifier = "classifier",
        /// The paper's shared architecture: the discriminator's layers with two heads, real or generated and the classes.
        SharedDc = "shared-dc",
        /// The same with ResNet-18's layers.
        SharedResnet = "shared-resnet",
        /// EC-GAN with the class given to generator and discriminator.
        Conditional = "conditional",
    }
}

choice! {
    /// A named set of values for every setting that is not given.
    Preset {
        /// Small enough for a laptop's processor: minutes.
        Quick = "quick",
        /// Chosen on validation images of three small sets (benchmarks/recipe.md).
        Best = "best",
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
    /// Which training images an epoch shows.
    Sampling {
        /// Each once.
        Natural = "natural",
        /// As many in all, of each class equally many: of a small one several times each, of a large one a part.
        Balanced = "balanced",
    }
}

choice! {
    /// How real training images are changed each time they are seen.
    Augment {
        /// Not at all.
        None = "none",
        /// Random crop after padding by 4, rotation of up to 10 degrees.
        Paper = "paper",
        /// The same, and one image in two has left and right exchanged.
        Flip = "flip",
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
    /// A classifier's architecture.
    Architecture {
        /// ResNet-18, the paper's.
        ResNet18 = "resnet18",
        /// The discriminator's layers, with an output a class.
        Dcgan = "dcgan",
    }
}

choice! {
    /// How generator and discriminator are told the class.
    ClassCode {
        /// As one number, from -1 for the first class to 1 for the last: the paper's, for its two classes.
        Scalar = "scalar",
        /// As one number a class, 1 for it and 0 for the others.
        OneHot = "one-hot",
    }
}

choice! {
    /// What the classifier learns about a generated image that it is confident about.
    FakeLabels {
        /// Its own most probable class.
        Pseudo = "pseudo",
        /// The class that a conditional generator made it for.
        Known = "known",
        /// Its own probabilities, sharpened: softmax(logits / 0.5).
        Soft = "soft",
    }
}

choice! {
    /// Whether the confidence above which a generated image counts is the same for every class.
    ClassThreshold {
        /// The same.
        Same = "same",
        /// Lower for classes that the classifier sees less of among generated images: times p_c / max p, where p is a moving
        /// average of the classes' mean probabilities.
        Balanced = "balanced",
    }
}

choice! {
    /// What keeps the discriminator's activations in bounds.
    NormD {
        /// Batch norm.
        Batch = "batch",
        /// Spectral norm of its weights, and no batch norm.
        Spectral = "spectral",
    }
}

choice! {
    /// Which generator's images the classifier learns from.
    FakesFrom {
        /// The one that trains.
        Generator = "generator",
        /// Its moving average.
        Average = "average",
    }
}

choice! {
    /// What the discriminator's images go through, real and generated ones alike, with gradients (Zhao et al. 2020).
    DiffAugment {
        /// Nothing.
        None = "none",
        /// A shift by up to an eighth.
        Translation = "translation",
        /// A square of zeros, half the image wide.
        Cutout = "cutout",
        /// Brightness, saturation, contrast.
        Colour = "colour",
        /// The first two.
        Geometry = "translation+cutout",
        /// All three.
        All = "all",
    }
}

choice! {
    /// The losses of generator and discriminator.
    GanLoss {
        /// Binary cross-entropy; the generator's is the non-saturating one.
        Bce = "bce",
        /// max(0, 1 - D(x)) + max(0, 1 + D(G(z))), and -D(G(z)).
        Hinge = "hinge",
    }
}

choice! {
    /// What the losses of the kept generated images are divided by.
    FakeMean {
        /// Their number.
        Kept = "kept",
        /// The number of generated images in the batch, as FixMatch does.
        All = "all",
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
        /// Every image of the data, whatever part: of a set that nothing was trained on.
        All = "all",
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

impl From<FakeMean> for tensor::ops::Reduction {
    fn from(mean: FakeMean) -> Self {
        match mean {
            FakeMean::Kept => Self::Kept,
            FakeMean::All => Self::All,
        }
    }
}

impl DiffAugment {
    /// The parts, where there are any.
    pub fn policy(self) -> Option<tensor::ops::Policy> {
        let [translation, cutout, colour] = match self {
            Self::None => return None,
            Self::Translation => [true, false, false],
            Self::Cutout => [false, true, false],
            Self::Colour => [false, false, true],
            Self::Geometry => [true, true, false],
            Self::All => [true; 3],
        };
        Some(tensor::ops::Policy { colour, translation, cutout })
    }
}

impl Method {
    /// Whether classifier and discriminator share their trunk.
    pub fn is_shared(self) -> bool {
        matches!(self, Method::SharedDc | Method::SharedResnet)
    }

    /// Whether a generator and a discriminator train beside the classifier.
    pub fn has_gan(self) -> bool {
        self != Method::Classifier
    }

    /// Whether the classifier learns from generated images.
    pub fn learns_from_fakes(self) -> bool {
        matches!(self, Method::EcGan | Method::Conditional)
    }

    /// The keys of settings that change nothing in a run of this method.
    pub fn unused(self) -> Vec<&'static str> {
        let groups: [(bool, &[&str]); 3] = [
            (
                self.has_gan(),
                &[
                    "lambda",
                    "lambda_start",
                    "lambda_ramp",
                    "fake_statistics",
                    "gan_loss",
                    "norm_d",
                    "diff_augment",
                    "ema_g",
                ],
            ),
            (self.learns_from_fakes(), &["threshold", "class_threshold", "fake_labels", "fake_mean", "fakes_from"]),
            (self == Method::Conditional, &["class_code"]),
        ];
        groups.iter().filter(|(used, _)| !used).flat_map(|(_, keys)| keys.iter().copied()).collect()
    }
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
