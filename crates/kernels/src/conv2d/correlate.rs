//! The implicit matrix product of the forward pass and of the adjoint: rows are pixels as they lie in memory,
//! the right operand is the weights, packed once a call.

use super::plan::{Class, Phase};
use crate::gemm::micro::Micro;
use crate::gemm::tiles::{Dots, MAX_DOTS, MAX_ROWS, Rows, Strip};
use crate::gemm::{Shared, evenly, interleave};
use crate::{Device, Real, Store, parallel};

/// Fewest pixels that share one pass over a panel of weights, where there are that many.
const PIXELS: usize = 128;

/// Rows of a panel that one pass over the pixels takes, so that they stay in L1.
const DEPTH: usize = 288;

/// Fewest multiplications of a task, so that starting it costs nothing beside it.
const WORK: usize = 1 << 19;

/// Tasks wanted, for any sensible number of threads.
const TASKS: usize = 32;

/// One side of the product: its pixels, `channels` numbers each, in images of `pixels` of them.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub pixels: usize,
    pub channels: usize,
}

impl Side {
    /// Numbers in an image.
    fn image(self) -> usize {
        self.pixels * self.channels
    }
}

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
    let mut packed = device.buffer::<T>(panels.len());
    let shared = Shared::new(&mut packed);
    parallel::for_each(phases.len() * panels.count, |task| {
        let (phase, panel) = (task / panels.count, task % panels.count);
        let (start, len) = panels.of(phase, panel);
        // SAFETY: panels are disjoint parts of `packed`, and each is one task's.
        let out = unsafe { std::slice::from_raw_parts_mut(shared.get().add(start), len) };
        panels.pack(&phases[phase].taps, (w, adjoint), panel, out);
    });

    let packed = &packed[..];
    let pixels = phases.iter().map(Phase::pixels).max().unwrap_or(1);
    let pairs = phases.iter().map(Phase::pairs).max().unwrap_or(1);
    let macs = (pairs * from.channels * to.channels).max(1);
    let images = PIXELS.div_ceil(pixels).max(WORK.div_ceil(macs)).min(n);
    let blocks = n.div_ceil(images);
    let groups = TASKS.div_ceil(blocks * phases.len()).min((macs * images).div_ceil(WORK)).min(panels.count);
    let out = Shared::new(y);
    parallel::for_each(blocks * phases.len() * groups, |task| {
        let (block, phase, group) = (task / groups / phases.len(), task / groups % phases.len(), task % groups);
        let first = block * images;
        for panel in panels.count * group / groups..panels.count * (group + 1) / groups {
            let (start, len) = panels.of(phase, panel);
            let product = Product {
                micro,
                images: images.min(n - first),
                from,
                x: x[first * from.image()..].as_ptr(),
                weights: &packed[start..start + len],
                narrow: panels.narrow,
                to,
                // SAFETY: the image and the panel's first channel exist.
                y: unsafe { out.get().add(first * to.image() + panel * panels.width) },
                columns: panels.columns(panel),
            };
            // SAFETY: x and y hold the block's images, and no other task has this phase and panel of them.
            phases[phase].classes.iter().for_each(|class| unsafe { product.class(class, store) });
        }
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

/// Some images' pixels times one panel.
struct Product<'a, T: 'static> {
    micro: &'static Micro<T>,
    images: usize,
    from: Side,
    x: *const T,
    weights: &'a [T],
    narrow: bool,
    to: Side,
    y: *mut T,
    columns: usize,
}

/// Part of the taps of a class: some runs, each in full or in part.
struct Part {
    /// The first row of the packed weights.
    row: usize,
    /// Elements from a pixel's first to the part's first.
    shift: usize,
    runs: usize,
    run: usize,
}

impl<T: Real> Product<'_, T> {
    /// The product for the pixels of one class.
    ///
    /// # Safety
    /// x and y must hold the images the class was made for, unshared in y for these columns.
    unsafe fn class(&self, class: &Class, store: Store) {
        let (channels, run) = (self.from.channels, class.run * self.from.channels);
        let first = class.tap * channels;
        if class.runs * run <= DEPTH || self.narrow {
            let strip = self.micro.max_strip(class.run, self.columns).filter(|_| class.line >= 4 && !self.narrow);
            if let Some(most) = strip {
                // SAFETY: the caller's.
                return unsafe { self.strips(class, most, store) };
            }
            let all = Part { row: first, shift: 0, runs: class.runs, run };
            // SAFETY: the caller's.
            return unsafe { self.part(class, all, store) };
        }
        let mut store = store;
        for line in 0..class.runs {
            evenly(run, DEPTH, |start, run| {
                let row = first + line * class.tap_pitch * channels + start;
                let part = Part { row, shift: line * class.pitch * channels + start, runs: 1, run };
                // SAFETY: the caller's.
                unsafe { self.part(class, part, store) };
                store = Store::Add;
            });
        }
    }

    /// [`Product::class`] for lines of neighbouring pixels, up to `most` at a time.
    ///
    /// # Safety
    /// As for the whole.
    unsafe fn strips(&self, class: &Class, most: usize, store: Store) {
        let channels = self.from.channels;
        let b = self.weights[class.tap * channels * self.micro.padded(self.columns)..].as_ptr();
        let mut targets = [self.y; MAX_ROWS];
        for image in 0..self.images {
            for line in class.pixels.chunks(class.line) {
                evenly(line.len(), most, |start, pixels| {
                    // SAFETY: the caller's; the panel holds every tap of the phase.
                    unsafe {
                        for m in 0..pixels {
                            let target = line[start + m].1 * self.to.channels;
                            targets[m] = self.y.add(image * self.to.image() + target);
                        }
                        let tile = Strip {
                            a: self.x.add(image * self.from.image() + line[start].0 * channels),
                            lines: class.runs,
                            channels,
                            a_pitch: class.pitch * channels,
                            b,
                            b_pitch: class.tap_pitch * channels,
                            c: targets.as_ptr(),
                            columns: self.columns,
                            store,
                        };
                        self.micro.strip(pixels, class.run, &tile);
                    }
                });
            }
        }
    }

    /// Part of the sum of [`Product::class`].
    ///
    /// # Safety
    /// As for the whole.
    unsafe fn part(&self, class: &Class, part: Part, store: Store) {
        let mut sources = [self.x; MAX_ROWS];
        let mut targets = [self.y; MAX_ROWS];
        let (mut image, mut next) = (0, 0);
        let most = if self.narrow { self.micro.max_dots_rows(self.columns) } else { self.micro.max_rows(self.columns) };
        evenly(self.images * class.pixels.len(), most, |_, rows| {
            for m in 0..rows {
                let (source, target) = class.pixels[next];
                // SAFETY: the caller's.
                unsafe {
                    sources[m] = self.x.add(image * self.from.image() + source * self.from.channels + part.shift);
                    targets[m] = self.y.add(image * self.to.image() + target * self.to.channels);
                }
                next += 1;
                if next == class.pixels.len() {
                    (image, next) = (image + 1, 0);
                }
            }
            // SAFETY: the caller's; the panel holds every tap of the phase.
            unsafe { self.tile(class, &part, rows, &sources, &targets, store) };
        });
    }

    /// One tile of the pixels at `sources`.
    ///
    /// # Safety
    /// As for [`Product::class`].
    #[inline]
    unsafe fn tile(
        &self,
        class: &Class,
        part: &Part,
        rows: usize,
        sources: &[*const T; MAX_ROWS],
        targets: &[*mut T; MAX_ROWS],
        store: Store,
    ) {
        let &Part { row, runs, run, .. } = part;
        let (a, c, columns) = (sources.as_ptr(), targets.as_ptr(), self.columns);
        let (a_pitch, b_pitch) = (class.pitch * self.from.channels, class.tap_pitch * self.from.channels);
        if self.narrow {
            let b = self.weights[row..].as_ptr();
            let b_column = self.weights.len() / columns;
            // SAFETY: the caller's.
            unsafe { self.micro.dots(rows, columns, &Dots { a, runs, run, a_pitch, b, b_column, b_pitch, c, store }) };
        } else {
            let b = self.weights[row * self.micro.padded(columns)..].as_ptr();
            // SAFETY: the caller's.
            unsafe { self.micro.rows(rows, &Rows { a, runs, run, a_pitch, b, b_pitch, c, columns, store }) };
        }
    }
}
