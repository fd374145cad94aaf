//! Batch normalisation on a GPU; see the functions of the same names one module up.
//!
//! Channels lie along a block's x in fours, rows along its y and in chunks over the grid, groups along the grid's z: as many
//! as mean and var are rows of channels. How many chunks there are depends on the shape alone, so the bits do too.

use super::{BatchStatistics, Normalize, Running, groups, rows};
use crate::cuda::{Cuda, Grid, Kernel, by_value};
use crate::view::{DeviceSlice, DeviceSliceMut};
use crate::{Real, Store};

const STATISTICS_PARTIAL: Kernel = kernel("batch_norm_statistics_partial");
const JOIN_PARTS: Kernel = kernel("batch_norm_join_parts");
const STATISTICS: Kernel = kernel("batch_norm_statistics");
const FORWARD: Kernel = kernel("batch_norm_forward");
const SUMS_PARTIAL: Kernel = kernel("batch_norm_sums_partial");
const SUMS: Kernel = kernel("batch_norm_sums");
const BACKWARD: Kernel = kernel("batch_norm_backward");

const fn kernel(name: &'static str) -> Kernel {
    Kernel { module: "batch_norm", name }
}

/// Threads of a block.
const THREADS: usize = 256;

/// Quads of channels of a block at most: a warp then reads pieces of 256 bytes.
const QUADS: usize = 16;

/// Rows that a thread has under way at a time.
const ROWS: usize = 4;

/// Blocks that sums over rows are spread over at most: four for each of 132 multiprocessors.
const BLOCKS: usize = 528;

/// `BatchNorm` of batch_norm.cu.
#[derive(Clone, Copy)]
#[repr(C)]
struct Geometry {
    rows: i32,
    channels: i32,
    chunk: i32,
    groups: i32,
    eps: f32,
    slope: f32,
}
by_value!(Geometry);

/// How groups of `[rows, channels]` are spread over blocks.
struct Shape {
    groups: usize,
    rows: usize,
    channels: usize,
    /// Quads of channels, and rows at a time, of a block.
    block: [usize; 2],
    /// Blocks across the channels.
    across: usize,
}

impl Shape {
    fn new(channels: usize, len: usize, groups: usize) -> Self {
        let rows = rows(channels, len) / groups;
        assert!(len < 1 << 40 && rows < 1 << 31, "batch_norm: rows and channels that a GPU's int holds");
        let quads = channels.div_ceil(4).next_power_of_two().min(QUADS);
        Self { groups, rows, channels, block: [quads, THREADS / quads], across: channels.div_ceil(4 * quads) }
    }

    /// Rows of a chunk of a sum.
    fn chunk(&self) -> usize {
        let step = self.block[1] * ROWS;
        step * self.rows.div_ceil(step * (BLOCKS / (self.across * self.groups)).max(1))
    }

    fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk())
    }

    fn geometry(&self, chunk: usize, eps: f32, slope: f32) -> Geometry {
        let [rows, channels, chunk, groups] = [self.rows, self.channels, chunk, self.groups].map(|n| n as i32);
        Geometry { rows, channels, chunk, groups, eps, slope }
    }

    fn grid(&self, chunk: usize) -> Grid {
        let grid = Grid::linear(self.rows.div_ceil(chunk), THREADS as u32);
        let [x, y] = self.block.map(|n| n as u32);
        Grid { blocks: [grid.blocks[0], self.across as u32, self.groups as u32], threads: [x, y, 1], ..grid }
    }

    /// Eight channels by 64 threads, for one or two groups at a time.
    fn join_grid(&self) -> Grid {
        Grid { threads: [8, 64, self.groups.min(2) as u32], ..Grid::linear(self.channels.div_ceil(8), 1) }
    }
}

/// Elements of workspace that [`statistics`] and [`backward`] of `len` elements in so many groups take.
pub fn workspace(channels: usize, len: usize, groups: usize) -> usize {
    let shape = Shape::new(channels, len, groups);
    (2 * shape.chunks() + 3) * channels * groups
}

/// Mean and biased variance of each channel, and where wanted the running ones moved towards them, in two launches. The
/// workspace has at least [`workspace`] elements.
pub fn statistics<T: Real>(
    cuda: &Cuda,
    channels: usize,
    x: DeviceSlice<f32>,
    mean: DeviceSliceMut<f32>,
    var: DeviceSliceMut<f32>,
    running: Option<Running<T>>,
    workspace: DeviceSliceMut<f32>,
) {
    let groups = groups(channels, x.len(), mean.len());
    let shape = Shape::new(channels, x.len(), groups);
    assert!(var.len() == mean.len(), "batch_norm: mean and var");
    assert!(workspace.len() >= self::workspace(channels, x.len(), groups), "batch_norm: the workspace");
    let geometry = shape.geometry(shape.chunk(), 0.0, 1.0);
    // SAFETY: the lengths were checked.
    unsafe { cuda.launch(STATISTICS_PARTIAL, shape.grid(shape.chunk()), &[&geometry, &x, &workspace]) }
    join(cuda, &shape, [shape.chunk(), shape.chunks()], Some(x), workspace.shared(), [mean, var], running);
}

