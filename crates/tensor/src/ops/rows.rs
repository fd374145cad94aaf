//! Some rows of a tensor, of which nothing is copied; the gradient is 0 at the others.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Store, Tensor, Var};
use std::ops::Range;

/// The elements of x `[n, ..]` whose first index is in `range`.
pub fn rows<T: Real>(x: &Var<T>, range: Range<usize>) -> Result<Var<T>> {
    let s = x.shape();
    let n = s.first().copied().unwrap_or(0);
    check(
        range.start < range.end && range.end <= n,
        "rows",
        format!("at least one row in {range:?}, and so many"),
        &[&s],
    )?;
    let row = s.numel() / n;
    let shape: Vec<usize> = std::iter::once(range.len()).chain(s[1..].iter().copied()).collect();
    let y = x.value().part(range.start * row, &shape[..]);
    Ok(x.tape().record(y, &[x], || Rows { elements: range.start * row..range.end * row }))
}

struct Rows {
    elements: Range<usize>,
}

impl<T: Real> Backward<T> for Rows {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let device = dy.device();
        grads.add(0, |mut dx, store| {
            if store == Store::Set {
                kernels::fill::constant(device, T::ZERO, dx.reborrow());
            }
            let part = dx.slice(self.elements);
            match store {
                Store::Set => kernels::fill::copy(device, &dy, part),
                Store::Add => kernels::add::accumulate(device, &dy, part),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;
    use crate::{Device, Tape};

    op_test!(rows_gradient, [[4, 3]], |[x]| rows(x, 1..3));

    #[test]
    fn rows_past_the_last_are_refused() {
        let tape = Tape::<f32>::off(&Device::cpu());
        let x = tape.constant(Tensor::zeros(tape.device(), [4, 3]));
        let message = rows(&x, 3..5).err().unwrap().to_string();
        assert_eq!(message, "rows: expected at least one row in 3..5, and so many, got [[4, 3]]");
    }
}
