//! Matrix product: C = op(A) op(B), row-major, packed and blocked after Goto and van de Geijn 2008,
//! "Anatomy of high-performance matrix multiplication".
//!
//! A panel of B as wide as a register tile is packed `[k][width]` and stays in L1 while the rows of A pass by.
//! A is never packed: a row is a pointer, a transposed A is read as the outer products it is.

mod cuda;
pub(crate) mod micro;
pub(crate) mod scratch;
pub(crate) mod tiles;

use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work, parallel};
use micro::Micro;
use tiles::{MAX_ROWS, Outer, Rows};

/// Rows of B in a packed panel: 32 KiB at the widest.
pub(crate) const DEPTH: usize = 256;

/// Rows of A that one task takes.
const HEIGHT: usize = 384;

/// Whether an operand is stored transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transpose {
    /// As named.
    No,
    /// Rows and columns exchanged.
    Yes,
}

/// A pointer that tasks share; each writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

// SAFETY: only a pointer; whoever dereferences it answers for disjointness.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The pointer `offset` elements on.
    ///
    /// # Safety
    /// The element must lie within the slice.
    pub(crate) unsafe fn at(self, offset: usize) -> Self {
        // SAFETY: the caller's.
        Self(unsafe { self.0.add(offset) })
    }

    /// The pointer. (A method, so that closures capture the wrapper.)
    pub(crate) fn get(self) -> *mut T {
        self.0
    }
}

/// Splits `total` into as few parts of at most `most` as there must be, as even as they can be; calls
/// `part(start, len)` on each.
#[inline(always)]
pub(crate) fn evenly(total: usize, most: usize, mut part: impl FnMut(usize, usize)) {
    let parts = total.div_ceil(most);
    let mut start = 0;
    for i in 0..parts {
        let len = (total - start).div_ceil(parts - i);
        part(start, len);
        start += len;
    }
}

/// `c (=|+=) op(a) op(b)`: c is [m, n], a is [m, k] ([k, m] if transposed), b is [k, n] ([n, k] if transposed).
/// On a GPU no size is 0, and at most one operand is transposed.
pub fn gemm<'a, T: Real>(
    device: &Device,
    ta: Transpose,
    tb: Transpose,
    m: usize,
    n: usize,
    k: usize,
    a: impl Into<View<'a, T>>,
    b: impl Into<View<'a, T>>,
    c: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (a, b, c) = (a.into(), b.into(), c.into());
    let _span = device.span("gemm", || Work::gemm([m, n, k], a.bytes() + b.bytes() + store.bytes(c.bytes())));
    if let Some(cuda) = device.gpu() {
        return cuda::gemm(device, cuda, (ta, tb), [m, n, k], a, b, c, store);
    }
    T::gemm(device, (ta, tb), [m, n, k], [a, b].map(View::host), c.host(), store);
}

/// [`gemm`] on a CPU.
pub(crate) fn cpu<T: Real>(
    device: &Device,
    (ta, tb): (Transpose, Transpose),
    [m, n, k]: [usize; 3],
    [a, b]: [&[T]; 2],
    c: &mut [T],
    store: Store,
) {
    assert_eq!(Some(a.len()), m.checked_mul(k), "gemm: a is [m, k] = [{m}, {k}]");
    assert_eq!(Some(b.len()), k.checked_mul(n), "gemm: b is [k, n] = [{k}, {n}]");
    assert_eq!(Some(c.len()), m.checked_mul(n), "gemm: c is [m, n] = [{m}, {n}]");
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if store == Store::Set {
            c.fill(T::ZERO);
        }
        return;
    }
    if k == 1 {
        return rank_one(a, b, c, store);
    }
    let micro = Micro::<T>::of(device.simd());
    let panels = n.div_ceil(micro.width());
    let out = Shared::new(c);
    parallel::for_each(m.div_ceil(HEIGHT) * panels, |task| {
        let (block, panel) = (task / panels, task % panels);
        let (row, column) = (block * HEIGHT, panel * micro.width());
        let (rows, columns) = (HEIGHT.min(m - row), micro.width().min(n - column));
        let width = micro.padded(columns);
        if ta == Transpose::Yes && tb == Transpose::No && rows <= micro.max_outer_rows(columns) {
            // A panel is read once only: as it lies.
            // SAFETY: the rows and columns lie within a, b and c, and are this task's alone in c.
            unsafe {
                let (a, b) = (a.as_ptr().add(row), b.as_ptr().add(column));
                let c = out.get().add(row * n + column);
                return transposed(micro, rows, columns, k, (a, m), (b, n), (c, n), store);
            }
        }
        scratch::with(DEPTH * width, |packed: &mut [T]| {
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                pack(tb, n, k, b, first..first + depth, column..column + columns, &mut packed[..depth * width]);
                let store = if first == 0 { store } else { Store::Add };
                // SAFETY: the rows and columns lie within a and c, and are this task's alone in c; the panel
                // holds depth rows of its width.
                unsafe {
                    let c = out.get().add(row * n + column);
                    let b = packed.as_ptr();
                    match ta {
                        Transpose::No => {
                            let a = a.as_ptr().add(row * k + first);
                            plain(micro, rows, columns, depth, (a, k), b, (c, n), store);
                        }
                        Transpose::Yes => {
                            let a = a.as_ptr().add(first * m + row);
                            transposed(micro, rows, columns, depth, (a, m), (b, width), (c, n), store);
                        }
                    }
                }
            }
        });
    });
}

