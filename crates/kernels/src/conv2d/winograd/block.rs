//! Blocks of tiles: transformed, multiplied and transformed back while they lie in the cache.

use super::Winograd;
use super::correlate::Layer;
use super::steps::{Gather, Product, Scatter};
use super::tile::{Tile, Tiles};
use crate::conv2d::Side;
use crate::gemm::{DEPTH, scratch};
use crate::{Real, Store};

/// How the tiles of a block lie in vectors, transformed (v) and multiplied (m): in groups of equally many, at most as many as a product
/// has rows, and what is left. A group has a plane for each register of channels.
struct Layout {
    lanes: usize,
    tiles: usize,
    groups: usize,
    /// Tiles of a group, but for the last.
    of_group: usize,
    /// Numbers of a plane: a register for each product and row.
    plane: usize,
    /// Numbers of a group, transformed and multiplied.
    v_group: usize,
    m_group: usize,
}

impl Layout {
    /// Where a tile begins in v.
    fn v(&self, tile: usize) -> usize {
        tile / self.of_group * self.v_group + tile % self.of_group * self.lanes
    }

    /// Where a tile begins in m.
    fn m(&self, tile: usize) -> usize {
        tile / self.of_group * self.m_group + tile % self.of_group * self.lanes
    }

    /// Tiles of a group.
    fn rows(&self, group: usize) -> usize {
        self.of_group.min(self.tiles - group * self.of_group)
    }
}

/// Memory to ask for while products are computed: pointers and lengths.
struct Soon<T> {
    parts: [(*const T, usize); 2],
}

impl<T> Soon<T> {
    /// The next `len` elements; once all were asked for, the last ones again.
    fn next(&mut self, len: usize) -> *const T {
        let part = if self.parts[0].1 > 0 { 0 } else { 1 };
        let (start, left) = self.parts[part];
        let len = len.min(left);
        self.parts[part] = (start.wrapping_add(len), left - len);
        start
    }
}

