//! What kernels read and write: memory of the device under test.

use kernels::view::{View, ViewMut};
use kernels::{Device, Element, fill, pool::Buffer};

/// Elements on the device under test.
pub struct Operand<T: Element>(Buffer<T>);

impl<T: Element> Operand<T> {
    pub fn new(device: &Device, values: &[T]) -> Self {
        let mut buffer = device.buffer(values.len());
        fill::from_host(device, values, buffer.view_mut());
        Self(buffer)
    }

    pub fn len(&self) -> usize {
        self.0.size()
    }

    pub fn view(&self) -> View<'_, T> {
        self.0.view()
    }

    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        self.0.view_mut()
    }
}

impl<'a, T: Element> From<&'a Operand<T>> for View<'a, T> {
    fn from(operand: &'a Operand<T>) -> Self {
        operand.view()
    }
}

impl<'a, T: Element> From<&'a mut Operand<T>> for ViewMut<'a, T> {
    fn from(operand: &'a mut Operand<T>) -> Self {
        operand.view_mut()
    }
}
