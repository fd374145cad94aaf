//! The passes on a CPU, each by the algorithm that its shape is best served by.

use super::correlate::correlate;
use super::{Conv2d, Pass, plan, weight, winograd};
use crate::gemm::tiles::MAX_DOTS;
use crate::gemm::{self, Transpose};
use crate::parallel::{self, CHUNK, Rows};
use crate::pool::Buffer;
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
    if let Some(wider) = winograd::wider::<T>(device, g) {
        let with_zeros = |x: &[T]| with_zeros(device, x, g.c, wider.c);
        return match pass {
            Pass::Forward => self::pass(device, pass, &wider, [&with_zeros(a), &with_zeros(b)], out, store),
            Pass::BackwardInput => {
                let mut dx = device.buffer::<T>(wider.x_len());
                self::pass(device, pass, &wider, [a, &with_zeros(b)], &mut dx, Store::Set);
                without_zeros(&dx, wider.c, out, g.c, store);
            }
            Pass::BackwardWeight => {
                let mut dw = device.buffer::<T>(wider.w_len());
                self::pass(device, pass, &wider, [&with_zeros(a), b], &mut dw, Store::Set);
                without_zeros(&dw, wider.c, out, g.c, store);
            }
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
    if let Some(wider) = winograd::wider::<T>(device, g) {
        let [x, w] = [x, w].map(|operand| with_zeros(device, operand, g.c, wider.c));
        return forward_with_statistics(device, &wider, [&x, &w], y, moments);
    }
    match winograd::choose(device, g) {
        Some(winograd) => winograd::forward(device, &winograd, g, x, w, y, Store::Set, Some(moments)),
        None => {
            pass(device, Pass::Forward, g, [x, w], y, Store::Set);
            false
        }
    }
}

/// Rows of `c` channels, each with zeros behind to `wider`.
fn with_zeros<T: Real>(device: &Device, x: &[T], c: usize, wider: usize) -> Buffer<T> {
    let mut out = device.buffer::<T>(x.len() / c * wider);
    parallel::split((Rows(x, c), Rows(&mut out[..], wider)), x.len() / c, CHUNK / wider + 1, |_, (x, out)| {
        for (x, out) in x.0.chunks_exact(c).zip(out.0.chunks_exact_mut(wider)) {
            let (channels, zeros) = out.split_at_mut(c);
            channels.copy_from_slice(x);
            zeros.fill(T::ZERO);
        }
    });
    out
}

/// `out (=|+=)` the first `c` channels of rows of `wider`.
fn without_zeros<T: Real>(x: &[T], wider: usize, out: &mut [T], c: usize, store: Store) {
    parallel::split((Rows(x, wider), Rows(out, c)), x.len() / wider, CHUNK / wider + 1, |_, (x, out)| {
        for (x, out) in x.0.chunks_exact(wider).zip(out.0.chunks_exact_mut(c)) {
            out.iter_mut().zip(x).for_each(|(out, &x)| store.write(out, x));
        }
    });
}
