//! How fast the trainer's own step is: preset `paper` at threshold 0, so that every generated image is kept and no
//! work can be skipped; data loading excluded.

use crate::Error;
use crate::data::Images;
use crate::metrics::{BenchReport, ProfileRow};
use crate::models::{ImageShape, NOISE, ResNet18};
use crate::networks::Networks;
use crate::settings::{Augment, Partial, Preset, Settings};
use crate::train::{Feed, Iterations};
use kernels::profile::Profile;
use std::time::Instant;
use tensor::Device;
use tensor::rng::Stream;

/// Steps before timing begins: the first fills the pool, the second shows that it is full.
const WARMUP: usize = 3;

/// Iterations of a step on a GPU, which is waited for now and then only, as in training.
const BURST: usize = 20;

/// Images as the three networks of the paper take them.
const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };

const CLASSES: usize = 10;

/// Iterations that are timed together as one step, whose time is their mean.
pub fn iterations_a_step(device: &Device) -> usize {
    if device.gpu().is_some() { BURST } else { 1 }
}

/// Times `steps` steps, each of [`iterations_a_step`], on random images, on a GPU as recorded where `record`; with `profile` as many
/// again, kernel by kernel. The process began at `started`.
///
/// # Errors
/// None that a user could cause.
pub fn bench(
    batch: usize,
    width: usize,
    steps: usize,
    profile: bool,
    record: bool,
    device: &Device,
    started: Instant,
) -> Result<BenchReport, Error> {
    let (first, mut times) =
        time(batch, width, steps, record, &if record { device.clone() } else { device.in_turn() })?;
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let peak_rss_mb = peak_rss_mb();
    let profile = profile.then(|| self::profile(batch, width, steps, device)).transpose()?;
    Ok(BenchReport {
        images_per_second: batch as f64 / median,
        ms_per_step_median: median * 1e3,
        gflops: batch as f64 * gflop_per_image(width) / median,
        startup_ms: (first - started).as_secs_f64() * 1e3,
        threads: rayon::current_num_threads(),
        device: device.to_string(),
        peak_rss_mb,
        profile,
    })
}

/// When the first iteration began, and the seconds of an iteration of each of `steps` after some that do not count; nor are those
/// in the device's profile.
fn time(batch: usize, width: usize, steps: usize, record: bool, device: &Device) -> Result<(Instant, Vec<f64>), Error> {
    let given = Partial { preset: Some(Preset::Paper), threshold: Some(0.0), ..Partial::default() };
    let settings = Settings::complete(given)?;
    let networks = Networks::new(device, &settings, &ResNet18 { width }, IMAGE, CLASSES);
    let mut random = Stream::Synthetic.start(0);
    let pixels = (0..batch * IMAGE.size * IMAGE.size * IMAGE.channels).map(|_| random.next_u32() as u8).collect();
    let labels = (0..batch).map(|_| random.below(CLASSES as u32) as i32).collect();
    let images = Images::held(pixels, labels, IMAGE.size, IMAGE.channels);
    let feed = Feed { batch, augment: Augment::None, seed: 0, classes: CLASSES, record, resident: None };
    let mut iterations = Iterations::new(device, networks, &images, feed)?;
    let indices: Vec<usize> = (0..batch).collect();
    let burst = iterations_a_step(device);
    let mut step = || {
        let began = Instant::now();
        for _ in 0..burst {
            iterations.run(&images, &indices, 0)?;
        }
        iterations.read()?;
        Ok::<_, Error>(began.elapsed().as_secs_f64() / burst as f64)
    };
    let first = Instant::now();
    for _ in 0..WARMUP {
        step()?;
    }
    if let Some(profile) = device.profile() {
        profile.take();
    }
    Ok((first, (0..steps).map(|_| step()).collect::<Result<_, Error>>()?))
}

/// What the kernels of a mean iteration take.
fn profile(batch: usize, width: usize, steps: usize, device: &Device) -> Result<Vec<ProfileRow>, Error> {
    let device = device.profiled();
    // Recorded steps have no kernels to time.
    let burst = iterations_a_step(&device);
    let seconds = time(batch, width, steps, false, &device)?.1.iter().sum::<f64>() * burst as f64;
    let kernels = device.profile().map(Profile::take).unwrap_or_default();
    Ok(ProfileRow::all(&kernels, steps * burst, seconds))
}

