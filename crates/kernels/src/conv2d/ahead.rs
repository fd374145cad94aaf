//! Asking for memory before it is needed: the lines of an image are too short for the hardware to see where they lead.

use super::Side;
use super::plan::Class;
use crate::vector;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Lines of pixels from the one in use to the one asked for.
const AHEAD: usize = 2;

/// Fewest pixels of a line for which it pays.
const PIXELS: usize = 6;

/// Where a line of pixels further down reads and writes, in elements from the first of a tile.
pub(super) struct Ahead {
    /// The lines of taps that the pixels above it did not read, and how far apart they lie.
    source: usize,
    lines: usize,
    pitch: usize,
    /// From a pixel to the next, and what one reads of a line of taps.
    distance: usize,
    run: usize,
    /// Where it writes, and from a pixel to the next.
    target: usize,
    step: usize,
}

impl Ahead {
    /// `None` for lines of a few pixels: asking would cost more than it saves.
    pub fn new(class: &Class, from: Side, to: Side) -> Option<Self> {
        if class.line.0 < PIXELS {
            return None;
        }
        let first = class.pixels[0];
        let [across, down] = [1, class.line.0].map(|pixel| class.pixels.get(pixel).copied().unwrap_or(first));
        let lines = ((down.0 - first.0) / class.pitch).min(class.runs);
        Some(Self {
            source: (AHEAD * (down.0 - first.0) + (class.runs - lines) * class.pitch) * from.channels,
            lines,
            pitch: class.pitch * from.channels,
            distance: class.line.1 * from.channels,
            run: class.run * from.channels,
            target: AHEAD * (down.1 - first.1) * to.channels,
            step: (across.1 - first.1) * to.channels,
        })
    }

    /// Asks for what the tile further down than this one of `rows` pixels at `a` reads.
    #[inline]
    pub fn read<T>(&self, a: *const T, rows: usize) {
        for line in 0..self.lines {
            prefetch(a.wrapping_add(self.source + line * self.pitch), (rows - 1) * self.distance + self.run);
        }
    }

    /// Asks for what the tile further down than this one of `rows` pixels at `c` writes, `columns` of each pixel.
    #[inline]
    pub fn write<T>(&self, c: *const T, rows: usize, columns: usize) {
        for row in 0..rows {
            prefetch(c.wrapping_add(self.target + row * self.step), columns);
        }
    }
}

/// Asks for `len` elements from `start`, which need not be valid, to be in L1 soon.
#[inline]
fn prefetch<T>(start: *const T, len: usize) {
    for at in (0..len * size_of::<T>()).step_by(LINE) {
        vector::prefetch(start.cast::<u8>().wrapping_add(at));
    }
}
