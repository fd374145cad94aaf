//! A weight over an estimate of its largest singular value (Miyato et al. 2018): y = W / sigma, sigma = |W^T u|, u a constant;
//! dW = (dy - <dy, y> u v^T) / sigma, v = W^T u / sigma.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::spectral_norm as kernel;

/// W of any shape is a matrix with a row for each entry of its first dimension; u `[rows]` of length 1.
pub fn spectral_norm<T: Real>(w: &Var<T>, u: &Tensor<T>) -> Result<Var<T>> {
    let shape = w.shape();
    let rows = shape.first().copied().unwrap_or(0);
    check(shape.numel() > 0 && u.shape()[..] == [rows], "spectral_norm", "[rows,..], [rows]", &[&shape, &u.shape()])?;
    let size = [rows, shape.numel() / rows];
    let (mut v, mut sigma, mut y) = (w.output([size[1]]), w.output([]), w.output(shape));
    kernel::forward(w.device(), size, w.view(), u, &mut v, &mut sigma, &mut y);
    Ok(w.tape().record(y.clone(), &[w], || SpectralNorm { size, y, u: u.copy(), v, sigma }))
}

struct SpectralNorm<T: Real> {
    size: [usize; 2],
    y: Tensor<T>,
    u: Tensor<T>,
    v: Tensor<T>,
    sigma: Tensor<T>,
}

impl<T: Real> Backward<T> for SpectralNorm<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let Self { size, y, u, v, sigma } = &*self;
        grads.add(0, |dw, store| kernel::backward(dy.device(), *size, y, u, v, sigma, &dy, dw, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    /// A direction of length 1.
    fn direction<T: Real>(w: &Var<T>) -> Tensor<T> {
        let values = [0.48, -0.6, 0.64].map(T::from_f64);
        Tensor::from_slice(w.device(), [3], &values).expect("three numbers")
    }

    op_test!(spectral_norm_gradient, [[3, 2, 2, 3]], |[w]| spectral_norm(w, &direction(w)));

    #[test]
    fn a_direction_has_an_entry_a_row() {
        let device = crate::Device::cpu();
        let w = crate::Tape::off(&device).constant(Tensor::<f32>::zeros(&device, [4, 2]));
        let error = spectral_norm(&w, &Tensor::zeros(&device, [3])).err().expect("refused").to_string();
        assert_eq!(error, "spectral_norm: expected [rows,..], [rows], got [[4, 2], [3]]");
    }
}
