//! Every op and optimizer against PyTorch, in f64 and, on every SIMD path, in f32.

use crate::formula::Entry;
use crate::results::{Ours, Stored, check_within, read};
use nn::{Adam, AdamConfig, Sgd, SgdConfig};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tensor::ops::{self, Activation, Reduction, RunningStatistics, Statistics};
use tensor::{Device, Named, Params, Real, Simd, Tape, Tensor, Var};

/// Relative to a result's l2.
const F64_TOLERANCE: f64 = 1e-10;

/// The same in f32 for inputs around 1; rounding grows with the inputs.
const F32_TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    name: String,
    attributes: Value,
    inputs: BTreeMap<String, Entry>,
    outputs: BTreeMap<String, Stored>,
    numbers: BTreeMap<String, f64>,
}

/// From the inputs to y.
type Forward<'a, T> = &'a dyn Fn(&[Var<T>]) -> tensor::Result<Var<T>>;

/// What a case gave: tensors in PyTorch's layout, and numbers.
#[derive(Default)]
struct Run {
    outputs: BTreeMap<String, Ours>,
    numbers: BTreeMap<String, f64>,
}

impl Run {
    fn put<T: Real>(&mut self, name: impl Into<String>, x: &Tensor<T>) {
        self.outputs.insert(name.into(), Ours::new(x));
    }
}

#[test]
fn layers_match_in_f64() {
    for simd in Simd::available() {
        check_all::<f64>(&Device::cpu_with(simd).expect("available").poisoned(), |_| F64_TOLERANCE);
    }
}

#[test]
fn layers_match_in_f32_on_every_path() {
    for simd in Simd::available() {
        check_all::<f32>(&Device::cpu_with(simd).expect("available").poisoned(), |case| {
            let largest = case.inputs.values().flat_map(Entry::values).fold(0.0, |m: f64, v| m.max(v.abs()));
            F32_TOLERANCE * (1.0 + largest)
        });
    }
}

fn check_all<T: Real>(device: &Device, tolerance: impl Fn(&Case) -> f64) {
    let File { cases } = read("layers.json");
    assert_eq!(cases.len(), 38);
    for case in &cases {
        let (run, tolerance) = (case.run::<T>(device), tolerance(case));
        let what = |result: &str| format!("{} {}: {result}", device.simd(), case.name);
        for (name, want) in &case.outputs {
            let got = run.outputs.get(name).unwrap_or_else(|| panic!("{}: not computed", what(name)));
            want.check(&what(name), got, tolerance);
        }
        for (name, want) in &case.numbers {
            check_within(&what(name), run.numbers[name], *want, tolerance * want.abs());
        }
    }
}

impl Case {
    fn run<T: Real>(&self, device: &Device) -> Run {
        match self.op.as_str() {
            "cross_entropy" => self.cross_entropy::<T>(device),
            "bce_with_logits" => self.bce_with_logits::<T>(device),
            "adam" => self.adam::<T>(device),
            "sgd" => self.sgd::<T>(device),
            op if op.starts_with("batch_norm") => self.batch_norm::<T>(device),
            _ => self.mapped::<T>(device),
        }
    }

    fn input<T: Real>(&self, device: &Device, name: &str) -> Tensor<T> {
        self.inputs[name].tensor(device)
    }

    fn number(&self, name: &str) -> f64 {
        self.attributes[name].as_f64().unwrap_or_else(|| panic!("{}: {name} is not a number", self.name))
    }

    fn pair<N: serde::de::DeserializeOwned>(&self, name: &str) -> [N; 2] {
        serde_json::from_value(self.attributes[name].clone())
            .unwrap_or_else(|error| panic!("{}: {name}: {error}", self.name))
    }

