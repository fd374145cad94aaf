//! Whole training iterations against PyTorch: every run in f64, and, each from the exact state, in f32 within PyTorch's own drift from f64.

use crate::formula::Entry;
use crate::networks::{fill, network};
use crate::results::{Digest, Ours, Stored, check_digest, digest, read};
use ecgan::methods::{ClassifierTrainer, EcGan, EcGanConfig, Gan, GanConfig, Noise, Step, Thresholds};
use ecgan::models::ImageShape;
use ecgan::settings::{ClassThreshold, ClassifierUpdate, FakeLabels, FakeStatistics};
use kernels::cuda::{Cuda, Precision};
use nn::{Adam, AdamConfig, Network, StateDict};
use serde::Deserialize;
use std::collections::BTreeMap;
use tensor::ops::Reduction;
use tensor::{Device, Real, Simd, Tensor};

/// Relative, over all iterations: PyTorch's own two orders of summation differ by less than 1e-13.
const F64_TOLERANCE: f64 = 1e-10;

/// f32 is compared in units of PyTorch's own recorded drift of a first iteration. Nearly all of it must stay within this
/// many; not every number, because rounding can put a rectifier's operand on the other side of 0.
const DRIFTS: f64 = 3.0;

/// The part of the numbers that may be further off.
const LUCKLESS: f64 = 0.02;

/// What none may exceed, in drifts: a crossed rectifier moves a whole channel's gradients, and so a loss after the step by
/// some 1e-5 of it, far beyond rounding errors.
const MOST_DRIFTS: f64 = 60.0;

/// No confidence of a golden is nearer to the threshold, nor are a row's two largest probabilities to each other.
const MARGIN: f64 = 1e-3;

const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };
const CLASSES: usize = 10;

#[derive(Deserialize)]
struct File {
    adam: BTreeMap<String, AdamSettings>,
    state: BTreeMap<String, Vec<Entry>>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Deserialize)]
pub struct AdamSettings {
    lr: f64,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
}

impl AdamSettings {
    pub fn config(self) -> AdamConfig {
        let Self { lr, betas, eps, weight_decay } = self;
        AdamConfig { lr, betas, eps, weight_decay }
    }
}

#[derive(Deserialize)]
struct Run {
    run: String,
    preset: String,
    threshold: f64,
    fake_statistics: FakeStatistics,
    lambda: f64,
    scale_overrides: BTreeMap<String, f64>,
    iterations: Vec<Iteration>,
    #[serde(rename = "final")]
    end: End,
    f32_drift: Vec<BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct Iteration {
    x: Entry,
    z: Entry,
    y: Vec<i32>,
    loss_d_real: f64,
    loss_d_fake: f64,
    loss_g: f64,
    loss_c_real: f64,
    loss_c_fake: f64,
    kept: u64,
    keep: Vec<u64>,
    pseudo_label: Vec<usize>,
    confidence: Vec<f64>,
    networks: BTreeMap<String, NetworkDigests>,
}

#[derive(Deserialize)]
struct NetworkDigests {
    parameters: Digest,
    running: Digest,
    num_batches_tracked: u64,
}

#[derive(Deserialize)]
struct End {
    adam: BTreeMap<String, Moments>,
    tensors: BTreeMap<String, Stored>,
}

#[derive(Deserialize)]
struct Moments {
    step: u64,
    exp_avg: Digest,
    exp_avg_sq: Digest,
}

/// Collects how far numbers are from the goldens, in units of what is allowed for each.
struct Comparison<'a> {
    allowed: Allowed<'a>,
    ratios: &'a mut Vec<(f64, String)>,
}

/// The unit for each quantity, by its name in `f32_drift`.
enum Allowed<'a> {
    Relative(f64),
    Drift(&'a BTreeMap<String, f64>),
}

