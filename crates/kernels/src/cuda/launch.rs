//! A launch: which kernel, how many threads, and its arguments as `cuLaunchKernel` takes them.

use super::CudaError;
use crate::view::{DeviceSlice, DeviceSliceMut};
use crate::{Element, Store};
use std::ffi::c_void;

/// A kernel: `extern "C" __global__ void <name>` of `kernels-cu/<module>.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The source's name.
    pub module: &'static str,
    /// The function's name.
    pub name: &'static str,
}

impl Kernel {
    /// What is said where a recorded step asks for a kernel that is not loaded.
    pub(super) fn first_use(self) -> CudaError {
        CudaError::InCapture { what: format!("the first use of {}", self.name) }
    }
}

/// Threads of a block of the elementwise kernels, `BLOCK` of `common.cuh`.
pub const BLOCK: u32 = 256;

/// How many blocks of how many threads, and the shared memory that each is given beyond what the kernel declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks in x, y, z.
    pub blocks: [u32; 3],
    /// Threads of a block in x, y, z.
    pub threads: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: u32,
}

impl Grid {
    /// `blocks` blocks of `threads`.
    pub fn linear(blocks: usize, threads: u32) -> Self {
        let blocks = u32::try_from(blocks).ok().filter(|&n| n <= i32::MAX as u32).expect("a grid that a GPU takes");
        Self { blocks: [blocks, 1, 1], threads: [threads, 1, 1], shared: 0 }
    }

    /// A thread for each four of `n` elements: what `map1` and `map2` of `common.cuh` count on. The size depends on
    /// the shape alone, never on the device, so that the bits do too.
    pub fn elementwise(n: usize) -> Self {
        Self::linear(n.div_ceil(4 * BLOCK as usize), BLOCK)
    }

    /// A warp for each row, eight rows a block.
    pub fn warp_per_row(rows: usize) -> Self {
        Self::linear(rows.div_ceil(BLOCK as usize / 32), BLOCK)
    }
}

/// A kernel's argument: a number, the address of device memory, or a `repr(C)` struct of numbers by value.
///
/// # Safety
/// `pointer` points to `size` initialised bytes laid out as the kernel's parameter is.
pub unsafe trait Argument {
    /// Where the value is.
    fn pointer(&self) -> *const c_void;
    /// Its size in bytes.
    fn size(&self) -> usize;
}

/// Implements [`Argument`] for plain values: numbers, and `repr(C)` structs without padding.
macro_rules! by_value {
    ($($t:ty),*) => {$(
        // SAFETY: the value itself, plain data.
        unsafe impl $crate::cuda::Argument for $t {
            fn pointer(&self) -> *const std::ffi::c_void {
                std::ptr::from_ref(self).cast()
            }
            fn size(&self) -> usize {
                size_of::<Self>()
            }
        }
    )*};
}
pub(crate) use by_value;
by_value!(i32, u32, u64, f32, f64);

static ACCUMULATE: [i32; 2] = [0, 1];
static NULL: u64 = 0;

// SAFETY: an int, 0 or 1, which lives for ever.
unsafe impl Argument for Store {
    fn pointer(&self) -> *const c_void {
        std::ptr::from_ref(&ACCUMULATE[usize::from(*self == Store::Add)]).cast()
    }
    fn size(&self) -> usize {
        size_of::<i32>()
    }
}

// SAFETY: the address, 64 bits as a pointer of the device.
unsafe impl<T: Element> Argument for DeviceSlice<'_, T> {
    fn pointer(&self) -> *const c_void {
        std::ptr::from_ref(self.address()).cast()
    }
    fn size(&self) -> usize {
        size_of::<u64>()
    }
}

// SAFETY: the address, as above.
unsafe impl<T: Element> Argument for DeviceSliceMut<'_, T> {
    fn pointer(&self) -> *const c_void {
        std::ptr::from_ref(self.address()).cast()
    }
    fn size(&self) -> usize {
        size_of::<u64>()
    }
}

// SAFETY: the address, or a null pointer that lives for ever.
unsafe impl<T: Element> Argument for Option<DeviceSliceMut<'_, T>> {
    fn pointer(&self) -> *const c_void {
        self.as_ref().map_or(std::ptr::from_ref(&NULL).cast(), Argument::pointer)
    }
    fn size(&self) -> usize {
        size_of::<u64>()
    }
}

// SAFETY: as above.
unsafe impl<T: Element> Argument for Option<DeviceSlice<'_, T>> {
    fn pointer(&self) -> *const c_void {
        self.as_ref().map_or(std::ptr::from_ref(&NULL).cast(), Argument::pointer)
    }
    fn size(&self) -> usize {
        size_of::<u64>()
    }
}
