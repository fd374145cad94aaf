//! What a training iteration found, as one row of numbers, gathered where it ran: a GPU's are read once for many iterations.

use crate::cuda::{Argument, Cuda, Grid, Kernel, by_value};
use crate::view::{DeviceSlice, View, ViewMut};
use crate::{Device, Real, Work};

/// Columns of a row before those of the classes: loss_d_real, loss_d_fake, loss_g, loss_c_real, loss_c_fake, correct, and the
/// sum of the confidences. Kept rows by class follow. What a method has no part of is 0.
pub const COLUMNS: usize = 7;

/// What an iteration found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a, T> {
    /// Losses of the discriminator on real images and on generated ones, and of the generator, one number each.
    pub gan: Option<[View<'a, T>; 3]>,
    /// The classifier's loss on real images, one number.
    pub loss_c_real: View<'a, T>,
    /// The most probable classes of the real images, `[n]`.
    pub predicted: View<'a, i32>,
    /// Their labels, `[n]`.
    pub labels: View<'a, i32>,
    /// The classifier on generated images.
    pub fake: Option<FakeFound<'a, T>>,
}

/// What the classifier found on generated images.
#[derive(Clone, Copy, Debug)]
pub struct FakeFound<'a, T> {
    /// The loss, one number.
    pub loss: View<'a, T>,
    /// The pseudo-labels, `[n]`.
    pub labels: View<'a, i32>,
    /// Not 0 where a row is kept, `[n]`.
    pub weights: View<'a, T>,
    /// The confidences, `[n]`.
    pub confidence: View<'a, T>,
}

/// Writes row `next` % capacity of rows `[capacity, COLUMNS + classes]`, and counts `next`, one number, up.
pub fn row<'a, T: Real>(
    device: &Device,
    found: Found<'a, T>,
    classes: usize,
    rows: impl Into<ViewMut<'a, T>>,
    next: impl Into<ViewMut<'a, i32>>,
) {
    let (rows, next) = (rows.into(), next.into());
    let (n, columns) = (found.labels.len(), COLUMNS + classes);
    let _span = device.span("record.row", || Work::memory(n, 4 * (columns + 5 * n)));
    assert!(next.len() == 1 && rows.len() >= columns && rows.len().is_multiple_of(columns), "record: rows and next");
    let scalars =
        found.gan.iter().flatten().chain([&found.loss_c_real]).chain(found.fake.as_ref().map(|fake| &fake.loss));
    assert!(scalars.into_iter().all(|loss| loss.len() == 1), "record: a loss is one number");
    let lengths = found.fake.map_or([n; 3], |fake| [fake.labels.len(), fake.weights.len(), fake.confidence.len()]);
    assert!(found.predicted.len() == n && lengths == [n; 3], "record: one of each a row");
    if let Some(cuda) = device.gpu() {
        return on_gpu(cuda, found, classes, rows, next);
    }
    let next = &mut next.host()[0];
    let rows = rows.host();
    let first = *next as usize % (rows.len() / columns) * columns;
    let row = &mut rows[first..first + columns];
    *next += 1;
    row.fill(T::ZERO);
    if let Some(gan) = found.gan {
        row.iter_mut().zip(gan).for_each(|(out, loss)| *out = loss.host()[0]);
    }
    row[3] = found.loss_c_real.host()[0];
    row[5] = T::from_usize(found.predicted.host().iter().zip(found.labels.host()).filter(|(a, b)| a == b).count());
    if let Some(FakeFound { loss, labels, weights, confidence }) = found.fake {
        row[4] = loss.host()[0];
        row[6] = T::from_f64(confidence.host().iter().map(|c| c.to_f64()).sum());
        for (&label, &weight) in labels.host().iter().zip(weights.host()) {
            if weight != T::ZERO {
                row[COLUMNS..][label as usize] += T::ONE;
            }
        }
    }
}

const ROW: Kernel = Kernel { module: "record", name: "record_row" };

/// `Found` of record.cu: addresses, 0 where there is nothing.
#[derive(Clone, Copy)]
#[repr(C)]
struct Addresses([u64; 10]);
by_value!(Addresses);

fn on_gpu<T: Real>(cuda: &Cuda, found: Found<T>, classes: usize, rows: ViewMut<T>, next: ViewMut<i32>) {
    fn address<E: crate::Element>(x: DeviceSlice<E>) -> u64 {
        *x.address()
    }
    let [d_real, d_fake, g] = found.gan.map_or([0; 3], |losses| losses.map(|loss| address(loss.on_gpu())));
    let [loss, labels, weights, confidence] = found.fake.map_or([0; 4], |fake| {
        let [loss, weights, confidence] = [fake.loss, fake.weights, fake.confidence].map(|x| address(x.on_gpu()));
        [loss, address(fake.labels.device()), weights, confidence]
    });
    let real = [address(found.loss_c_real.on_gpu()), address(found.predicted.device()), address(found.labels.device())];
    let [loss_real, predicted, real_labels] = real;
    let addresses =
        Addresses([d_real, d_fake, g, loss_real, predicted, real_labels, loss, labels, weights, confidence]);
    let [n, capacity] = [found.labels.len(), rows.len() / (COLUMNS + classes)].map(|n| n as i32);
    let (classes, rows, next) = (classes as i32, rows.on_gpu(), next.device());
    let arguments: [&dyn Argument; 6] = [&addresses, &n, &classes, &capacity, &rows, &next];
    // SAFETY: the lengths were checked; labels are below the number of classes, or count nowhere.
    unsafe { cuda.launch(ROW, Grid::linear(1, 512), &arguments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_losses_counts_and_sums() {
        let device = Device::cpu();
        let (gan, real) = ([[1.0f64], [2.0], [3.0]], [4.0]);
        let (labels, weights, confidence) = ([2, 0, 2], [1.0, 0.0, 1.0], [0.9, 0.4, 0.8]);
        let fake = FakeFound {
            loss: (&[5.0]).into(),
            labels: (&labels).into(),
            weights: (&weights).into(),
            confidence: (&confidence).into(),
        };
        let found = Found {
            gan: Some([(&gan[0]).into(), (&gan[1]).into(), (&gan[2]).into()]),
            loss_c_real: (&real).into(),
            predicted: (&[1, 1, 0]).into(),
            labels: (&[1, 2, 0]).into(),
            fake: Some(fake),
        };
        let (mut rows, mut next) = (vec![f64::NAN; 20], [3]);
        row(&device, found, 3, &mut rows, &mut next);
        row(&device, Found { gan: None, fake: None, ..found }, 3, &mut rows, &mut next);
        assert_eq!(next, [5]);
        assert_eq!(rows[10..], [1.0, 2.0, 3.0, 4.0, 5.0, 2.0, 0.9 + 0.4 + 0.8, 0.0, 0.0, 2.0]);
        assert_eq!(rows[..10], [0.0, 0.0, 0.0, 4.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