/// Parts beyond which those of a group are joined in two steps, and how many make one in the first.
const PARTS: [usize; 2] = [512, 64];

/// Of so many parts of a group, how many are joined in a first step.
fn run(parts: usize) -> usize {
    if parts > PARTS[0] { PARTS[1].min(1 << parts.trailing_zeros()) } else { 1 }
}

/// Elements of workspace that [`statistics_of_parts`] takes.
pub fn parts_workspace(channels: usize, rows: usize, groups: usize, rows_of_part: usize) -> usize {
    let parts = rows / groups / rows_of_part;
    if run(parts) == 1 { 0 } else { parts / run(parts) * groups * 2 * channels }
}

/// [`statistics`] of `rows` rows from the moments of their parts, of `rows_of_part` rows each, in one launch, or of many parts in
/// two. The workspace has at least [`parts_workspace`] elements.
pub fn statistics_of_parts<T: Real>(
    cuda: &Cuda,
    channels: usize,
    rows: usize,
    parts: DeviceSlice<f32>,
    rows_of_part: usize,
    mean: DeviceSliceMut<f32>,
    var: DeviceSliceMut<f32>,
    running: Option<Running<T>>,
    workspace: DeviceSliceMut<f32>,
) {
    let groups = groups(channels, rows * channels, mean.len());
    let shape = Shape::new(channels, rows * channels, groups);
    assert!(var.len() == mean.len(), "batch_norm: mean and var");
    let whole = rows_of_part > 0 && shape.rows.is_multiple_of(rows_of_part);
    let of_group = shape.rows / rows_of_part.max(1);
    assert!(whole && parts.len() == groups * of_group * 2 * channels, "batch_norm: parts of {rows_of_part} rows");
    let run = run(of_group);
    let joined = match run {
        1 => parts,
        _ => {
            let needed = parts_workspace(channels, rows, groups, rows_of_part);
            assert!(workspace.len() >= needed, "batch_norm: the workspace");
            let grid = Grid { blocks: [(groups * of_group / run) as u32, shape.across as u32, 1], ..shape.grid(1) };
            let (geometry, rows) = (shape.geometry(run, 0.0, 1.0), rows_of_part as i32);
            // SAFETY: the lengths were checked.
            unsafe { cuda.launch(JOIN_PARTS, grid, &[&geometry, &rows, &parts, &workspace]) }
            workspace.shared()
        }
    };
    join(cuda, &shape, [rows_of_part * run, of_group / run], None, joined, [mean, var], running);
}

/// Mean and variance from the moments of so many chunks of so many rows, relative to the first rows of x where that is given.
fn join<T: Real>(
    cuda: &Cuda,
    shape: &Shape,
    [chunk, chunks]: [usize; 2],
    x: Option<DeviceSlice<f32>>,
    moments: DeviceSlice<f32>,
    [mean, var]: [DeviceSliceMut<f32>; 2],
    running: Option<Running<T>>,
) {
    let Shape { groups, rows, channels, .. } = *shape;
    let momentum = running.as_ref().map_or(0.0, |running| running.momentum.to_f64() as f32);
    let moving = running.as_ref().map_or(0, |running| running.groups.min(groups)) as i32;
    let [running_mean, running_var] = match running {
        Some(Running { mean, var, .. }) => {
            assert!(rows > 1, "batch_norm: an unbiased variance takes two rows, got {rows}");
            assert!(mean.len() == channels && var.len() == channels, "batch_norm: running statistics");
            [mean, var].map(|v| Some(v.on_gpu()))
        }
        None => [None, None],
    };
    let (geometry, chunks) = (shape.geometry(chunk, 0.0, 1.0), chunks as i32);
    // SAFETY: the callers checked the lengths; the running statistics are borrowed exclusively.
    unsafe {
        cuda.launch(
            STATISTICS,
            shape.join_grid(),
            &[&geometry, &chunks, &x, &moments, &mean, &var, &running_mean, &running_var, &moving, &momentum],
        );
    }
}