/// `c (=|+=) a b`, a column times a row.
fn rank_one<T: Real>(a: &[T], b: &[T], c: &mut [T], store: Store) {
    let rows = (parallel::CHUNK / b.len()).max(1);
    parallel::chunks_mut(c, rows * b.len(), |start, c| {
        for (&x, c) in a[start / b.len()..].iter().zip(c.chunks_exact_mut(b.len())) {
            c.iter_mut().zip(b).for_each(|(c, &b)| store.write(c, x * b));
        }
    });
}

/// c (=|+=) a b for rows of `a` that lie `a.1` apart.
///
/// # Safety
/// The operands must be valid for the sizes and c unshared.
unsafe fn plain<T: Real>(
    micro: &Micro<T>,
    rows: usize,
    columns: usize,
    depth: usize,
    a: (*const T, usize),
    b: *const T,
    c: (*mut T, usize),
    store: Store,
) {
    let mut sources = [a.0; MAX_ROWS];
    let mut targets = [c.0; MAX_ROWS];
    evenly(rows, micro.max_rows(columns), |start, rows| {
        // SAFETY: the caller's.
        unsafe {
            for m in 0..rows {
                sources[m] = a.0.add((start + m) * a.1);
                targets[m] = c.0.add((start + m) * c.1);
            }
            let (a, c) = (sources.as_ptr(), targets.as_ptr());
            micro.rows(rows, &Rows { a, runs: 1, run: depth, a_pitch: 0, b, b_pitch: 0, c, columns, store });
        }
    });
}

/// c (=|+=) a^T b, as `store` says, for columns of `a`, whose rows lie `a.1` apart.
///
/// # Safety
/// As for [`plain`].
unsafe fn transposed<T: Real>(
    micro: &Micro<T>,
    rows: usize,
    columns: usize,
    depth: usize,
    a: (*const T, usize),
    b: (*const T, usize),
    c: (*mut T, usize),
    store: Store,
) {
    evenly(rows, micro.max_outer_rows(columns), |start, rows| {
        let tile = Outer {
            counts: [1, 1, depth],
            // SAFETY: the caller's.
            a: unsafe { a.0.add(start) },
            a_steps: [0, 0, a.1],
            b: b.0,
            b_steps: [0, 0, b.1],
            // SAFETY: the caller's.
            c: unsafe { c.0.add(start * c.1) },
            c_pitch: c.1,
            columns,
            store,
        };
        // SAFETY: the caller's.
        unsafe { micro.outer(rows, &tile) };
    });
}

/// Packs `rows` and `columns` of op(b) as `[row][width]`, columns that do not exist as 0.
fn pack<T: Real>(
    tb: Transpose,
    n: usize,
    k: usize,
    b: &[T],
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    packed: &mut [T],
) {
    if rows.is_empty() {
        return;
    }
    let width = packed.len() / rows.len();
    match tb {
        Transpose::No => {
            for (row, out) in rows.zip(packed.chunks_exact_mut(width)) {
                out[..columns.len()].copy_from_slice(&b[row * n + columns.start..row * n + columns.end]);
                out[columns.len()..].fill(T::ZERO);
            }
        }
        Transpose::Yes => {
            let line = |lane| &b[(columns.start + lane) * k + rows.start..][..rows.len()];
            interleave(columns.len(), line, width, packed);
        }
    }
}

