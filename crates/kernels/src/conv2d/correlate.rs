//! The implicit matrix product of the forward pass and of the adjoint: rows are pixels as they lie in memory,
//! the right operand is the weights, packed once a call.

use super::Side;
use super::ahead::Ahead;
use super::plan::{Class, Phase};
use crate::gemm::micro::Micro;
use crate::gemm::tiles::{Dots, Line, MAX_DOTS, MAX_ROWS, Rows, Strip, UNROLL};
use crate::gemm::{Shared, evenly, interleave};
use crate::{Device, Real, Store, parallel};
use std::ops::Range;

/// Fewest pixels that share one pass over a panel of weights, where there are that many.
const PIXELS: usize = 128;

/// Rows of a panel that one pass over scattered pixels takes, so that they stay in L1.
const DEPTH: usize = 288;

/// Fewest multiplications of a task, so that starting it costs nothing beside it.
const WORK: usize = 1 << 19;

/// Tasks wanted, for any sensible number of threads.
const TASKS: usize = 32;

/// `y (=|+=) phases of x and w` for `n` images; `w` is `[o, taps, i]`, of which the source's channels are i
/// (forward) or, `adjoint`, o.
pub(super) fn correlate<T: Real>(
    device: &Device,
    phases: &[Phase],
    n: usize,
    (from, x): (Side, &[T]),
    (w, adjoint): (&[T], bool),
    (to, y): (Side, &mut [T]),
    store: Store,
) {
    let micro = Micro::<T>::of(device.simd());
    let panels = Panels::new(micro, phases, from.channels, to.channels);
    let mut packed = device.workspace::<T>(panels.len());
    let shared = Shared::new(&mut packed);
    parallel::for_each(phases.len() * panels.count, |task| {
        let (phase, panel) = (task / panels.count, task % panels.count);
        let (start, len) = panels.of(phase, panel);
        // SAFETY: panels are disjoint parts of `packed`, and each is one task's.
        let out = unsafe { std::slice::from_raw_parts_mut(shared.get().add(start), len) };
        panels.pack(&phases[phase].taps, (w, adjoint), panel, out);
    });

    let pixels = phases.iter().map(Phase::pixels).max().unwrap_or(1).max(1);
    let pairs: usize = phases.iter().map(Phase::pairs).sum();
    let macs = (pairs * from.channels * to.channels).max(1);
    let images = PIXELS.div_ceil(pixels).max(WORK.div_ceil(macs)).min(n);
    let blocks = n.div_ceil(images);
    let groups = TASKS.div_ceil(blocks).min((macs * images).div_ceil(WORK)).min(panels.count);
    let out = Shared::new(y);
    parallel::for_each(blocks * groups, |task| {
        let (block, group) = (task / groups, task % groups);
        let first = block * images;
        let product = Product {
            micro,
            images: images.min(n - first),
            from,
            x: x[first * from.image()..].as_ptr(),
            weights: &packed,
            panels: &panels,
            some: panels.count * group / groups..panels.count * (group + 1) / groups,
            to,
            // SAFETY: the image exists.
            y: unsafe { out.get().add(first * to.image()) },
            store,
        };
        // SAFETY: x and y hold the block's images, and no other task has these panels of them.
        unsafe { product.phases(phases) };
    });
}

/// How the weights are packed: for each phase, panels of `width` target channels, `[taps * from][width]`, the last
/// one as wide as it must be; or, where there are only a few target channels, one panel `[channel][taps * from]`.
struct Panels {
    from: usize,
    to: usize,
    /// Taps of each phase, and those of the phases before it.
    taps: Vec<(usize, usize)>,
    /// Whether there is one panel for [`Dots`].
    narrow: bool,
    width: usize,
    count: usize,
    /// Columns of all panels of a phase, padding included.
    padded: usize,
    lanes: usize,
}

