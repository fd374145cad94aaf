//! EC-GAN around a classifier of your own: `cargo run -p ecgan --example own_classifier -- --steps 200`.
//!
//! Here it is a small CNN. The generator, the discriminator, the pseudo-labels and the checkpoints stay the same.

use ecgan::checkpoint::Checkpoint;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics};
use ecgan::models::{Classifier, ImageShape};
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Partial, Settings};
use ecgan::train::train_with;
use nn::{BatchNorm2d, Builder, Conv2d, Linear, Module, Pass};
use std::error::Error;
use std::path::Path;
use tensor::ops::{self, Activation};
use tensor::{Device, Real, Result, Tensor, Var};

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
    // The scopes name the tensors of the checkpoint, `conv1.weight`, `bn1.running_mean`, ..: each layer has one of its own.
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
        let val = epoch.val_accuracy.map_or("no".into(), |val| format!("{val:.1} % of the"));
        println!("epoch {}: {val} validation images", epoch.epoch);
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
    let architecture = SmallCnn { width: 16 };
    // On one of the threads that compute, so that no kernel waits for one.
    let summary = kernels::on_a_worker(|| train_with(&architecture, &settings, &folder, &mut Lines))?;
    println!(
        "test accuracy {:.2} %, everything else in {}",
        summary.test_accuracy.unwrap_or(0.0),
        folder.path().display()
    );

    // The program `ecgan` does not know these layers: to use them is for one that does, and so is `resume_with`.
    let mut network = Checkpoint::read(&folder.last_checkpoint())?.classifier_of(&Device::cpu(), &architecture)?;
    let x = Tensor::zeros(&Device::cpu(), [1, 32, 32, 3]); // an image of one grey, in [-1, 1]
    let logits = network.evaluate(x)?.to_vec()?; // [1,classes]
    println!("{} parameters; logits of a grey image: {logits:.2?}", network.parameter_count());
    Ok(())
}
