//! The parts of the network, and how they are computed one after another.

use super::pools::{average_pool, max_pool};
use super::weights::Weights;
use crate::Error;
use tensor::ops::{self, Activation, Statistics};
use tensor::{Tape, Tensor};

/// The epsilon of every batch norm.
const EPSILON: f64 = 1e-3;

/// Convolution without bias, batch norm by running statistics, ReLU.
pub struct Convolution {
    w: Tensor,         // [o,kh,kw,i]
    norm: [Tensor; 4], // gamma, beta, mean, variance, [o] each
    stride: usize,
    padding: [usize; 2],
}

/// What is computed next.
pub enum Step {
    /// A convolution.
    Convolution(Box<Convolution>),
    /// The mean of 3x3 pixels, stride 1; at the border of those that are there.
    AveragePool,
    /// The largest of 3x3 pixels: stride 2 without padding, or stride 1 with.
    MaxPool {
        /// Pixels from one to the next.
        stride: usize,
    },
    /// Several from the same input, their channels one after another.
    Branches(Vec<Vec<Step>>),
}

impl Convolution {
    /// Reads `<name>.conv` and `<name>.bn`, from `i` channels to `o`.
    pub fn read(
        weights: &Weights,
        name: &str,
        [i, o]: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        padding: [usize; 2],
    ) -> Result<Self, Error> {
        let w = weights.tensor(&format!("{name}.conv.weight"), &[o, i, kernel[0], kernel[1]])?;
        let norm = |part: &str| weights.tensor(&format!("{name}.bn.{part}"), &[o]);
        let norm = [norm("weight")?, norm("bias")?, norm("running_mean")?, norm("running_var")?];
        Ok(Self { w, norm, stride, padding })
    }

    fn forward(&self, x: Tensor) -> tensor::Result<Tensor> {
        let tape = Tape::off(x.device());
        let [gamma, beta, mean, var] = &self.norm;
        let w = tape.constant(self.w.clone());
        let y = ops::conv2d(&tape.constant(x), &w, [self.stride; 2], self.padding)?;
        let (gamma, beta) = (tape.constant(gamma.clone()), tape.constant(beta.clone()));
        let statistics = Statistics::Given(mean.view(), var.view());
        let y = ops::batch_norm(&y, &gamma, &beta, None, statistics, Activation::Relu, EPSILON)?;
        Ok(y.value().clone())
    }
}

/// From x `[n,h,w,c]` to what the last step gives.
pub fn run(steps: &[Step], mut x: Tensor) -> Result<Tensor, Error> {
    for step in steps {
        x = match step {
            Step::Convolution(convolution) => convolution.forward(x)?,
            Step::AveragePool => average_pool(&x)?,
            Step::MaxPool { stride } => max_pool(&x, *stride)?,
            Step::Branches(branches) => {
                let outputs: Result<Vec<_>, _> = branches.iter().map(|steps| run(steps, x.clone())).collect();
                side_by_side(&outputs?)?
            }
        };
    }
    Ok(x)
}

/// `[n,h,w,c1]`, `[n,h,w,c2]`, .. as `[n,h,w,c1+c2+..]`.
fn side_by_side(parts: &[Tensor]) -> Result<Tensor, Error> {
    let [n, h, w, _] = parts[0].shape()[..] else { unreachable!("images are [n,h,w,c]") };
    let channels: Vec<usize> = parts.iter().map(|part| part.shape()[3]).collect();
    let values: Result<Vec<_>, _> = parts.iter().map(Tensor::to_vec).collect();
    let values = values?;
    let mut y = Vec::with_capacity(n * h * w * channels.iter().sum::<usize>());
    for pixel in 0..n * h * w {
        for (part, &c) in values.iter().zip(&channels) {
            y.extend_from_slice(&part[pixel * c..(pixel + 1) * c]);
        }
    }
    Ok(Tensor::from_slice(parts[0].device(), [n, h, w, channels.iter().sum()], &y)?)
}
