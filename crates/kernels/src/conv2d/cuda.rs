//! Convolution on a GPU: which tile a pass is computed in, over how many blocks, and the launches.
//!
//! A pass is a product of an `M x K` and a `K x N` matrix. A block computes a tile of `M x N`; where the tiles are too
//! few to fill a GPU, K is split, each split writes a partial result to the workspace, and a second kernel adds them in
//! order. Both depend on the shape and precision alone, so the bits do too. They need compute capability 8.0.
//!
//! On tensor cores, 3x3 kernels between 16 or 32 channels have tiles of another kind: pixels with their margin, copied once.

use super::{Conv2d, Parts, Pass};
use crate::cuda::{Cuda, CudaError, Grid, Kernel, Precision, by_value};
use crate::view::{DeviceSlice, DeviceSliceMut, View, ViewMut};
use crate::{Device, Real, Store};

/// A block's tile of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// 128 x 128 over 256 threads: the fewest loads a product.
    M128N128,
    /// 64 x 64 over 128 threads, or on tensor cores over 256.
    M64N64,
    /// 128 x 32 over 128 threads, for up to 32 channels.
    M128N32,
    /// 128 x 16 over 128 threads, for up to 16 channels.
    M128N16,
    /// On tensor cores, 3x3 of stride 1 between 16 channels: 16 x 16 pixels over 128 threads; see conv2d_halo.cuh.
    Halo16,
    /// The same between 32: 8 x 16 pixels.
    Halo32,
}

impl Tile {
    /// Those that every pass has in every precision.
    pub const ALL: [Self; 4] = [Self::M128N128, Self::M64N64, Self::M128N32, Self::M128N16];

    fn size(self) -> [usize; 2] {
        match self {
            Self::M128N128 => [128, 128],
            Self::M64N64 => [64, 64],
            Self::M128N32 => [128, 32],
            Self::M128N16 => [128, 16],
            Self::Halo16 => [256, 16],
            Self::Halo32 => [128, 32],
        }
    }

    fn is_halo(self) -> bool {
        matches!(self, Self::Halo16 | Self::Halo32)
    }

    /// The one for whole tiles of pixels with a margin, if a convolution is of that kind.
    pub fn halo(g: &Conv2d) -> Option<Self> {
        let (tile, down) = match g.c {
            16 => (Self::Halo16, 16),
            32 => (Self::Halo32, 8),
            _ => return None,
        };
        let near = g.kernel == [3, 3] && g.stride == [1, 1] && g.padding == [1, 1] && g.o == g.c;
        (near && g.h.is_multiple_of(down) && g.w.is_multiple_of(16)).then_some(tile)
    }

    /// Bytes of dynamic shared memory that a halo's pass takes; see conv2d_halo.cuh.
    fn shared(self, pass: Pass, precision: Precision) -> usize {
        let ([pixels, channels], number) = (self.size(), if precision == Precision::Bf16 { 2 } else { 4 });
        let margined = (pixels / 16 + 2) * 18;
        match pass {
            _ if !self.is_halo() => 0,
            // Pixels lie eight numbers further apart.
            Pass::BackwardWeight => (margined + pixels) * (channels + 8) * 4,
            Pass::Forward | Pass::BackwardInput => margined * channels * 4 + 9 * channels * channels * number,
        }
    }

    fn threads(self, precision: Precision) -> u32 {
        match self {
            Self::M128N128 => 256,
            // On tensor cores a warp has fewer sums, so that twice as many hide each other's latency.
            Self::M64N64 if precision != Precision::F32 => 256,
            _ => 128,
        }
    }
}

/// Blocks that keep the largest GPU in view (an H100 or H200, 132 multiprocessors) busy: two for each. Measured on an
/// H100 at batch 64: with one for each the iteration takes 7 % longer, although less is joined.
const BLOCKS: usize = 264;

/// Numbers that no operand reaches: places in one are int.
const MOST: usize = 1 << 31;

/// Fewest multiplications along K that a split is worth its partial result.
const DEPTH: usize = 64;

/// How a pass is spread over a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The tile of a block.
    pub tile: Tile,
    /// Parts of K.
    pub splits: usize,
}

impl Schedule {
    /// The one that the passes take.
    pub fn of(pass: Pass, g: &Conv2d, precision: Precision) -> Self {
        match Tile::halo(g) {
            Some(tile) if precision != Precision::F32 => {
                // Of the weights, a block has all of them and a share of the tiles.
                let tiles = g.n * g.h * g.w / tile.size()[0];
                Self { tile, splits: if pass == Pass::BackwardWeight { tiles.min(BLOCKS * 3 / 2) } else { 1 } }
            }
            _ => Self::implicit(pass, g),
        }
    }

