//! The gradient of the weights: `dw[o][tap][c] = sum over images and pixels dy[pixel][o] x[pixel under tap][c]`,
//! a sum of outer products over the pixels whose tap lies inside the image.

use super::Conv2d;
use crate::gemm::micro::Micro;
use crate::gemm::tiles::Outer;
use crate::gemm::{Shared, evenly, scratch};
use crate::{Device, Real, Store, parallel};
use std::ops::Range;

/// Pixels of dy that pass by a tile of dw in one go: their part of x stays in L1.
const PIXELS: usize = 256;

/// From so many output channels on, the part of x under a tap is copied together first: pixels a power of two apart
/// share so few sets of L1 that they do not stay there.
const GATHER: usize = 128;

/// Tasks wanted, for any sensible number of threads.
const TASKS: usize = 32;

/// Fewest multiplications of a task.
const WORK: usize = 1 << 19;

/// A line of taps `kx` of kernel row `ky`, and the output pixels for which all of them lie inside the image.
struct Job {
    ky: usize,
    kx: Range<usize>,
    oy: Range<usize>,
    ox: Range<usize>,
}

/// Output coordinates along axis `d` whose tap `k` lies inside the input.
fn inside(g: &Conv2d, d: usize, k: usize) -> Range<usize> {
    let (stride, padding, size, out) = (g.stride[d], g.padding[d], [g.h, g.w][d], [g.oh, g.ow][d]);
    let first = padding.saturating_sub(k).div_ceil(stride);
    let end = (size + padding).saturating_sub(k).div_ceil(stride).min(out);
    first.min(end)..end
}

/// One job a tap.
fn single_taps(g: &Conv2d) -> Vec<Job> {
    let job = |ky, kx| Job { ky, kx: kx..kx + 1, oy: inside(g, 0, ky), ox: inside(g, 1, kx) };
    (0..g.kernel[0]).flat_map(|ky| (0..g.kernel[1]).map(move |kx| job(ky, kx))).collect()
}

/// For each row of the kernel, one job for each stretch of output columns that see the same taps.
fn lines_of_taps(g: &Conv2d) -> Vec<Job> {
    let taps = |ox: usize| {
        let seen = |&kx: &usize| inside(g, 1, kx).contains(&ox);
        let first = (0..g.kernel[1]).find(seen).unwrap_or(0);
        first..(0..g.kernel[1]).rev().find(seen).map_or(first, |last| last + 1)
    };
    let mut stretches: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for ox in 0..g.ow {
        let kx = taps(ox);
        match stretches.last_mut() {
            Some((last, columns)) if *last == kx => columns.end = ox + 1,
            _ => stretches.push((kx, ox..ox + 1)),
        }
    }
    stretches.retain(|(kx, _)| !kx.is_empty());
    let lines = |ky| {
        let job = move |(kx, ox): &(Range<usize>, Range<usize>)| Job {
            ky,
            kx: kx.clone(),
            oy: inside(g, 0, ky),
            ox: ox.clone(),
        };
        stretches.iter().map(job).collect::<Vec<_>>()
    };
    (0..g.kernel[0]).flat_map(lines).collect()
}

