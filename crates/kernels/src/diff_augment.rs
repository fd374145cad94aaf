//! Differentiable augmentation of what a discriminator sees (Zhao et al. 2020, arXiv 2006.10738): colour, translation and
//! cutout, drawn for each image, real or generated.
//!
//! With brightness b, saturation s and contrast k, m_p the mean of a pixel's channels and M of all the image:
//! x' = k s x + k (1 - s) m_p + (1 - k) M + b; then a shift with zeros beyond the border, then a square of zeros.

use crate::parallel::{self, Rows};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Numbers, uniform in [0, 1), that an image's augmentation takes.
pub const DRAWN: usize = 8;

/// Images `[n, h, w, c]`, and what happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffAugment {
    /// Images.
    pub n: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Brightness in [-1/2, 1/2), saturation in [0, 2), contrast in [1/2, 3/2).
    pub colour: bool,
    /// By up to an eighth of the height and width.
    pub translation: bool,
    /// A square of half the height and width, anywhere.
    pub cutout: bool,
}

/// What happens to one image.
#[derive(Clone, Copy)]
struct Drawn<T> {
    brightness: T,
    saturation: T,
    contrast: T,
    /// A pixel comes from this many rows and columns further on.
    shift: [isize; 2],
    /// The first row and column of the zeros, and those behind them.
    cut: [[isize; 2]; 2],
}

impl DiffAugment {
    fn image(&self) -> usize {
        self.h * self.w * self.c
    }

    fn check(&self, x: usize, drawn: usize, y: usize) {
        assert!(self.c > 0 && x == self.n * self.image() && y == x, "diff_augment: x and y of {self:?}");
        assert_eq!(drawn, self.n * DRAWN, "diff_augment: numbers drawn for {self:?}");
    }

    fn work(&self, bytes: usize) -> Work {
        Work::memory(format!("{}x{} {}", self.h, self.w, self.c), bytes)
    }

    fn drawn<T: Real>(&self, u: &[T]) -> Drawn<T> {
        let half = T::from_f64(0.5);
        let (brightness, saturation, contrast) =
            if self.colour { (u[0] - half, u[1] + u[1], u[2] + half) } else { (T::ZERO, T::ONE, T::ONE) };
        // One of `n` integers from 0.
        let one_of = |u: T, n: usize| ((u * T::from_usize(n)).to_f64() as isize).min(n as isize - 1);
        let shift = |u: T, size: usize| {
            let most = (size + 4) / 8;
            if self.translation { one_of(u, 2 * most + 1) - most as isize } else { 0 }
        };
        let cut = |u: T, size: usize| {
            let length = size.div_ceil(2);
            let first = one_of(u, size + 1 - length % 2) - length as isize / 2;
            if self.cutout { [first, first + length as isize] } else { [0, 0] }
        };
        let [rows, columns] = [cut(u[5], self.h), cut(u[6], self.w)];
        Drawn {
            brightness,
            saturation,
            contrast,
            shift: [shift(u[3], self.h), shift(u[4], self.w)],
            cut: [[rows[0], columns[0]], [rows[1], columns[1]]],
        }
    }

    /// Calls `pixel(of y, of x)` with the indices of every pixel of y that comes from one of x.
    fn pixels<T>(&self, drawn: &Drawn<T>, mut pixel: impl FnMut(usize, usize)) {
        let (h, w) = (self.h as isize, self.w as isize);
        let [dy, dx] = drawn.shift;
        let [[top, left], [bottom, right]] = drawn.cut;
        for i in (-dy).max(0)..h.min(h - dy) {
            let cut = (top..bottom).contains(&i);
            for j in (-dx).max(0)..w.min(w - dx) {
                if !(cut && (left..right).contains(&j)) {
                    pixel((i * w + j) as usize * self.c, ((i + dy) * w + j + dx) as usize * self.c);
                }
            }
        }
    }
}

/// y = the images augmented as `drawn` `[n, 8]`, uniform in [0, 1), says.
pub fn forward<'a, T: Real>(
    device: &Device,
    g: &DiffAugment,
    x: impl Into<View<'a, T>>,
    drawn: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (x, drawn, y) = (x.into(), drawn.into(), y.into());
    let _span = device.span("diff_augment.forward", || g.work(x.bytes() + y.bytes()));
    g.check(x.len(), drawn.len(), y.len());
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, g, x.on_gpu(), drawn.on_gpu(), y.on_gpu());
    }
    let (x, drawn, y) = (x.host(), drawn.host(), y.host());
    let operands = (Rows(x, g.image()), Rows(drawn, DRAWN), Rows(y, g.image()));
    parallel::split(operands, g.n, 1, |_, (x, drawn, y)| {
        let images = x.0.chunks_exact(g.image()).zip(y.0.chunks_exact_mut(g.image()));
        images.zip(drawn.0.chunks_exact(DRAWN)).for_each(|((x, y), u)| forward_image(g, x, u, y));
    });
}

