//! The gradient of the weights: at each of a tile's products, the sum over tiles of the outer products of the
//! transformed gradients of the outputs and the transformed inputs, transformed back once at the end.

use super::plan::{self, Phase};
use super::steps::{Gather, Outer, Square};
use super::tile::Tiles;
use super::{SKEW, Winograd};
use crate::conv2d::Conv2d;
use crate::gemm::{Shared, evenly, scratch};
use crate::{Device, Real, Simd, Store, add, parallel};
use std::ops::Range;

/// Numbers in the transformed tiles of a block: of a task, so that they stay in L2, and of all threads together.
const BLOCKS: [usize; 2] = [1 << 17, 3 << 18];

/// Numbers of a product's partial sum that a task adds up.
const LINE: usize = 1024;

/// Fewest output channels of a task that adds up, so that what it reads of a plane is neighbours.
const ROWS: usize = 8;

/// Numbers in all partial sums.
const PARTIAL: usize = 5 << 18;

/// `dw (=|+=) sum dy x`.
pub(in crate::conv2d) fn backward_weight<T: Real>(
    device: &Device,
    winograd: &Winograd<T>,
    g: &Conv2d,
    x: &[T],
    dy: &[T],
    dw: &mut [T],
    store: Store,
) {
    let phases = plan::forward(g);
    let (m, side) = (winograd.transforms.m, winograd.transforms.side());
    let source = |phase: &Phase| Tiles::new(phase, |axis| axis.source, m, side, g.w, g.input());
    let sources = phases.iter().map(source).collect();
    let target = Tiles::new(&phases[0], |axis| axis.target, m, m, g.ow, g.output());
    let tiles = g.n * target.of_image();
    let layer = Layer { winograd, phases: &phases, sources, target, geometry: g };
    let [inputs, outputs] = layer.channels();

    // Each task a partial sum of its own, as long as they are small beside the transformed tiles; else one sum, of
    // which threads take different products.
    let small = |&chunks: &usize| {
        chunks * layer.sum_len() <= PARTIAL && 2 * chunks * inputs * outputs <= tiles * (inputs + outputs)
    };
    let chunks = [8, 4].into_iter().find(small).unwrap_or(1).min(tiles);
    let shared = if chunks > 1 { 0 } else { layer.block(BLOCKS[1]).min(tiles) };
    let mut memory = device.workspace::<T>(chunks * layer.sum_len() + layer.block_len(shared));
    let (sums, shared_block) = memory.split_at_mut(chunks * layer.sum_len());
    let out = Shared::new(sums);
    if chunks > 1 {
        // A sum is read and written once a block, so a block has at least as many numbers.
        let block = layer.block(BLOCKS[0]).max(inputs * outputs / (inputs + outputs));
        parallel::for_each(chunks, |chunk| {
            // SAFETY: each chunk has a sum of its own.
            let sum = unsafe { out.at(chunk * layer.sum_len()) };
            let tiles = tiles * chunk / chunks..tiles * (chunk + 1) / chunks;
            scratch::with(layer.block_len(block.min(tiles.len())), |block_of: &mut [T]| {
                for_blocks(tiles, block, |tiles, store| layer.add(sequential, tiles, x, dy, block_of, sum, store));
            });
        });
    } else {
        for_blocks(0..tiles, shared, |tiles, store| layer.add(in_parallel, tiles, x, dy, shared_block, out, store));
    }
    layer.finish(device.simd(), sums, dw, store);
}

/// Calls `f` for blocks of at most `block` tiles: the first sets the sum, the others add to it.
fn for_blocks(tiles: Range<usize>, block: usize, mut f: impl FnMut(Range<usize>, Store)) {
    for first in tiles.clone().step_by(block) {
        f(first..tiles.end.min(first + block), if first == tiles.start { Store::Set } else { Store::Add });
    }
}

/// As [`parallel::for_each`], on this thread.
fn sequential(n: usize, task: &(dyn Fn(usize) + Sync)) {
    (0..n).for_each(task);
}

fn in_parallel(n: usize, task: &(dyn Fn(usize) + Sync)) {
    parallel::for_each(n, task);
}

/// A convolution whose weights' gradient is formed.
struct Layer<'a, T: 'static> {
    winograd: &'a Winograd<T>,
    phases: &'a [Phase],
    /// The tiles of each phase of x, and those of dy.
    sources: Vec<Tiles>,
    target: Tiles,
    geometry: &'a Conv2d,
}

