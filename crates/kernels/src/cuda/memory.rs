//! Device memory: freed on drop, but never while a recorded step or a lane may still touch it.

use super::{Cuda, CudaError};
use crate::Element;
use crate::view::{DeviceSlice, DeviceSliceMut};
use std::sync::{Mutex, PoisonError};

/// Memory that was dropped while recorded steps exist or lanes are parted: it is freed when the last of them goes.
#[derive(Default)]
pub(super) struct Deferred {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Recorded steps and parted lanes.
    users: usize,
    dropped: Vec<u64>,
}

impl Deferred {
    /// A recorded step came into being, or lanes parted.
    pub(super) fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).users += 1;
    }

    /// A recorded step went, or lanes met; returns what may be freed now.
    pub(super) fn end(&self) -> Vec<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.users -= 1;
        if state.users == 0 { std::mem::take(&mut state.dropped) } else { Vec::new() }
    }

    /// Whether `address` may be freed now; else it is kept.
    fn may_free(&self, address: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.users > 0 {
            state.dropped.push(address);
        }
        state.users == 0
    }
}

/// An allocation on a device, 256-byte aligned.
pub struct Memory {
    address: u64,
    bytes: usize,
    cuda: Cuda,
}

impl Memory {
    pub(super) fn new(cuda: &Cuda, bytes: usize) -> Result<Self, CudaError> {
        // An allocation of nothing is an error to the driver.
        let address = cuda.inner.runtime.alloc(bytes.max(1))?;
        Ok(Self { address, bytes, cuda: cuda.clone() })
    }

    /// What stands for an allocation that failed, on a device on which nothing is launched any more.
    pub(super) fn none(cuda: &Cuda, bytes: usize) -> Self {
        Self { address: 0, bytes, cuda: cuda.clone() }
    }

    /// Every byte 0xFF: NaN in floating-point numbers. May be captured.
    pub(crate) fn poison(&mut self) {
        let cuda = self.cuda.clone();
        cuda.fill_bytes(self.slice_mut::<u8>(), 0xFF);
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// As many elements as fit.
    pub fn slice<T: Element>(&self) -> DeviceSlice<'_, T> {
        // SAFETY: they lie within the allocation, which lives as long as the borrow.
        unsafe { DeviceSlice::new(self.address, self.bytes / size_of::<T>()) }
    }

    /// As many elements as fit, to write.
    pub fn slice_mut<T: Element>(&mut self) -> DeviceSliceMut<'_, T> {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { DeviceSliceMut::new(self.address, self.bytes / size_of::<T>()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.address != 0 && self.cuda.inner.deferred.may_free(self.address) {
            // SAFETY: it came from `alloc`, and nothing refers to it.
            unsafe { self.cuda.inner.runtime.free(self.address) };
        }
    }
}
