//! Hyperbolic tangent: y = tanh x.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::{Device, Real, Store};

/// y = tanh x.
pub fn forward<T: Real>(device: &Device, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "tanh: x and y");
    parallel::split((x, y), x.len(), CHUNK / 8, |_, (x, y)| forward_chunk(device.simd(), x, y));
}

/// dx = dy (1 - y^2).
pub fn backward<T: Real>(device: &Device, y: &[T], dy: &[T], dx: &mut [T], store: Store) {
    assert!(y.len() == dy.len() && y.len() == dx.len(), "tanh: y, dy and dx");
    parallel::split((y, dy, dx), y.len(), CHUNK, |_, (y, dy, dx)| backward_chunk(device.simd(), y, dy, dx, store));
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x.tanh();
        }
    }

    fn backward_chunk<T: Real>(y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        let operands = dx.iter_mut().zip(y).zip(dy);
        match store {
            Store::Set => operands.for_each(|((dx, &y), &dy)| *dx = dy * (T::ONE - y * y)),
            Store::Add => operands.for_each(|((dx, &y), &dy)| *dx += dy * (T::ONE - y * y)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_gradient, check_map, check_map2, normal};

    fn check<T: Real>() {
        let set_or_add = |device: &Device, x: &[T], y: &mut [T], store| match store {
            Store::Set => forward(device, x, y),
            Store::Add => {
                let mut value = vec![T::ZERO; x.len()];
                forward(device, x, &mut value);
                crate::add::accumulate(device, &value, y);
            }
        };
        check_map::<T>(4.0, set_or_add, |x| x.tanh());
        check_map2::<T>(4.0, backward, |y, dy| dy * (1.0 - y * y));
    }

    #[test]
    fn matches_the_reference() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn gradient() {
        let device = Device::cpu();
        let (x, dy) = (normal::<f64>(1, 40, 0.0, 1.0), normal::<f64>(2, 40, 0.0, 1.0));
        let run = |x: &[f64]| {
            let mut y = vec![0.0; x.len()];
            forward(&device, x, &mut y);
            y
        };
        let mut dx = vec![0.0; 40];
        backward(&device, &run(&x), &dy, &mut dx, Store::Set);
        assert_gradient("dx", &x, &dx, |x| run(x).iter().zip(&dy).map(|(y, dy)| y * dy).sum());
    }
}
