//! Pooling over 3x3 pixels of `[n,h,w,c]`.

use crate::Error;
use rayon::prelude::*;
use std::ops::Range;
use tensor::Tensor;

/// The mean of those of 3x3 pixels around each that lie in the image: `[n,h,w,c]`.
pub fn average_pool(x: &Tensor) -> Result<Tensor, Error> {
    pool(x, 1, 1, |pixels, y| {
        let share = 1.0 / pixels.len() as f32;
        y.fill(0.0);
        pixels.iter().for_each(|x| y.iter_mut().zip(*x).for_each(|(y, x)| *y += x));
        y.iter_mut().for_each(|y| *y *= share);
    })
}

/// The largest of 3x3 pixels. With stride 1 around each, `[n,h,w,c]`; with stride 2 those that lie in the image whole,
/// `[n,(h-1)/2,(w-1)/2,c]`.
pub fn max_pool(x: &Tensor, stride: usize) -> Result<Tensor, Error> {
    pool(x, stride, usize::from(stride == 1), |pixels, y| {
        y.fill(f32::NEG_INFINITY);
        pixels.iter().for_each(|x| y.iter_mut().zip(*x).for_each(|(y, x)| *y = y.max(*x)));
    })
}

/// Gives `reduce` the pixels `[c]` in the image under each place of the window, and where the result belongs.
fn pool(
    x: &Tensor,
    stride: usize,
    padding: usize,
    reduce: impl Fn(&[&[f32]], &mut [f32]) + Sync,
) -> Result<Tensor, Error> {
    let [n, h, w, c] = x.shape()[..] else { unreachable!("images are [n,h,w,c]") };
    let outputs = |size: usize| (size + 2 * padding - 3) / stride + 1;
    let (oh, ow) = (outputs(h), outputs(w));
    let values = x.to_vec()?;
    let mut y = vec![0.0; n * oh * ow * c];
    let window = |place: usize, size: usize| -> Range<usize> {
        let first = place * stride;
        first.saturating_sub(padding)..(first + 3 - padding).min(size)
    };
    y.par_chunks_exact_mut(ow * c).enumerate().for_each(|(row, y)| {
        let (image, rows) = (row / oh, window(row % oh, h));
        let mut pixels = Vec::with_capacity(9);
        for (column, y) in y.chunks_exact_mut(c).enumerate() {
            pixels.clear();
            for i in rows.clone() {
                for j in window(column, w) {
                    let first = ((image * h + i) * w + j) * c;
                    pixels.push(&values[first..first + c]);
                }
            }
            reduce(&pixels, y);
        }
    });
    Ok(Tensor::from_slice(x.device(), [n, oh, ow, c], &y)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Device;

    /// One image of 3 by 4 pixels, one channel: 1 to 12.
    fn image() -> Tensor {
        let x: Vec<f32> = (1..=12).map(|i| i as f32).collect();
        Tensor::from_slice(&Device::cpu(), [1, 3, 4, 1], &x).unwrap()
    }

    #[test]
    fn an_average_counts_the_pixels_that_are_there() {
        let y = average_pool(&image()).unwrap().to_vec().unwrap();
        assert_eq!(y[..4], [3.5, 4.0, 5.0, 5.5]);
        assert_eq!((y[5], y[11]), (6.0, 9.5));
    }

    #[test]
    fn a_maximum_ignores_what_is_outside() {
        let y = max_pool(&image(), 1).unwrap().to_vec().unwrap();
        assert_eq!(y, [6.0, 7.0, 8.0, 8.0, 10.0, 11.0, 12.0, 12.0, 10.0, 11.0, 12.0, 12.0]);
        let minus = Tensor::from_slice(&Device::cpu(), [1, 1, 1, 2], &[-3.0, -4.0]).unwrap();
        assert_eq!(max_pool(&minus, 1).unwrap().to_vec().unwrap(), [-3.0, -4.0]);
        let x: Vec<f32> = (0..2 * 5 * 5 * 2).map(|i| i as f32).collect();
        let y = max_pool(&Tensor::from_slice(&Device::cpu(), [2, 5, 5, 2], &x).unwrap(), 2).unwrap();
        assert_eq!(y.shape()[..], [2, 2, 2, 2]);
        let last = |row: f32, column: f32| 2.0 * (5.0 * row + column);
        let first: Vec<f32> = [(2.0, 2.0), (2.0, 4.0), (4.0, 2.0), (4.0, 4.0)]
            .iter()
            .flat_map(|&(r, c)| [last(r, c), last(r, c) + 1.0])
            .collect();
        assert_eq!(y.to_vec().unwrap()[..8], first);
    }
}