/// `dw (=|+=) sum dy x`.
pub(super) fn backward_weight<T: Real>(device: &Device, g: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], store: Store) {
    let micro = Micro::<T>::of(device.simd());
    let taps = g.kernel[0] * g.kernel[1];
    // Few input channels would leave most lanes empty: then lanes run along the output channels instead, rows
    // along a whole line of taps, and the sum is formed transposed, [taps * c, o].
    let flipped = g.c < micro.width() / 2 && g.o > g.c;
    // So they would with one tap at a time where a tap is narrower than a tile.
    let lines = flipped || g.c < micro.width();
    let jobs = if lines { lines_of_taps(g) } else { single_taps(g) };
    let macs = g.oh * g.ow * taps * g.c * g.o;
    let images = PIXELS.div_ceil((g.oh * g.ow).max(1)).min(g.n);
    // As many partial sums as there are tasks wanted, but no more memory in them than in the operands.
    let operands = (x.len() + dy.len()) / 2;
    let chunks =
        TASKS.min(g.n.div_ceil(images)).min((g.n * macs).div_ceil(WORK)).min(operands / dw.len().max(1)).max(1);
    let blocks = g.n.div_ceil(images);
    let parts =
        if lines { 1 } else { TASKS.div_ceil(chunks).min((g.n * macs / chunks).div_ceil(WORK)).min(jobs.len()).max(1) };
    let direct = chunks == 1 && !lines;
    let mut partial = device.workspace::<T>(if direct { 0 } else { chunks * dw.len() });
    let len = dw.len();
    let out = if direct { Shared::new(dw) } else { Shared::new(&mut partial) };
    parallel::for_each(chunks * parts, |task| {
        let (chunk, part) = (task / parts, task % parts);
        // SAFETY: each chunk has a partial sum of its own, within which each job of several parts has its own taps.
        let c = unsafe { out.get().add(chunk * len) };
        if lines {
            // SAFETY: as above; the chunk has one task.
            unsafe { std::slice::from_raw_parts_mut(c, len) }.fill(T::ZERO);
        }
        let mut store = match (direct, lines) {
            (true, _) => store,
            (false, true) => Store::Add,
            (false, false) => Store::Set,
        };
        for block in blocks * chunk / chunks..blocks * (chunk + 1) / chunks {
            let images = block * images..g.n.min((block + 1) * images);
            for job in &jobs[jobs.len() * part / parts..jobs.len() * (part + 1) / parts] {
                // SAFETY: as above.
                unsafe {
                    if flipped {
                        flipped_product(micro, g, job, images.clone(), x, dy, c);
                    } else {
                        product(micro, g, job, images.clone(), x, dy, c, store);
                    }
                }
            }
            store = Store::Add;
        }
    });
    if !direct {
        sum(&partial, flipped.then_some((taps * g.c, g.o)), dw, store);
    }
}

/// The loops over a job's pixels: trip counts, first offsets and steps in x and dy.
struct Walk {
    counts: [usize; 3],
    x: usize,
    x_steps: [usize; 3],
    dy: usize,
    dy_steps: [usize; 3],
}

impl Walk {
    fn new(g: &Conv2d, job: &Job, images: Range<usize>) -> Self {
        let counts = [images.len(), job.oy.len(), job.ox.len()];
        if counts.contains(&0) {
            return Self { counts: [0; 3], x: 0, x_steps: [0; 3], dy: 0, dy_steps: [0; 3] };
        }
        let (y, x) = (
            job.oy.start * g.stride[0] + job.ky - g.padding[0],
            job.ox.start * g.stride[1] + job.kx.start - g.padding[1],
        );
        Self {
            counts,
            x: ((images.start * g.h + y) * g.w + x) * g.c,
            x_steps: [g.h * g.w * g.c, g.stride[0] * g.w * g.c, g.stride[1] * g.c],
            dy: ((images.start * g.oh + job.oy.start) * g.ow + job.ox.start) * g.o,
            dy_steps: [g.oh * g.ow * g.o, g.ow * g.o, g.o],
        }
    }
}

impl Walk {
    /// Copies `columns` numbers from each pixel of x, one after another.
    fn copy<T: Real>(&self, x: &[T], columns: usize, copy: &mut [T]) {
        let pixels = (0..self.counts[0]).flat_map(|i| {
            let line = move |j| i * self.x_steps[0] + j * self.x_steps[1];
            (0..self.counts[1]).flat_map(move |j| (0..self.counts[2]).map(move |k| line(j) + k * self.x_steps[2]))
        });
        for (copy, start) in copy.chunks_exact_mut(columns).zip(pixels) {
            copy.copy_from_slice(&x[start..start + columns]);
        }
    }
}

