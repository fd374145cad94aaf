//! A class as further channels of an activation, by which a network is conditioned on it (Mirza and Osindero 2014):
//! y `[n, pixels, c + k]` is x `[n, pixels, c]` with k channels behind, the same at each pixel of an image.

use crate::parallel::{self, CHUNK, Rows};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// How a class is written as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// One channel: from -1 for the first class in equal steps to 1 for the last.
    Scalar,
    /// A channel a class: 1 for it, 0 for the others.
    OneHot,
}

impl Coding {
    /// The channels that a class takes.
    pub fn channels(self, classes: usize) -> usize {
        match self {
            Self::Scalar => 1,
            Self::OneHot => classes,
        }
    }

    /// The number in one of them.
    fn number<T: Real>(self, label: i32, channel: usize, classes: usize) -> T {
        match self {
            Self::Scalar => T::from_f64(2.0 * f64::from(label) / classes.saturating_sub(1).max(1) as f64 - 1.0),
            Self::OneHot if label == channel as i32 => T::ONE,
            Self::OneHot => T::ZERO,
        }
    }
}

/// x `[n, pixels, c]` and the labels `[n]` of its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassPlanes {
    /// Images.
    pub n: usize,
    /// Pixels of an image.
    pub pixels: usize,
    /// Channels of x.
    pub c: usize,
    /// Number of classes; labels are below it.
    pub classes: usize,
    /// What is appended.
    pub coding: Coding,
}

impl ClassPlanes {
    /// Channels of y.
    pub fn channels(&self) -> usize {
        self.c + self.coding.channels(self.classes)
    }

    fn check(&self, x: usize, labels: usize, y: usize) {
        let pixels = self.n * self.pixels;
        assert!(self.classes > 0 && labels == self.n, "class_planes: labels of {self:?}");
        assert!(x == pixels * self.c && y == pixels * self.channels(), "class_planes: x and y of {self:?}");
    }
}

/// y = x with the class behind each pixel's channels.
pub fn forward<'a, T: Real>(
    device: &Device,
    g: &ClassPlanes,
    x: impl Into<View<'a, T>>,
    labels: impl Into<View<'a, i32>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (x, labels, y) = (x.into(), labels.into(), y.into());
    let _span =
        device.span("class_planes.forward", || Work::memory(format!("{} {}", g.pixels, g.c), x.bytes() + y.bytes()));
    g.check(x.len(), labels.len(), y.len());
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, g, x.on_gpu(), labels.device(), y.on_gpu());
    }
    let (x, labels, y) = (x.host(), labels.host(), y.host());
    let known = |&label: &i32| usize::try_from(label).is_ok_and(|label| label < g.classes);
    assert!(labels.iter().all(known), "class_planes: a label of {} classes", g.classes);
    let (c, channels) = (g.c, g.channels());
    let operands = (Rows(x, c), Rows(y, channels));
    parallel::split(operands, g.n * g.pixels, (CHUNK / channels).max(1), |first, (x, y)| {
        for (i, (x, y)) in x.0.chunks_exact(c).zip(y.0.chunks_exact_mut(channels)).enumerate() {
            let (own, class) = y.split_at_mut(c);
            own.copy_from_slice(x);
            let label = labels[(first + i) / g.pixels];
            class.iter_mut().enumerate().for_each(|(j, y)| *y = g.coding.number(label, j, g.classes));
        }
    });
}

/// dx = dy without the channels of the class.
pub fn backward<'a, T: Real>(
    device: &Device,
    g: &ClassPlanes,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, dx) = (dy.into(), dx.into());
    let _span = device.span("class_planes.backward", || {
        Work::memory(format!("{} {}", g.pixels, g.c), dx.bytes() + store.bytes(dx.bytes()))
    });
    g.check(dx.len(), g.n, dy.len());
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, g, dy.on_gpu(), dx.on_gpu(), store);
    }
    let (dy, dx) = (dy.host(), dx.host());
    let (c, channels) = (g.c, g.channels());
    let operands = (Rows(dy, channels), Rows(dx, c));
    parallel::split(operands, g.n * g.pixels, (CHUNK / channels).max(1), |_, (dy, dx)| {
        for (dy, dx) in dy.0.chunks_exact(channels).zip(dx.0.chunks_exact_mut(c)) {
            dx.iter_mut().zip(dy).for_each(|(dx, &dy)| store.write(dx, dy));
        }
    });
}

