//! Colour, translation and cutout of images, drawn for each, through which gradients pass (Zhao et al. 2020).

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::diff_augment as kernel;

pub use kernels::diff_augment::DRAWN;

/// Which parts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Brightness, saturation and contrast.
    pub colour: bool,
    /// A shift by up to an eighth of the image.
    pub translation: bool,
    /// A square of zeros, half the image wide.
    pub cutout: bool,
}

/// x `[n,h,w,c]` augmented as `drawn` `[n,8]`, uniform in [0, 1), says; the numbers get no gradient.
pub fn diff_augment<T: Real>(x: &Var<T>, drawn: &Tensor<T>, policy: Policy) -> Result<Var<T>> {
    let (s, sd) = (x.shape(), drawn.shape());
    let fits = s.len() == 4 && s.numel() > 0 && sd[..] == [s[0], DRAWN];
    check(fits, "diff_augment", "[n,h,w,c] and [n,8]", &[&s, &sd])?;
    let Policy { colour, translation, cutout } = policy;
    let geometry = kernel::DiffAugment { n: s[0], h: s[1], w: s[2], c: s[3], colour, translation, cutout };
    let mut y = x.output(s);
    kernel::forward(x.device(), &geometry, x.view(), drawn.view(), y.view_mut());
    Ok(x.tape().record(y, &[x], || Augmented { geometry, drawn: drawn.clone() }))
}

struct Augmented<T: Real> {
    geometry: kernel::DiffAugment,
    drawn: Tensor<T>,
}

impl<T: Real> Backward<T> for Augmented<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (g, drawn) = (&self.geometry, self.drawn.view());
        grads.add(0, |dx, store| kernel::backward(dy.device(), g, dy.view(), drawn, dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    fn augmented<T: Real>(x: &Var<T>, policy: Policy) -> Result<Var<T>> {
        // Multiples of 1/64, so that f32 and f64 draw the same.
        let drawn: Vec<T> = (0..2 * DRAWN).map(|i| T::from_f64((i * 37 % 64) as f64 / 64.0)).collect();
        diff_augment(x, &Tensor::from_slice(x.device(), [2, DRAWN], &drawn)?, policy)
    }

    const ALL: Policy = Policy { colour: true, translation: true, cutout: true };

    op_test!(all_parts, [[2, 8, 8, 3]], |[x]| augmented(x, ALL));
    op_test!(colour_alone, [[2, 4, 4, 3]], |[x]| augmented(x, Policy { translation: false, cutout: false, ..ALL }));
    op_test!(grey_images, [[2, 8, 8, 1]], |[x]| augmented(x, Policy { cutout: false, ..ALL }));
}
