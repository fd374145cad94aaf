//! A shape and a shared pooled buffer: always contiguous, no strides, no history.

use crate::error::check;
use crate::{Device, Element, Result, Shape};
use kernels::pool::Buffer;
use kernels::view::{View, ViewMut};
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
        kernels::fill::constant(device, value, x.view_mut());
        x
    }

    /// All elements 0.
    pub fn zeros(device: &Device, shape: impl Into<Shape>) -> Self {
        Self::full(device, shape, T::default())
    }

    /// Copies `values`.
    ///
    /// # Errors
    /// Unless they have as many elements as the shape.
    pub fn from_slice(device: &Device, shape: impl Into<Shape>, values: &[T]) -> Result<Self> {
        let shape = shape.into();
        let expected = format!("{} elements", shape.numel());
        check(values.len() == shape.numel(), "from_slice", expected, &[&[values.len()].into()])?;
        let mut x = Self::uninit(device, shape);
        x.write(values);
        Ok(x)
    }

    /// Copies as many values as there are elements in; to a GPU, where a failure is reported by the next read-back.
    ///
    /// # Panics
    /// Where they are not as many, and as [`Tensor::view_mut`].
    pub fn write(&mut self, values: &[T]) {
        let device = self.device.clone();
        kernels::fill::from_host(&device, values, self.view_mut());
    }

    /// The elements, row-major, wherever the tensor lives.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(kernels::fill::to_host(&self.device, self.view())?)
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

    /// The elements for kernels, row-major.
    pub fn view(&self) -> View<'_, T> {
        self.buffer.view().slice(self.offset..self.offset + self.numel())
    }

    /// The elements for kernels, to write.
    ///
    /// # Panics
    /// Where the memory is shared with another tensor: outputs are written before they are shared, and parameters step after
    /// every tape that reads them is gone.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        let range = self.offset..self.offset + self.numel();
        let buffer = Arc::get_mut(&mut self.buffer).expect("a tensor is written only while nothing else shares it");
        buffer.view_mut().slice(range)
    }

    /// The elements where they are at hand: not on a GPU.
    pub fn at_hand(&self) -> Option<&[T]> {
        match self.view() {
            View::Host(x) => Some(x),
            View::Device(_) => None,
        }
    }

    /// The elements, row-major; panics where they lie on a GPU, see [`Tensor::to_vec`].
    pub fn as_slice(&self) -> &[T] {
        self.view().host()
    }

    /// The elements, to write; panics as [`Tensor::as_slice`] and [`Tensor::view_mut`].
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.view_mut().host()
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// Unless it is of the same size.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        check(shape.numel() == self.numel(), "reshape", format!("{} elements", self.numel()), &[&shape])?;
        Ok(Self { shape, ..self.clone() })
    }

    /// A copy in memory of its own.
    pub fn copy(&self) -> Self {
        let mut x = Self::uninit(&self.device, self.shape);
        kernels::fill::copy(&self.device, self.view(), x.view_mut());
        x
    }

    /// Gives this tensor memory of its own if it shares any (a gradient that was given to two inputs).
    pub(crate) fn unshare(&mut self) {
        if Arc::get_mut(&mut self.buffer).is_none() {
            *self = self.copy();
        }
    }

    /// The only element of a one-element tensor.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    ///
    /// # Panics
    /// Where there are more, or none.
    pub fn item(&self) -> Result<T> {
        assert_eq!(self.numel(), 1, "item: one element expected, the shape is {:?}", self.shape);
        Ok(self.to_vec()?[0])
    }

    /// The part that begins at element `start`, sharing the memory.
    ///
    /// # Panics
    /// Where it ends beyond this tensor.
    pub fn part(&self, start: usize, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let end = start.checked_add(shape.numel());
        assert!(
            end.is_some_and(|end| end <= self.numel()),
            "part: {shape:?} from element {start} on of {:?}",
            self.shape
        );
        Self { shape, offset: self.offset + start, ..self.clone() }
    }
}

impl<'a, T: Element> From<&'a Tensor<T>> for View<'a, T> {
    fn from(x: &'a Tensor<T>) -> Self {
        x.view()
    }
}

impl<'a, T: Element> From<&'a mut Tensor<T>> for ViewMut<'a, T> {
    fn from(x: &'a mut Tensor<T>) -> Self {
        x.view_mut()
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let View::Host(x) = self.view() else { return write!(f, "Tensor{:?} on {}", self.shape, self.device) };
        let shown = &x[..self.numel().min(8)];
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