/// The same on a GPU.
pub mod cuda {
    use super::{ClassPlanes, Coding};
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel, by_value};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "class_planes", name: "class_planes_forward" };
    const BACKWARD: Kernel = Kernel { module: "class_planes", name: "class_planes_backward" };

    /// `ClassPlanes` of class_planes.cu.
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Geometry {
        rows: i32,
        pixels: i32,
        c: i32,
        channels: i32,
        one_hot: i32,
        step: f32,
    }
    by_value!(Geometry);

    fn geometry(g: &ClassPlanes) -> Geometry {
        let [rows, pixels, c, channels] = [g.n * g.pixels, g.pixels, g.c, g.channels()].map(|size| size as i32);
        let step = (2.0 / g.classes.saturating_sub(1).max(1) as f64) as f32;
        Geometry { rows, pixels, c, channels, one_hot: i32::from(g.coding == Coding::OneHot), step }
    }

    /// See [`forward`](super::forward).
    pub fn forward(
        cuda: &Cuda,
        g: &ClassPlanes,
        x: DeviceSlice<f32>,
        labels: DeviceSlice<i32>,
        y: DeviceSliceMut<f32>,
    ) {
        g.check(x.len(), labels.len(), y.len());
        // SAFETY: the geometry was checked against x, labels and y.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(y.len()), &[&geometry(g), &x, &labels, &y]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(cuda: &Cuda, g: &ClassPlanes, dy: DeviceSlice<f32>, dx: DeviceSliceMut<f32>, store: Store) {
        g.check(dx.len(), g.n, dy.len());
        // SAFETY: the geometry was checked against dx and dy.
        unsafe { cuda.launch(BACKWARD, Grid::elementwise(dx.len()), &[&geometry(g), &dy, &dx, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads};

    fn check<T: Real>() {
        let shapes = [(3, 16, 5, 4), (64, 1, 100, 10), (2, 256, 64, 2), (2, 1, 3, 1)];
        for (device, (n, pixels, c, classes)) in devices().flat_map(|device| shapes.map(|s| (device.clone(), s))) {
            for coding in [Coding::Scalar, Coding::OneHot] {
                let g = ClassPlanes { n, pixels, c, classes, coding };
                let x = normal::<T>(1, n * pixels * c, 0.0, 1.0);
                let labels: Vec<i32> = (0..n).map(|i| ((5 * i + 1) % classes) as i32).collect();
                let channels = g.channels();
                let dy = normal::<T>(2, n * pixels * channels, 0.0, 1.0);
                let number = |label: i32, j: usize| match coding {
                    Coding::Scalar if classes == 1 => -1.0,
                    Coding::Scalar => 2.0 * f64::from(label) / (classes as f64 - 1.0) - 1.0,
                    Coding::OneHot => f64::from(u8::from(label as usize == j)),
                };
                let y = (0..n * pixels * channels).map(|i| match (i / channels, i % channels) {
                    (pixel, j) if j < c => x[pixel * c + j].to_f64(),
                    (pixel, j) => number(labels[pixel / pixels], j - c),
                });
                let got = over_threads(|| {
                    let mut y = nan(dy.len());
                    forward(&device, &g, &x, &labels, &mut y);
                    y
                });
                assert_close("y", 1.0, &got, &y.collect::<Vec<_>>());
                let dx: Vec<f64> = (0..x.len()).map(|i| dy[i / c * channels + i % c].to_f64()).collect();
                assert_stores("dx", 1.0, &dx, |dx, store| backward(&device, &g, &dy, dx, store));
            }
        }
    }

    both!(matches_the_reference, check);
}
