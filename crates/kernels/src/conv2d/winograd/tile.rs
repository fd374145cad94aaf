//! The tiles of one phase of an image: where they are, and the pixels they read.

use super::plan::{Axis, Phase, Sampling, Window};
use crate::Real;
use crate::conv2d::Side;

/// Tiles over the images of a tensor.
pub(super) struct Tiles {
    /// The pixels of each line of tiles that exist, and of each column of tiles.
    windows: [Vec<Window>; 2],
    steps: [usize; 2],
    /// Pixels of a tile along an axis.
    side: usize,
    /// Pixels in a line of the image.
    width: usize,
    image: Side,
    /// Elements from a whole tile's first pixel to each.
    offsets: Vec<isize>,
    /// The tiles of an image that reach beyond it.
    cut: Vec<Cut>,
}

/// A tile that reaches beyond its image.
struct Cut {
    /// Elements from the image's first pixel to each of the tile's; of no meaning where there is none.
    offsets: [isize; MAX_SIDE * MAX_SIDE],
    /// Positions without a pixel.
    missing: Vec<usize>,
}

/// A tile.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// Its place among those that [`Tiles::each`] visits.
    pub index: usize,
    pub image: usize,
    /// Its place in the image.
    place: usize,
    /// Which of its pixels exist, down and across.
    pub windows: [Window; 2],
}

impl Tiles {
    /// Tiles of `side` x `side` pixels, of which m x m are outputs, over images that are `width` wide.
    pub fn new(
        phase: &Phase,
        sampling: impl Fn(&Axis) -> Sampling,
        m: usize,
        side: usize,
        width: usize,
        image: Side,
    ) -> Self {
        let axes = [sampling(&phase.0[0]), sampling(&phase.0[1])];
        let count = phase.tiles(m);
        let windows = [0, 1].map(|d| (0..count[d]).map(|tile| axes[d].window(tile, m, side)).collect());
        let steps = [axes[0].step() * width, axes[1].step()];
        let pixels = (0..side).flat_map(|i| (0..side).map(move |j| i * steps[0] + j * steps[1]));
        let offsets = pixels.map(|pixel| (pixel * image.channels) as isize).collect();
        let cut = Vec::new();
        let mut tiles = Self { windows, steps, side, width, image, offsets, cut };
        let mut cut = Vec::new();
        tiles.each(0..count[0] * count[1], |tile| cut.push(tiles.cut(tile)));
        tiles.cut = cut;
        tiles
    }

    /// A tile's table, empty if it is whole.
    fn cut(&self, tile: Tile) -> Cut {
        if self.whole(tile) {
            return Cut { offsets: [0; _], missing: Vec::new() };
        }
        let mut offsets = [isize::MAX; _];
        self.pixels(tile, |at, pixel| offsets[at] = (pixel * self.image.channels) as isize);
        let missing = (0..self.side * self.side).filter(|&at| offsets[at] == isize::MAX).collect();
        Cut { offsets, missing }
    }

    /// Tiles of an image.
    pub fn of_image(&self) -> usize {
        self.windows[0].len() * self.windows[1].len()
    }

    /// Calls `f` for the tiles `range` of all images.
    pub fn each(&self, range: std::ops::Range<usize>, mut f: impl FnMut(Tile)) {
        let [down, across] = &self.windows;
        let (mut image, rest) = (range.start / self.of_image(), range.start % self.of_image());
        let (mut i, mut j) = (rest / across.len(), rest % across.len());
        for index in 0..range.len() {
            f(Tile { index, image, place: i * across.len() + j, windows: [down[i], across[j]] });
            j += 1;
            if j == across.len() {
                (i, j) = (i + 1, 0);
            }
            if i == down.len() {
                (image, i) = (image + 1, 0);
            }
        }
    }

    /// Pixels of the image from one pixel of a tile to the next, down and across.
    pub fn steps(&self) -> [usize; 2] {
        self.steps
    }

    /// Whether all of a tile's pixels exist.
    pub fn whole(&self, tile: Tile) -> bool {
        tile.windows[0].count == self.side && tile.windows[1].count == self.side
    }

    /// A tile's first pixel that exists.
    pub fn first(&self, tile: Tile) -> usize {
        tile.windows[0].first * self.width + tile.windows[1].first
    }

    /// Calls `f(position in the tile, pixel)` for the pixels that exist.
    pub fn pixels(&self, tile: Tile, mut f: impl FnMut(usize, usize)) {
        let [down, across] = tile.windows;
        for i in 0..down.count {
            for j in 0..across.count {
                let at = (down.before + i) * self.side + across.before + j;
                f(at, self.first(tile) + i * self.steps[0] + j * self.steps[1]);
            }
        }
    }

    /// Calls `f` with a tile's first pixel in `x` and the offsets from it to every pixel; those outside the image are at
    /// `nothing`, a pixel of zeros. The addresses of both are exposed.
    #[inline]
    pub fn gather<T: Real>(&self, tile: Tile, x: &[T], nothing: &[T], f: impl FnOnce(*const T, &[isize])) {
        let x = &x[tile.image * self.image.image()..][..self.image.image()];
        if self.whole(tile) {
            let first = x[self.first(tile) * self.image.channels..].as_ptr();
            first.expose_provenance();
            return f(first, &self.offsets);
        }
        let Cut { mut offsets, ref missing } = self.cut[tile.place];
        // Addresses, not pixels: `nothing` is elsewhere.
        let [from, to] = [x, nothing].map(|pixels| pixels.as_ptr().expose_provenance() as isize);
        missing.iter().for_each(|&at| offsets[at] = (to - from) / size_of::<T>() as isize);
        f(x.as_ptr(), &offsets);
    }
}

/// The largest side of a tile.
const MAX_SIDE: usize = 6;
