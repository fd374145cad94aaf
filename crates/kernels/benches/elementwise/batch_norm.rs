//! The passes of batch normalisation at the networks' layers, in training: ReLU after it, with and without residual.

use crate::{normal, time};
use criterion::Criterion;
use kernels::batch_norm::{BatchStatistics, Normalize, backward, forward, statistics};
use kernels::{Device, Store};

/// [n, h, w, c] of the layers that are normalised: widths 16 and 64, and the generator's and discriminator's.
const SHAPES: [[usize; 4]; 7] = [
    [64, 32, 32, 64],
    [64, 32, 32, 16],
    [64, 16, 16, 32],
    [64, 16, 16, 64],
    [64, 8, 8, 128],
    [64, 4, 4, 256],
    [64, 4, 4, 512],
];

pub fn run(c: &mut Criterion) {
    let device = Device::cpu();
    for shape in SHAPES {
        let n: usize = shape.iter().product();
        let channels = shape[3];
        let case = shape.map(|d| d.to_string()).join("x");
        let normalize = Normalize { channels, eps: 1e-5, slope: 0.0f32 };
        let (x, dy, residual, gamma, beta) = (normal(n), normal(n), normal(n), normal(channels), normal(channels));
        let (mut mean, mut var, mut y) = (vec![0.0; channels], vec![0.0; channels], vec![0.0; n]);
        time(c, "batch_norm_statistics", &case, 4 * n, || statistics(&device, channels, &x, &mut mean, &mut var));
        time(c, "batch_norm_add_forward", &case, 12 * n, || {
            forward(&device, normalize, &x, &mean, &var, &gamma, &beta, Some(&residual), &mut y);
        });
        time(c, "batch_norm_forward", &case, 8 * n, || {
            forward(&device, normalize, &x, &mean, &var, &gamma, &beta, None, &mut y);
        });
        let (mut dx, mut dresidual) = (vec![0.0; n], vec![0.0; n]);
        let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
        let mut gradient = |dx: Option<&mut [f32]>, dresidual: Option<&mut [f32]>| {
            let set = |out| (out, Store::Set);
            let (dgamma, dbeta) = (Some(set(&mut dgamma[..])), Some(set(&mut dbeta[..])));
            let (dx, dresidual) = (dx.map(set), dresidual.map(set));
            let batch = BatchStatistics::Batch;
            backward(&device, normalize, batch, &x, &y, &dy, &mean, &var, &gamma, dx, dgamma, dbeta, dresidual);
        };
        time(c, "batch_norm_backward_sums", &case, 12 * n, || gradient(None, None));
        time(c, "batch_norm_backward", &case, 28 * n, || gradient(Some(&mut dx), None));
        time(c, "batch_norm_add_backward", &case, 32 * n, || gradient(Some(&mut dx), Some(&mut dresidual)));
    }
}
