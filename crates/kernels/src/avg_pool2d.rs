//! Average pooling over windows that do not overlap: stride = kernel, and what does not fill a window is left out,
//! as PyTorch's avg_pool2d(x, kernel). Global pooling is kernel = [h, w].

use crate::parallel::{self, CHUNK, Rows};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Shape of a pooling: x is `[n, h, w, c]`, y is `[n, oh, ow, c]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    /// Images.
    pub n: usize,
    /// Rows of x.
    pub h: usize,
    /// Columns of x.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Rows and columns of a window, and of a step.
    pub kernel: [usize; 2],
}

impl AvgPool2d {
    /// Rows of y.
    pub fn oh(&self) -> usize {
        self.h / self.kernel[0]
    }

    /// Columns of y.
    pub fn ow(&self) -> usize {
        self.w / self.kernel[1]
    }

    fn work(&self, bytes: usize) -> Work {
        let Self { h, w, c, kernel, .. } = self;
        Work::memory(format!("{h}x{w} {c} k{}x{}", kernel[0], kernel[1]), bytes)
    }

    fn check(&self, x: usize, y: usize) {
        assert!(self.oh() > 0 && self.ow() > 0 && self.c > 0, "avg_pool2d: no window fits in {self:?}");
        assert_eq!(x, self.n * self.h * self.w * self.c, "avg_pool2d: x of {self:?}");
        assert_eq!(y, self.n * self.oh() * self.ow() * self.c, "avg_pool2d: y of {self:?}");
    }
}

/// y = the mean of each window.
pub fn forward<'a, T: Real>(device: &Device, g: &AvgPool2d, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("avg_pool2d.forward", || g.work(x.bytes() + y.bytes()));
    g.check(x.len(), y.len());
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, g, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    let window = T::from_f64(1.0 / (g.kernel[0] * g.kernel[1]) as f64);
    // An item is an output row; it reads kernel[0] input rows.
    let items = (CHUNK / (g.kernel[0] * g.w * g.c)).max(1);
    let width = g.ow() * g.c;
    parallel::split(Rows(y, width), g.n * g.oh(), items, |first, y| {
        for (i, y) in y.0.chunks_exact_mut(width).enumerate() {
            let (image, row) = ((first + i) / g.oh(), (first + i) % g.oh() * g.kernel[0]);
            let x = &x[(image * g.h + row) * g.w * g.c..][..g.kernel[0] * g.w * g.c];
            pool_row(device.simd(), g, window, x, y);
        }
    });
}

/// dx = dy / (pixels of a window) at each pixel of a window, 0 at the others.
pub fn backward<'a, T: Real>(
    device: &Device,
    g: &AvgPool2d,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, dx) = (dy.into(), dx.into());
    let _span = device.span("avg_pool2d.backward", || g.work(dy.bytes() + store.bytes(dx.bytes())));
    g.check(dx.len(), dy.len());
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, g, dy.on_gpu(), dx.on_gpu(), store);
    }
    let (dy, dx) = (dy.host(), dx.host());
    let window = T::from_f64(1.0 / (g.kernel[0] * g.kernel[1]) as f64);
    // An item is an input row.
    let width = g.w * g.c;
    parallel::split(Rows(dx, width), g.n * g.h, (CHUNK / width).max(1), |first, dx| {
        for (i, dx) in dx.0.chunks_exact_mut(width).enumerate() {
            let (image, row) = ((first + i) / g.h, (first + i) % g.h / g.kernel[0]);
            let covered = if row < g.oh() { g.ow() * g.kernel[1] * g.c } else { 0 };
            let (dx, outside) = dx.split_at_mut(covered);
            if covered > 0 {
                let dy = &dy[(image * g.oh() + row) * g.ow() * g.c..][..g.ow() * g.c];
                spread_row(device.simd(), g, window, dy, dx, store);
            }
            if store == Store::Set {
                outside.fill(T::ZERO);
            }
        }
    });
}

vectorized! {
    /// x: kernel\[0\] rows of `[w, c]`; y: one row of `[ow, c]`.
    fn pool_row<T: Real>(g: &AvgPool2d, window: T, x: &[T], y: &mut [T]) {
        for (ox, y) in y.chunks_exact_mut(g.c).enumerate() {
            y.fill(T::ZERO);
            for x in x.chunks_exact(g.w * g.c) {
                let x = &x[ox * g.kernel[1] * g.c..][..g.kernel[1] * g.c];
                for x in x.chunks_exact(g.c) {
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
                }
            }
            y.iter_mut().for_each(|y| *y *= window);
        }
    }

    /// dy: one row of `[ow, c]`; dx: the windows' part of one row of `[w, c]`.
    fn spread_row<T: Real>(g: &AvgPool2d, window: T, dy: &[T], dx: &mut [T], store: Store) {
        for (dy, dx) in dy.chunks_exact(g.c).zip(dx.chunks_exact_mut(g.kernel[1] * g.c)) {
            for dx in dx.chunks_exact_mut(g.c) {
                match store {
                    Store::Set => dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy * window),
                    Store::Add => dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy * window),
                }
            }
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use super::AvgPool2d;
    use crate::Store;
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel, by_value};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "avg_pool2d", name: "avg_pool2d_forward" };
    const BACKWARD: Kernel = Kernel { module: "avg_pool2d", name: "avg_pool2d_backward" };

    /// `AvgPool2d` of avg_pool2d.cu.
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Geometry {
        n: i32,
        h: i32,
        w: i32,
        c: i32,
        kernel: [i32; 2],
        oh: i32,
        ow: i32,
        window: f32,
    }
    by_value!(Geometry);

    fn geometry(g: &AvgPool2d) -> Geometry {
        let [n, h, w, c, oh, ow] = [g.n, g.h, g.w, g.c, g.oh(), g.ow()].map(|size| size as i32);
        let window = (1.0 / (g.kernel[0] * g.kernel[1]) as f64) as f32;
        Geometry { n, h, w, c, kernel: g.kernel.map(|size| size as i32), oh, ow, window }
    }

    /// A thread for each four channels of a pixel.
    fn grid(g: &AvgPool2d, pixels: usize) -> Grid {
        Grid::linear((pixels * g.c.div_ceil(4)).div_ceil(BLOCK as usize), BLOCK)
    }

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, g: &AvgPool2d, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        g.check(x.len(), y.len());
        // SAFETY: the geometry was checked against x and y.
        unsafe { cuda.launch(FORWARD, grid(g, g.n * g.oh() * g.ow()), &[&geometry(g), &x, &y]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(cuda: &Cuda, g: &AvgPool2d, dy: DeviceSlice<f32>, dx: DeviceSliceMut<f32>, store: Store) {
        g.check(dx.len(), dy.len());
        // SAFETY: the geometry was checked against dx and dy.
        unsafe { cuda.launch(BACKWARD, grid(g, g.n * g.h * g.w), &[&geometry(g), &dy, &dx, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads};

    const SHAPES: [AvgPool2d; 5] = [
        AvgPool2d { n: 3, h: 4, w: 4, c: 512, kernel: [4, 4] },
        AvgPool2d { n: 2, h: 33, w: 34, c: 17, kernel: [2, 2] },
        AvgPool2d { n: 1, h: 7, w: 8, c: 3, kernel: [3, 5] },
        AvgPool2d { n: 5, h: 1, w: 1, c: 1, kernel: [1, 1] },
        AvgPool2d { n: 2, h: 9, w: 40, c: 64, kernel: [1, 3] },
    ];

    /// Calls `pair(x index, y index)` for every pixel of every window.
    fn pairs(g: &AvgPool2d, mut pair: impl FnMut(usize, usize)) {
        for i in 0..g.n * g.h * g.w * g.c {
            let (c, x, y, n) =
                (i % g.c, i / g.c % g.w / g.kernel[1], i / g.c / g.w % g.h / g.kernel[0], i / g.c / g.w / g.h);
            if x < g.ow() && y < g.oh() {
                pair(i, ((n * g.oh() + y) * g.ow() + x) * g.c + c);
            }
        }
    }

    fn check<T: Real>() {
        for (device, g) in devices().flat_map(|device| SHAPES.map(|g| (device.clone(), g))) {
            let x = normal::<T>(1, g.n * g.h * g.w * g.c, 1.0, 1.0);
            let dy = normal::<T>(2, g.n * g.oh() * g.ow() * g.c, 0.0, 1.0);
            let window = (g.kernel[0] * g.kernel[1]) as f64;
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            pairs(&g, |i, o| y[o] += x[i].to_f64() / window);
            pairs(&g, |i, o| dx[i] = dy[o].to_f64() / window);
            let got = over_threads(|| {
                let mut y = nan(dy.len());
                forward(&device, &g, &x, &mut y);
                y
            });
            assert_close("y", 8.0, &got, &y);
            assert_stores("dx", 2.0, &dx, |dx, store| backward(&device, &g, &dy, dx, store));
        }
    }

    both!(matches_the_reference, check);
}