    /// y and the gradients of sum(y dy) by the named inputs.
    fn differentiate<T: Real>(
        &self,
        device: &Device,
        names: &[&str],
        forward: impl FnOnce(&[Var<T>]) -> tensor::Result<Var<T>>,
    ) -> Run {
        let tape = Tape::new(device);
        let inputs: Vec<Var<T>> = names.iter().map(|name| tape.input(self.input(device, name))).collect();
        let y = forward(&inputs).expect("the shapes fit");
        let gradients = tape.backward_from(vec![(&y, self.input(device, "dy"))]).expect("dy has y's shape");
        let mut run = Run::default();
        run.put("y", y.value());
        for (name, x) in names.iter().zip(&inputs) {
            run.put(format!("d{name}"), gradients.get(x).expect("every input gets a gradient"));
        }
        run
    }

    fn mapped<T: Real>(&self, device: &Device) -> Run {
        let run = |names: &[&str], forward: Forward<T>| self.differentiate(device, names, forward);
        match self.op.as_str() {
            "conv2d" => run(&["x", "w"], &|v| ops::conv2d(&v[0], &v[1], self.pair("stride"), self.pair("padding"))),
            "conv_transpose2d" => run(&["x", "w"], &|v| {
                let [stride, padding, extra] = ["stride", "padding", "output_padding"].map(|name| self.pair(name));
                ops::conv_transpose2d(&v[0], &v[1], stride, padding, extra)
            }),
            "relu" => run(&["x"], &|v| ops::relu(&v[0])),
            "leaky_relu" => run(&["x"], &|v| ops::leaky_relu(&v[0], self.number("slope"))),
            "tanh" => run(&["x"], &|v| ops::tanh(&v[0])),
            "sigmoid" => run(&["x"], &|v| ops::sigmoid(&v[0])),
            "avg_pool2d" => run(&["x"], &|v| ops::avg_pool2d(&v[0], self.pair("kernel"))),
            "linear" => run(&["x", "w", "b"], &|v| ops::linear(&v[0], &v[1], &v[2])),
            "softmax" => run(&["logits"], &|v| ops::softmax(&v[0])),
            op => panic!("{}: no op {op}", self.name),
        }
    }

    fn batch_norm<T: Real>(&self, device: &Device) -> Run {
        let activation = match self.op.as_str() {
            "batch_norm" => Activation::Identity,
            "batch_norm_relu" | "batch_norm_add_relu" => Activation::Relu,
            "batch_norm_leaky_relu" => Activation::LeakyRelu(0.2),
            op => panic!("{}: no op {op}", self.name),
        };
        let mut names = vec!["x", "gamma", "beta"];
        names.extend(self.inputs.contains_key("residual").then_some("residual"));
        let training = self.attributes["training"] == true;
        let (momentum, eps) = (self.number("momentum"), self.number("eps"));
        let [mut mean, mut var]: [Tensor<T>; 2] = ["running_mean", "running_var"].map(|name| self.input(device, name));
        let mut apply = |v: &[Var<T>], x: &Var<T>| {
            let (mean, var) = (mean.view_mut(), var.view_mut());
            let statistics = match training {
                true => Statistics::Batch(Some(RunningStatistics { mean, var, momentum })),
                false => Statistics::Given(mean.shared(), var.shared()),
            };
            ops::batch_norm(x, &v[1], &v[2], v.get(3), statistics, activation, eps)
        };
        let mut run = self.differentiate(device, &names, |v| {
            if training {
                // Only moves the running statistics.
                apply(v, &v[0].tape().constant(self.input(device, "x_first")))?;
            }
            apply(v, &v[0])
        });
        run.put("running_mean", &mean);
        run.put("running_var", &var);
        run
    }

