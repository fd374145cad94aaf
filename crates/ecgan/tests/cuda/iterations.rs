//! Iterations against the CPU's in f64, each begun from the exact state, rounded; and what goes from device to device.

use crate::devices::{CLASSES, IMAGE, batch, devices};
use ecgan::methods::{ClassifierTrainer, EcGan, EcGanConfig, Gan, GanConfig, Noise, Thresholds};
use ecgan::models::{NOISE, ResNet18};
use ecgan::networks::{new_classifier, new_discriminator, new_generator};
use ecgan::settings::{ClassThreshold, ClassifierUpdate, FakeLabels, FakeStatistics, NormD};
use kernels::philox::Philox;
use nn::{Adam, AdamConfig, Network};
use tensor::ops::Reduction;
use tensor::{Device, Real, Tensor};

const BATCH: usize = 3;

/// How far a network's moments, values and statistics are from the exact ones after an iteration, relative to their norm.
const CLOSE: f64 = 1e-5;

/// The same where an operand of a rectifier fell on the other side of 0.
const CROSSED: f64 = 2e-2;

fn ec_gan<T: Real>(device: &Device, update: ClassifierUpdate, fake_statistics: FakeStatistics) -> EcGan<T> {
    // By this eps a step is smooth in the gradient: with Adam's own, one near 0 steps by its sign alone.
    let adam = AdamConfig { eps: 1e-2, ..AdamConfig::dcgan(2e-4, 1e-3) };
    let config = EcGanConfig {
        update,
        fake_statistics,
        fake_labels: FakeLabels::Pseudo,
        fake_mean: Reduction::Kept,
        fakes_from_average: false,
        conditional: false,
        joint: device.gpu().is_some(),
    };
    let classifier = new_classifier(device, 5, &ResNet18 { width: 4 }, IMAGE, CLASSES);
    let (g, d) = (new_generator(device, 5, IMAGE, None), new_discriminator(device, 5, IMAGE, None, NormD::Batch));
    let gan = Gan::new(GanConfig::plain(adam, adam), g, d);
    let thresholds = Thresholds::new(device, CLASSES, 0.1, ClassThreshold::Same);
    EcGan::new(config, 0.1, thresholds, gan, ClassifierTrainer::new(classifier, adam))
}

fn named<T: Real>(ec_gan: &mut EcGan<T>) -> [(&'static str, &mut Network<T>, &mut Adam<T>); 3] {
    let EcGan { gan: Gan { generator, adam_g, discriminator, adam_d, .. }, classifier, .. } = ec_gan;
    [
        ("generator", generator, adam_g),
        ("discriminator", discriminator, adam_d),
        ("classifier", &mut classifier.network, &mut classifier.adam),
    ]
}

fn narrow(x: &Tensor<f64>) -> Vec<f32> {
    x.as_slice().iter().map(|&v| v as f32).collect()
}

/// Gives `ec_gan` the state of `exact`.
fn round(exact: &mut EcGan<f64>, ec_gan: &mut EcGan) {
    for ((_, exact, exact_adam), (_, network, adam)) in named(exact).into_iter().zip(named(ec_gan)) {
        network.load_state_dict(&exact.state_dict().expect("on the host")).expect("the same network");
        adam.set_t(exact_adam.t().expect("on the host"));
        adam.m.write(&narrow(&exact_adam.m));
        adam.v.write(&narrow(&exact_adam.v));
    }
}

/// ||got - want|| / ||want||.
fn distance(got: &Tensor, want: &Tensor<f64>) -> f64 {
    let got = got.to_vec().expect("it ran");
    let of = |term: &dyn Fn(usize) -> f64| (0..got.len()).map(|i| term(i).powi(2)).sum::<f64>().sqrt();
    let want = want.as_slice();
    of(&|i| f64::from(got[i]) - want[i]) / of(&|i| want[i])
}

fn close(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-5 * (1.0 + want.abs()), "{what}: {got}, on the CPU in f64 {want}");
}