impl Panels {
    fn new<T: Real>(micro: &Micro<T>, phases: &[Phase], from: usize, to: usize) -> Self {
        let taps = phases.iter().scan(0, |before, phase| {
            let entry = (phase.taps.len(), *before);
            *before += entry.0;
            Some(entry)
        });
        let narrow = to <= MAX_DOTS && from >= micro.lanes();
        let width = if narrow { to } else { micro.width() };
        let lanes = if narrow { 1 } else { micro.lanes() };
        let padded = to.next_multiple_of(lanes);
        Self { from, to, taps: taps.collect(), narrow, width, count: to.div_ceil(width), padded, lanes }
    }

    fn len(&self) -> usize {
        self.taps.iter().map(|taps| taps.0).sum::<usize>() * self.from * self.padded
    }

    fn columns(&self, panel: usize) -> usize {
        self.width.min(self.to - panel * self.width)
    }

    /// Where a panel starts, and its length.
    fn of(&self, phase: usize, panel: usize) -> (usize, usize) {
        let (taps, before) = self.taps[phase];
        let start = before * self.padded + taps * panel * self.width;
        (start * self.from, taps * self.from * self.columns(panel).next_multiple_of(self.lanes))
    }

    /// Packs the weights from every source channel under `taps` to the panel's target channels.
    fn pack<T: Real>(&self, taps: &[usize], (w, adjoint): (&[T], bool), panel: usize, packed: &mut [T]) {
        let (first, columns, rows) = (panel * self.width, self.columns(panel), taps.len() * self.from);
        if taps.is_empty() {
            return;
        }
        let width = packed.len() / rows;
        if !adjoint {
            // The taps are all of the kernel's in their own order: w is [to, rows].
            let w = &w[first * rows..(first + columns) * rows];
            if self.narrow {
                packed.copy_from_slice(w);
            } else {
                interleave(columns, |lane| &w[lane * rows..(lane + 1) * rows], width, packed);
            }
            return;
        }
        let line = w.len() / self.from;
        let sources = taps.iter().flat_map(|tap| (0..self.from).map(move |o| o * line + tap * self.to + first));
        if self.narrow {
            for (row, source) in sources.enumerate() {
                (0..columns).for_each(|column| packed[column * rows + row] = w[source + column]);
            }
        } else {
            for (source, out) in sources.zip(packed.chunks_exact_mut(width)) {
                out[..columns].copy_from_slice(&w[source..source + columns]);
                out[columns..].fill(T::ZERO);
            }
        }
    }
}

/// Some images' pixels times some panels.
struct Product<'a, T: 'static> {
    micro: &'static Micro<T>,
    images: usize,
    from: Side,
    x: *const T,
    weights: &'a [T],
    panels: &'a Panels,
    some: Range<usize>,
    to: Side,
    y: *mut T,
    store: Store,
}