    /// An implicit product's.
    fn implicit(pass: Pass, g: &Conv2d) -> Self {
        let sizes = Sizes::of(pass, &flat(g));
        let [m, n, k] = sizes.product;
        let tiles = |tile: Tile| m.div_ceil(tile.size()[0]) * n.div_ceil(tile.size()[1]) * sizes.phases;
        let tile = match n {
            ..=16 => Tile::M128N16,
            17..=32 => Tile::M128N32,
            // Half of a large tile empty, or half of the GPU idle, costs more than its fewer loads gain.
            _ if n > 64 && tiles(Tile::M128N128) >= BLOCKS / 2 => Tile::M128N128,
            _ => Tile::M64N64,
        };
        Self { tile, splits: (BLOCKS / tiles(tile)).min(k / DEPTH).max(1) }
    }

    /// Elements of workspace that it takes.
    pub fn workspace(&self, pass: Pass, g: &Conv2d) -> usize {
        if self.splits == 1 { 0 } else { self.splits * Sizes::of(pass, g).out }
    }
}

/// Rows of each thread, and threads, of a block of conv2d_join_moments.
const JOINED_ROWS: usize = 2;
const JOIN_THREADS: usize = 256;

/// Threads across the quads of channels, and along the rows, of a block of conv2d_join_moments.
fn join_block(channels: usize) -> [usize; 2] {
    let quads = channels.div_ceil(4).next_power_of_two().min(16);
    [quads, JOIN_THREADS / quads]
}

/// See [`Parts::of`].
pub fn parts(pass: Pass, g: &Conv2d, groups: usize, precision: Precision) -> Option<Parts> {
    parts_of(pass, Schedule::of(pass, g, precision), g, groups)
}

/// The same by a schedule of choice.
pub fn parts_of(pass: Pass, schedule: Schedule, g: &Conv2d, groups: usize) -> Option<Parts> {
    let side = match pass {
        Pass::Forward => g.output(),
        Pass::BackwardInput => g.input(),
        Pass::BackwardWeight => return None,
    };
    let pixels = g.n * side.pixels;
    let rows = if schedule.splits > 1 {
        join_block(side.channels)[1] * JOINED_ROWS
    } else {
        let (Sizes { product: [rows, columns, _], phases, .. }, tile) =
            (Sizes::of(pass, &flat(g)), schedule.tile.size()[0]);
        // Not where columns are all of an image's, or phases are not equally large; of several, each has rows of all groups.
        let whole = columns == side.channels && pixels == phases * rows && rows.is_multiple_of(tile);
        (whole && (phases == 1 || groups == 1)).then_some(tile)?
    };
    (pixels.is_multiple_of(groups * rows)).then_some(Parts { count: pixels / rows, rows })
}

/// A pass on the device, by its precision and in its workspace. The operands are in the order of the three functions one
/// module up. `parts` is for the moments of [`parts`].
pub(crate) fn pass<T: Real>(
    device: &Device,
    cuda: &Cuda,
    pass: Pass,
    g: &Conv2d,
    operands: [View<T>; 2],
    out: ViewMut<T>,
    store: Store,
    parts: Option<ViewMut<T>>,
) {
    let (operands, out, parts) = (operands.map(View::on_gpu), out.on_gpu(), parts.map(ViewMut::on_gpu));
    let aligned = [&operands[0], &operands[1], &out.shared()].iter().all(|x| x.address().is_multiple_of(16));
    let schedule = if aligned { Schedule::of(pass, g, device.precision()) } else { Schedule::implicit(pass, g) };
    let mut workspace = device.workspace::<f32>(schedule.workspace(pass, g));
    let workspace = workspace.view_mut().device();
    run(cuda, device.precision(), pass, schedule, g, operands, out, store, workspace, parts);
}