    fn cross_entropy<T: Real>(&self, device: &Device) -> Run {
        let rows = self.inputs["logits"].shape[0];
        let labels: Vec<i32> = serde_json::from_value(self.attributes["labels"].clone()).expect("integers");
        let labels = Tensor::from_slice(device, [rows], &labels).expect("one a row");
        let weights: Vec<f64> = serde_json::from_value(self.attributes["weights"].clone()).expect("numbers");
        let reduction = if self.attributes["divisor"] == "all" { Reduction::All } else { Reduction::Kept };
        let of_weights = |logits: &Var<T>, weights: &[f64], reduction| {
            let weights: Vec<T> = weights.iter().map(|&w| T::from_f64(w)).collect();
            let weights = Tensor::from_slice(device, [rows], &weights).expect("one a row");
            ops::cross_entropy(logits, ops::Target::labels(&labels), Some(&weights), reduction).expect("the shapes fit")
        };
        let mut run = self.loss(device, |logits| of_weights(logits, &weights, reduction));

        let logits = Tape::off(device).constant(self.input(device, "logits"));
        let each = (0..rows).map(|row| {
            let only: Vec<f64> = (0..rows).map(|i| f64::from(i == row)).collect();
            of_weights(&logits, &only, Reduction::Kept).value().item().expect("on the host").to_f64()
        });
        run.outputs.insert("each".to_owned(), Ours { shape: vec![rows], values: each.collect() });
        run
    }

    fn bce_with_logits<T: Real>(&self, device: &Device) -> Run {
        self.loss::<T>(device, |logits| ops::bce_with_logits(logits, self.number("target")).expect("the shapes fit"))
    }

    fn loss<T: Real>(&self, device: &Device, forward: impl FnOnce(&Var<T>) -> Var<T>) -> Run {
        let tape = Tape::new(device);
        let logits = tape.input(self.input(device, "logits"));
        let loss = forward(&logits);
        let gradients = tape.backward(&loss).expect("a loss is a scalar");
        let mut run = Run::default();
        run.put("dlogits", gradients.get(&logits).expect("the loss depends on its logits"));
        run.numbers.insert("loss".to_owned(), loss.value().item().expect("on the host").to_f64());
        run
    }

    /// Five steps of an optimizer on one parameter; `step` is called with the gradient in place.
    fn steps<T: Real>(&self, params: &mut Params<T>, run: &mut Run, mut step: impl FnMut(&mut Params<T>)) {
        let id = Named::<T>::id(0);
        let device = params.values().flat().device().clone();
        params.values_mut().write(id, self.input::<T>(&device, "p").as_slice());
        for k in 1..=5 {
            let gradient = self.input::<T>(&device, &format!("g{k}"));
            params.with_gradients(|_, flat| flat.host()[..gradient.numel()].copy_from_slice(gradient.as_slice()));
            step(params);
            run.put(format!("p{k}"), &params.values().get(id));
        }
    }

    fn params<T: Real>(&self, device: &Device) -> Params<T> {
        Params::new(Named::new(device, [("p", self.inputs["p"].shape[..].into())]))
    }

    fn adam<T: Real>(&self, device: &Device) -> Run {
        let [lr, eps, weight_decay] = ["lr", "eps", "weight_decay"].map(|name| self.number(name));
        let (mut params, mut run) = (self.params::<T>(device), Run::default());
        let mut adam = Adam::new(AdamConfig { lr, betas: self.pair("betas"), eps, weight_decay }, &params);
        self.steps(&mut params, &mut run, |params| adam.step(params));
        run.put("exp_avg", &part(&adam.m, 13));
        run.put("exp_avg_sq", &part(&adam.v, 13));
        run
    }

    fn sgd<T: Real>(&self, device: &Device) -> Run {
        let [lr, momentum, weight_decay] = ["lr", "momentum", "weight_decay"].map(|name| self.number(name));
        let (mut params, mut run) = (self.params::<T>(device), Run::default());
        let mut sgd = Sgd::new(SgdConfig { lr, momentum, weight_decay }, &params);
        self.steps(&mut params, &mut run, |params| sgd.step(params));
        run.put("momentum_buffer", &part(&sgd.velocity, 13));
        run
    }
}

/// Without the padding of flat memory.
fn part<T: Real>(flat: &Tensor<T>, n: usize) -> Tensor<T> {
    Tensor::from_slice(flat.device(), [n], &flat.as_slice()[..n]).expect("n elements")
}
