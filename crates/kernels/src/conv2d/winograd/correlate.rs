//! The forward pass and the adjoint: which tiles there are, the transformed weights, and which blocks ([`super::block`]) do what.

use super::plan::{self, Phase};
use super::steps::Square;
use super::tile::Tiles;
use super::{SKEW, Winograd};
use crate::conv2d::{Conv2d, Side};
use crate::gemm::{Shared, interleave, scratch};
use crate::{Device, Real, Store, batch_norm, parallel};

/// Numbers in the vectors of products of a block, so that they stay in L2.
const BLOCK: usize = 1 << 17;

/// Fewest tiles of a block, where there are that many: they share one pass over the transformed weights.
const TILES: usize = 64;

/// Blocks wanted, for any sensible number of threads, of half as many tiles at least.
const BLOCKS: usize = 4;

/// `y (=|+=) x * w`, and to `moments` mean and biased variance of each channel of y, `[o]` each: if blocks have room for an
/// image. Returns whether it wrote them.
pub(in crate::conv2d) fn forward<T: Real>(
    device: &Device,
    winograd: &Winograd<T>,
    g: &Conv2d,
    x: &[T],
    w: &[T],
    y: &mut [T],
    store: Store,
    moments: Option<[&mut [T]; 2]>,
) -> bool {
    let phases = plan::forward(g);
    let weights = Weights { w, geometry: g, adjoint: false };
    let layer = Layer::new(winograd, [&phases[..]], (g.input(), g.w), (g.output(), g.ow));
    let Some(([mean, var], parts)) = moments.zip(layer.blocks_of_images(g.n)) else {
        layer.correlate(device, g.n, x, &weights, y, store, None);
        return false;
    };
    let mut partial = device.buffer::<f64>(parts * 2 * g.o);
    layer.correlate(device, g.n, x, &weights, y, store, Some(&mut partial));
    let rows = |part: usize| (g.n * (part + 1) / parts - g.n * part / parts) * g.oh * g.ow;
    batch_norm::join_parts(device.simd(), &mut partial, rows, mean, var);
    true
}

/// `dx (=|+=)` the adjoint of [`forward`].
pub(in crate::conv2d) fn adjoint<T: Real>(
    device: &Device,
    winograd: &Winograd<T>,
    g: &Conv2d,
    dy: &[T],
    w: &[T],
    dx: &mut [T],
    store: Store,
) {
    let phases = plan::adjoint(g);
    let weights = Weights { w, geometry: g, adjoint: true };
    let layer = Layer::new(winograd, phases.chunks(1), (g.output(), g.ow), (g.input(), g.w));
    layer.correlate(device, g.n, dy, &weights, dx, store, None);
}

/// The weights `[o, kh, kw, c]`, from c to o or, `adjoint`, from o to c.
struct Weights<'a, T> {
    w: &'a [T],
    geometry: &'a Conv2d,
    adjoint: bool,
}

/// Convolutions of stride 1 that are summed.
pub(super) struct Group<'a> {
    phases: &'a [Phase],
    /// The tiles of each phase.
    pub sources: Vec<Tiles>,
    pub target: Tiles,
}

/// A pass.
pub(super) struct Layer<'a, T: 'static> {
    pub winograd: &'a Winograd<T>,
    pub groups: Vec<Group<'a>>,
    pub from: Side,
    pub to: Side,
}

