//! Convolution on a GPU: which tile a pass is computed in, over how many blocks, and the launches.
//!
//! A pass is a product of an `M x K` and a `K x N` matrix. A block computes a tile of `M x N`; where the tiles are too
//! few to fill a GPU, K is split, each split writes a partial result to the workspace, and a second kernel adds them in
//! order. Both depend on the shape and precision alone, so the bits do too.
//!
//! On tensor cores, 3x3 kernels between 16 or 32 channels have tiles of another kind: pixels with their margin, copied once.

mod geometry;
mod schedule;

pub use schedule::{Schedule, Tile};

use super::{Conv2d, Parts, Pass};
use crate::cuda::{Cuda, CudaError, Grid, Kernel, Precision};
use crate::view::{DeviceSlice, DeviceSliceMut, View, ViewMut};
use crate::{Device, Real, Store};
use geometry::Geometry;
use schedule::{Sizes, flat};

/// Numbers that no operand reaches: places in one are int.
const MOST: usize = 1 << 31;

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
    let best = Schedule::of(pass, g, device.precision());
    let schedule = if best.tile.takes(&operands, &out) { best } else { Schedule::implicit(pass, g) };
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
    g.check(pass, operands.map(|operand| operand.len()), out.len());
    if let Some(len) = [g.x_len(), g.w_len(), g.y_len()].into_iter().find(|&len| len >= MOST) {
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
    let of_kind = !tile.is_halo() || (precision != Precision::F32 && Tile::halo(g) == Some(tile));
    assert!(of_kind && tile.takes(&operands, &out), "conv2d {pass:?}: {schedule:?} of {g:?} in {precision:?}");
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

const JOIN: Kernel = Kernel { module: "conv2d_join", name: "conv2d_join" };
const JOIN_MOMENTS: Kernel = Kernel { module: "conv2d_join", name: "conv2d_join_moments" };

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
