//! The passes on a CPU, each by the algorithm that its shape is best served by.

use super::correlate::correlate;
use super::{Conv2d, Pass, plan, weight, winograd};
use crate::gemm::tiles::MAX_DOTS;
use crate::gemm::{self, Transpose};
use crate::{Device, Real, Store};

/// `out (=|+=)` what the pass makes of its two operands, in the order in which it names them.
pub(crate) fn pass<T: Real>(device: &Device, pass: Pass, g: &Conv2d, [a, b]: [&[T]; 2], out: &mut [T], store: Store) {
    g.check(pass, [a.len(), b.len()], out.len());
    if let Some(winograd) = winograd::choose(device, g) {
        return match pass {
            Pass::Forward => _ = winograd::forward(device, &winograd, g, a, b, out, store, None),
            Pass::BackwardInput => winograd::adjoint(device, &winograd, g, a, b, out, store),
            Pass::BackwardWeight => winograd::backward_weight(device, &winograd, g, a, b, out, store),
        };
    }
    // Where the kernel covers the image: products of [n, h w c], [o, h w c] and [n, o].
    let (dense, n, o, image) = (g.is_dense(), g.n, g.o, g.input().image());
    let product = |ta, tb, sizes, a, b, out| gemm::cpu(device, (ta, tb), sizes, [a, b], out, store);
    match pass {
        // A few columns are sums along rows, which `correlate` has kernels for.
        Pass::Forward if dense && o > MAX_DOTS => product(Transpose::No, Transpose::Yes, [n, o, image], a, b, out),
        Pass::Forward => correlate(device, &plan::forward(g), n, (g.input(), a), (b, false), (g.output(), out), store),
        Pass::BackwardInput if dense => product(Transpose::No, Transpose::No, [n, image, o], a, b, out),
        Pass::BackwardInput => {
            correlate(device, &plan::adjoint(g), n, (g.output(), a), (b, true), (g.input(), out), store)
        }
        Pass::BackwardWeight if dense => product(Transpose::Yes, Transpose::No, [o, image, n], b, a, out),
        Pass::BackwardWeight => weight::backward_weight(device, g, a, b, out, store),
    }
}

/// See [`forward_with_statistics`](super::forward_with_statistics).
pub(crate) fn forward_with_statistics<T: Real>(
    device: &Device,
    g: &Conv2d,
    [x, w]: [&[T]; 2],
    y: &mut [T],
    moments: [&mut [T]; 2],
) -> bool {
    g.check(Pass::Forward, [x.len(), w.len()], y.len());
    assert!(moments.iter().all(|moments| moments.len() == g.o), "conv2d: mean and var are [o] of {g:?}");
    match winograd::choose(device, g) {
        Some(winograd) => winograd::forward(device, &winograd, g, x, w, y, Store::Set, Some(moments)),
        None => {
            pass(device, Pass::Forward, g, [x, w], y, Store::Set);
            false
        }
    }
}