impl Comparison<'_> {
    fn unit(&self, quantity: &str) -> f64 {
        match self.allowed {
            Allowed::Relative(tolerance) => tolerance,
            Allowed::Drift(drift) => drift[quantity],
        }
    }

    /// `scale` is what the quantity's unit is relative to.
    fn compare(&mut self, what: String, quantity: &str, got: f64, want: f64, scale: f64) {
        let (difference, unit) = ((got - want).abs(), self.unit(quantity) * scale);
        // Where nothing may differ, as a loss that is exactly 0, the quotient is 0 / 0.
        let ratio = if difference == 0.0 { 0.0 } else { difference / unit };
        self.ratios.push((ratio, format!("{what}: {got:e}, expected {want:e}, {ratio:.1} times {unit:e}")));
    }

    /// Whether what is kept, and under which label, is beyond doubt.
    fn is_settled(&self) -> bool {
        DRIFTS * self.unit("confidence") < MARGIN
    }
}

/// Real images and fakes as one batch, as a GPU has them.
#[test]
fn every_iteration_of_one_batch_matches_in_f64() {
    let file: File = read("iterations.json");
    for run in &file.runs {
        let mut ec_gan = file.ec_gan::<f64>(run, &Device::cpu().poisoned());
        ec_gan.config.joint = true;
        (0..run.iterations.len()).for_each(|index| run.step_exactly(index, &mut ec_gan));
        run.check_end(&ec_gan);
    }
}

/// In f64 one iteration after the other. In f32 each starts from the exact state, rounded: what a crossed rectifier moved would
/// otherwise grow under Adam.
#[test]
fn every_iteration_matches_in_f64_and_in_f32_stays_within_pytorchs_own_drift() {
    let file: File = read("iterations.json");
    assert_eq!(file.runs.iter().map(|run| run.iterations.len()).collect::<Vec<_>>(), [10, 10, 3, 3, 3, 3]);
    let devices = Simd::available().into_iter().map(|simd| Device::cpu_with(simd).expect("available")).chain(gpus());
    let mut paths: Vec<(Device, Vec<(f64, String)>)> = devices.map(|device| (device, Vec::new())).collect();
    for run in &file.runs {
        let mut exact = file.ec_gan::<f64>(run, &Device::cpu().poisoned());
        let mut rounded: Vec<_> = paths.iter().map(|(device, _)| file.ec_gan::<f32>(run, device)).collect();
        for index in 0..run.iterations.len() {
            for (ec_gan, (device, ratios)) in rounded.iter_mut().zip(&mut paths) {
                // The stand-in takes seconds for each.
                if index >= 3 && device.gpu().is_some_and(|gpu| gpu.name().contains("stand-in")) {
                    continue;
                }
                round(&exact, ec_gan);
                let allowed = Allowed::Drift(&run.f32_drift[0]);
                run.step(index, ec_gan, &mut Comparison { allowed, ratios });
            }
            run.step_exactly(index, &mut exact);
        }
        run.check_end(&exact);
    }
    for (device, ratios) in paths {
        check_drift(&device, ratios);
    }
}

/// The stand-in for a GPU, and the first GPU where it is asked for.
fn gpus() -> Vec<Device> {
    let mut gpus: Vec<Cuda> = Vec::new();
    #[cfg(feature = "cuda-host")]
    gpus.push(Cuda::host(kernels::cuda::Order::Shuffled));
    if std::env::var_os("ECGAN_CUDA_TESTS").is_some_and(|value| value == "1") {
        gpus.push(Cuda::open(0).unwrap_or_else(|error| panic!("ECGAN_CUDA_TESTS=1, but {error}")));
    }
    gpus.into_iter().map(|cuda| Device::cuda(cuda, Precision::F32).expect("it has f32")).collect()
}

/// Gives `ec_gan` the state of `exact`.
fn round(exact: &EcGan<f64>, ec_gan: &mut EcGan<f32>) {
    let EcGan { gan: Gan { generator, discriminator, adam_g, adam_d, .. }, classifier, .. } = ec_gan;
    let rounded = [(generator, adam_g), (discriminator, adam_d), (&mut classifier.network, &mut classifier.adam)];
    for ((_, exact, exact_adam), (network, adam)) in named(exact).into_iter().zip(rounded) {
        network.load_state_dict(&exact.state_dict().expect("on the host")).expect("the same network");
        adam.set_t(exact_adam.t().expect("on the host"));
        for (exact, moment) in [(&exact_adam.m, &mut adam.m), (&exact_adam.v, &mut adam.v)] {
            moment.write(&exact.as_slice().iter().map(|&exact| exact as f32).collect::<Vec<_>>());
        }
    }
}