#[test]
fn three_iterations_match_the_cpu() {
    for device in devices() {
        let mut distances = Vec::new();
        let (summed, two_steps) = (ClassifierUpdate::Summed, ClassifierUpdate::TwoSteps);
        for (update, fake_statistics, steps) in [
            (summed, FakeStatistics::Shared, 3),
            (two_steps, FakeStatistics::Shared, 3),
            (summed, FakeStatistics::Frozen, 1),
            (two_steps, FakeStatistics::Frozen, 1),
            (summed, FakeStatistics::Running, 1),
        ] {
            let mut exact = ec_gan::<f64>(&Device::cpu(), update, fake_statistics);
            let mut ec_gan = ec_gan::<f32>(&device, update, fake_statistics);
            for step in 0..steps {
                round(&mut exact, &mut ec_gan);
                let (x, labels) = batch(BATCH, step);
                let z: Vec<f32> = (0..BATCH * NOISE).scan(Philox::new(step, 9), |z, _| Some(z.normal())).collect();
                let (sx, sz) = ([BATCH, IMAGE.size, IMAGE.size, IMAGE.channels], [BATCH, 1, 1, NOISE]);
                let got = {
                    let x = Tensor::from_slice(&device, sx, &x).unwrap();
                    let on_device = Tensor::from_slice(&device, [BATCH], &labels).unwrap();
                    let z = Tensor::from_slice(&device, sz, &z).unwrap();
                    ec_gan.step(&x, &on_device, &Noise::plain(z)).unwrap().read(&on_device, CLASSES).expect("it ran")
                };
                let want = {
                    let cpu = Device::cpu();
                    let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
                    let x = Tensor::from_slice(&cpu, sx, &wide(&x)).unwrap();
                    let on_cpu = Tensor::from_slice(&cpu, [BATCH], &labels).unwrap();
                    let z = Tensor::from_slice(&cpu, sz, &wide(&z)).unwrap();
                    exact.step(&x, &on_cpu, &Noise::plain(z)).unwrap().read(&on_cpu, CLASSES).unwrap()
                };
                let what =
                    |name: &str| format!("{device}, {update:?}, {fake_statistics}, iteration {}: {name}", step + 1);
                let (gan, gan64) = (got.gan.unwrap(), want.gan.unwrap());
                close(&what("loss_d_real"), gan.loss_d_real, gan64.loss_d_real);
                close(&what("loss_d_fake"), gan.loss_d_fake, gan64.loss_d_fake);
                close(&what("loss_g"), gan.loss_g, gan64.loss_g);
                close(&what("loss_c_real"), got.real.loss, want.real.loss);
                let (fake, fake64) = (got.fake.unwrap(), want.fake.unwrap());
                close(&what("loss_c_fake"), fake.loss, fake64.loss);
                close(&what("confidences"), fake.confidence_sum, fake64.confidence_sum);
                assert_eq!((got.real.correct, fake.kept_per_class), (want.real.correct, fake64.kept_per_class));
                for ((name, network, adam), (_, network64, adam64)) in
                    named(&mut ec_gan).into_iter().zip(named(&mut exact))
                {
                    let parts = [
                        (&adam.m, &adam64.m),
                        (&adam.v, &adam64.v),
                        (network.params().values().flat(), network64.params().values().flat()),
                        (network.buffers().flat(), network64.buffers().flat()),
                    ];
                    let worst = parts.into_iter().map(|(got, want)| distance(got, want)).fold(0.0, f64::max);
                    distances.push((worst, what(name)));
                    assert_eq!(adam.t(), adam64.t(), "{}", what(name));
                    let zero = network.params_mut().with_gradients(|_, gradients| {
                        kernels::fill::to_host(&device, gradients.shared()).expect("it ran").iter().all(|&g| g == 0.0)
                    });
                    assert!(zero, "{}", what("gradients"));
                }
            }
        }
        // An operand of a rectifier that rounding moves across 0 moves one gradient by far more than rounding does. Generator and
        // discriminator take the same steps in each of these settings, so that one crossing of theirs is found in all.
        distances.sort_by(|a, b| b.0.total_cmp(&a.0));
        distances.dedup_by_key(|(distance, _)| distance.to_bits());
        let crossed = distances.iter().filter(|(distance, _)| *distance > CLOSE).count();
        assert!(crossed <= 2 && distances[0].0 <= CROSSED, "{crossed} of {distances:#?}");
    }
}