/// `packed[i][lane] = line(lane)[i]` for the first `lanes` lanes; the others are 0.
pub(crate) fn interleave<'a, T: Real>(lanes: usize, line: impl Fn(usize) -> &'a [T], width: usize, packed: &mut [T]) {
    // Few enough rows at a time that the lines being written stay in L1.
    const ROWS: usize = 32;
    for (block, packed) in packed.chunks_mut(ROWS * width).enumerate() {
        for lane in 0..lanes {
            for (out, &x) in packed.chunks_exact_mut(width).zip(&line(lane)[block * ROWS..]) {
                out[lane] = x;
            }
        }
        if lanes < width {
            packed.chunks_exact_mut(width).for_each(|out| out[lanes..].fill(T::ZERO));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Simd;
    use crate::testing::uniform;

    /// Every size, transposition and store against the definition; |c - c64| <= bound * sum |a||b|.
    fn against_the_definition<T: Real>(device: &Device, epsilon: f64) {
        use Transpose::{No, Yes};
        let sizes = [
            (1, 1, 1),
            (3, 5, 7),
            (17, 33, 19),
            (30, 16, 64),
            (64, 100, 1),
            (5, 48, 300),
            (400, 31, 13),
            (13, 1, 600),
            (2, 3, 0),
        ];
        for (m, n, k) in sizes {
            let a = uniform::<T>(1, m * k);
            let b = uniform::<T>(2, k * n);
            let before = uniform::<T>(3, m * n);
            for (ta, tb) in [(No, No), (No, Yes), (Yes, No), (Yes, Yes)] {
                let mut set = vec![T::from_f64(f64::NAN); m * n];
                let mut add = before.clone();
                gemm(device, ta, tb, m, n, k, &a, &b, &mut set, Store::Set);
                gemm(device, ta, tb, m, n, k, &a, &b, &mut add, Store::Add);
                for i in 0..m * n {
                    let (row, column) = (i / n, i % n);
                    let (mut want, mut scale) = (0.0, 0.0);
                    for p in 0..k {
                        let x = a[if ta == No { row * k + p } else { p * m + row }].to_f64();
                        let y = b[if tb == No { p * n + column } else { column * k + p }].to_f64();
                        want += x * y;
                        scale += (x * y).abs();
                    }
                    let at = format!("{ta:?} {tb:?} [{m},{k}]x[{k},{n}] at {row},{column}");
                    let bound = epsilon * (k as f64 + 1.0) * scale;
                    assert!((set[i].to_f64() - want).abs() <= bound, "{at}: {} against {want}", set[i]);
                    let sum = want + before[i].to_f64();
                    assert!((add[i].to_f64() - sum).abs() <= bound + 2.0 * epsilon * sum.abs().max(1.0), "{at}, add");
                }
            }
        }
    }

    #[test]
    fn every_path_agrees_with_the_definition() {
        for simd in Simd::available() {
            let device = Device::cpu_with(simd).unwrap();
            against_the_definition::<f32>(&device, f64::from(f32::EPSILON));
            against_the_definition::<f64>(&device, f64::EPSILON);
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let (m, n, k) = (500, 70, 300);
        let (a, b) = (uniform::<f32>(1, m * k), uniform::<f32>(2, k * n));
        use Transpose::{No, Yes};
        let transposes = [(No, No), (No, Yes), (Yes, No), (Yes, Yes)];
        for (simd, (ta, tb)) in Simd::available().into_iter().flat_map(|simd| transposes.map(|t| (simd, t))) {
            let device = Device::cpu_with(simd).unwrap();
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut c = vec![f32::NAN; m * n];
                pool.install(|| gemm(&device, ta, tb, m, n, k, &a, &b, &mut c, Store::Set));
                c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3), "{simd} {ta:?} {tb:?}");
        }
    }
}
