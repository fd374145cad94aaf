//! A shape and a shared pooled buffer: always contiguous, no strides, no history.

use crate::error::check;
use crate::{Device, Element, Real, Result, Shape};
use kernels::pool::Buffer;
use std::fmt;
use std::sync::Arc;

/// Numbers of one type in row-major order on a device. Cloning shares the memory.
#[derive(Clone)]
pub struct Tensor<T: Element = f32> {
    shape: Shape,
    /// Where this tensor begins in `buffer`: not 0 only for the entries of flat parameters.
    offset: usize,
    buffer: Arc<Buffer<T>>,
    device: Device,
}

impl<T: Element> Tensor<T> {
    /// A tensor whose contents are unspecified: for the outputs of kernels.
    pub fn uninit(device: &Device, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        Self { shape, offset: 0, buffer: Arc::new(device.buffer(shape.numel())), device: device.clone() }
    }

    /// All elements `value`.
    pub fn full(device: &Device, shape: impl Into<Shape>, value: T) -> Self {
        let mut x = Self::uninit(device, shape);
        x.as_mut_slice().fill(value);
        x
    }

    /// All elements 0.
    pub fn zeros(device: &Device, shape: impl Into<Shape>) -> Self {
        Self::full(device, shape, T::default())
    }

    /// Copies `values`, which must have as many elements as the shape.
    pub fn from_slice(device: &Device, shape: impl Into<Shape>, values: &[T]) -> Result<Self> {
        let mut x = Self::uninit(device, shape);
        let expected = format!("{} elements", x.numel());
        check(values.len() == x.numel(), "from_slice", expected, &[&[values.len()].into()])?;
        x.as_mut_slice().copy_from_slice(values);
        Ok(x)
    }

    /// The extents.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// Where the tensor lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The elements, row-major.
    pub fn as_slice(&self) -> &[T] {
        &self.buffer[self.offset..self.offset + self.numel()]
    }

    /// The elements, to write. Panics where the memory is shared with another tensor: outputs are written
    /// before they are shared, and parameters step after every tape that reads them is gone.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let range = self.offset..self.offset + self.numel();
        let buffer = Arc::get_mut(&mut self.buffer).expect("a tensor is written only while nothing else shares it");
        &mut buffer[range]
    }

    /// The same elements under another shape of the same size.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        check(shape.numel() == self.numel(), "reshape", format!("{} elements", self.numel()), &[&shape])?;
        Ok(Self { shape, ..self.clone() })
    }

    /// A copy in memory of its own.
    pub fn copy(&self) -> Self {
        let mut x = Self::uninit(&self.device, self.shape);
        x.as_mut_slice().copy_from_slice(self.as_slice());
        x
    }

    /// Gives this tensor memory of its own if it shares any (a gradient that was given to two inputs).
    pub(crate) fn unshare(&mut self) {
        if Arc::get_mut(&mut self.buffer).is_none() {
            *self = self.copy();
        }
    }

    /// The only element of a one-element tensor.
    pub fn item(&self) -> T {
        assert_eq!(self.numel(), 1, "item: one element expected, the shape is {:?}", self.shape);
        self.as_slice()[0]
    }

    /// The part that begins at element `start`, sharing the memory.
    pub(crate) fn view(&self, start: usize, shape: Shape) -> Self {
        assert!(start + shape.numel() <= self.numel());
        Self { shape, offset: self.offset + start, ..self.clone() }
    }
}

impl<T: Real> Tensor<T> {
    /// The elements in another floating-point type, on `device`.
    pub fn cast<U: Real>(&self, device: &Device) -> Tensor<U> {
        let mut y = Tensor::uninit(device, self.shape);
        for (y, x) in y.as_mut_slice().iter_mut().zip(self.as_slice()) {
            *y = U::from_f64(x.to_f64());
        }
        y
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.as_slice()[..self.numel().min(8)];
        write!(f, "Tensor{:?} {shown:?}{}", self.shape, if self.numel() > 8 { " .." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_must_fit() {
        let device = Device::cpu();
        let x = Tensor::from_slice(&device, [2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(x.reshape([3, 2]).unwrap().as_slice(), x.as_slice());
        let message = x.reshape([4, 2]).unwrap_err().to_string();
        assert_eq!(message, "reshape: expected 6 elements, got [[4, 2]]");
        assert!(Tensor::from_slice(&device, [2], &[1.0f32]).is_err());
        assert_eq!(format!("{x:?}"), "Tensor[2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]");
    }

    #[test]
    #[should_panic(expected = "nothing else shares it")]
    fn shared_memory_is_not_written() {
        let mut x = Tensor::<f32>::zeros(&Device::cpu(), [2]);
        let _other = x.clone();
        x.as_mut_slice();
    }
}
