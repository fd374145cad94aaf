use super::*;
use crate::ErrorKind;

fn resolve(toml: &str) -> Result<Settings, Error> {
    Settings::resolve(toml::from_str(toml).unwrap())
}

#[test]
fn every_preset_resolves_to_what_the_paper_says() {
    let paper = resolve("preset = \"paper\"").unwrap();
    assert_eq!((paper.lambda, paper.threshold, paper.lr, paper.lr_c), (0.1, 0.7, 2e-4, 2e-4));
    assert_eq!((paper.weight_decay, paper.weight_decay_c, paper.batch, paper.epochs), (1e-3, 1e-3, 64, 100));
    assert_eq!((paper.augment, paper.fake_statistics), (Augment::Paper, FakeStatistics::Shared));
    assert_eq!((paper.classifier_update(), paper.budget), (ClassifierUpdate::Summed, Budget::All));
    let notebook = resolve("preset = \"notebook\"").unwrap();
    assert_eq!(notebook.classifier_update(), ClassifierUpdate::TwoSteps);
    assert_eq!(notebook, Settings { preset: Preset::Notebook, threshold: 0.2, ..paper });
}

/// A preset has nothing that only some methods can do.
#[test]
fn every_preset_goes_with_every_method() {
    for (preset, method) in Preset::ALL.iter().flat_map(|preset| Method::ALL.iter().map(move |method| (preset, method)))
    {
        let settings = resolve(&format!("preset = \"{preset}\"\nmethod = \"{method}\""));
        assert_eq!(
            settings.map(|settings| settings.method).map_err(|error| error.to_string()),
            Ok(*method),
            "{preset}"
        );
    }
}

/// A run's file says of another method what its preset does, and no more of the run's own than that one uses too.
#[test]
fn the_file_of_a_run_is_for_other_methods_too() {
    for (preset, method, other) in Preset::ALL
        .iter()
        .flat_map(|preset| Method::ALL.iter().map(move |method| (preset, method)))
        .flat_map(|(preset, method)| Method::ALL.iter().map(move |other| (preset, method, other)))
    {
        let file = resolve(&format!("preset = \"{preset}\"\nmethod = \"{method}\"\nlr_c = 0.5")).unwrap().to_toml();
        let given = Partial { method: Some(*other), ..toml::from_str(&file).unwrap() };
        let own = resolve(&format!("preset = \"{preset}\"\nmethod = \"{other}\"\nlr_c = 0.5")).unwrap();
        match Settings::resolve(given) {
            Ok(settings) => assert_eq!(settings, own, "{preset}: {method} to {other}"),
            // What the run augmented for its discriminator was said, and one trunk cannot have it.
            Err(error) => {
                let said = *preset == Preset::Best && method.learns_from_fakes() && other.is_shared();
                assert!(
                    said && error.to_string().starts_with("diff_augment: "),
                    "{preset}: {method} to {other}: {error}"
                );
            }
        }
    }
}

/// What the recipe's comparator shares with it: everything of the classifier.
#[test]
fn the_bare_classifier_of_the_best_preset_is_trained_alike() {
    let best = resolve("preset = \"best\"").unwrap();
    assert_eq!((best.method, best.fake_statistics, best.lr), (Method::Conditional, FakeStatistics::Frozen, 2e-4));
    let bare = resolve("preset = \"best\"\nmethod = \"classifier\"").unwrap();
    assert_eq!((bare.lr_c, bare.weight_decay_c, bare.ema_c, bare.label_smoothing), (1e-3, 1e-4, 0.99, 0.1));
    assert_eq!((bare.augment, bare.schedule), (Augment::Paper, Schedule::Cosine));
    let method = Method::Classifier;
    let fakes = (best.fake_labels, bare.fake_labels);
    assert_eq!(Settings { method, fake_labels: fakes.1, ..best }, bare);
}

#[test]
fn nothing_given_is_the_quick_run_and_a_users_folder_is_used_whole() {
    let quick = Settings::resolve(Partial::default()).unwrap();
    assert_eq!((quick.preset, quick.data.as_str()), (Preset::Quick, SYNTHETIC));
    assert!(matches!(quick.budget, Budget::Samples(_)));
    let gpu = Settings { device: DeviceChoice::Auto, ..quick.clone() }.open_device().unwrap().gpu().is_some();
    assert_eq!(quick.device, if gpu { DeviceChoice::Auto } else { DeviceChoice::Cpu });
    assert_eq!((quick.precision, quick.no_graph), (Precision::F32, false));
    assert_eq!(resolve("data = \"d\"\npreset = \"quick\"").unwrap().budget, Budget::All);
    assert_eq!(resolve("data = \"d\"\nsamples = 7").unwrap().budget, Budget::Samples(7));
    assert_eq!(resolve("fraction = 0.5").unwrap().budget, Budget::Fraction(0.5));
}

