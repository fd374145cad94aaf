//! EC-GAN around a classifier of your own: `cargo run -p ecgan --example own_classifier -- --steps 200`.
//!
//! Here it is a small CNN. The generator, the discriminator, the pseudo-labels and the checkpoints stay the same.

use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics};
use ecgan::models::{Classifier, ImageShape};
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Partial, Settings};
use ecgan::train::train_with;
use nn::{BatchNorm2d, Builder, Conv2d, Linear, Module, Pass};
use std::error::Error;
use std::path::Path;
use tensor::ops::{self, Activation};
use tensor::{Real, Result, Var};

/// What it is: three 3x3 convolutions, each with batch norm and ReLU, and a linear layer.
struct SmallCnn {
    width: usize,
}

/// Its layers. They hold no numbers, only where in the network's flat parameters theirs are.
struct Layers {
    convs: Vec<(Conv2d, BatchNorm2d)>,
    linear: Linear,
}

impl Classifier for SmallCnn {
    // The scopes name the tensors of the checkpoint: `conv1.weight`, `bn1.running_mean`, ..
    fn build<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        let mut convs = Vec::new();
        let mut c = image.channels;
        for (i, stride) in [(1, 1), (2, 2), (3, 2)] {
            let o = self.width << (i - 1);
            let conv = b.scope(format!("conv{i}"), |b| Conv2d::new(b, c, o, 3, stride, 1));
            let bn = b.scope(format!("bn{i}"), |b| BatchNorm2d::new(b, o, Activation::Relu));
            convs.push((conv, bn));
            c = o;
        }
        let linear = b.scope("linear", |b| Linear::new(b, c, classes));
        Box::new(Layers { convs, linear })
    }
}

impl<T: Real> Module<T> for Layers {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let mut h = x.clone(); // [n,32,32,3]
        for (conv, bn) in &self.convs {
            h = bn.forward(pass, &conv.forward_to_norm(pass, &h)?)?; // [n,32,32,w] [n,16,16,2w] [n,8,8,4w]
        }
        let h = ops::global_avg_pool2d(&h)?; // [n,1,1,4w]
        let features = ops::reshape(&h, [h.shape()[0], h.shape()[3]])?; // [n,4w]
        self.linear.forward(pass, &features) // [n,classes]
    }
}

/// Hears what the trainer does; this one prints a line an epoch.
struct Lines;

impl Observer for Lines {
    fn started(&mut self, run: &Started) {
        println!("{} steps over {} images on {}", run.steps, run.n_train, run.device);
    }

    fn warning(&mut self, message: &str) {
        eprintln!("warning: {message}");
    }

    fn step(&mut self, _: &StepMetrics) {}

    fn epoch(&mut self, epoch: &EpochMetrics) {
        println!("epoch {}: {:.1} % of the validation images", epoch.epoch, epoch.val_accuracy.unwrap_or(0.0));
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let steps = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => None,
        [flag, n] if flag == "--steps" => Some(n.parse()?),
        _ => return Err("usage: own_classifier [--steps N]".into()),
    };
    // What is not given comes from the preset `quick`: EC-GAN on 2,000 drawn digits.
    let settings = Settings::resolve(Partial { max_steps: steps, ..Partial::default() })?;
    let folder = RunFolder::create(settings.out.as_deref(), Path::new("runs"), settings.method, "own-classifier")?;
    let summary = train_with(&SmallCnn { width: 16 }, &settings, &folder, &mut Lines)?;
    println!(
        "test accuracy {:.2} %, everything else in {}",
        summary.test_accuracy.unwrap_or(0.0),
        folder.path().display()
    );
    Ok(())
}