/// A pass by a schedule of choice, in a workspace of at least as many elements as [`Schedule::workspace`] says; where
/// `parts` is given, with the moments of [`parts_of`] it.
pub fn run(
    cuda: &Cuda,
    precision: Precision,
    pass: Pass,
    schedule: Schedule,
    g: &Conv2d,
    operands: [DeviceSlice<f32>; 2],
    mut out: DeviceSliceMut<f32>,
    store: Store,
    workspace: DeviceSliceMut<f32>,
    parts: Option<DeviceSliceMut<f32>>,
) {
    let channels = if pass == Pass::BackwardInput { g.c } else { g.o };
    if let Some(parts) = &parts {
        let found = parts_of(pass, schedule, g, 1);
        assert!(
            found.is_some_and(|found| parts.len() == found.count * 2 * channels),
            "conv2d {pass:?}: parts of {g:?}"
        );
        assert!(store == Store::Set, "conv2d {pass:?}: moments of what is added to");
    }
    let g = &flat(g);
    let lengths = match pass {
        Pass::Forward => [g.x_len(), g.w_len(), g.y_len()],
        Pass::BackwardInput => [g.y_len(), g.w_len(), g.x_len()],
        Pass::BackwardWeight => [g.x_len(), g.y_len(), g.w_len()],
    };
    assert_eq!([operands[0].len(), operands[1].len(), out.len()], lengths, "conv2d {pass:?}: operands of {g:?}");
    if let Some(len) = lengths.into_iter().find(|&len| len >= MOST) {
        let what = format!("a convolution of {} images has a tensor of {len} numbers, of at most {}", g.n, MOST - 1);
        return cuda.refuse(CudaError::TooLarge { what });
    }
    assert!(workspace.len() >= schedule.workspace(pass, g), "conv2d {pass:?}: the workspace of {schedule:?}, {g:?}");
    let Schedule { tile, splits } = schedule;
    let sizes = Sizes::of(pass, g);
    let [down, across] = match pass {
        Pass::BackwardWeight if tile.is_halo() => [1, 1],
        _ => [0, 1].map(|d| sizes.product[d].div_ceil(tile.size()[d])),
    };
    let grid = Grid {
        blocks: [down * across, splits, sizes.phases].map(|n| u32::try_from(n).expect("a grid that a GPU takes")),
        threads: [tile.threads(precision), 1, 1],
        shared: tile.shared(pass, precision) as u32,
    };
    let fits = !tile.is_halo() || (precision != Precision::F32 && Tile::halo(g) == Some(tile));
    assert!(fits, "conv2d {pass:?}: {schedule:?} of {g:?} in {precision:?}");
    let kernel = kernel(pass, precision, tile);
    let [a, b] = operands;
    if splits == 1 {
        let geometry = Geometry::new(pass, g, [a, b], across, 1, store);
        // SAFETY: the lengths were checked against the geometry.
        return unsafe {
            match pass {
                Pass::BackwardWeight => cuda.launch(kernel, grid, &[&geometry, &a, &b, &out]),
                _ => cuda.launch(kernel, grid, &[&geometry, &a, &b, &out, &parts]),
            }
        };
    }
    let geometry = Geometry::new(pass, g, [a, b], across, splits, Store::Set);
    // As many rows of 32 threads as read several splits at most each; see conv2d_join.
    let rows = splits.div_ceil(4).next_power_of_two().clamp(splits.min(4), 32) as u32;
    let join = Grid { threads: [32, rows, 1], ..Grid::linear(sizes.out.div_ceil(128), 1) };
    // SAFETY: the lengths were checked against the geometry, and the workspace holds a result for each split.
    unsafe {
        match pass {
            Pass::BackwardWeight => cuda.launch(kernel, grid, &[&geometry, &a, &b, &workspace]),
            _ => cuda.launch(kernel, grid, &[&geometry, &a, &b, &workspace, &None::<DeviceSlice<f32>>]),
        }
        let (n, splits) = (sizes.out as u64, splits as i32);
        let Some(parts) = parts else {
            return cuda.launch(JOIN, join, &[&workspace, &out.reborrow(), &n, &splits, &store]);
        };
        let ([quads, along], rows) = (join_block(channels), sizes.out / channels);
        let blocks = [rows / (along * JOINED_ROWS), channels.div_ceil(4 * quads), 1].map(|n| n as u32);
        let join = Grid { blocks, threads: [quads as u32, along as u32, 1], shared: 0 };
        let (rows, channels) = (rows as i32, channels as i32);
        cuda.launch(JOIN_MOMENTS, join, &[&workspace, &out.reborrow(), &rows, &channels, &splits, &parts]);
    }
}

const JOIN: Kernel = Kernel { module: "conv2d", name: "conv2d_join" };
const JOIN_MOMENTS: Kernel = Kernel { module: "conv2d", name: "conv2d_join_moments" };

