//! Views of memory on either side: `&[T]` on the CPU, an address and a length on a GPU.
//!
//! A kernel takes views and matches on its device once; neither side's memory is ever read as the other's.

use crate::Element;
use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

/// Elements that lie in a GPU's memory, shared for `'a`.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSlice<'a, T> {
    address: u64,
    len: usize,
    memory: PhantomData<&'a [T]>,
}

/// Elements that lie in a GPU's memory, exclusively borrowed for `'a`.
#[derive(Debug)]
pub struct DeviceSliceMut<'a, T> {
    address: u64,
    len: usize,
    memory: PhantomData<&'a mut [T]>,
}

impl<'a, T: Element> DeviceSlice<'a, T> {
    /// # Safety
    /// `len` elements lie at `address` of the device whose kernels will get them, and nothing writes them during `'a`
    /// but what was launched before on the device's stream.
    pub unsafe fn new(address: u64, len: usize) -> Self {
        Self { address, len, memory: PhantomData }
    }

    /// Where they lie on the device.
    pub fn address(&self) -> &u64 {
        &self.address
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of them; panics where the range leaves them.
    pub fn slice(self, range: impl RangeBounds<usize>) -> Self {
        let (start, len) = part(range, self.len);
        Self { address: self.address + (start * size_of::<T>()) as u64, len, memory: PhantomData }
    }
}

impl<'a, T: Element> DeviceSliceMut<'a, T> {
    /// # Safety
    /// `len` elements lie at `address` of the device whose kernels will get them, and nothing else touches them during
    /// `'a` but what was launched before on the device's stream.
    pub unsafe fn new(address: u64, len: usize) -> Self {
        Self { address, len, memory: PhantomData }
    }

    /// Where they lie on the device.
    pub fn address(&self) -> &u64 {
        &self.address
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of them; panics where the range leaves them.
    pub fn slice(self, range: impl RangeBounds<usize>) -> Self {
        let (start, len) = part(range, self.len);
        Self { address: self.address + (start * size_of::<T>()) as u64, len, memory: PhantomData }
    }

    /// The same elements for a shorter time.
    pub fn reborrow(&mut self) -> DeviceSliceMut<'_, T> {
        DeviceSliceMut { address: self.address, len: self.len, memory: PhantomData }
    }

    /// The same elements, shared.
    pub fn shared(&self) -> DeviceSlice<'_, T> {
        DeviceSlice { address: self.address, len: self.len, memory: PhantomData }
    }
}

/// The start and length of a range of `len` elements.
fn part(range: impl RangeBounds<usize>, len: usize) -> (usize, usize) {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last + 1,
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    assert!(start <= end && end <= len, "view: elements {start}..{end} of {len}");
    (start, end - start)
}

fn only_f32<T: Element>() {
    let f32 = TypeId::of::<T>() == TypeId::of::<f32>();
    assert!(f32, "CUDA kernels compute in f32, got {}", std::any::type_name::<T>());
}