/// Multiplications and additions of one iteration's convolutions and linear layers, in 10^9 an image, direct algorithm.
///
/// A pass of a layer costs 2 (outputs)(kernel)(input channels). Passes, forward and both gradients counted: D 3 + 2 + 3
/// (its first layer needs no input gradient for real and fake, and no weight gradient in G's step), G 3, C 3 each on
/// real and fake; no input gradient at the first layers of G and C.
fn gflop_per_image(width: usize) -> f64 {
    let conv = |pixels: usize, kernel: usize, c: usize, o: usize| (2 * pixels * kernel * kernel * c * o) as f64;
    let d = [conv(256, 4, 3, 64), conv(64, 4, 64, 128), conv(16, 4, 128, 256), conv(1, 4, 256, 1)];
    let g = [conv(1, 4, NOISE, 256), conv(16, 4, 256, 128), conv(64, 4, 128, 64), conv(256, 4, 64, 3)];
    let mut c = vec![conv(1024, 3, 3, width)];
    for stage in 0..4 {
        let (pixels, o) = (1024 >> (2 * stage), width << stage);
        if stage == 0 {
            c.extend([conv(pixels, 3, o, o); 4]);
        } else {
            c.extend([conv(pixels, 3, o / 2, o), conv(pixels, 1, o / 2, o)]);
            c.extend([conv(pixels, 3, o, o); 3]);
        }
    }
    c.push((2 * 8 * width * CLASSES) as f64);
    let sum = |layers: &[f64]| layers.iter().sum::<f64>();
    // Forward 3, input gradient 3 and weight gradient 2 times in D; the first layer's input gradient only in G's step.
    let discriminator = 8.0 * sum(&d) - 2.0 * d[0];
    let generator = 3.0 * sum(&g) - g[0];
    let classifier = 2.0 * (3.0 * sum(&c) - c[0]);
    (discriminator + generator + classifier) / 1e9
}

/// The process's largest resident memory in MiB, where the system tells (Linux).
pub(crate) fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_costs_four_fifths_of_a_gflop_an_image() {
        assert!((gflop_per_image(16) - 0.80).abs() < 0.01, "{}", gflop_per_image(16));
    }

    #[test]
    fn the_profile_counts_the_operations_of_an_iteration() {
        let rows = profile(3, 4, 2, &Device::cpu()).unwrap();
        let gflop: f64 = rows.iter().map(|row| row.gflops.unwrap_or(0.0) * row.ms / 1e3).sum();
        let want = 3.0 * gflop_per_image(4);
        assert!((gflop / want - 1.0).abs() < 1e-9, "{gflop} of {want} in {rows:?}");
        let outside = rows.last().unwrap();
        assert!(outside.op == ProfileRow::OUTSIDE && outside.ms > 0.0, "{outside:?}");
    }

    #[test]
    fn steps_allocate_nothing_after_the_second() {
        let device = Device::cpu();
        let settings = Settings::complete(Partial { preset: Some(Preset::Paper), ..Partial::default() }).unwrap();
        let networks = Networks::new(&device, &settings, &ResNet18 { width: 4 }, IMAGE, CLASSES);
        let (size, channels) = (IMAGE.size, IMAGE.channels);
        let images = Images::held(vec![7; 2 * size * size * channels], vec![3, 7], size, channels);
        let feed = Feed { batch: 2, augment: Augment::Paper, seed: 0, classes: CLASSES, record: true, resident: None };
        let mut iterations = Iterations::new(&device, networks, &images, feed).unwrap();
        let mut allocations = Vec::new();
        for _ in 0..200 {
            iterations.run(&images, &[0, 1], 0).unwrap();
            iterations.read().unwrap();
            allocations.push(device.pool().allocations());
        }
        assert_eq!(allocations[1], allocations[199], "buffers after the 2nd and the 200th step");
    }
}
