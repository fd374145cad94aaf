//! What a run leaves in its folder, by name. (TensorBoard's files have names of its own.)

/// The resolved settings; with it there the run can be resumed.
pub const CONFIG: &str = "config.toml";
/// A line an epoch.
pub const METRICS: &str = "metrics.jsonl";
/// The same as a table.
pub const METRICS_TABLE: &str = "metrics.csv";
/// The end of a run, and what makes it a finished one.
pub const SUMMARY: &str = "summary.json";
/// The test in full.
pub const EVALUATION: &str = "evaluation.json";
/// What the test was wrong about: all of it as a table.
pub const MISTAKES: &str = "mistakes.csv";
/// The surest of it as a picture.
pub const MISTAKES_PICTURE: &str = "mistakes.png";
/// All of it on one page.
pub const REPORT: &str = "report.html";
/// Where the run diverged.
pub const DIVERGED: &str = "diverged.json";
/// The folder of the checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// The last one's name in it.
pub const LAST: &str = "last.safetensors";
/// The last checkpoint, from the run's folder.
pub const LAST_CHECKPOINT: &str = "checkpoints/last.safetensors";
/// The best checkpoint by the validation part, from the run's folder.
pub const BEST_CHECKPOINT: &str = "checkpoints/best.safetensors";
/// The folder of the sample grids.
pub const SAMPLES: &str = "samples";
/// The grid of real images, from the run's folder.
pub const REAL_SAMPLES: &str = "samples/real.png";

/// A checkpoint that stays, from the run's folder.
pub fn epoch_checkpoint(epoch: u64) -> String {
    format!("{CHECKPOINTS}/epoch-{epoch:04}.safetensors")
}

/// The grid of images generated after an epoch, from the run's folder.
pub fn epoch_samples(epoch: usize) -> String {
    format!("{SAMPLES}/epoch-{epoch:04}.png")
}

/// The epoch of such a grid, by its name in the folder of the grids.
pub fn epoch_of_samples(name: &str) -> Option<usize> {
    name.strip_prefix("epoch-")?.strip_suffix(".png")?.parse().ok()
}