fn check_drift(device: &Device, mut ratios: Vec<(f64, String)>) {
    ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
    let far = ratios.iter().filter(|(ratio, _)| *ratio > DRIFTS).count();
    let allowed = (LUCKLESS * ratios.len() as f64) as usize;
    let worst: Vec<&String> = ratios.iter().take(10).map(|(_, what)| what).collect();
    let (median, what) = &ratios[ratios.len() / 2];
    assert!(*median <= 1.0, "{device}: half of the numbers drift farther than PyTorch's: {what}");
    assert!(
        far <= allowed,
        "{device}: {far} of {} beyond {DRIFTS} drifts, {allowed} allowed: {worst:#?}",
        ratios.len()
    );
    assert!(ratios.iter().all(|(ratio, _)| *ratio <= MOST_DRIFTS), "{worst:#?}");
}

impl File {
    fn ec_gan<T: Real>(&self, run: &Run, device: &Device) -> EcGan<T> {
        let adam = |name: &str| self.adam[name].config();
        let filled = |name: &str| {
            let mut entries = self.state[name].clone();
            for entry in &mut entries {
                entry.scale = *run.scale_overrides.get(&entry.name).unwrap_or(&entry.scale);
            }
            let mut network = network::<T>(device, name, IMAGE, Some(16), Some(CLASSES));
            fill(&mut network, name, &entries);
            network
        };
        let config = EcGanConfig {
            update: if run.preset == "notebook" { ClassifierUpdate::TwoSteps } else { ClassifierUpdate::Summed },
            fake_statistics: run.fake_statistics,
            fake_labels: FakeLabels::Pseudo,
            fake_mean: Reduction::Kept,
            fakes_from_average: false,
            conditional: false,
            joint: device.gpu().is_some(),
        };
        let gan = GanConfig::plain(adam("generator"), adam("discriminator"));
        let gan = Gan::new(gan, filled("generator"), filled("discriminator"));
        let classifier = ClassifierTrainer::new(filled("classifier"), adam("classifier"));
        let thresholds = Thresholds::new(device, CLASSES, run.threshold, ClassThreshold::Same);
        EcGan::new(config, run.lambda, thresholds, gan, classifier)
    }
}

impl Run {
    /// One iteration, compared with the golden's.
    fn step<T: Real>(&self, index: usize, ec_gan: &mut EcGan<T>, comparison: &mut Comparison) {
        let golden = &self.iterations[index];
        let device = ec_gan.gan.generator.params().values().flat().device().clone();
        let what = |quantity: &str| format!("{}, {device} iteration {}: {quantity}", self.run, index + 1);
        let labels = Tensor::from_slice(&device, [golden.y.len()], &golden.y).expect("one a row");
        let found = ec_gan
            .step(&golden.x.tensor(&device), &labels, &Noise::plain(golden.z.tensor(&device)))
            .expect("the shapes fit");
        let Step { gan, real, fake } = found.read(&labels, CLASSES).expect("on the host");
        let (gan, fake) = (gan.expect("the method has one"), fake.expect("lambda is above 0"));

        for (quantity, got, want) in [
            ("loss_d_real", gan.loss_d_real, golden.loss_d_real),
            ("loss_d_fake", gan.loss_d_fake, golden.loss_d_fake),
            ("loss_g", gan.loss_g, golden.loss_g),
            ("loss_c_real", real.loss, golden.loss_c_real),
        ] {
            comparison.compare(what(quantity), quantity, got, want, want.abs());
        }
        let (rows, confidence) = (golden.confidence.len() as f64, golden.confidence.iter().sum());
        comparison.compare(what("sum of the confidences"), "confidence", fake.confidence_sum, confidence, rows);
        if comparison.is_settled() {
            assert_eq!(fake.kept_per_class, golden.kept_per_class(), "{}", what("kept by class"));
            let (got, want) = (fake.loss, golden.loss_c_fake);
            comparison.compare(what("loss_c_fake"), "loss_c_fake", got, want, want.abs());
        }
        for (name, network, _) in named(ec_gan) {
            golden.networks[name].compare(name, network, &what(name), comparison);
        }
    }