/// Elements to read, on the host or on a device.
#[derive(Clone, Copy, Debug)]
pub enum View<'a, T> {
    /// On the host.
    Host(&'a [T]),
    /// On a device.
    Device(DeviceSlice<'a, T>),
}

/// Elements to write, on the host or on a device.
#[derive(Debug)]
pub enum ViewMut<'a, T> {
    /// On the host.
    Host(&'a mut [T]),
    /// On a device.
    Device(DeviceSliceMut<'a, T>),
}

impl<'a, T: Element> View<'a, T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Host(x) => x.len(),
            Self::Device(x) => x.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements on the host; panics where they lie on a device.
    pub fn host(self) -> &'a [T] {
        match self {
            Self::Host(x) => x,
            Self::Device(_) => panic!("a CPU kernel got device memory"),
        }
    }

    /// The elements on a device; panics where they lie on the host.
    pub fn device(self) -> DeviceSlice<'a, T> {
        match self {
            Self::Host(_) => panic!("a CUDA kernel got host memory"),
            Self::Device(x) => x,
        }
    }

    /// The elements on a GPU, whose kernels compute in `f32`; panics where they are of another type or lie on the host.
    pub fn on_gpu(self) -> DeviceSlice<'a, f32> {
        only_f32::<T>();
        let DeviceSlice { address, len, .. } = self.device();
        DeviceSlice { address, len, memory: PhantomData }
    }

    /// Their size.
    pub fn bytes(&self) -> usize {
        self.len() * size_of::<T>()
    }

    /// A part of them; panics where the range leaves them.
    pub fn slice(self, range: impl RangeBounds<usize>) -> Self {
        match self {
            Self::Host(x) => {
                let (start, len) = part(range, x.len());
                Self::Host(&x[start..start + len])
            }
            Self::Device(x) => Self::Device(x.slice(range)),
        }
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Host(x) => x.len(),
            Self::Device(x) => x.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements on the host; panics where they lie on a device.
    pub fn host(self) -> &'a mut [T] {
        match self {
            Self::Host(x) => x,
            Self::Device(_) => panic!("a CPU kernel got device memory"),
        }
    }

    /// The elements on a device; panics where they lie on the host.
    pub fn device(self) -> DeviceSliceMut<'a, T> {
        match self {
            Self::Host(_) => panic!("a CUDA kernel got host memory"),
            Self::Device(x) => x,
        }
    }

    /// The elements on a GPU; see [`View::on_gpu`].
    pub fn on_gpu(self) -> DeviceSliceMut<'a, f32> {
        only_f32::<T>();
        let DeviceSliceMut { address, len, .. } = self.device();
        DeviceSliceMut { address, len, memory: PhantomData }
    }

    /// Their size.
    pub fn bytes(&self) -> usize {
        self.len() * size_of::<T>()
    }

    /// A part of them; panics where the range leaves them.
    pub fn slice(self, range: impl RangeBounds<usize>) -> Self {
        match self {
            Self::Host(x) => {
                let (start, len) = part(range, x.len());
                Self::Host(&mut x[start..start + len])
            }
            Self::Device(x) => Self::Device(x.slice(range)),
        }
    }

    /// Those before `middle`, and the others; panics where there are fewer.
    pub fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            Self::Host(x) => {
                let (low, high) = x.split_at_mut(middle);
                (Self::Host(low), Self::Host(high))
            }
            Self::Device(x) => {
                let (address, len) = (x.address, x.len);
                let high = DeviceSliceMut { address, len, memory: PhantomData }.slice(middle..);
                (Self::Device(x.slice(..middle)), Self::Device(high))
            }
        }
    }

    /// The same elements for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        match self {
            Self::Host(x) => ViewMut::Host(x),
            Self::Device(x) => ViewMut::Device(x.reborrow()),
        }
    }

    /// The same elements, shared.
    pub fn shared(&self) -> View<'_, T> {
        match self {
            Self::Host(x) => View::Host(x),
            Self::Device(x) => View::Device(x.shared()),
        }
    }
}

impl<'a, T> From<&'a [T]> for View<'a, T> {
    fn from(x: &'a [T]) -> Self {
        Self::Host(x)
    }
}

impl<'a, T> From<&'a Vec<T>> for View<'a, T> {
    fn from(x: &'a Vec<T>) -> Self {
        Self::Host(x)
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for View<'a, T> {
    fn from(x: &'a [T; N]) -> Self {
        Self::Host(x)
    }
}

impl<'a, T> From<DeviceSlice<'a, T>> for View<'a, T> {
    fn from(x: DeviceSlice<'a, T>) -> Self {
        Self::Device(x)
    }
}

impl<'a, T> From<&'a mut [T]> for ViewMut<'a, T> {
    fn from(x: &'a mut [T]) -> Self {
        Self::Host(x)
    }
}

impl<'a, T> From<&'a mut Vec<T>> for ViewMut<'a, T> {
    fn from(x: &'a mut Vec<T>) -> Self {
        Self::Host(x)
    }
}

impl<'a, T, const N: usize> From<&'a mut [T; N]> for ViewMut<'a, T> {
    fn from(x: &'a mut [T; N]) -> Self {
        Self::Host(x)
    }
}

impl<'a, T> From<DeviceSliceMut<'a, T>> for ViewMut<'a, T> {
    fn from(x: DeviceSliceMut<'a, T>) -> Self {
        Self::Device(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_both_sides_are_the_same_elements() {
        let mut x = [1.0f32, 2.0, 3.0, 4.0];
        assert_eq!(View::from(&x).slice(1..3).host(), [2.0, 3.0]);
        assert_eq!(View::from(&x[..]).slice(..=1).slice(1..).host(), [2.0]);
        let mut view = ViewMut::from(&mut x);
        view.reborrow().slice(2..).host()[0] = 7.0;
        assert_eq!((view.len(), view.shared().host()[2]), (4, 7.0));
        // SAFETY: nothing reads it.
        let device = unsafe { DeviceSlice::<'_, f32>::new(4096, 10) };
        let part = View::from(device).slice(3..8).slice(2..).device();
        assert_eq!((*part.address(), part.len()), (4096 + 5 * 4, 3));
    }

    #[test]
    #[should_panic(expected = "view: elements 2..5 of 4")]
    fn a_part_stays_inside() {
        View::from(&[0i32; 4]).slice(2..5);
    }

    #[test]
    #[should_panic(expected = "a CUDA kernel got host memory")]
    fn host_memory_is_no_device_memory() {
        View::from(&[0u8; 4]).device();
    }
}
