//! Checks that every op passes: its gradient in `f64` at every element, and every `f32` path against `f64`; with the feature
//! `cuda-host` the CUDA kernels on the stand-in too, with `ECGAN_CUDA_TESTS=1` on the first GPU.
//!
//! For y = f(x) and random r, the gradient of sum(r y) is compared with central differences
//! (f(x + h) - f(x - h)) / 2h. The op is applied twice to the same inputs, so that a reverse which overwrites
//! where it should add is found; the same comparison must reject the gradient scaled by 1.01; and all memory is
//! handed out full of NaN, so that a kernel which reads before it writes is found.

use crate::{Device, Real, Result, Shape, Simd, Tape, Tensor, Var};
use kernels::cuda::{Cuda, Precision};
use kernels::philox::Philox;

/// An op over its inputs, for one element type.
pub type Op<T> = fn(&[Var<T>]) -> Result<Var<T>>;

/// Relative error of a gradient component against its central difference, relative to the largest component.
const GRADIENT_TOLERANCE: f64 = 1e-6;

/// Relative deviation of an f32 path from f64, relative to the largest element of the result.
const PARITY_TOLERANCE: f64 = 2e-5;

/// Declares a test of one op: `op_test!(name, [shape, ..], |[x, ..]| op(x, ..))`.
#[macro_export]
macro_rules! op_test {
    ($name:ident, [$($shape:expr),* $(,)?], |[$($x:ident),*]| $op:expr) => {
        #[test]
        fn $name() {
            fn op<T: $crate::Real>(inputs: &[$crate::Var<T>]) -> $crate::Result<$crate::Var<T>> {
                let [$($x),*] = inputs else { unreachable!("as many inputs as shapes") };
                $op
            }
            $crate::testing::check_op(&[$($shape.into()),*], op::<f64>, op::<f32>);
        }
    };
}
pub use op_test;

/// All of the above for one op; panics with what differs.
pub fn check_op(shapes: &[Shape], op64: Op<f64>, op32: Op<f32>) {
    let mut random = Philox::new(2012, 15864);
    let inputs: Vec<Vec<f64>> =
        shapes.iter().map(|s| (0..s.numel()).map(|_| away_from_kinks(&mut random)).collect()).collect();
    let paths: Vec<Device> =
        Simd::available().into_iter().map(|simd| Device::cpu_with(simd).expect("available").poisoned()).collect();

    let mut reference = None;
    for device in &paths {
        let run = run_twice(device, shapes, &inputs, op64);
        let numeric = central_differences(device, shapes, &inputs, op64, &run.projections);
        for (i, numeric) in numeric.iter().enumerate() {
            let analytic = &run.gradients[i];
            if let Err(difference) = compare(analytic, numeric, GRADIENT_TOLERANCE) {
                panic!("{}: gradient of input {i}: {difference}", device.simd());
            }
            let mutant: Vec<f64> = analytic.iter().map(|g| g * 1.01).collect();
            assert!(compare(&mutant, numeric, GRADIENT_TOLERANCE).is_err(), "input {i}: a gradient off by 1 % passes");
        }
        reference = Some(run);
    }
    let reference = reference.expect("there is a portable path");
    for device in paths.iter().chain(&gpus()) {
        let run = run_twice(device, shapes, &inputs, op32);
        let pairs = run.outputs.iter().zip(&reference.outputs).chain(run.gradients.iter().zip(&reference.gradients));
        for (index, (got, want)) in pairs.enumerate() {
            if let Err(difference) = compare(got, want, PARITY_TOLERANCE) {
                panic!("{device} f32 against f64, result {index}: {difference}");
            }
        }
    }
}

/// The stand-in in each of its orders, and the first GPU where it is asked for.
pub(crate) fn gpus() -> Vec<Device> {
    let mut gpus: Vec<Cuda> = Vec::new();
    #[cfg(feature = "cuda-host")]
    gpus.extend(kernels::cuda::Order::ALL.map(Cuda::host));
    if std::env::var_os("ECGAN_CUDA_TESTS").is_some_and(|value| value == "1") {
        gpus.push(Cuda::open(0).unwrap_or_else(|error| panic!("ECGAN_CUDA_TESTS=1, but {error}")));
    }
    gpus.into_iter().map(|cuda| Device::cuda(cuda, Precision::F32).expect("it has f32").poisoned()).collect()
}