/// dx from dy: colour's part is its own transpose, but for the brightness, which has no gradient.
pub fn backward<'a, T: Real>(
    device: &Device,
    g: &DiffAugment,
    dy: impl Into<View<'a, T>>,
    drawn: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, drawn, dx) = (dy.into(), drawn.into(), dx.into());
    let _span = device.span("diff_augment.backward", || g.work(dy.bytes() + store.bytes(dx.bytes())));
    g.check(dx.len(), drawn.len(), dy.len());
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, g, dy.on_gpu(), drawn.on_gpu(), dx.on_gpu(), store);
    }
    let (dy, drawn, dx) = (dy.host(), drawn.host(), dx.host());
    let operands = (Rows(dy, g.image()), Rows(drawn, DRAWN), Rows(dx, g.image()));
    parallel::split(operands, g.n, 1, |_, (dy, drawn, dx)| {
        let images = dy.0.chunks_exact(g.image()).zip(dx.0.chunks_exact_mut(g.image()));
        images.zip(drawn.0.chunks_exact(DRAWN)).for_each(|((dy, dx), u)| backward_image(g, dy, u, dx, store));
    });
}

fn mean<T: Real>(x: impl Iterator<Item = T>, n: usize) -> T {
    T::from_f64(x.map(Real::to_f64).sum::<f64>() / n as f64)
}

fn forward_image<T: Real>(g: &DiffAugment, x: &[T], u: &[T], y: &mut [T]) {
    let drawn = g.drawn(u);
    let Drawn { brightness, saturation, contrast, .. } = drawn;
    let all = (T::ONE - contrast) * mean(x.iter().copied(), g.image()) + brightness;
    y.fill(T::ZERO);
    g.pixels(&drawn, |to, from| {
        let x = &x[from..from + g.c];
        let grey = contrast * (T::ONE - saturation) * mean(x.iter().copied(), g.c) + all;
        y[to..to + g.c].iter_mut().zip(x).for_each(|(y, &x)| *y = contrast * saturation * x + grey);
    });
}

fn backward_image<T: Real>(g: &DiffAugment, dy: &[T], u: &[T], dx: &mut [T], store: Store) {
    let drawn = g.drawn(u);
    let Drawn { saturation, contrast, .. } = drawn;
    let mut sum = 0.0;
    g.pixels(&drawn, |to, _| sum += dy[to..to + g.c].iter().map(|d| d.to_f64()).sum::<f64>());
    // What reaches every pixel through the mean of all.
    let all = (T::ONE - contrast) * T::from_f64(sum / g.image() as f64);
    dx.iter_mut().for_each(|dx| store.write(dx, all));
    g.pixels(&drawn, |to, from| {
        let dy = &dy[to..to + g.c];
        let grey = contrast * (T::ONE - saturation) * mean(dy.iter().copied(), g.c);
        dx[from..from + g.c].iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += contrast * saturation * dy + grey);
    });
}