/// See [`forward`](super::forward).
pub fn forward(
    cuda: &Cuda,
    normalize: Normalize<f32>,
    x: DeviceSlice<f32>,
    [mean, var, gamma, beta]: [DeviceSlice<f32>; 4],
    residual: Option<DeviceSlice<f32>>,
    y: DeviceSliceMut<f32>,
) {
    let shape = Shape::new(normalize.channels, x.len(), groups(normalize.channels, x.len(), mean.len()));
    assert!(x.len() == y.len() && residual.is_none_or(|r| r.len() == x.len()), "batch_norm: x, residual and y");
    check_channels(normalize.channels, [mean, var, gamma, beta]);
    let chunk = shape.block[1] * ROWS;
    let geometry = shape.geometry(chunk, normalize.eps, normalize.slope);
    // SAFETY: the lengths were checked.
    unsafe { cuda.launch(FORWARD, shape.grid(chunk), &[&geometry, &x, &mean, &var, &gamma, &beta, &residual, &y]) }
}

/// See [`backward`](super::backward). The workspace has at least [`workspace`] elements.
pub fn backward(
    cuda: &Cuda,
    normalize: Normalize<f32>,
    statistics: BatchStatistics,
    x: DeviceSlice<f32>,
    y: Option<DeviceSlice<f32>>,
    dy: DeviceSliceMut<f32>,
    [mean, var, gamma, beta]: [DeviceSlice<f32>; 4],
    dgamma: Option<(DeviceSliceMut<f32>, Store)>,
    dbeta: Option<(DeviceSliceMut<f32>, Store)>,
    dresidual: Option<DeviceSliceMut<f32>>,
    workspace: DeviceSliceMut<f32>,
) {
    let channels = normalize.channels;
    let groups = groups(channels, x.len(), mean.len());
    let shape = Shape::new(channels, x.len(), groups);
    assert!(x.len() == dy.len() && y.is_none_or(|y| y.len() == x.len()), "batch_norm: x, y and dy");
    assert!(
        dresidual.as_ref().is_none_or(|d| y.is_some() && d.len() == x.len()),
        "batch_norm: dresidual, which takes y"
    );
    let fits = |out: &Option<(DeviceSliceMut<f32>, Store)>| out.as_ref().is_none_or(|(out, _)| out.len() == channels);
    assert!(fits(&dgamma) && fits(&dbeta), "batch_norm: dgamma and dbeta");
    check_channels(channels, [mean, var, gamma, beta]);
    assert!(workspace.len() >= self::workspace(channels, x.len(), groups), "batch_norm: the workspace");

    let batch = statistics == BatchStatistics::Batch;
    let summed = batch || dgamma.is_some() || dbeta.is_some();
    let [(dgamma, add_dgamma), (dbeta, add_dbeta)] = [&dgamma, &dbeta].map(|out| match out {
        Some((out, store)) => (Some(out.shared()), *store),
        None => (None, Store::Set),
    });
    let dresidual = dresidual.as_ref().map(DeviceSliceMut::shared);
    let chunks = if summed { shape.chunks() } else { 0 };
    let partial = workspace.shared().slice(..groups * chunks * 2 * channels);
    let constants = workspace.shared().slice(groups * chunks * 2 * channels..);
    let (chunk, step) = (shape.chunk(), shape.block[1] * ROWS);
    let geometry = |chunk: usize| shape.geometry(chunk, normalize.eps, normalize.slope);
    // SAFETY: the lengths were checked; what is written (dy, dgamma, dbeta, dresidual, the workspace) is borrowed
    // exclusively.
    unsafe {
        if summed {
            let arguments = (geometry(chunk), dy.shared());
            cuda.launch(
                SUMS_PARTIAL,
                shape.grid(chunk),
                &[&arguments.0, &x, &y, &arguments.1, &mean, &var, &gamma, &beta, &partial],
            );
        }
        let (chunks, batch) = (chunks as i32, i32::from(batch));
        cuda.launch(
            SUMS,
            shape.join_grid(),
            &[
                &geometry(chunk),
                &chunks,
                &batch,
                &partial,
                &var,
                &gamma,
                &dgamma,
                &add_dgamma,
                &dbeta,
                &add_dbeta,
                &constants,
            ],
        );
        cuda.launch(
            BACKWARD,
            shape.grid(step),
            &[&geometry(step), &x, &y, &dy, &mean, &var, &gamma, &beta, &constants, &dresidual],
        );
    }
}

fn check_channels(channels: usize, [mean, var, gamma, beta]: [DeviceSlice<f32>; 4]) {
    let fit = mean.len() == var.len() && gamma.len() == channels && beta.len() == channels;
    assert!(fit, "batch_norm: mean, var, gamma and beta");
}