impl<T: Real> Layer<'_, T> {
    /// Channels of the transformed inputs and of the outputs.
    fn channels(&self) -> [usize; 2] {
        [self.phases.len() * self.geometry.c, self.geometry.o]
    }

    /// Numbers in a sum: `[product][plane of input channels][output channel][lanes]`, so that it is written line by line.
    fn sum_len(&self) -> usize {
        self.winograd.transforms.products() * self.channels().iter().product::<usize>()
    }

    /// Numbers in a group of transformed tiles, of inputs and of outputs, and as many more as keep the same product of
    /// several groups from falling into the same sets of the cache.
    fn groups(&self) -> [usize; 2] {
        let Winograd { micro, transforms } = *self.winograd;
        self.channels().map(|channels| (channels * transforms.products() + micro.lanes) * micro.rows)
    }

    /// Tiles of which about so many numbers are a block: whole groups.
    fn block(&self, numbers: usize) -> usize {
        let rows = self.winograd.micro.rows;
        (numbers / self.groups().iter().sum::<usize>()).max(3) * rows
    }

    fn block_len(&self, tiles: usize) -> usize {
        tiles.div_ceil(self.winograd.micro.rows) * self.groups().iter().sum::<usize>() + self.nothing_len()
    }

    /// Channels of a pixel of zeros, which stands for those beyond the images of either side.
    fn nothing_len(&self) -> usize {
        self.geometry.c.max(self.geometry.o)
    }

    /// Transforms some tiles, and adds their outer products to a sum.
    fn add(
        &self,
        each: fn(usize, &(dyn Fn(usize) + Sync)),
        tiles: Range<usize>,
        x: &[T],
        dy: &[T],
        block: &mut [T],
        sum: Shared<T>,
        store: Store,
    ) {
        let Winograd { micro, transforms } = *self.winograd;
        let (lanes, rows) = (micro.lanes, micro.rows);
        let [v_group, d_group] = self.groups();
        let [inputs, outputs] = self.channels();
        let groups = tiles.len().div_ceil(rows);
        let (nothing, block) = block.split_at_mut(self.nothing_len());
        nothing.fill(T::ZERO);
        let nothing = &*nothing;
        let (v, d) = block.split_at_mut(groups * v_group);
        let (v_out, d_out) = (Shared::new(v), Shared::new(&mut d[..groups * d_group]));
        let plane = transforms.products() * rows * lanes;
        let g = self.geometry;
        each(groups, &|group| {
            let of_group = tiles.start + group * rows..tiles.end.min(tiles.start + (group + 1) * rows);
            for (i, source) in self.sources.iter().enumerate() {
                let planes = g.c / lanes;
                source.each(of_group.clone(), |tile| {
                    source.gather(tile, x, nothing, |src, offsets| {
                        // SAFETY: the group holds the planes, and is this task's.
                        unsafe {
                            let dst = v_out.get().add(group * v_group + i * planes * plane + tile.index * lanes);
                            (transforms.input)(&Gather { src, offsets, dst, planes });
                        }
                    });
                });
            }
            self.target.each(of_group, |tile| {
                self.target.gather(tile, dy, nothing, |src, offsets| {
                    // SAFETY: as above.
                    unsafe {
                        let dst = d_out.get().add(group * d_group + tile.index * lanes);
                        (transforms.output_gradient)(&Gather { src, offsets, dst, planes: outputs / lanes });
                    }
                });
            });
        });
        each(transforms.products(), &|product| {
            evenly(inputs / lanes, micro.across(), |first, registers| {
                let outer_rows = micro.outer_rows(registers);
                for row in (0..outputs).step_by(outer_rows) {
                    // SAFETY: the tiles are transformed; each product's part of the sum is one task's.
                    unsafe {
                        let a = d_out.get().add(row / lanes * plane + product * rows * lanes + row % lanes);
                        let b = v_out.get().add(first * plane + product * rows * lanes);
                        let outer = Outer {
                            a,
                            a_group: d_group,
                            b,
                            b_plane: plane,
                            b_group: v_group,
                            tiles: tiles.len(),
                            c: sum.get().add(product * outputs * inputs + (first * outputs + row) * lanes),
                            c_plane: outputs * lanes,
                            store,
                        };
                        micro.outer(registers, &outer);
                    }
                }
            });
        });
    }

    /// Transforms the sum of the partial sums back.
    fn finish(&self, simd: Simd, sums: &[T], dw: &mut [T], store: Store) {
        let Winograd { micro, transforms } = *self.winograd;
        let (g, [inputs, outputs]) = (self.geometry, self.channels());
        let (side, of_output) = (transforms.side(), g.kernel[0] * g.kernel[1] * g.c);
        // Output channels of a task: their sums are neighbours in each plane.
        let group = LINE.div_ceil(inputs).max(ROWS);
        let lanes = micro.lanes;
        parallel::chunks_mut(dw, group * of_output, |start, dw| {
            let (first, group) = (start / of_output, dw.len() / of_output);
            let pitch = group * inputs + SKEW;
            scratch::with(transforms.products() * pitch, |total: &mut [T]| {
                for (product, total) in total.chunks_exact_mut(pitch).enumerate() {
                    for (plane, total) in total[..group * inputs].chunks_exact_mut(group * lanes).enumerate() {
                        let from = product * outputs * inputs + (plane * outputs + first) * lanes;
                        for (chunk, sum) in sums.chunks_exact(self.sum_len()).enumerate() {
                            let sum = &sum[from..][..total.len()];
                            match chunk {
                                0 => total.copy_from_slice(sum),
                                _ => add::accumulate_chunk(simd, sum, total),
                            }
                        }
                    }
                }
                for (o, dw) in dw.chunks_exact_mut(of_output).enumerate() {
                    for (i, phase) in self.phases.iter().enumerate() {
                        let (tap, steps) = phase.taps(g.kernel[1]);
                        // SAFETY: taps lie within the weights of one output channel.
                        unsafe {
                            (transforms.weight_gradient)(&Square {
                                src: total[(i * g.c / lanes * group + o) * lanes..].as_ptr(),
                                src_steps: [side * pitch, pitch].map(|step| step as isize),
                                src_plane: group * lanes,
                                dst: dw.as_mut_ptr().offset(tap * g.c as isize),
                                dst_steps: steps.map(|step| step * g.c as isize),
                                dst_plane: lanes,
                                planes: g.c / lanes,
                                store,
                            });
                        }
                    }
                }
            });
        });
    }
}