/// The same on a GPU.
pub mod cuda {
    use super::{DRAWN, DiffAugment};
    use crate::Store;
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel, by_value};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "diff_augment", name: "diff_augment_forward" };
    const BACKWARD: Kernel = Kernel { module: "diff_augment", name: "diff_augment_backward" };

    /// `DiffAugment` of diff_augment.cu.
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Geometry {
        h: i32,
        w: i32,
        c: i32,
        colour: i32,
        translation: i32,
        cutout: i32,
    }
    by_value!(Geometry);

    fn geometry(g: &DiffAugment) -> Geometry {
        let [h, w, c] = [g.h, g.w, g.c].map(|size| size as i32);
        let [colour, translation, cutout] = [g.colour, g.translation, g.cutout].map(i32::from);
        Geometry { h, w, c, colour, translation, cutout }
    }

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, g: &DiffAugment, x: DeviceSlice<f32>, drawn: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        g.check(x.len(), drawn.len(), y.len());
        assert_eq!(DRAWN, 8, "as in diff_augment.cu");
        // SAFETY: the geometry was checked against x, y and drawn; a block an image.
        unsafe { cuda.launch(FORWARD, Grid::linear(g.n, BLOCK), &[&geometry(g), &x, &drawn, &y]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        g: &DiffAugment,
        dy: DeviceSlice<f32>,
        drawn: DeviceSlice<f32>,
        dx: DeviceSliceMut<f32>,
        store: Store,
    ) {
        g.check(dx.len(), drawn.len(), dy.len());
        // SAFETY: the geometry was checked against dx, dy and drawn; a block an image.
        unsafe { cuda.launch(BACKWARD, Grid::linear(g.n, BLOCK), &[&geometry(g), &dy, &drawn, &dx, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::testing::{assert_gradient, nan, normal, over_threads};

    fn numbers(n: usize) -> Vec<f64> {
        let mut random = Philox::new(9, 3);
        (0..n * DRAWN).map(|_| f64::from(random.uniform())).collect()
    }

    const ALL: DiffAugment = DiffAugment { n: 3, h: 8, w: 16, c: 3, colour: true, translation: true, cutout: true };

    #[test]
    fn gradient() {
        for parts in 0..8 {
            let [colour, translation, cutout] = [1, 2, 4].map(|bit| parts & bit != 0);
            let g = DiffAugment { colour, translation, cutout, n: 2, ..ALL };
            let (device, drawn) = (Device::cpu(), numbers(g.n));
            let size = g.n * g.image();
            let (x, dy) = (normal::<f64>(1, size, 0.0, 1.0), normal::<f64>(2, size, 0.0, 1.0));
            let mut dx = nan(size);
            backward(&device, &g, &dy, &drawn, &mut dx, Store::Set);
            assert_gradient("dx", &x, &dx, |x| {
                let mut y = nan::<f64>(size);
                forward(&device, &g, x, &drawn, &mut y);
                y.iter().zip(&dy).map(|(y, dy)| y * dy).sum()
            });
            let mut twice = dx.clone();
            backward(&device, &g, &dy, &drawn, &mut twice, Store::Add);
            assert!(twice.iter().zip(&dx).all(|(twice, dx)| (twice - 2.0 * dx).abs() < 1e-12), "Add adds");
        }
    }

    /// Each part by itself, against what its name says.
    #[test]
    fn parts_do_what_they_are_called() {
        let none = DiffAugment { n: 1, colour: false, translation: false, cutout: false, ..ALL };
        let x: Vec<f64> = normal(1, none.image(), 0.3, 1.0);
        let run = |g: DiffAugment, drawn: [f64; DRAWN]| {
            let mut y = nan::<f64>(g.image());
            forward(&Device::cpu(), &g, &x, &drawn, &mut y);
            y
        };
        let middle = [0.5; DRAWN];
        assert_eq!(run(none, middle), x);
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        let coloured = |brightness, saturation, contrast| {
            let mut drawn = middle;
            drawn[..3].copy_from_slice(&[brightness, saturation, contrast]);
            run(DiffAugment { colour: true, ..none }, drawn)
        };
        assert!(close(&coloured(0.75, 0.5, 0.5), &x.iter().map(|x| x + 0.25).collect::<Vec<_>>()));
        let grey = coloured(0.5, 0.0, 0.5);
        assert!(grey.chunks(3).zip(x.chunks(3)).all(|(y, x)| close(y, &[x.iter().sum::<f64>() / 3.0; 3])));
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let flat = x.iter().map(|x| mean + (x - mean) / 2.0).collect::<Vec<_>>();
        assert!(close(&coloured(0.5, 0.5, 0.0), &flat));

        // A row up and two columns to the right; zeros come in.
        let mut drawn = middle;
        (drawn[3], drawn[4]) = (0.99, 0.01);
        let moved = run(DiffAugment { translation: true, ..none }, drawn);
        for (i, pixel) in moved.chunks(3).enumerate() {
            let (row, column) = (i / 16 + 1, (i % 16) as isize - 2);
            let from = (row * 16) as isize + column;
            let want = if row < 8 && column >= 0 { &x[from as usize * 3..][..3] } else { &[0.0; 3] };
            assert_eq!(pixel, want, "pixel {i}");
        }

        let cut = run(DiffAugment { cutout: true, ..none }, middle);
        for (i, pixel) in cut.chunks(3).enumerate() {
            let inside = (2..6).contains(&(i / 16)) && (4..12).contains(&(i % 16));
            assert_eq!(pixel, if inside { &[0.0; 3] } else { &x[3 * i..][..3] }, "pixel {i}");
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let drawn: Vec<f32> = numbers(ALL.n).iter().map(|&u| u as f32).collect();
        let x = normal::<f32>(1, ALL.n * ALL.image(), 0.0, 1.0);
        over_threads(|| {
            let (mut y, mut dx) = (nan(x.len()), nan(x.len()));
            forward(&Device::cpu(), &ALL, &x, &drawn, &mut y);
            backward(&Device::cpu(), &ALL, &x, &drawn, &mut dx, Store::Set);
            [y, dx].concat()
        });
    }
}