    fn step_exactly(&self, index: usize, ec_gan: &mut EcGan<f64>) {
        let mut ratios = Vec::new();
        let allowed = Allowed::Relative(F64_TOLERANCE);
        self.step(index, ec_gan, &mut Comparison { allowed, ratios: &mut ratios });
        for (ratio, what) in ratios {
            assert!(ratio <= 1.0, "{what}");
        }
    }

    fn check_end<T: Real>(&self, ec_gan: &EcGan<T>) {
        let what = |quantity: &str| format!("{}, at the end: {quantity}", self.run);
        let mut compared = 0;
        for (name, network, adam) in named(ec_gan) {
            let golden = &self.end.adam[name];
            assert_eq!(adam.t(), Ok(golden.step), "{}", what(name));
            let moments = [("exp_avg", &adam.m, golden.exp_avg), ("exp_avg_sq", &adam.v, golden.exp_avg_sq)];
            for (moment, ours, theirs) in moments {
                let ours = digest_of(network.as_state_dict(ours).expect("on the host"), |_| true);
                check_digest(&what(&format!("{moment} of {name}")), ours, theirs, F64_TOLERANCE);
            }
            for (tensor, ours) in network.state_dict().expect("on the host") {
                let Some(ours) = Ours::of_state(ours) else { continue };
                let tensor = format!("{name}.{tensor}");
                self.end.tensors[&tensor].check(&what(&tensor), &ours, F64_TOLERANCE);
                compared += 1;
            }
        }
        assert_eq!(compared, self.end.tensors.len());
    }
}

impl Iteration {
    fn kept_per_class(&self) -> Vec<u64> {
        let mut kept = vec![0; CLASSES];
        self.pseudo_label.iter().zip(&self.keep).for_each(|(&label, keep)| kept[label] += keep);
        assert_eq!(kept.iter().sum::<u64>(), self.kept);
        kept
    }
}

impl NetworkDigests {
    fn compare<T: Real>(&self, name: &str, network: &Network<T>, what: &str, comparison: &mut Comparison) {
        let is_running = |tensor: &str| tensor.ends_with("running_mean") || tensor.ends_with("running_var");
        let parameters = digest_of(network.state_dict().expect("on the host"), |tensor| !is_running(tensor));
        let running = digest_of(network.state_dict().expect("on the host"), is_running);
        for (part, ours, theirs) in [("parameters", parameters, self.parameters), ("running", running, self.running)] {
            for (i, (got, want)) in ours.into_iter().zip(theirs).enumerate() {
                let number = ["l2", "p1", "p2", "p3"][i];
                let (what, quantity) = (format!("{what}: {part}, {number}"), format!("{name}.{part}"));
                comparison.compare(what, &quantity, got, want, theirs[0]);
            }
        }
        assert_eq!(network.batches_tracked(), self.num_batches_tracked, "{what}: num_batches_tracked");
    }
}

fn named<T: Real>(ec_gan: &EcGan<T>) -> [(&'static str, &Network<T>, &Adam<T>); 3] {
    [
        ("generator", &ec_gan.gan.generator, &ec_gan.gan.adam_g),
        ("discriminator", &ec_gan.gan.discriminator, &ec_gan.gan.adam_d),
        ("classifier", &ec_gan.classifier.network, &ec_gan.classifier.adam),
    ]
}

/// The digest of several tensors one after another.
fn digest_of(state: StateDict, take: impl Fn(&str) -> bool) -> Digest {
    let taken = state.into_iter().filter(|(name, _)| take(name));
    digest(taken.filter_map(|(_, tensor)| Ours::of_state(tensor)).flat_map(|ours| ours.values))
}
