//! What a checkpoint says about itself.

use crate::models::Condition;
use crate::settings::{Architecture, NetworkName, NormD, Settings};
use serde::{Deserialize, Serialize};

/// The metadata key under which [`Meta`] is kept; one key only, so that the file's bytes have one order.
pub(super) const KEY: &str = "ecgan";

/// The version of this layout.
pub(super) const FORMAT: u32 = 1;

/// More would be a mistake, or an attempt on the memory.
pub(super) const MOST_CLASSES: usize = 100_000;

/// What a checkpoint says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The version of the layout.
    pub format: u32,
    /// Channels of the classifier's first stage.
    pub width: usize,
    /// The classifier's layers.
    #[serde(default = "resnet18", skip_serializing_if = "is_resnet18")]
    pub architecture: Architecture,
    /// Whether the classifier is one of the program's own that trained it, of which width and layers say nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_classifier: bool,
    /// What generator and discriminator are told, where they are conditional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What keeps the discriminator in bounds.
    #[serde(default = "batch_norm", skip_serializing_if = "is_batch_norm")]
    pub norm_d: NormD,
    /// Whether the discriminator is a head over the classifier's features.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Height and width of the images.
    pub image_size: usize,
    /// Channels of the images.
    pub channels: usize,
    /// The class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The resolved settings, as `config.toml` has them, but for what changes nothing in the numbers: threads, how a
    /// GPU's kernels are launched, what is written beside, and when a run that can go on stops or writes.
    pub config: String,
    /// Training images of each class before a budget is drawn; none where a version without `--resume` wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<usize>,
    /// [`TrainingImages::names`](crate::training_images::TrainingImages::names) of these; none where an older version wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub names: String,
    /// The only network that the file holds, its tensors without a prefix; none for all that a run trains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkName>,
}

impl Meta {
    /// The metadata of a run with the classifier that its settings name.
    pub fn new(settings: &Settings, classes: &[String]) -> Self {
        Self {
            format: FORMAT,
            width: settings.width,
            architecture: settings.architecture,
            own_classifier: false,
            condition: settings.condition(classes.len()),
            norm_d: settings.norm_d,
            shared: settings.method.is_shared(),
            image_size: settings.image_size,
            channels: settings.channels,
            classes: classes.to_vec(),
            config: Settings { patience: None, max_time: None, ..settings.numbers() }.to_toml(),
            images: Vec::new(),
            names: String::new(),
            network: None,
        }
    }
}

fn batch_norm() -> NormD {
    NormD::Batch
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_batch_norm(norm: &NormD) -> bool {
    *norm == NormD::Batch
}

fn resnet18() -> Architecture {
    Architecture::ResNet18
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_resnet18(architecture: &Architecture) -> bool {
    *architecture == Architecture::ResNet18
}

/// Refuses what would make networks of absurd size before any is allocated.
pub(super) fn check(meta: &Meta) -> Result<(), String> {
    let Meta { format, width, image_size, channels, classes, condition, .. } = meta;
    let told = condition.map_or(classes.len(), |condition| condition.classes);
    let fail = |what: &str, expected: &str, got: usize| Err(format!("{what}: expected {expected}, got {got}"));
    match () {
        () if *format != FORMAT => fail("format", "1", *format as usize),
        () if !(1..=1024).contains(width) => fail("width", "1 to 1024", *width),
        () if ![32, 64].contains(image_size) => fail("image_size", "32 or 64", *image_size),
        () if ![1, 3].contains(channels) => fail("channels", "1 or 3", *channels),
        () if !(1..=MOST_CLASSES).contains(&classes.len()) => fail("classes", "1 to 100000", classes.len()),
        () if told != classes.len() => fail("condition", &format!("{} classes", classes.len()), told),
        () => Ok(()),
    }
}
