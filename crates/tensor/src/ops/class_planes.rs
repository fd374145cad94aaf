//! A class behind the channels of an activation: y[.., j] = x[.., j] for j < c, then the class's numbers at each pixel.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::class_planes::{self as kernel, ClassPlanes};

pub use kernels::class_planes::Coding;

/// x `[n,h,w,c]` and labels `[n]` below `classes`, giving `[n,h,w,c+k]`, k = 1 or `classes` by the coding.
pub fn class_planes<T: Real>(x: &Var<T>, labels: &Tensor<i32>, classes: usize, coding: Coding) -> Result<Var<T>> {
    let s = x.shape();
    let fits = s.len() == 4 && s.numel() > 0 && classes > 0 && labels.shape()[..] == s[..1];
    check(fits, "class_planes", "[n,h,w,c] with labels [n] of a class or more", &[&s, &labels.shape()])?;
    let g = ClassPlanes { n: s[0], pixels: s[1] * s[2], c: s[3], classes, coding };
    let mut y = x.output([s[0], s[1], s[2], g.channels()]);
    kernel::forward(x.device(), &g, x.view(), labels.view(), y.view_mut());
    Ok(x.tape().record(y, &[x], || Planes { g }))
}

struct Planes {
    g: ClassPlanes,
}

impl<T: Real> Backward<T> for Planes {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.add(0, |dx, store| kernel::backward(dy.device(), &self.g, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;
    use crate::{Device, Tape};

    fn labels<T: Real>(x: &Var<T>) -> Tensor<i32> {
        Tensor::from_slice(x.device(), [3], &[2, 0, 1]).expect("three")
    }

    op_test!(scalar, [[3, 2, 2, 5]], |[x]| class_planes(x, &labels(x), 3, Coding::Scalar));
    op_test!(one_hot, [[3, 1, 1, 4]], |[x]| class_planes(x, &labels(x), 3, Coding::OneHot));

    #[test]
    fn a_label_an_image_is_asked_for() {
        let tape = Tape::<f32>::off(&Device::cpu());
        let x = tape.constant(Tensor::zeros(tape.device(), [4, 1, 1, 2]));
        let message = class_planes(&x, &labels(&x), 3, Coding::OneHot).err().unwrap().to_string();
        assert_eq!(
            message,
            "class_planes: expected [n,h,w,c] with labels [n] of a class or more, got [[4, 1, 1, 2], [3]]"
        );
    }
}