/// What the op and its reverse gave.
struct Run {
    outputs: Vec<Vec<f64>>,
    /// The two random r, one for each application.
    projections: [Vec<f64>; 2],
    gradients: Vec<Vec<f64>>,
}

/// Standard normal, but never so close to 0 that a finite difference would cross a kink there.
fn away_from_kinks(random: &mut Philox) -> f64 {
    let x = f64::from(random.normal());
    x + 0.01f64.copysign(x)
}

fn tensors<T: Real>(device: &Device, shapes: &[Shape], values: &[Vec<f64>]) -> Vec<Tensor<T>> {
    let cast = |values: &Vec<f64>| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
    shapes.iter().zip(values).map(|(&s, v)| Tensor::from_slice(device, s, &cast(v)).expect("sizes agree")).collect()
}

fn to_f64<T: Real>(x: &Tensor<T>) -> Vec<f64> {
    x.to_vec().expect("it ran").iter().map(|v| v.to_f64()).collect()
}

fn run_twice<T: Real>(device: &Device, shapes: &[Shape], values: &[Vec<f64>], op: Op<T>) -> Run {
    let tape = Tape::new(device);
    let inputs: Vec<Var<T>> = tensors(device, shapes, values).into_iter().map(|x| tape.input(x)).collect();
    let ys = [0, 1].map(|_| op(&inputs).expect("the shapes fit"));
    let mut random = Philox::new(7, 0);
    let projections =
        [0, 1].map(|_| (0..ys[0].shape().numel()).map(|_| f64::from(random.normal())).collect::<Vec<_>>());
    let dys = projections.clone().map(|r| tensors::<T>(device, &[ys[0].shape()], &[r]).remove(0));
    let outputs = ys.iter().map(|y| to_f64(y.value())).collect();
    let seeds = ys.iter().zip(dys).collect();
    let gradients = tape.backward_from(seeds).expect("dy has y's shape");
    let gradients = inputs.iter().map(|x| to_f64(gradients.get(x).expect("every input gets a gradient"))).collect();
    Run { outputs, projections, gradients }
}

fn central_differences(
    device: &Device,
    shapes: &[Shape],
    values: &[Vec<f64>],
    op: Op<f64>,
    projections: &[Vec<f64>; 2],
) -> Vec<Vec<f64>> {
    let weights: Vec<f64> = projections[0].iter().zip(&projections[1]).map(|(a, b)| a + b).collect();
    let mut values = values.to_vec();
    let projected = |values: &[Vec<f64>]| -> f64 {
        let tape = Tape::off(device);
        let inputs: Vec<Var<f64>> = tensors(device, shapes, values).into_iter().map(|x| tape.constant(x)).collect();
        let y = op(&inputs).expect("the shapes fit");
        y.as_slice().iter().zip(&weights).map(|(y, r)| y * r).sum()
    };
    let mut gradients = Vec::new();
    for i in 0..values.len() {
        let gradient = (0..values[i].len()).map(|j| {
            let (x, h) = (values[i][j], 1e-5 * values[i][j].abs().max(1.0));
            let [above, below] = [x + h, x - h].map(|v| {
                values[i][j] = v;
                projected(&values)
            });
            values[i][j] = x;
            (above - below) / (2.0 * h)
        });
        gradients.push(gradient.collect());
    }
    gradients
}

/// Whether two vectors agree within `tolerance` times the reference's largest element.
pub fn compare(got: &[f64], want: &[f64], tolerance: f64) -> std::result::Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} elements, expected {}", got.len(), want.len()));
    }
    let scale = want.iter().fold(0.0f64, |m, v| m.max(v.abs())).max(1e-3);
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let difference = (g - w).abs();
        if difference > tolerance * scale || difference.is_nan() {
            return Err(format!("element {i}: {g:e}, expected {w:e} (largest {scale:e}, tolerance {tolerance:e})"));
        }
    }
    Ok(())
}
