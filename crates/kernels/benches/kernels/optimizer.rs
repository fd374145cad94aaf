//! The optimizers over a whole network's parameters.

use crate::{Bench, Work::Bytes};
use kernels::adam::{self, AdamConfig, Steps};
use kernels::sgd::{self, SgdConfig};

/// Parameters of a network in one buffer.
const PARAMETERS: usize = 1_068_928;

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    let (mut values, mut grads) = (bench.normal(PARAMETERS), bench.normal(PARAMETERS));
    let (mut m, mut v) = (bench.filled(0.0, PARAMETERS), bench.filled(0.0, PARAMETERS));
    let mut steps = Steps::new(&device, AdamConfig::dcgan(1e-6, 1e-3), 0);
    // Reads four operands and writes three, and the gradients' zeros.
    bench.time("adam_step", &PARAMETERS.to_string(), Bytes(32 * PARAMETERS), || {
        adam::step(&device, &mut steps, &mut values, &mut grads, &mut m, &mut v, None);
    });
    let settings = SgdConfig { lr: 1e-6, momentum: 0.9, weight_decay: 1e-3 };
    bench.time("sgd_step", &PARAMETERS.to_string(), Bytes(20 * PARAMETERS), || {
        sgd::step(&device, &settings, &mut values, &grads, &mut m);
    });
}
