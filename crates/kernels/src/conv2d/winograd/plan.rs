//! Where the tiles of a convolution lie.
//!
//! A convolution of stride s with s r taps is a sum of s convolutions of stride 1 with r taps along an axis, each of
//! the source's pixels of one phase. Its adjoint is one such convolution for each phase of the target.

use crate::conv2d::Conv2d;

/// How tiles sample one axis: tile t, position i is coordinate `start + (t * m + i) * step`.
#[derive(Clone, Copy)]
pub(super) struct Sampling {
    start: isize,
    step: usize,
    /// Coordinates that exist.
    size: usize,
}

/// The positions of a tile along an axis that exist.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// The coordinate of the first that exists.
    pub first: usize,
    /// Positions before it, and how many there are.
    pub before: usize,
    pub count: usize,
}

impl Sampling {
    /// Coordinates from one position to the next.
    pub fn step(&self) -> usize {
        self.step
    }

    /// `side` positions of tile `tile`, of m outputs.
    pub fn window(&self, tile: usize, m: usize, side: usize) -> Window {
        let start = self.start + (tile * m * self.step) as isize;
        let before = (-start).max(0).unsigned_abs().div_ceil(self.step).min(side);
        let end = (self.size as isize - start).max(0).unsigned_abs().div_ceil(self.step).min(side);
        let first = (start + (before * self.step) as isize).max(0).unsigned_abs();
        Window { first, before, count: end.saturating_sub(before) }
    }
}

/// One axis of one phase.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub source: Sampling,
    pub target: Sampling,
    /// The kernel index of the first tap, and from one tap to the next.
    pub tap: isize,
    pub tap_step: isize,
    /// Outputs.
    pub outputs: usize,
}

impl Axis {
    /// Phase `phase` of the source: `y[q] += sum over j of x[stride (q + j) + phase - padding] w[stride j + phase]`.
    fn forward(g: &Conv2d, d: usize, phase: usize) -> Self {
        let (stride, outputs) = (g.stride[d], [g.oh, g.ow][d]);
        let start = phase as isize - g.padding[d] as isize;
        Self {
            source: Sampling { start, step: stride, size: [g.h, g.w][d] },
            target: Sampling { start: 0, step: 1, size: outputs },
            tap: phase as isize,
            tap_step: stride as isize,
            outputs,
        }
    }

    /// Phase `phase` of the target: `dx[stride q + phase - padding] = sum over j of dy[q - j] w[stride j + phase]`,
    /// the taps in reverse order.
    fn adjoint(g: &Conv2d, d: usize, phase: usize) -> Self {
        let (stride, size, r) = (g.stride[d], [g.h, g.w][d], g.kernel[d] / g.stride[d]);
        let first = g.padding[d].saturating_sub(phase).div_ceil(stride);
        let pixel = first * stride + phase - g.padding[d];
        Self {
            source: Sampling { start: first as isize - (r as isize - 1), step: 1, size: [g.oh, g.ow][d] },
            target: Sampling { start: pixel as isize, step: stride, size },
            tap: (stride * (r - 1) + phase) as isize,
            tap_step: -(stride as isize),
            outputs: size.saturating_sub(pixel).div_ceil(stride),
        }
    }
}

/// A convolution of stride 1 that is part of another: its axes, down and across.
#[derive(Clone, Copy)]
pub(super) struct Phase(pub [Axis; 2]);

impl Phase {
    /// Tiles of m outputs an image.
    pub fn tiles(&self, m: usize) -> [usize; 2] {
        self.0.map(|axis| axis.outputs.div_ceil(m))
    }

    /// Kernel index (ky * kw + kx) of the first tap, and the steps from one to the next down and across.
    pub fn taps(&self, kw: usize) -> (isize, [isize; 2]) {
        let [y, x] = &self.0;
        (y.tap * kw as isize + x.tap, [y.tap_step * kw as isize, x.tap_step])
    }
}

/// Every pair of phases.
fn phases(g: &Conv2d, axis: fn(&Conv2d, usize, usize) -> Axis) -> Vec<Phase> {
    let columns = |y| (0..g.stride[1]).map(move |x| Phase([axis(g, 0, y), axis(g, 1, x)]));
    (0..g.stride[0]).flat_map(columns).collect()
}

/// The phases whose sum is the forward pass.
pub(super) fn forward(g: &Conv2d) -> Vec<Phase> {
    phases(g, Axis::forward)
}

/// The phases of the adjoint that have pixels, each its own.
pub(super) fn adjoint(g: &Conv2d) -> Vec<Phase> {
    phases(g, Axis::adjoint).into_iter().filter(|phase| phase.0.iter().all(|axis| axis.outputs > 0)).collect()
}