/// A kernel that covers the image makes the passes plain products: an image is one pixel of `h w c` channels then.
fn flat(g: &Conv2d) -> Conv2d {
    if !g.is_dense() {
        return *g;
    }
    let ones = [1, 1];
    Conv2d { h: 1, w: 1, c: g.input().image(), kernel: ones, stride: ones, padding: [0, 0], oh: 1, ow: 1, ..*g }
}

/// The product that a pass is.
struct Sizes {
    /// M, N and K; of the largest phase.
    product: [usize; 3],
    /// How many such products.
    phases: usize,
    /// Elements of the result.
    out: usize,
}

impl Sizes {
    fn of(pass: Pass, g: &Conv2d) -> Self {
        let taps = g.kernel[0] * g.kernel[1];
        match pass {
            Pass::Forward => Self { product: [g.n * g.oh * g.ow, g.o, taps * g.c], phases: 1, out: g.y_len() },
            Pass::BackwardInput => {
                let part = |d: usize, size: usize| size.div_ceil(g.stride[d]);
                let pixels = g.n * part(0, g.h) * part(1, g.w);
                let depth = part(0, g.kernel[0]) * part(1, g.kernel[1]) * g.o;
                Self { product: [pixels, g.c, depth], phases: g.stride[0] * g.stride[1], out: g.x_len() }
            }
            Pass::BackwardWeight => Self { product: [taps * g.c, g.o, g.n * g.oh * g.ow], phases: 1, out: g.w_len() },
        }
    }
}

/// `Conv2d` of conv2d_operands.cuh.
#[derive(Clone, Copy)]
#[repr(C)]
struct Geometry {
    sizes: [i32; 13],
    four: [i32; 3],
    splits: i32,
    accumulate: i32,
    down: AxisDivisors,
    across: AxisDivisors,
    channels: Divisor,
    tiles: Divisor,
    by_splits: Divisor,
}
by_value!(Geometry);

impl Geometry {
    fn new(pass: Pass, g: &Conv2d, [a, b]: [DeviceSlice<f32>; 2], tiles: usize, splits: usize, store: Store) -> Self {
        let ([kh, kw], [sh, sw], [ph, pw]) = (g.kernel, g.stride, g.padding);
        let four = |x: DeviceSlice<f32>, channels: usize| {
            i32::from(channels.is_multiple_of(4) && x.address().is_multiple_of(16))
        };
        let four = match pass {
            // A row of the weights is read across taps.
            Pass::Forward => [four(a, g.c), four(b, kh * kw * g.c), 0],
            Pass::BackwardInput => [0, four(b, g.c), four(a, g.o)],
            Pass::BackwardWeight => [four(a, g.c), 0, four(b, g.o)],
        };
        let axis = |d: usize, size: usize, out: usize| match pass {
            Pass::BackwardInput => AxisDivisors::of_phases(size, g.kernel[d], g.stride[d]),
            Pass::Forward | Pass::BackwardWeight => AxisDivisors::new(out, g.kernel[d]),
        };
        Self {
            sizes: [g.n, g.h, g.w, g.c, g.o, kh, kw, sh, sw, ph, pw, g.oh, g.ow].map(|size| size as i32),
            four,
            splits: splits as i32,
            accumulate: i32::from(store == Store::Add),
            down: axis(0, g.h, g.oh),
            across: axis(1, g.w, g.ow),
            channels: Divisor::new(if pass == Pass::BackwardInput { g.o } else { g.c }),
            tiles: Divisor::new(tiles),
            by_splits: Divisor::new(splits),
        }
    }
}

/// `AxisDivisors` of conv2d_operands.cuh.
#[derive(Clone, Copy)]
#[repr(C)]
struct AxisDivisors {
    stride: Divisor,
    pixels: [Divisor; 2],
    taps: [Divisor; 2],
}

impl AxisDivisors {
    /// All pixels by all taps.
    fn new(pixels: usize, taps: usize) -> Self {
        let [pixels, taps] = [pixels, taps].map(|n| [Divisor::new(n); 2]);
        Self { stride: Divisor::new(1), pixels, taps }
    }

    /// The pixels and taps of a phase that has more of them, and of one that has fewer.
    fn of_phases(size: usize, kernel: usize, stride: usize) -> Self {
        // A phase without any divides nothing.
        let parts = |n: usize| [n.div_ceil(stride), n / stride].map(|n| Divisor::new(n.max(1)));
        Self { stride: Divisor::new(stride), pixels: parts(size), taps: parts(kernel) }
    }
}

