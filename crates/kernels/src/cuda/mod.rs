//! The CUDA backend's runtime: device memory, launches, copies, and recorded steps.
//!
//! [`Cuda`] has the same methods over two runtimes: the NVIDIA driver, found at run time (`driver`), and with the
//! feature `cuda-host` a stand-in on the CPU that runs the same kernels from the same sources (`host`), for tests.
//! All work goes to one stream in order, so a kernel sees what was launched before it; only between the parting and meeting of
//! [`Device::aside`](crate::Device::aside) are there several such lanes (`lanes`). A launch that fails is remembered and reported by the next call that can: [`Cuda::synchronize`], [`Cuda::download`] or [`Cuda::capture`].
//! After an allocation of the pool's that failed nothing is launched any more, and each of these says why.

mod devices;
mod driver;
mod error;
mod graph;
#[cfg(feature = "cuda-host")]
mod host;
mod lanes;
mod launch;
mod memory;
mod modules;
mod precision;

pub use devices::{DeviceInfo, devices};
pub use error::{CUDA_VERSION, CudaError};
pub use graph::Graph;
#[cfg(feature = "cuda-host")]
pub use host::Order;
pub(crate) use lanes::LANES;
pub use lanes::Meeting;
pub(crate) use launch::by_value;
pub use launch::{Argument, BLOCK, Grid, Kernel};
pub use memory::Memory;
pub use precision::Precision;

use crate::Element;
use crate::view::{DeviceSlice, DeviceSliceMut};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A capture that was begun, ended also where the step panics: nothing else could be done with the stream.
struct Capture<'a> {
    cuda: &'a Cuda,
}

impl Capture<'_> {
    fn end(self) -> Result<Box<dyn graph::Replay>, CudaError> {
        let cuda = self.cuda;
        std::mem::forget(self);
        cuda.end_capture()
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        self.cuda.remember(self.cuda.end_capture().map(drop));
    }
}

/// What both runtimes do. Addresses are of device memory, and valid for the bytes named.
trait Runtime: Send + Sync {
    fn name(&self) -> &str;
    fn compute_capability(&self) -> [i32; 2];
    fn alloc(&self, bytes: usize) -> Result<u64, CudaError>;
    unsafe fn free(&self, address: u64);
    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), CudaError>;
    unsafe fn download(&self, from: u64, to: &mut [u8]) -> Result<(), CudaError>;
    unsafe fn fill_bytes(&self, address: u64, bytes: usize, byte: u8) -> Result<(), CudaError>;
    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), CudaError>;
    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[&dyn Argument]) -> Result<(), CudaError>;
    /// From here on a lane that has nothing to do may run beside the one that it parts from.
    fn part(&self, from: usize, lane: usize) -> Result<(), CudaError>;
    /// Which lane gets what comes next.
    fn set_lane(&self, lane: usize);
    /// From here on the lane that was parted from sees what the other did. The last that parted meets first.
    fn meet(&self, from: usize, lane: usize) -> Result<(), CudaError>;
    fn synchronize(&self) -> Result<(), CudaError>;
    fn free_memory(&self) -> Result<usize, CudaError>;
    fn begin_capture(&self) -> Result<(), CudaError>;
    fn end_capture(&self) -> Result<Box<dyn graph::Replay>, CudaError>;
}

struct Inner {
    runtime: Box<dyn Runtime>,
    capturing: AtomicBool,
    lanes: lanes::Lanes,
    /// The first launch that failed, until it is reported.
    failure: Mutex<Option<CudaError>>,
    /// Why nothing is launched any more.
    stopped: OnceLock<CudaError>,
    deferred: memory::Deferred,
}

/// A GPU, or the stand-in for one. Cheap to clone; clones share the stream.
#[derive(Clone)]
pub struct Cuda {
    inner: Arc<Inner>,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor] = self.compute_capability();
        write!(f, "Cuda({}, {major}.{minor})", self.name())
    }
}

