//! Which input pixels each output pixel reads: pixels that read the same taps form a class.
//!
//! A pixel at the border reads fewer taps than one inside. Grouped by the taps they read, the pixels of a class are
//! the rows of one matrix product with part of the weights: no padding is stored, copied or multiplied.
//!
//! The adjoint (the gradient of the input, and the forward pass of a transposed convolution) of a convolution of
//! stride s falls apart into s x s phases: input pixels of one phase receive from the taps of one residue modulo s
//! only, which is a convolution of stride 1 with those taps in reverse order.

use super::Conv2d;

/// Pixels of one axis that read the same taps.
struct Stretch {
    /// The first of the axis' taps that they read, and how many.
    taps: (usize, usize),
    /// For each pixel: the source coordinate under its first tap, and its own coordinate.
    pixels: Vec<(usize, usize)>,
}

/// One axis of one phase.
pub(super) struct Axis {
    /// The kernel index of each tap, in the order of source coordinates.
    taps: Vec<usize>,
    stretches: Vec<Stretch>,
}

impl Axis {
    fn new(taps: Vec<usize>) -> Self {
        Self { taps, stretches: Vec::new() }
    }

    /// Adds the pixel `pixel`, whose window starts at source coordinate `window` (maybe before 0) of `size`.
    fn push(&mut self, pixel: usize, window: isize, size: usize) {
        let first = (-window).max(0) as usize;
        let end = (size as isize - window).clamp(0, self.taps.len() as isize) as usize;
        let (taps, source) = match end.saturating_sub(first) {
            0 => ((0, 0), 0),
            count => ((first, count), (window + first as isize) as usize),
        };
        match self.stretches.iter_mut().find(|s| s.taps == taps) {
            Some(stretch) => stretch.pixels.push((source, pixel)),
            None => self.stretches.push(Stretch { taps, pixels: vec![(source, pixel)] }),
        }
    }

    /// Output pixels of the forward pass along axis `d`.
    fn forward(g: &Conv2d, d: usize) -> Self {
        let mut axis = Self::new((0..g.kernel[d]).collect());
        for pixel in 0..[g.oh, g.ow][d] {
            axis.push(pixel, (pixel * g.stride[d]) as isize - g.padding[d] as isize, [g.h, g.w][d]);
        }
        axis
    }

    /// Input pixels `i` with `(i + padding) % stride == phase` along axis `d`: pixel `i` receives tap `k` from
    /// output pixel `(i + padding - k) / stride`.
    fn adjoint(g: &Conv2d, d: usize, phase: usize) -> Self {
        let (stride, padding) = (g.stride[d], g.padding[d]);
        let taps: Vec<usize> = (phase..g.kernel[d]).step_by(stride).rev().collect();
        let before = taps.len() as isize - 1;
        let mut axis = Self::new(taps);
        for pixel in (0..[g.h, g.w][d]).filter(|pixel| (pixel + padding) % stride == phase) {
            axis.push(pixel, ((pixel + padding) / stride) as isize - before, [g.oh, g.ow][d]);
        }
        axis
    }
}

/// Pixels that read the same taps.
pub(super) struct Class {
    /// The first packed row of weights they read, in taps.
    pub tap: usize,
    /// Lines of taps.
    pub runs: usize,
    /// Taps in a line, contiguous in the source.
    pub run: usize,
    /// Source pixels from one line to the next.
    pub pitch: usize,
    /// Taps from one line to the next in the packed weights.
    pub tap_pitch: usize,
    /// How many pixels at a time are a constant number of source pixels apart, and that number.
    pub line: (usize, usize),
    /// For each pixel: the source pixel under its first tap, and its own index, in an image.
    pub pixels: Vec<(usize, usize)>,
}

/// Output pixels that use the same set of weights.
pub(super) struct Phase {
    /// Kernel indices (ky * kw + kx) of the taps, in packed order.
    pub taps: Vec<usize>,
    pub classes: Vec<Class>,
}

impl Phase {
    fn new(y: &Axis, x: &Axis, kw: usize, source_width: usize, width: usize) -> Self {
        let taps = y.taps.iter().flat_map(|ky| x.taps.iter().map(move |kx| ky * kw + kx)).collect();
        let pairs = y.stretches.iter().flat_map(|sy| x.stretches.iter().map(move |sx| (sy, sx)));
        let class = |(sy, sx): (&Stretch, &Stretch)| {
            let mut tap = sy.taps.0 * x.taps.len() + sx.taps.0;
            let (mut runs, mut run) = (sy.taps.1, sx.taps.1);
            if runs == 0 || run == 0 {
                (tap, runs, run) = (0, 0, 0);
            } else if run == source_width && run == x.taps.len() {
                // The lines follow one another in the source and in the weights: they are one run.
                (runs, run) = (1, runs * run);
            }
            let pixels = sy.pixels.iter().flat_map(|&(y, to_y)| {
                sx.pixels.iter().map(move |&(x, to_x)| (y * source_width + x, to_y * width + to_x))
            });
            Class {
                tap,
                runs,
                run,
                pitch: source_width,
                tap_pitch: x.taps.len(),
                line: match &sx.pixels[..] {
                    [first, second, ..] => (sx.pixels.len(), second.0 - first.0),
                    _ => (1, 1),
                },
                pixels: pixels.collect(),
            }
        };
        Self { taps, classes: pairs.map(class).collect() }
    }

    /// The pixels of an image.
    pub fn pixels(&self) -> usize {
        self.classes.iter().map(|class| class.pixels.len()).sum()
    }

    /// Whether there are pixels that no tap reaches.
    pub fn has_empty(&self) -> bool {
        self.classes.iter().any(|class| class.runs == 0)
    }

    /// Pairs of a pixel and a tap in an image.
    pub fn pairs(&self) -> usize {
        self.classes.iter().map(|class| class.pixels.len() * class.runs * class.run).sum()
    }
}

/// The one phase of the forward pass.
pub(super) fn forward(g: &Conv2d) -> Vec<Phase> {
    vec![Phase::new(&Axis::forward(g, 0), &Axis::forward(g, 1), g.kernel[1], g.w, g.ow)]
}

/// The phases of the adjoint that have pixels.
pub(super) fn adjoint(g: &Conv2d) -> Vec<Phase> {
    let columns: Vec<Axis> = (0..g.stride[1]).map(|phase| Axis::adjoint(g, 1, phase)).collect();
    let lines = (0..g.stride[0]).map(|phase| Axis::adjoint(g, 0, phase));
    lines
        .flat_map(|y| columns.iter().map(|x| Phase::new(&y, x, g.kernel[1], g.ow, g.w)).collect::<Vec<_>>())
        .filter(|phase| phase.pixels() > 0)
        .collect()
}
