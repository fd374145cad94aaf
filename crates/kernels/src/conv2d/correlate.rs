//! The implicit matrix product of the forward pass and of the adjoint: rows are pixels as they lie in memory,
//! the right operand is the weights, packed once a call.

use super::plan::{Class, Phase};
use crate::gemm::micro::{MAX_ROWS, Micro, Rows};
use crate::gemm::{Shared, evenly, interleave};
use crate::{Device, Real, Store, parallel};

/// Fewest pixels that share one pass over a panel of weights, where there are that many.
const PIXELS: usize = 128;

/// Fewest multiplications of a task, so that starting it costs nothing beside it.
const WORK: usize = 1 << 19;

/// Tasks wanted, for any sensible number of threads.
const TASKS: usize = 32;

/// One side of the product: its pixels, `channels` numbers each, in images of `pixels` of them.
pub(super) struct Side {
    pub pixels: usize,
    pub channels: usize,
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
    if n == 0 || to.channels == 0 {
        return;
    }
    let micro = Micro::<T>::of(device.simd());
    let panels = to.channels.div_ceil(micro.width());
    let padded = (panels - 1) * micro.width() + micro.padded(to.channels - (panels - 1) * micro.width());
    let starts: Vec<usize> = phases
        .iter()
        .scan(0, |rows, phase| {
            let start = *rows;
            *rows += phase.taps.len() * from.channels;
            Some(start * padded)
        })
        .collect();
    let rows: usize = phases.iter().map(|phase| phase.taps.len() * from.channels).sum();
    let mut packed = device.buffer::<T>(rows * padded);
    let shared = Shared::new(&mut packed);
    let panel_of = |phase: usize, panel: usize| {
        let rows = phases[phase].taps.len() * from.channels;
        let columns = micro.width().min(to.channels - panel * micro.width());
        (starts[phase] + rows * panel * micro.width(), rows * micro.padded(columns), columns)
    };
    parallel::for_each(phases.len() * panels, |task| {
        let (phase, panel) = (task / panels, task % panels);
        let (start, len, columns) = panel_of(phase, panel);
        // SAFETY: panels are disjoint parts of `packed`, and each is one task's.
        let out = unsafe { std::slice::from_raw_parts_mut(shared.get().add(start), len) };
        let columns = panel * micro.width()..panel * micro.width() + columns;
        pack(&phases[phase].taps, (w, adjoint), from.channels, to.channels, columns, out);
    });

    let packed = &packed[..];
    let pixels = phases.iter().map(Phase::pixels).max().unwrap_or(1);
    let pairs = phases.iter().map(Phase::pairs).max().unwrap_or(1);
    let macs = (pairs * from.channels * to.channels).max(1);
    let images = PIXELS.div_ceil(pixels).max(WORK.div_ceil(macs)).min(n);
    let blocks = n.div_ceil(images);
    let groups = TASKS.div_ceil(blocks * phases.len()).min((macs * images).div_ceil(WORK)).min(panels);
    let out = Shared::new(y);
    parallel::for_each(blocks * phases.len() * groups, |task| {
        let (block, phase, group) = (task / groups / phases.len(), task / groups % phases.len(), task % groups);
        let first = block * images;
        for panel in panels * group / groups..panels * (group + 1) / groups {
            let (start, len, columns) = panel_of(phase, panel);
            let weights = &packed[start..start + len];
            // SAFETY: the images and columns exist, and no other task has the same phase of them.
            unsafe {
                let x = x.as_ptr().add(first * from.pixels * from.channels);
                let y = out.get().add(first * to.pixels * to.channels + panel * micro.width());
                for class in &phases[phase].classes {
                    product(micro, class, images.min(n - first), (&from, x), weights, (&to, y), columns, store);
                }
            }
        }
    });
}

/// The pixels of one class in `images` images times one panel.
///
/// # Safety
/// x and y must hold the images that the class was made for, with `columns` channels left in y.
unsafe fn product<T: Real>(
    micro: &Micro<T>,
    class: &Class,
    images: usize,
    (from, x): (&Side, *const T),
    weights: &[T],
    (to, y): (&Side, *mut T),
    columns: usize,
    store: Store,
) {
    let mut sources = [x; MAX_ROWS];
    let mut targets = [y; MAX_ROWS];
    let (mut image, mut next) = (0, 0);
    evenly(images * class.pixels.len(), micro.max_rows(columns), |_, rows| {
        for m in 0..rows {
            let (source, target) = class.pixels[next];
            // SAFETY: the caller's.
            unsafe {
                sources[m] = x.add((image * from.pixels + source) * from.channels);
                targets[m] = y.add((image * to.pixels + target) * to.channels);
            }
            next += 1;
            if next == class.pixels.len() {
                (image, next) = (image + 1, 0);
            }
        }
        let tile = Rows {
            a: sources.as_ptr(),
            runs: class.runs,
            run: class.run * from.channels,
            a_pitch: class.pitch * from.channels,
            b: weights[class.tap * from.channels * micro.padded(columns)..].as_ptr(),
            b_pitch: class.tap_pitch * from.channels,
            c: targets.as_ptr(),
            columns,
            store,
        };
        // SAFETY: the caller's; the panel holds every tap of the phase.
        unsafe { micro.rows(rows, &tile) };
    });
}

/// Packs the weights from every source channel under `taps` to the target channels `columns`.
fn pack<T: Real>(
    taps: &[usize],
    (w, adjoint): (&[T], bool),
    from: usize,
    to: usize,
    columns: std::ops::Range<usize>,
    packed: &mut [T],
) {
    if taps.is_empty() {
        return;
    }
    let width = packed.len() / (taps.len() * from);
    if !adjoint {
        // The taps are all of the kernel's in their own order: w is [to, taps * from].
        let line = taps.len() * from;
        interleave(columns.map(|column| &w[column * line..(column + 1) * line]), width, packed);
        return;
    }
    let line = w.len() / from;
    let rows = taps.iter().flat_map(|tap| (0..from).map(move |o| &w[o * line + tap * to..o * line + (tap + 1) * to]));
    for (row, out) in rows.zip(packed.chunks_exact_mut(width)) {
        out[..columns.len()].copy_from_slice(&row[columns.clone()]);
        out[columns.len()..].fill(T::ZERO);
    }
}