#[test]
fn lambda_starts_late_and_grows_where_that_is_asked_for() {
    let plain = resolve("").unwrap();
    assert_eq!([0, 1, 99].map(|step| plain.lambda_factor(step, 100)), [1.0; 3]);
    let late = resolve("lambda_start = 0.5").unwrap();
    assert_eq!([0, 49, 50, 99].map(|step| late.lambda_factor(step, 100)), [0.0, 0.0, 1.0, 1.0]);
    let grows = resolve("lambda_start = 0.25\nlambda_ramp = 0.5").unwrap();
    assert_eq!([24, 25, 50, 75, 99].map(|step| grows.lambda_factor(step, 100)), [0.0, 0.0, 0.5, 1.0, 1.0]);
}

/// What a method is about decides what is not given.
#[test]
fn a_method_has_its_own_layers_and_labels() {
    for (method, architecture, labels) in [
        ("ec-gan", Architecture::ResNet18, FakeLabels::Pseudo),
        ("conditional", Architecture::ResNet18, FakeLabels::Known),
        ("shared-dc", Architecture::Dcgan, FakeLabels::Pseudo),
        ("shared-resnet", Architecture::ResNet18, FakeLabels::Pseudo),
    ] {
        let settings = resolve(&format!("method = \"{method}\"")).unwrap();
        assert_eq!((settings.architecture, settings.fake_labels), (architecture, labels), "{method}");
    }
    let own = resolve("method = \"conditional\"\nfake_labels = \"soft\"\narchitecture = \"dcgan\"").unwrap();
    assert_eq!((own.architecture, own.fake_labels), (Architecture::Dcgan, FakeLabels::Soft));
}

#[test]
fn one_rate_is_for_all_networks_unless_the_classifier_has_its_own() {
    let settings = resolve("lr = 0.5").unwrap();
    assert_eq!((settings.lr, settings.lr_c), (0.5, 0.5));
    let settings = resolve("lr_c = 0.5\nweight_decay_c = 0").unwrap();
    assert_eq!((settings.lr, settings.lr_c), (1e-3, 0.5));
    assert_eq!((settings.weight_decay, settings.weight_decay_c), (1e-3, 0.0));
}

