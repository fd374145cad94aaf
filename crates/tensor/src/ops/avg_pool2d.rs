//! Averages over windows that tile the image: y[n,i,j,c] = mean of x over rows i kh .. and columns j kw ..

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::avg_pool2d::{self, AvgPool2d};

/// x `[n,h,w,c]`, giving `[n, h/kh, w/kw, c]`, rounded down: pixels beyond the last whole window are left out.
pub fn avg_pool2d<T: Real>(x: &Var<T>, kernel: [usize; 2]) -> Result<Var<T>> {
    let s = x.shape();
    let fits = s.len() == 4 && s[3] > 0 && (1..=s[1]).contains(&kernel[0]) && (1..=s[2]).contains(&kernel[1]);
    check(fits, "avg_pool2d", format!("[n,h,w,c] of at least {kernel:?}"), &[&s])?;
    let geometry = AvgPool2d { n: s[0], h: s[1], w: s[2], c: s[3], kernel };
    let mut y = x.output([s[0], s[1] / kernel[0], s[2] / kernel[1], s[3]]);
    avg_pool2d::forward(x.device(), &geometry, x.view(), y.view_mut());
    Ok(x.tape().record(y, &[x], || AvgPool { geometry }))
}

/// The average over all pixels: x `[n,h,w,c]`, giving `[n,1,1,c]`.
pub fn global_avg_pool2d<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let s = x.shape();
    check(s.len() == 4, "global_avg_pool2d", "[n,h,w,c]", &[&s])?;
    avg_pool2d(x, [s[1], s[2]])
}

struct AvgPool {
    geometry: AvgPool2d,
}

impl<T: Real> Backward<T> for AvgPool {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let g = &self.geometry;
        grads.add(0, |dx, store| avg_pool2d::backward(dy.device(), g, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(pool_2x2, [[2, 4, 6, 3]], |[x]| avg_pool2d(x, [2, 2]));
    op_test!(pool_leaves_a_border, [[1, 5, 7, 2]], |[x]| avg_pool2d(x, [2, 3]));
    op_test!(pool_everything, [[2, 4, 4, 17]], |[x]| global_avg_pool2d(x));
}
