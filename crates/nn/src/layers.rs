//! The layers: ids of their parameters and their hyperparameters.

use crate::builder::{Builder, Init};
use crate::network::{Mode, Pass};
use tensor::ops::{self, Activation, RunningStatistics, Statistics};
use tensor::{Named, ParamId, Real, Result, Var};

/// A convolution without bias.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    weight: ParamId,
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Conv2d {
    /// From `c` to `o` channels with a square kernel; parameter `weight`.
    pub fn new(b: &mut Builder, c: usize, o: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let bound = 1.0 / ((c * kernel * kernel) as f64).sqrt();
        let weight = b.param("weight", [o, kernel, kernel, c], Init::Uniform(bound));
        Self { weight, stride: [stride; 2], padding: [padding; 2] }
    }

    /// `[n,h,w,c]` to `[n,oh,ow,o]`.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        ops::conv2d(x, pass.param(self.weight), self.stride, self.padding)
    }

    /// The same where batch norm follows.
    pub fn forward_to_norm<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        match own_statistics(pass.mode()) {
            Some(groups) => ops::conv2d_with_statistics(x, pass.param(self.weight), self.stride, self.padding, groups),
            None => self.forward(pass, x),
        }
    }
}

/// Of how many batches a batch norm that follows takes the own statistics of each; `None` where it goes by the running ones.
fn own_statistics(mode: Mode) -> Option<usize> {
    match mode {
        Mode::Train | Mode::FrozenStatistics => Some(1),
        Mode::Both { .. } => Some(2),
        Mode::RunningStatistics => None,
    }
}

/// A transposed convolution without bias.
#[derive(Clone, Copy, Debug)]
pub struct ConvTranspose2d {
    weight: ParamId,
    stride: [usize; 2],
    padding: [usize; 2],
}

impl ConvTranspose2d {
    /// From `c` to `o` channels with a square kernel; parameter `weight`.
    pub fn new(b: &mut Builder, c: usize, o: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        // PyTorch takes the fan from the weight's second dimension, which is the OUTPUT channels here.
        let bound = 1.0 / ((o * kernel * kernel) as f64).sqrt();
        let weight = b.param("weight", [c, kernel, kernel, o], Init::Uniform(bound));
        Self { weight, stride: [stride; 2], padding: [padding; 2] }
    }

    /// `[n,h,w,c]` to `[n, (h-1) stride - 2 padding + kernel, .., o]`.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        ops::conv_transpose2d(x, pass.param(self.weight), self.stride, self.padding, [0, 0])
    }

    /// The same where batch norm follows.
    pub fn forward_to_norm<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        match own_statistics(pass.mode()) {
            Some(1) => {
                ops::conv_transpose2d_with_statistics(x, pass.param(self.weight), self.stride, self.padding, [0, 0])
            }
            _ => self.forward(pass, x),
        }
    }
}

/// A fully connected layer with bias.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    weight: ParamId,
    bias: ParamId,
}

impl Linear {
    /// From `inputs` to `outputs` features; parameters `weight` and `bias`.
    pub fn new(b: &mut Builder, inputs: usize, outputs: usize) -> Self {
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        Self { weight: b.param("weight", [outputs, inputs], init), bias: b.param("bias", [outputs], init) }
    }

    /// `[n,inputs]` to `[n,outputs]`.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        ops::linear(x, pass.param(self.weight), pass.param(self.bias))
    }
}

/// Batch norm with the activation that follows it.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm2d {
    weight: ParamId,
    bias: ParamId,
    running_mean: ParamId,
    running_var: ParamId,
    activation: Activation,
}

impl BatchNorm2d {
    /// PyTorch's default momentum.
    pub const MOMENTUM: f64 = 0.1;
    /// PyTorch's default epsilon.
    pub const EPS: f64 = 1e-5;

    /// Over `c` channels; parameters `weight` (gamma) and `bias` (beta), running mean and variance.
    pub fn new(b: &mut Builder, c: usize, activation: Activation) -> Self {
        let layer = Self {
            weight: b.param("weight", [c], Init::Constant(1.0)),
            bias: b.param("bias", [c], Init::Constant(0.0)),
            running_mean: b.buffer("running_mean", [c], Init::Constant(0.0)),
            running_var: b.buffer("running_var", [c], Init::Constant(1.0)),
            activation,
        };
        b.batches_tracked();
        layer
    }

    /// Normalises `[.., c]` and applies the activation.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        self.apply(pass, x, None)
    }

    /// The same with `residual`, of x's shape, added before the activation.
    pub fn forward_add<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>, residual: &Var<T>) -> Result<Var<T>> {
        self.apply(pass, x, Some(residual))
    }

    fn running<'a, T: Real>(&self, buffers: &'a mut Named<T>) -> RunningStatistics<'a, T> {
        let [mean, var] = buffers.views_mut(self.running_mean, self.running_var);
        RunningStatistics { mean, var, momentum: Self::MOMENTUM }
    }

    fn apply<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>, residual: Option<&Var<T>>) -> Result<Var<T>> {
        let (gamma, beta) = (pass.param(self.weight), pass.param(self.bias));
        let mut buffers = pass.buffers();
        let norm = |statistics| ops::batch_norm(x, gamma, beta, residual, statistics, self.activation, Self::EPS);
        match pass.mode() {
            Mode::Train => norm(Statistics::Batch(Some(self.running(&mut buffers)))),
            Mode::Both { second_updates } => {
                norm(Statistics::Groups(2, Some((self.running(&mut buffers), 1 + usize::from(second_updates)))))
            }
            Mode::FrozenStatistics => norm(Statistics::Batch(None)),
            Mode::RunningStatistics => {
                let (mean, var) = (buffers.get(self.running_mean), buffers.get(self.running_var));
                norm(Statistics::Given(mean.view(), var.view()))
            }
        }
    }
}