impl<T: Real> Layer<'_, T> {
    /// Computes some tiles of a group.
    ///
    /// # Safety
    /// `y` must hold the images of the tiles, with their outputs unshared.
    pub(super) unsafe fn block(
        &self,
        group: usize,
        tiles: std::ops::Range<usize>,
        x: &[T],
        weights: &[T],
        y: *mut T,
        store: Store,
    ) {
        if tiles.is_empty() {
            return;
        }
        let (at, transforms) = (self.layout(tiles.len()), self.winograd.transforms);
        let patch = transforms.products() * self.to.channels;
        scratch::with(at.groups * (at.v_group + at.m_group) + patch + self.from.channels, |scratch: &mut [T]| {
            let (v, rest) = scratch.split_at_mut(at.groups * at.v_group);
            let (m, rest) = rest.split_at_mut(at.groups * at.m_group);
            let (patch, nothing) = rest.split_at_mut(patch);
            nothing.fill(T::ZERO);
            for (i, source) in self.groups[group].sources.iter().enumerate() {
                let planes = self.from.channels / self.lanes();
                source.each(tiles.clone(), |tile| {
                    let dst = &mut v[at.v(tile.index) + i * planes * at.plane..];
                    // SAFETY: the group holds the planes.
                    source.gather(tile, x, nothing, |src, offsets| unsafe {
                        (transforms.input)(&Gather { src, offsets, dst: dst.as_mut_ptr(), planes });
                    });
                });
            }
            self.multiply(&at, weights, v, m, self.soon(group, &tiles, x, y));
            let target = &self.groups[group].target;
            target.each(tiles, |tile| {
                let src = m[at.m(tile.index)..].as_ptr();
                // SAFETY: the caller's.
                unsafe { self.output(target, tile, src, y, store, patch) };
            });
        });
    }

    /// How so many tiles of a block lie.
    fn layout(&self, tiles: usize) -> Layout {
        let Winograd { micro, transforms } = *self.winograd;
        let plane = transforms.products() * micro.rows * micro.lanes;
        let [v_group, m_group] = [self.depth(), self.to.channels].map(|channels| channels / micro.lanes * plane);
        let groups = tiles.div_ceil(micro.rows);
        Layout { lanes: micro.lanes, tiles, groups, of_group: tiles.div_ceil(groups), plane, v_group, m_group }
    }

    /// The products of all transformed tiles `v` of a block with the transformed weights.
    fn multiply(&self, at: &Layout, weights: &[T], v: &[T], m: &mut [T], mut soon: Soon<T>) {
        let Winograd { micro, transforms } = *self.winograd;
        let (lanes, across) = (micro.lanes, micro.across());
        for product in 0..transforms.products() {
            // The product's place in each plane.
            let of_plane = product * micro.rows * lanes;
            for panel in 0..self.panels() {
                let b = &weights[product * self.weights_pitch() + across * panel * lanes * self.depth()..];
                let registers = self.registers(panel);
                let width = registers * lanes;
                let panel_len = width * self.depth();
                // So much of a panel stays in L1 while the tiles pass by.
                for first in (0..self.depth()).step_by(DEPTH) {
                    let depth = DEPTH.min(self.depth() - first);
                    // The first group's; the others' differ by little, and there are many.
                    let mut part = Product {
                        a: v[first / lanes * at.plane + of_plane..].as_ptr(),
                        a_plane: at.plane,
                        planes: depth / lanes,
                        b: b[first * width..].as_ptr(),
                        soon: b.as_ptr().wrapping_add(panel_len + first * lanes),
                        c: m[across * panel * at.plane + of_plane..].as_mut_ptr(),
                        c_plane: at.plane,
                        store: if first == 0 { Store::Set } else { Store::Add },
                    };
                    let mut of_panel = panel_len;
                    for group in 0..at.groups {
                        // First the next panel; then what the next passes over memory need.
                        if of_panel == 0 {
                            part.soon = soon.next(depth * lanes);
                        }
                        // SAFETY: rows, panel and sums lie within v, the weights and m.
                        unsafe { micro.product(at.rows(group), registers, &part) };
                        part.a = part.a.wrapping_add(at.v_group);
                        part.c = part.c.wrapping_add(at.m_group);
                        part.soon = part.soon.wrapping_add(lanes * self.depth());
                        of_panel = of_panel.saturating_sub(lanes * self.depth());
                    }
                }
            }
        }
    }

    /// The outputs of some tiles, and the inputs of as many that follow them.
    fn soon(&self, group: usize, tiles: &std::ops::Range<usize>, x: &[T], y: *mut T) -> Soon<T> {
        let of_image = self.groups[group].target.of_image();
        let at = |tile: usize, side: Side| tile * side.image() / of_image;
        let x_range = at(tiles.end, self.from)..at(tiles.end + tiles.len(), self.from);
        let x_range = x_range.start.min(x.len())..x_range.end.min(x.len());
        let y_range = at(tiles.start, self.to)..at(tiles.end, self.to);
        Soon { parts: [(y.wrapping_add(y_range.start), y_range.len()), (x[x_range.start..].as_ptr(), x_range.len())] }
    }

    /// Transforms the products of one tile to its outputs.
    ///
    /// # Safety
    /// `y` must hold the tile's image, with the tile's outputs unshared.
    #[inline]
    unsafe fn output(&self, target: &Tiles, tile: Tile, src: *const T, y: *mut T, store: Store, patch: &mut [T]) {
        let (transforms, channels) = (self.winograd.transforms, self.to.channels);
        let planes = channels / self.lanes();
        // SAFETY: the image lies within y.
        let y = unsafe { y.add(tile.image * self.to.image()) };
        if target.whole(tile) {
            let dst_steps = target.steps().map(|step| step * channels);
            // SAFETY: the tile lies within the image; its products are the caller's.
            unsafe {
                let dst = y.add(target.first(tile) * channels);
                (transforms.output)(&Scatter { src, dst, dst_steps, planes, store });
            }
            return;
        }
        let dst_steps = [transforms.m * channels, channels];
        // SAFETY: the patch holds a tile.
        unsafe { (transforms.output)(&Scatter { src, dst: patch.as_mut_ptr(), dst_steps, planes, store: Store::Set }) };
        target.pixels(tile, |at, pixel| {
            // SAFETY: the caller's.
            let y = unsafe { std::slice::from_raw_parts_mut(y.add(pixel * channels), channels) };
            y.iter_mut().zip(&patch[at * channels..]).for_each(|(y, &value)| store.write(y, value));
        });
    }
}