impl<T: Real> Product<'_, T> {
    /// The product for every pixel.
    ///
    /// # Safety
    /// x and y must hold the images the phases were made for, unshared in y for these panels.
    unsafe fn phases(&self, phases: &[Phase]) {
        // SAFETY: the caller's.
        unsafe {
            if self.store == Store::Set && phases.iter().any(Phase::has_empty) {
                self.zero();
            }
            for (index, phase) in phases.iter().enumerate() {
                for panel in self.some.clone() {
                    for class in phase.classes.iter().filter(|class| class.runs > 0) {
                        self.class(index, panel, class);
                    }
                }
            }
        }
    }

    /// The product for the pixels of a class, by the kernel that suits them.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn class(&self, phase: usize, panel: usize, class: &Class) {
        let (line, distance) = class.line;
        let columns = self.panels.columns(panel);
        let strip = self.micro.max_strip(class.run, columns).filter(|_| line >= 4 && distance == 1);
        let whole = (class.run * self.from.channels).is_multiple_of(UNROLL);
        let weights = self.weights(phase, class, panel);
        // SAFETY: the caller's.
        unsafe {
            if self.panels.narrow {
                self.dots(class, weights);
            } else if let Some(most) = strip {
                self.strips(class, panel, weights.0, most);
            } else if let Some(most) = self.micro.max_line(line, columns).filter(|_| whole) {
                self.lines(class, panel, weights.0, most);
            } else {
                self.scattered(class, panel, weights.0);
            }
        }
    }

    /// Writes zeros to the panels' columns, for pixels that no tap reaches.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn zero(&self) {
        let first = self.some.start * self.panels.width;
        let end = (self.some.end * self.panels.width).min(self.to.channels);
        let zero = |start: usize, len: usize| {
            // SAFETY: the caller's.
            unsafe { std::slice::from_raw_parts_mut(self.y.add(start), len) }.fill(T::ZERO);
        };
        if end - first == self.to.channels {
            return zero(0, self.images * self.to.image());
        }
        (0..self.images * self.to.pixels).for_each(|pixel| zero(pixel * self.to.channels + first, end - first));
    }

    /// The weights of a panel that a class reads, and the elements from one of their columns to the next.
    fn weights(&self, phase: usize, class: &Class, panel: usize) -> (*const T, usize) {
        let (start, len) = self.panels.of(phase, panel);
        let columns = self.panels.columns(panel);
        let row = class.tap * self.from.channels;
        let column = if self.panels.narrow { 1 } else { self.micro.padded(columns) };
        (self.weights[start..start + len][row * column..].as_ptr(), len / columns)
    }

    /// Calls `tile(sources, targets, rows)` on up to `most` pixels of a class at a time, the sources `shift` elements
    /// on, the targets at the first channel of `panel`.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    #[inline]
    unsafe fn pixels(
        &self,
        class: &Class,
        most: usize,
        (shift, panel): (usize, usize),
        tile: impl Fn(*const *const T, *const *mut T, usize),
    ) {
        let mut sources = [self.x; MAX_ROWS];
        let mut targets = [self.y; MAX_ROWS];
        let (mut image, mut next) = (0, 0);
        evenly(self.images * class.pixels.len(), most, |_, rows| {
            for m in 0..rows {
                let (source, target) = class.pixels[next];
                let (source, target) = (source * self.from.channels + shift, target * self.to.channels);
                // SAFETY: the caller's.
                unsafe {
                    sources[m] = self.x.add(image * self.from.image() + source);
                    targets[m] = self.y.add(image * self.to.image() + target + panel * self.panels.width);
                }
                next += 1;
                if next == class.pixels.len() {
                    (image, next) = (image + 1, 0);
                }
            }
            tile(sources.as_ptr(), targets.as_ptr(), rows);
        });
    }

    /// The product for pixels anywhere.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn scattered(&self, class: &Class, panel: usize, weights: *const T) {
        let channels = self.from.channels;
        let (a_pitch, b_pitch) = (class.pitch * channels, class.tap_pitch * channels);
        let columns = self.panels.columns(panel);
        let part = |line: usize, start: usize, runs: usize, run: usize, store| {
            // SAFETY: the panel holds every tap of the phase.
            let b = unsafe { weights.add((line * b_pitch + start) * self.micro.padded(columns)) };
            let tile = |a: *const *const T, c: *const *mut T, rows| {
                // SAFETY: the caller's.
                unsafe { self.micro.rows(rows, &Rows { a, runs, run, a_pitch, b, b_pitch, c, columns, store }) };
            };
            // SAFETY: the caller's.
            unsafe { self.pixels(class, self.micro.max_rows(columns), (line * a_pitch + start, panel), tile) };
        };
        let run = class.run * channels;
        if class.runs * run <= DEPTH {
            return part(0, 0, class.runs, run, self.store);
        }
        let mut store = self.store;
        for line in 0..class.runs {
            evenly(run, DEPTH, |start, run| part(line, start, 1, run, std::mem::replace(&mut store, Store::Add)));
        }
    }

    /// [`Product::scattered`] for a few target channels.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn dots(&self, class: &Class, (b, b_column): (*const T, usize)) {
        let (channels, columns) = (self.from.channels, self.to.channels);
        let (a_pitch, b_pitch) = (class.pitch * channels, class.tap_pitch * channels);
        let (runs, run, store) = (class.runs, class.run * channels, self.store);
        let tile = |a: *const *const T, c: *const *mut T, rows| {
            // SAFETY: the caller's; the panel holds every tap of the phase.
            unsafe { self.micro.dots(rows, columns, &Dots { a, runs, run, a_pitch, b, b_column, b_pitch, c, store }) };
        };
        // SAFETY: the caller's.
        unsafe { self.pixels(class, self.micro.max_dots_rows(columns), (0, 0), tile) };
    }

    /// Calls `tile(source, targets, rows)` on up to `most` pixels of a line at a time, the targets at the first channel
    /// of `panel`.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    #[inline]
    unsafe fn along(&self, class: &Class, most: usize, panel: usize, tile: impl Fn(*const T, *const *mut T, usize)) {
        let mut targets = [self.y; MAX_ROWS];
        let (ahead, columns) = (Ahead::new(class, self.from, self.to), self.panels.columns(panel));
        for image in 0..self.images {
            // SAFETY: the caller's.
            let (x, y) = unsafe {
                let first = panel * self.panels.width;
                (self.x.add(image * self.from.image()), self.y.add(image * self.to.image() + first))
            };
            for line in class.pixels.chunks(class.line.0) {
                evenly(line.len(), most, |start, rows| {
                    let pixels = &line[start..start + rows];
                    // SAFETY: the caller's.
                    unsafe {
                        for (c, pixel) in targets.iter_mut().zip(pixels) {
                            *c = y.add(pixel.1 * self.to.channels);
                        }
                        let source = x.add(pixels[0].0 * self.from.channels);
                        if let Some(ahead) = &ahead {
                            if panel == self.some.start {
                                ahead.read(source, rows);
                            }
                            ahead.write(targets[0], rows, columns);
                        }
                        tile(source, targets.as_ptr(), rows);
                    }
                });
            }
        }
    }

    /// [`Product::scattered`] for lines of pixels, up to `most` at a time.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn lines(&self, class: &Class, panel: usize, b: *const T, most: usize) {
        let channels = self.from.channels;
        let (a_pitch, b_pitch) = (class.pitch * channels, class.tap_pitch * channels);
        let (runs, run, distance, store) = (class.runs, class.run * channels, class.line.1 * channels, self.store);
        let columns = self.panels.columns(panel);
        let tile = |a: *const T, c: *const *mut T, rows| {
            let line = Line { a, distance, runs, run, a_pitch, b, b_pitch, c, columns, store };
            // SAFETY: the caller's; the panel holds every tap of the phase.
            unsafe { self.micro.line(rows, &line) };
        };
        // SAFETY: the caller's.
        unsafe { self.along(class, most, panel, tile) };
    }

    /// [`Product::lines`] for neighbouring pixels of a source and one register of channels.
    ///
    /// # Safety
    /// As for [`Product::phases`].
    unsafe fn strips(&self, class: &Class, panel: usize, b: *const T, most: usize) {
        let channels = self.from.channels;
        let (a_pitch, b_pitch) = (class.pitch * channels, class.tap_pitch * channels);
        let (lines, store, columns) = (class.runs, self.store, self.panels.columns(panel));
        let tile = |a: *const T, c: *const *mut T, pixels| {
            let strip = Strip { a, lines, channels, a_pitch, b, b_pitch, c, columns, store };
            // SAFETY: the caller's; the panel holds every tap of the phase.
            unsafe { self.micro.strip(pixels, class.run, &strip) };
        };
        // SAFETY: the caller's.
        unsafe { self.along(class, most, panel, tile) };
    }
}