impl Cuda {
    /// The GPU of this number, as [`devices`] lists them.
    pub fn open(ordinal: usize) -> Result<Self, CudaError> {
        Ok(Self::over(driver::Driver::open(ordinal)?))
    }

    /// The stand-in on the CPU, which runs blocks and threads in this order.
    #[cfg(feature = "cuda-host")]
    pub fn host(order: Order) -> Self {
        Self::over(host::Host::new(order))
    }

    fn over(runtime: impl Runtime + 'static) -> Self {
        let (capturing, lanes, failure, stopped, deferred) = Default::default();
        Self { inner: Arc::new(Inner { runtime: Box::new(runtime), capturing, lanes, failure, stopped, deferred }) }
    }

    /// The GPU's name.
    pub fn name(&self) -> &str {
        self.inner.runtime.name()
    }

    /// Its compute capability, major and minor.
    pub fn compute_capability(&self) -> [i32; 2] {
        self.inner.runtime.compute_capability()
    }

    /// Fresh memory; its contents are unspecified.
    pub fn alloc(&self, bytes: usize) -> Result<Memory, CudaError> {
        self.outside_capture(|| format!("an allocation of {bytes} bytes"))?;
        Memory::new(self, bytes)
    }

    /// Fresh memory; where there is none, nothing is launched from now on, and the next report says so.
    pub(crate) fn alloc_or_stop(&self, bytes: usize) -> Memory {
        self.alloc(bytes).unwrap_or_else(|error| {
            self.inner.stopped.get_or_init(|| error);
            Memory::none(self, bytes)
        })
    }

    /// Bytes of memory that nothing uses, another process's included.
    pub fn free_memory(&self) -> Result<usize, CudaError> {
        self.inner.runtime.free_memory()
    }

    /// Fresh memory with these elements.
    pub fn memory_of<T: Element>(&self, elements: &[T]) -> Result<Memory, CudaError> {
        let mut memory = self.alloc(size_of_val(elements))?;
        self.upload(elements, memory.slice_mut())?;
        Ok(memory)
    }

    /// Copies to the device. The lengths must be equal.
    pub fn upload<T: Element>(&self, from: &[T], to: DeviceSliceMut<T>) -> Result<(), CudaError> {
        self.outside(|| format!("an upload of {} bytes", size_of_val(from)))?;
        assert_eq!(from.len(), to.len(), "upload: lengths");
        self.running()?;
        if from.is_empty() {
            return Ok(());
        }
        // SAFETY: `to` is device memory of this length.
        unsafe { self.inner.runtime.upload(bytemuck::cast_slice(from), *to.address()) }
    }

    /// The same where a failure may be reported later.
    pub(crate) fn set<T: Element>(&self, from: &[T], to: DeviceSliceMut<T>) {
        self.remember(self.upload(from, to));
    }

    /// Waits for all work and copies from the device.
    pub fn download<T: Element>(&self, from: DeviceSlice<T>) -> Result<Vec<T>, CudaError> {
        let mut to = vec![T::default(); from.len()];
        self.download_into(from, &mut to)?;
        Ok(to)
    }

    /// Waits for all work and copies from the device. The lengths must be equal.
    pub fn download_into<T: Element>(&self, from: DeviceSlice<T>, to: &mut [T]) -> Result<(), CudaError> {
        self.outside(|| format!("a read-back of {} bytes", size_of_val(to)))?;
        assert_eq!(from.len(), to.len(), "download: lengths");
        self.report()?;
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: `from` is device memory of this length.
        unsafe { self.inner.runtime.download(*from.address(), bytemuck::cast_slice_mut(to)) }
    }

    /// Sets every byte to 0; may be captured.
    pub fn fill_zero<T: Element>(&self, x: DeviceSliceMut<T>) {
        self.fill_bytes(x, 0);
    }

    /// Sets every byte; may be captured.
    pub(crate) fn fill_bytes<T: Element>(&self, x: DeviceSliceMut<T>, byte: u8) {
        if !x.is_empty() && self.running().is_ok() {
            let bytes = x.len() * size_of::<T>();
            // SAFETY: `x` is device memory of this length.
            self.remember(unsafe { self.inner.runtime.fill_bytes(*x.address(), bytes, byte) });
        }
    }