impl<'a, T: Real> Layer<'a, T> {
    /// The sums of these phases from one side to the other, each with the pixels in a line of its images.
    fn new(
        winograd: &'a Winograd<T>,
        groups: impl IntoIterator<Item = &'a [Phase]>,
        (from, from_width): (Side, usize),
        (to, to_width): (Side, usize),
    ) -> Self {
        let (m, side) = (winograd.transforms.m, winograd.transforms.side());
        let group = |phases: &'a [Phase]| Group {
            phases,
            sources: phases
                .iter()
                .map(|phase| Tiles::new(phase, |axis| axis.source, m, side, from_width, from))
                .collect(),
            target: Tiles::new(&phases[0], |axis| axis.target, m, m, to_width, to),
        };
        Self { winograd, groups: groups.into_iter().map(group).collect(), from, to }
    }

    pub(super) fn lanes(&self) -> usize {
        self.winograd.micro.lanes
    }

    /// Channels of the source of all phases that are summed: the length of a product's sums.
    pub(super) fn depth(&self) -> usize {
        self.groups[0].phases.len() * self.from.channels
    }

    /// Elements of the transformed weights from one of a tile's products to the next.
    pub(super) fn weights_pitch(&self) -> usize {
        self.depth() * self.to.channels + SKEW
    }

    /// Elements of the transformed weights of a group.
    fn weights_len(&self) -> usize {
        self.winograd.transforms.products() * self.weights_pitch()
    }

    /// Registers across of a whole panel.
    pub(super) fn across(&self) -> usize {
        self.winograd.micro.across()
    }

    /// Panels of the transformed weights.
    pub(super) fn panels(&self) -> usize {
        self.to.channels.div_ceil(self.across() * self.lanes())
    }

    pub(super) fn registers(&self, panel: usize) -> usize {
        (self.to.channels / self.lanes() - self.across() * panel).min(self.across())
    }

    fn tiles(&self, group: usize, n: usize) -> usize {
        n * self.groups[group].target.of_image()
    }

    /// Tiles of a block.
    fn block_tiles(&self) -> usize {
        (BLOCK / (self.winograd.transforms.products() * (self.depth() + self.to.channels))).max(TILES)
    }

    /// In how many blocks of whole images `n` images of one group are computed, if a block has room for an image.
    fn blocks_of_images(&self, n: usize) -> Option<usize> {
        let of_image = self.groups[0].target.of_image();
        let images = (self.block_tiles() + of_image / 2) / of_image;
        let most = BLOCKS.min(n * of_image / (TILES / 2));
        (self.groups.len() == 1 && images > 0).then(|| n.div_ceil(images).max(most).min(n))
    }

    /// The pass; with `moments`, one group in blocks of whole images, of each of which go there its channels' means
    /// and then their M2s.
    fn correlate(
        &self,
        device: &Device,
        n: usize,
        x: &[T],
        weights: &Weights<T>,
        y: &mut [T],
        store: Store,
        moments: Option<&mut [f64]>,
    ) {
        let mut packed = device.workspace::<T>(self.groups.len() * self.weights_len());
        let shared = Shared::new(&mut packed);
        parallel::for_each(self.groups.len() * self.panels(), |task| {
            let (group, panel) = (task / self.panels(), task % self.panels());
            // SAFETY: each task writes a panel of its own.
            unsafe { self.pack(weights, group, panel, shared.get().add(group * self.weights_len())) };
        });

        let most = (0..self.groups.len()).map(|group| self.tiles(group, n)).max().unwrap_or(0);
        let any = most.div_ceil(self.block_tiles()).max(BLOCKS.min(most / (TILES / 2))).max(1);
        let images = self.blocks_of_images(n);
        let blocks = images.unwrap_or(any);
        let out = Shared::new(y);
        let moments = moments.map(Shared::new);
        parallel::for_each(self.groups.len() * blocks, |task| {
            // Neighbouring tasks, which mostly share a thread, share their weights.
            let (group, block) = (task / blocks, task % blocks);
            // Whole images, where there is a block for them.
            let (items, of_item) = match images {
                Some(_) => (n, self.groups[0].target.of_image()),
                None => (self.tiles(group, n), 1),
            };
            let items = items * block / blocks..items * (block + 1) / blocks;
            let weights = &packed[group * self.weights_len()..(group + 1) * self.weights_len()];
            // SAFETY: tiles have outputs of their own, within y; the block's images are complete when their moments are
            // taken, and nobody else's.
            unsafe {
                self.block(group, items.start * of_item..items.end * of_item, x, weights, out.get(), store);
                if let Some(moments) = moments {
                    let (image, channels) = (self.to.image(), self.to.channels);
                    let y = std::slice::from_raw_parts(out.get().add(items.start * image), items.len() * image);
                    let moments = std::slice::from_raw_parts_mut(moments.get().add(block * 2 * channels), 2 * channels);
                    let (mean, m2) = moments.split_at_mut(channels);
                    batch_norm::moments(device.simd(), channels, y, mean, m2);
                }
            }
        });
    }

    /// Transforms the weights to the target channels of one panel: `[product][panel][depth][width]`.
    ///
    /// # Safety
    /// `packed` must hold the group's transformed weights, with the panel unshared.
    unsafe fn pack(&self, weights: &Weights<T>, group: usize, panel: usize, packed: *mut T) {
        let (lanes, registers) = (self.lanes(), self.registers(panel));
        let (width, first) = (registers * lanes, self.across() * panel * lanes);
        let (g, from) = (weights.geometry, self.from.channels);
        let (taps, side) = (g.kernel[0] * g.kernel[1], self.winograd.transforms.side());
        let rows = taps * g.c;
        let transform = |src: *const T, tap_pitch: usize, channel_pitch: usize| {
            for (i, phase) in self.groups[group].phases.iter().enumerate() {
                let (tap, steps) = phase.taps(g.kernel[1]);
                for register in 0..registers {
                    let row = self.depth() * first + i * from * width;
                    // SAFETY: the taps lie within the weights, the rows within the panel.
                    unsafe {
                        (self.winograd.transforms.weight)(&Square {
                            src: src.offset(tap * tap_pitch as isize).add(register * lanes),
                            src_steps: steps.map(|step| step * tap_pitch as isize),
                            src_plane: channel_pitch,
                            dst: packed.add(row + register * lanes),
                            dst_steps: [side * self.weights_pitch(), self.weights_pitch()].map(|step| step as isize),
                            dst_plane: width,
                            planes: from,
                            store: Store::Set,
                        });
                    }
                }
            }
        };
        if weights.adjoint {
            transform(weights.w[first..].as_ptr(), g.c, rows);
        } else {
            scratch::with(rows * width, |lines: &mut [T]| {
                interleave(width, |lane| &weights.w[(first + lane) * rows..][..rows], width, lines);
                transform(lines.as_ptr(), g.c * width, width);
            });
        }
    }
}
