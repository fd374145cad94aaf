//! y = a b; da = dy b^T, db = a^T dy.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::Store;
use kernels::gemm::{Transpose, gemm};

/// `[m, k] @ [k, n]`, giving `[m, n]`.
pub fn matmul<T: Real>(a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
    let (sa, sb) = (a.shape(), b.shape());
    let fits = sa.len() == 2 && sb.len() == 2 && sa[1] == sb[0];
    check(fits, "matmul", "[m,k] @ [k,n]", &[&sa, &sb])?;
    let (m, k, n) = (sa[0], sa[1], sb[1]);
    let mut y = a.output([m, n]);
    let (no, x, w) = (Transpose::No, a.view(), b.view());
    gemm(a.device(), no, no, m, n, k, x, w, y.view_mut(), Store::Set);
    Ok(a.tape().record(y, &[a, b], || MatMul { a: a.value().clone(), b: b.value().clone() }))
}

struct MatMul<T: Real> {
    a: Tensor<T>,
    b: Tensor<T>,
}

impl<T: Real> Backward<T> for MatMul<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (m, k, n) = (self.a.shape()[0], self.a.shape()[1], self.b.shape()[1]);
        let (device, dy) = (dy.device(), dy.view());
        grads.add(0, |da, store| gemm(device, Transpose::No, Transpose::Yes, m, k, n, dy, self.b.view(), da, store));
        grads.add(1, |db, store| gemm(device, Transpose::Yes, Transpose::No, k, n, m, self.a.view(), dy, db, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;
    use crate::{Device, Tape};

    op_test!(matmul_gradient, [[3, 4], [4, 5]], |[a, b]| matmul(a, b));
    op_test!(matmul_with_itself, [[4, 4]], |[a]| matmul(a, a));

    #[test]
    fn inner_extents_must_agree() {
        let tape = Tape::<f32>::off(&Device::cpu());
        let [a, b] = [[3, 4], [5, 2]].map(|shape| tape.constant(Tensor::zeros(tape.device(), shape)));
        let message = matmul(&a, &b).err().unwrap().to_string();
        assert_eq!(message, "matmul: expected [m,k] @ [k,n], got [[3, 4], [5, 2]]");
    }
}
