//! What each preset says; every setting without a natural "unset" has a value here.

use super::{
    Augment, ClassCode, ClassThreshold, ClassifierUpdate, DeviceChoice, DiffAugment, FakeMean, FakeStatistics,
    FakesFrom, GanLoss, Method, NormD, Partial, Precision, Preset, Sampling, Schedule, Subset,
};

/// The name of the built-in data set.
pub const SYNTHETIC: &str = "synthetic";

impl Preset {
    /// The preset's settings. Its budget is for the built-in data only: a user's own folder is used whole.
    pub fn values(self) -> Partial {
        match self {
            Preset::Paper => paper(),
            Preset::Notebook => Partial { preset: Some(self), threshold: Some(0.2), ..paper() },
            Preset::Quick => quick(),
            Preset::Best => best(),
        }
    }

    /// How the classifier learns from reals and fakes.
    pub fn classifier_update(self) -> ClassifierUpdate {
        match self {
            Preset::Notebook => ClassifierUpdate::TwoSteps,
            Preset::Paper | Preset::Quick | Preset::Best => ClassifierUpdate::Summed,
        }
    }
}

/// Haque 2020 (arXiv 2012.15864); batch and epochs, which the text leaves open, from its notebook.
fn paper() -> Partial {
    Partial {
        data: Some(SYNTHETIC.into()),
        method: Some(Method::EcGan),
        preset: Some(Preset::Paper),
        subset: Some(Subset::Seed),
        val_fraction: Some(0.1),
        sampling: Some(Sampling::Natural),
        augment: Some(Augment::Paper),
        channels: Some(3),
        image_size: Some(32),
        width: Some(16),
        epochs: Some(100),
        batch: Some(64),
        seed: Some(0),
        lambda: Some(0.1),
        threshold: Some(0.7),
        fake_statistics: Some(FakeStatistics::Shared),
        class_threshold: Some(ClassThreshold::Same),
        fake_mean: Some(FakeMean::Kept),
        class_code: Some(ClassCode::Scalar),
        gan_loss: Some(GanLoss::Bce),
        norm_d: Some(NormD::Batch),
        diff_augment: Some(DiffAugment::None),
        ema_g: Some(0.0),
        ema_c: Some(0.0),
        fakes_from: Some(FakesFrom::Generator),
        lambda_start: Some(0.0),
        lambda_ramp: Some(0.0),
        label_smoothing: Some(0.0),
        lr: Some(2e-4),
        schedule: Some(Schedule::Constant),
        weight_decay: Some(1e-3),
        device: Some(DeviceChoice::Auto),
        precision: Some(Precision::F32),
        no_graph: Some(false),
        tensorboard: Some(false),
        ..Partial::default()
    }
}

/// A run of minutes on two cores: few images and epochs, hence a larger step, and fakes kept out of the
/// running statistics, where they do most harm on small sets.
fn quick() -> Partial {
    Partial {
        preset: Some(Preset::Quick),
        samples: Some(2000),
        epochs: Some(12),
        batch: Some(32),
        fake_statistics: Some(FakeStatistics::Frozen),
        lr: Some(1e-3),
        lr_c: Some(2e-3),
        schedule: Some(Schedule::Cosine),
        ..paper()
    }
}

/// Found on validation images by benchmarks/find-recipe. Most of what it gains over [`paper`] is the classifier's: its rate and
/// decay, the cosine, the average and the smoothing.
fn best() -> Partial {
    Partial {
        preset: Some(Preset::Best),
        method: Some(Method::Conditional),
        class_code: Some(ClassCode::OneHot),
        fake_statistics: Some(FakeStatistics::Frozen),
        gan_loss: Some(GanLoss::Hinge),
        norm_d: Some(NormD::Spectral),
        lr_c: Some(1e-3),
        weight_decay_c: Some(1e-4),
        schedule: Some(Schedule::Cosine),
        ema_c: Some(0.99),
        label_smoothing: Some(0.1),
        diff_augment: Some(DiffAugment::All),
        ema_g: Some(0.99),
        fakes_from: Some(FakesFrom::Average),
        lambda_start: Some(0.3),
        ..paper()
    }
}
