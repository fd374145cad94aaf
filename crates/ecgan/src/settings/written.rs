//! Settings as they are written down: in `config.toml`, in a checkpoint, and for all who compare them.

use super::{Budget, Partial, Settings, SimdChoice, architecture, fake_labels};
use toml::Table;

impl Partial {
    /// Keys for several networks, each with the one that the classifier has of its own.
    pub(super) const PAIRS: [(&'static str, &'static str); 2] = [("lr", "lr_c"), ("weight_decay", "weight_decay_c")];

    /// What is given, by key.
    ///
    /// # Panics
    /// If `out` is given and not text, which a path need not be.
    pub(crate) fn table(&self) -> Table {
        Table::try_from(self).expect("numbers and words are TOML")
    }
}

impl Settings {
    /// `config.toml`: [`Settings::used`], which reads back as a settings file that gives the same run, and with another method
    /// what the preset has for that one; `out` is left out, being the folder that the file is in. A GPU's name is a comment
    /// on top.
    pub fn to_toml(&self) -> String {
        let gpu = self.gpu.as_ref().map(|name| format!("# on {name}\n")).unwrap_or_default();
        gpu + &toml::to_string(&self.used()).expect("numbers and words are TOML")
    }

    /// These settings as a source that gives all that the method uses, and of those not what follows from it.
    pub fn used(&self) -> Partial {
        let method = self.method;
        let follows: [(bool, &[&str]); 4] = [
            (architecture(method, None).is_ok_and(|own| own == self.architecture), &["architecture"]),
            (fake_labels(method, None).is_ok_and(|own| own == self.fake_labels), &["fake_labels"]),
            (method.is_shared(), &["diff_augment", "norm_d"]),
            (method.is_shared() && self.lambda_start == 0.0, &["lambda_start"]),
        ];
        let follows = follows.iter().filter(|(follows, _)| *follows).flat_map(|(_, keys)| *keys);
        let mut all = self.to_partial().table();
        method.unused().iter().chain(follows).for_each(|key| drop(all.remove(*key)));
        all.try_into().expect("they were settings")
    }

    /// These settings as a source that gives all of them.
    pub fn to_partial(&self) -> Partial {
        Partial {
            data: Some(self.data.clone()),
            method: Some(self.method),
            preset: Some(self.preset),
            samples: if let Budget::Samples(n) = self.budget { Some(n) } else { None },
            fraction: if let Budget::Fraction(part) = self.budget { Some(part) } else { None },
            per_class: if let Budget::PerClass(n) = self.budget { Some(n) } else { None },
            subset: Some(self.subset),
            val_fraction: Some(self.val_fraction),
            sampling: Some(self.sampling),
            augment: Some(self.augment),
            channels: Some(self.channels),
            image_size: Some(self.image_size),
            architecture: Some(self.architecture),
            width: Some(self.width),
            epochs: Some(self.epochs),
            max_steps: self.max_steps,
            patience: self.patience,
            max_time: self.max_time,
            batch: Some(self.batch),
            seed: Some(self.seed),
            lambda: Some(self.lambda),
            threshold: Some(self.threshold),
            class_threshold: Some(self.class_threshold),
            fake_statistics: Some(self.fake_statistics),
            fake_labels: Some(self.fake_labels),
            fake_mean: Some(self.fake_mean),
            class_code: Some(self.class_code),
            gan_loss: Some(self.gan_loss),
            norm_d: Some(self.norm_d),
            diff_augment: Some(self.diff_augment),
            ema_g: Some(self.ema_g),
            ema_c: Some(self.ema_c),
            fakes_from: Some(self.fakes_from),
            lambda_start: Some(self.lambda_start),
            lambda_ramp: Some(self.lambda_ramp),
            label_smoothing: Some(self.label_smoothing),
            lr: Some(self.lr),
            lr_c: Some(self.lr_c),
            schedule: Some(self.schedule),
            weight_decay: Some(self.weight_decay),
            weight_decay_c: Some(self.weight_decay_c),
            device: Some(self.device),
            precision: Some(self.precision),
            no_graph: Some(self.no_graph),
            // On a GPU it changes nothing in the numbers, and another machine may lack it.
            simd: self.gpu.is_none().then_some(SimdChoice(self.simd)),
            threads: self.threads,
            checkpoint_every: self.checkpoint_every,
            save_every: self.save_every,
            tensorboard: Some(self.tensorboard),
            memory_limit: self.memory_limit,
            out: None,
        }
    }
}