/// One line of taps: rows along o, lanes along (kx, c).
///
/// # Safety
/// `dw` must hold the gradient of the weights, with these taps unshared.
unsafe fn product<T: Real>(
    micro: &Micro<T>,
    g: &Conv2d,
    job: &Job,
    images: Range<usize>,
    x: &[T],
    dy: &[T],
    dw: *mut T,
    store: Store,
) {
    let walk = Walk::new(g, job, images);
    let taps = g.kernel[0] * g.kernel[1];
    let first = (job.ky * g.kernel[1] + job.kx.start) * g.c;
    let line = job.kx.len() * g.c;
    for lane in (0..line).step_by(micro.width()) {
        let columns = micro.width().min(line - lane);
        let tiles = |b: *const T, b_steps: [usize; 3]| {
            evenly(g.o, micro.max_outer_rows(columns), |row, rows| {
                let tile = Outer {
                    counts: walk.counts,
                    a: dy[walk.dy + row..].as_ptr(),
                    a_steps: walk.dy_steps,
                    b,
                    b_steps,
                    // SAFETY: within dw.
                    c: unsafe { dw.add(row * taps * g.c + first + lane) },
                    c_pitch: taps * g.c,
                    columns,
                    store,
                };
                // SAFETY: the walk stays inside x (or its copy) and dy; the tile is the caller's.
                unsafe { micro.outer(rows, &tile) };
            });
        };
        if g.o < GATHER {
            tiles(x[walk.x + lane..].as_ptr(), walk.x_steps);
        } else {
            let [_, lines, pixels] = walk.counts;
            scratch::with(walk.counts.iter().product::<usize>() * columns, |copy: &mut [T]| {
                walk.copy(&x[walk.x + lane..], columns, copy);
                tiles(copy.as_ptr(), [lines * pixels * columns, pixels * columns, columns]);
            });
        }
    }
}

/// The same the other way round: rows along (kx, c), lanes along o, added to the transposed sum.
///
/// # Safety
/// `dw` must hold the transposed sum, unshared.
unsafe fn flipped_product<T: Real>(
    micro: &Micro<T>,
    g: &Conv2d,
    job: &Job,
    images: Range<usize>,
    x: &[T],
    dy: &[T],
    dw: *mut T,
) {
    let walk = Walk::new(g, job, images);
    let first = (job.ky * g.kernel[1] + job.kx.start) * g.c;
    for lane in (0..g.o).step_by(micro.width()) {
        let columns = micro.width().min(g.o - lane);
        evenly(job.kx.len() * g.c, micro.max_outer_rows(columns), |row, rows| {
            let tile = Outer {
                counts: walk.counts,
                a: x[walk.x + row..].as_ptr(),
                a_steps: walk.x_steps,
                b: dy[walk.dy + lane..].as_ptr(),
                b_steps: walk.dy_steps,
                // SAFETY: within the sum.
                c: unsafe { dw.add((first + row) * g.o + lane) },
                c_pitch: g.o,
                columns,
                store: Store::Add,
            };
            // SAFETY: the walk stays inside x and dy; the tile is the caller's.
            unsafe { micro.outer(rows, &tile) };
        });
    }
}

/// `dw (=|+=)` the partial sums in their order, each transposed where `flipped` says it is [rows, columns].
fn sum<T: Real>(partial: &[T], flipped: Option<(usize, usize)>, dw: &mut [T], store: Store) {
    const BLOCK: usize = 256;
    let len = dw.len();
    parallel::chunks_mut(dw, parallel::CHUNK, |start, dw| {
        for (block, dw) in dw.chunks_mut(BLOCK).enumerate() {
            let start = start + block * BLOCK;
            let mut totals = [T::ZERO; BLOCK];
            if let Some((rows, columns)) = flipped {
                for (i, total) in (start..len).zip(&mut totals) {
                    let at = i % rows * columns + i / rows;
                    *total = partial[at..].iter().step_by(len).fold(T::ZERO, |total, &x| total + x);
                }
            } else {
                for partial in partial.chunks_exact(len) {
                    totals.iter_mut().zip(&partial[start..]).for_each(|(total, &x)| *total += x);
                }
            }
            dw.iter_mut().zip(totals).for_each(|(dw, total)| store.write(dw, total));
        }
    });
}