#[test]
fn a_value_out_of_range_names_setting_expectation_and_value() {
    for (toml, message) in [
        ("lambda = -1", "lambda: expected a number >= 0, got -1"),
        ("lambda = nan", "lambda: expected a number >= 0, got NaN"),
        ("threshold = 1.5", "threshold: expected a number from 0 to 1, got 1.5"),
        ("label_smoothing = 1.0", "label_smoothing: expected a number >= 0 and below 1, got 1"),
        ("ema_c = -0.1", "ema_c: expected a number >= 0 and below 1, got -0.1"),
        ("lambda_ramp = 2.0", "lambda_ramp: expected a part of the run, from 0 to 1, got 2"),
        (
            "fakes_from = \"average\"",
            "fakes_from: expected generator, as there is no average without ema_g, got average",
        ),
        (
            "fake_labels = \"known\"",
            "fake_labels: expected pseudo or soft with method ec-gan, whose generator is not told a class, got known",
        ),
        (
            "method = \"shared-dc\"\narchitecture = \"resnet18\"",
            "architecture: expected dcgan, which method shared-dc is about, got resnet18",
        ),
        (
            "method = \"shared-resnet\"\ndiff_augment = \"all\"",
            "diff_augment: expected none with method shared-resnet, whose trunk sees an image once for both heads, got all",
        ),
        (
            "method = \"shared-dc\"\nnorm_d = \"spectral\"",
            "norm_d: expected batch with method shared-dc, whose discriminator is the classifier's layers, got spectral",
        ),
        ("samples = 0", "samples: expected a whole number >= 1, got 0"),
        ("fraction = 0.0", "fraction: expected a number above 0 and at most 1, got 0"),
        ("fraction = 1.1", "fraction: expected a number above 0 and at most 1, got 1.1"),
        ("per_class = 0", "per_class: expected a whole number >= 1, got 0"),
        ("val_fraction = 1.0", "val_fraction: expected a number >= 0 and below 1, got 1"),
        ("channels = 2", "channels: expected 1 or 3, got 2"),
        ("image_size = 28", "image_size: expected 32 or 64, got 28"),
        ("width = 0", "width: expected a whole number from 1 to 1024, got 0"),
        ("epochs = 0", "epochs: expected a whole number >= 1, got 0"),
        ("max_steps = 0", "max_steps: expected a whole number >= 1, got 0"),
        ("patience = 0", "patience: expected a whole number >= 1, got 0"),
        ("checkpoint_every = 0", "checkpoint_every: expected a whole number >= 1, got 0"),
        ("save_every = 0", "save_every: expected a whole number >= 1, got 0"),
        (
            "patience = 2\nval_fraction = 0",
            "val_fraction: expected a part that validates, above 0, for patience to go by, got 0",
        ),
        ("batch = 0", "batch: expected a whole number from 1 to 65536, got 0"),
        ("lr = 0", "lr: expected a number > 0, got 0"),
        ("lr_c = inf", "lr_c: expected a number > 0, got inf"),
        ("weight_decay = -0.1", "weight_decay: expected a number >= 0, got -0.1"),
        ("weight_decay_c = -0.1", "weight_decay_c: expected a number >= 0, got -0.1"),
        (
            "lambda = 1e40",
            "lambda: expected a number up to 3.4e38, as f32 has it, got 10000000000000000000000000000000000000000",
        ),
        ("lr = 4e38", "lr: expected a number up to 3.4e38, as f32 has it, got 400000000000000000000000000000000000000"),
        ("threads = 0", "threads: expected a whole number from 1 to 4096, got 0"),
        ("data = \"\"", "data: expected a folder or `synthetic`, got nothing"),
        ("samples = 3\nper_class = 4", "samples and per_class: expected at most one of them"),
    ] {
        let error = resolve(toml).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (message, ErrorKind::Usage), "{toml}");
    }
    let seed = Partial { seed: Some(u64::MAX), ..Partial::default() };
    assert!(Settings::resolve(seed).unwrap_err().to_string().starts_with("seed: expected a whole number from 0 to"));
    assert_eq!(resolve("device = \"cuda:99\"").unwrap_err().kind(), ErrorKind::Device);
    let error = resolve("device = \"cpu\"\nprecision = \"bf16\"").unwrap_err();
    assert_eq!(error.to_string(), "precision: expected f32 on the CPU, got bf16");
}

#[test]
fn config_toml_reads_back_as_the_same_settings() {
    for toml in [
        "",
        "preset = \"notebook\"\nlr_c = 1e-4\nweight_decay_c = 0\nseed = 9223372036854775807\nmax_steps = 3\nthreads = 2",
        "patience = 3\nmax_time = \"90s\"\ncheckpoint_every = 4\nsave_every = 5",
        "data = \"d\"\nper_class = 20\nmethod = \"classifier\"\nval_fraction = 0",
        "fraction = 0.1\nsubset = \"first\"\nsimd = \"portable\"\ndevice = \"cpu\"\nno_graph = true",
    ] {
        let settings = resolve(toml).unwrap();
        assert_eq!(resolve(&settings.to_toml()).unwrap(), settings, "{}", settings.to_toml());
    }
    assert!(resolve("out = \"runs/x\"").unwrap().to_toml().lines().all(|line| !line.starts_with("out")));
}

/// A run on a GPU that `auto` found is repeated on one, and can be begun on a machine without.
#[test]
fn config_toml_of_a_gpu_names_it_and_asks_for_no_more_than_was_asked_for() {
    let cpu = resolve("device = \"cpu\"\nsimd = \"portable\"").unwrap();
    let gpu = Settings { device: DeviceChoice::Auto, gpu: Some("NVIDIA H100 80GB HBM3".into()), ..cpu.clone() };
    let text = gpu.to_toml();
    assert!(text.starts_with("# on NVIDIA H100 80GB HBM3\n"), "{text}");
    assert!(text.contains("\ndevice = \"auto\"\nprecision = \"f32\"\nno_graph = false\n"), "{text}");
    assert!(!text.contains("simd"), "which is nothing to a GPU: {text}");
    assert_eq!(resolve(&text).unwrap().seed, cpu.seed);
    assert!(cpu.to_toml().contains("\ndevice = \"cpu\"\n") && cpu.to_toml().contains("\nsimd = \"portable\""));
}