/// `Divisor` of conv2d_operands.cuh: magic = floor(2^32 (2^shift - d) / d) + 1, shift = ceil(log2 d).
#[derive(Clone, Copy)]
#[repr(C)]
struct Divisor {
    magic: u32,
    shift: u32,
}

impl Divisor {
    fn new(d: usize) -> Self {
        let shift = d.next_power_of_two().trailing_zeros();
        Self { magic: ((((1u64 << shift) - d as u64) << 32) / d as u64 + 1) as u32, shift }
    }
}

/// The names of the kernels of one precision.
macro_rules! kernels {
    ($module:literal, $precision:literal, $pass:expr, $tile:expr) => {{
        macro_rules! of {
            ($name:literal) => {
                match $tile {
                    Tile::M128N128 => concat!("conv2d_", $precision, "_", $name, "_128x128"),
                    Tile::M64N64 => concat!("conv2d_", $precision, "_", $name, "_64x64"),
                    Tile::M128N32 => concat!("conv2d_", $precision, "_", $name, "_128x32"),
                    Tile::M128N16 => concat!("conv2d_", $precision, "_", $name, "_128x16"),
                    Tile::Halo16 => concat!("conv2d_", $precision, "_", $name, "_halo16"),
                    Tile::Halo32 => concat!("conv2d_", $precision, "_", $name, "_halo32"),
                }
            };
        }
        let name = match $pass {
            Pass::Forward => of!("forward"),
            Pass::BackwardInput => of!("backward_input"),
            Pass::BackwardWeight => of!("backward_weight"),
        };
        Kernel { module: $module, name }
    }};
}

fn kernel(pass: Pass, precision: Precision, tile: Tile) -> Kernel {
    match precision {
        Precision::F32 => kernels!("conv2d", "f32", pass, tile),
        Precision::Tf32 => kernels!("conv2d_tf32", "tf32", pass, tile),
        Precision::Bf16 => kernels!("conv2d_bf16", "bf16", pass, tile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_multiplication_is_exact() {
        for d in (1..300).chain([1023, 1024, 1025, 65_535, 1 << 20, (1 << 30) + 1]) {
            let Divisor { magic, shift } = Divisor::new(d);
            let around = (1..9).map(|i| i * d - 1).chain((1..9).map(|i| i * d));
            let numbers = (0..2000).chain([1 << 20, (1 << 30) - 1, 1 << 30, (1 << 31) - 1]).chain(around);
            for n in numbers.filter(|&n: &usize| n < 1 << 31) {
                // In u64 here, in u32 there: the sum has 32 bits.
                let sum = ((n as u64 * u64::from(magic)) >> 32) + n as u64;
                assert!(sum <= u64::from(u32::MAX) && sum >> shift == (n / d) as u64, "{n} / {d}");
            }
        }
    }

    #[test]
    fn the_networks_layers_fill_a_gpu_at_batch_64() {
        let conv = |h, c, o, k, s, p| Conv2d::new(64, h, h, c, o, [k, k], [s, s], [p, p]).unwrap();
        let layers = [
            conv(32, 3, 16, 3, 1, 1),
            conv(32, 16, 16, 3, 1, 1),
            conv(32, 16, 32, 3, 2, 1),
            conv(16, 32, 32, 3, 1, 1),
            conv(8, 64, 64, 3, 1, 1),
            conv(4, 128, 128, 3, 1, 1),
            conv(32, 3, 64, 4, 2, 1),
            conv(16, 64, 128, 4, 2, 1),
            conv(8, 128, 256, 4, 2, 1),
        ];
        let cases = layers.into_iter().flat_map(|g| Pass::ALL.map(|pass| (g, pass)));
        for ((g, pass), precision) in cases.flat_map(|case| [Precision::F32, Precision::Tf32].map(|p| (case, p))) {
            let (schedule, sizes) = (Schedule::of(pass, &g, precision), Sizes::of(pass, &g));
            let [m, n] = [0, 1].map(|d| sizes.product[d].div_ceil(schedule.tile.size()[d]));
            let blocks = m * n * schedule.splits * sizes.phases;
            assert!(blocks >= 100, "{pass:?} of {g:?}: {blocks} blocks by {schedule:?}");
            assert!(schedule.workspace(pass, &g) <= 8 << 20, "{pass:?} of {g:?}: workspace of {schedule:?}");
        }
    }
}