    /// Copies within the device; may be captured. The lengths must be equal.
    pub fn copy<T: Element>(&self, from: DeviceSlice<T>, to: DeviceSliceMut<T>) {
        assert_eq!(from.len(), to.len(), "copy: lengths");
        if !from.is_empty() && self.running().is_ok() {
            // SAFETY: both are device memory of this length, and `to` is borrowed exclusively.
            self.remember(unsafe {
                self.inner.runtime.copy(*from.address(), *to.address(), from.len() * size_of::<T>())
            });
        }
    }

    /// Launches a kernel; a grid without blocks is nothing to do.
    ///
    /// # Safety
    /// The arguments are those of the kernel, in order and type, and it touches what they point to within the
    /// lengths that its other arguments state, writing through [`DeviceSliceMut`] only.
    pub unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[&dyn Argument]) {
        if !grid.blocks.contains(&0) && self.running().is_ok() {
            // SAFETY: the caller's.
            self.remember(unsafe { self.inner.runtime.launch(kernel, grid, arguments) });
        }
    }

    /// Waits for all work; the first launch that failed since the last report is the error.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.outside(|| "waiting".into())?;
        self.report()?;
        self.inner.runtime.synchronize()
    }

    /// Waits for all work, unless a step is being recorded; a failure stays to be reported.
    pub(crate) fn wait(&self) {
        if !self.inner.capturing.load(Ordering::Relaxed) && !self.parted() {
            self.remember(self.inner.runtime.synchronize());
        }
    }

    /// Records what `step` launches without running it. What it records must have run once before, so that every
    /// kernel is loaded; an allocation, an upload or a read-back inside is an error.
    pub fn capture(&self, step: impl FnOnce()) -> Result<Graph, CudaError> {
        self.outside(|| "a second capture".into())?;
        self.report()?;
        self.inner.runtime.begin_capture()?;
        // From here on, so that what the step itself drops stays allocated too.
        let mut graph = Graph::new(self);
        self.inner.capturing.store(true, Ordering::Relaxed);
        let capture = Capture { cuda: self };
        step();
        let recorded = capture.end();
        self.report()?;
        graph.set(recorded?);
        Ok(graph)
    }

    fn end_capture(&self) -> Result<Box<dyn graph::Replay>, CudaError> {
        self.inner.capturing.store(false, Ordering::Relaxed);
        self.inner.runtime.end_capture()
    }

    /// One user of memory less: frees what only waited for it.
    fn free_deferred(&self) {
        for address in self.inner.deferred.end() {
            // SAFETY: it came from `alloc`, and its owner and the last that could touch it are gone.
            unsafe { self.inner.runtime.free(address) };
        }
    }

    /// An error while a step is recorded or lanes are parted.
    fn outside(&self, what: impl FnOnce() -> String) -> Result<(), CudaError> {
        if !self.parted() {
            return self.outside_capture(what);
        }
        let error = CudaError::InLanes { what: what() };
        self.remember(Err(error.clone()));
        Err(error)
    }

    fn outside_capture(&self, what: impl FnOnce() -> String) -> Result<(), CudaError> {
        if !self.inner.capturing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let error = CudaError::InCapture { what: what() };
        self.remember(Err(error.clone()));
        Err(error)
    }

    /// Remembers why something is not launched, as a launch that failed.
    pub(crate) fn refuse(&self, error: CudaError) {
        self.remember(Err(error));
    }

    fn remember(&self, result: Result<(), CudaError>) {
        if let Err(error) = result {
            self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// An error where nothing is launched any more.
    fn running(&self) -> Result<(), CudaError> {
        self.inner.stopped.get().cloned().map_or(Ok(()), Err)
    }

    fn report(&self) -> Result<(), CudaError> {
        self.running()?;
        self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