#[test]
fn a_threshold_that_filters_nothing_is_warned_about() {
    let settings = resolve("threshold = 0.1").unwrap();
    assert_eq!(
        settings.warnings(10),
        ["threshold: 0.1 filters nothing with 10 classes: the largest softmax is never below 1/10"]
    );
    assert!(settings.warnings(9).len() == 1 && settings.warnings(11).is_empty());
    assert!(resolve("threshold = 0.1\nmethod = \"classifier\"").unwrap().warnings(10).is_empty());
    assert!(resolve("threshold = 0.1\nlambda = 0").unwrap().warnings(10).is_empty());
    let ramp_in_full = "lambda_ramp: fakes enter the running statistics of batch norm in full from its beginning (fake_statistics: frozen \
                        keeps them out)";
    let two_steps =
        "lambda_ramp: preset notebook takes a step of Adam for the fakes, which is about as long whatever lambda is";
    for (text, want) in [
        ("threshold = 1.0", vec!["threshold: 1 keeps nothing: no softmax is above 1"]),
        ("threshold = 1.0\nclass_threshold = \"balanced\"", vec![]),
        ("lambda_start = 1.0", vec!["lambda_start: 1 is the whole run, in which lambda stays 0"]),
        ("lambda_start = 0.5\nlambda_ramp = 0.5", vec![]),
        (
            "lambda_start = 0.5\nlambda_ramp = 1.0",
            vec!["lambda_ramp: the run ends within the ramp, at a lambda of 0.050"],
        ),
        ("lambda_ramp = 0.5\nfake_statistics = \"shared\"", vec![ramp_in_full]),
        ("lambda_ramp = 0.5\nfake_statistics = \"shared\"\nmethod = \"shared-dc\"", vec![ramp_in_full]),
        ("lambda_ramp = 0.5\nfake_statistics = \"shared\"\nmethod = \"classifier\"", vec![]),
        ("lambda_ramp = 0.5\npreset = \"notebook\"", vec![ramp_in_full, two_steps]),
    ] {
        assert_eq!(resolve(text).unwrap().warnings(10), want, "{text}");
    }
}

/// A run is known by the settings that its numbers depend on, and those are the ones that its method uses.
#[test]
fn what_a_method_does_not_use_changes_nothing_in_what_a_run_is() {
    let others = [
        "lambda = 0.3",
        "lambda_start = 0.5",
        "lambda_ramp = 0.5",
        "fake_statistics = \"running\"",
        "gan_loss = \"hinge\"",
        "norm_d = \"spectral\"",
        "diff_augment = \"all\"",
        "ema_g = 0.2",
        "threshold = 0.9",
        "class_threshold = \"balanced\"",
        "fake_labels = \"soft\"",
        "fake_mean = \"all\"",
        "fakes_from = \"average\"",
        "class_code = \"one-hot\"",
        "ema_c = 0.2",
        "lr = 0.5",
        "weight_decay = 0.5",
    ];
    for method in Method::ALL {
        let base: Partial = toml::from_str(&format!("method = \"{method}\"\nema_g = 0.5")).unwrap();
        let identity = |given: Partial| {
            let settings = Settings::without_device(given)?;
            Ok::<_, Error>(crate::sweep::Cell::new(Vec::new(), settings).identity().clone())
        };
        let own = identity(base.clone()).unwrap();
        // How many of the list, in its order, each method does not use: the GAN's, the fakes', the condition.
        let unused = match method {
            Method::Classifier => &others[..14],
            Method::SharedDc | Method::SharedResnet => &others[8..14],
            Method::EcGan => &others[13..14],
            Method::Conditional => &others[..0],
        };
        for other in others {
            let unused = unused.contains(&other);
            let given: Partial = toml::from_str(other).unwrap();
            match identity(given.over(base.clone())) {
                Ok(identity) => assert_eq!(identity == own, unused, "{method}: {other}"),
                // What a method refuses needs no warning.
                Err(error) => assert!(method.is_shared() && !unused, "{method}: {error}"),
            }
        }
    }
}

#[test]
fn data_has_a_short_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("svhn");
    std::fs::create_dir(&data).unwrap();
    let name = |data: String| Settings { data, ..resolve("").unwrap() }.data_name();
    assert_eq!(name(SYNTHETIC.into()), "synthetic");
    assert_eq!(name(format!("{}/", data.display())), "svhn");
    assert_eq!(name(format!("{}/../svhn/.", data.display())), "svhn");
    assert_eq!(name("no/such/place".into()), "place");
    assert_eq!(name("/".into()), "data");
}
