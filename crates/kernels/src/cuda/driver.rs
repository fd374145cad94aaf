//! The NVIDIA driver, loaded at run time through cudarc: one build runs with it and without.
//!
//! Only cudarc's plain calls are used, after `devices` has found them all: one context and a stream of our own for each lane of
//! a device (the legacy stream cannot be captured), and events where lanes part and meet.

use super::devices::{DeviceInfo, call, device, probe};
use super::graph::Replay;
use super::{Argument, CudaError, Grid, Kernel, LANES, Runtime, modules};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The least compute capability of the kernels (Turing).
const CAPABILITY: [i32; 2] = [7, 5];

/// One device: its context, streams, and the modules loaded so far.
pub(super) struct Driver {
    device: sys::CUdevice,
    context: sys::CUcontext,
    streams: [sys::CUstream; LANES],
    /// Which of them work goes to.
    lane: AtomicUsize,
    /// Where one lane leaves another, and where it comes back. An event stands for what was asked of it last.
    parting: sys::CUevent,
    meeting: sys::CUevent,
    info: DeviceInfo,
    /// Whether the GPU reads the host's pageable memory where it lies (Grace), perhaps after the call that asks for it.
    reads_in_place: bool,
    loaded: Mutex<Loaded>,
    capturing: AtomicBool,
}

#[derive(Default)]
struct Loaded {
    modules: HashMap<&'static str, sys::CUmodule>,
    functions: HashMap<Kernel, Function>,
}

/// Of each lane, how many steps its priority is below the greatest. The classifier's chain on lane 0 is the longest; what runs beside a
/// lane, gradients of weights, is to fill what that leaves idle, not to hold it up.
const BELOW_THE_GREATEST: [i32; LANES] = [0, 1, i32::MAX, i32::MAX];

#[derive(Clone, Copy)]
struct Function {
    handle: sys::CUfunction,
    /// Dynamic shared memory that it was told to expect.
    shared: u32,
}

// SAFETY: the driver's handles may be used from any thread that has the context current, which `enter` sees to.
unsafe impl Send for Driver {}
// SAFETY: as above; the driver locks what its calls share.
unsafe impl Sync for Driver {}

impl Driver {
    pub(super) fn open(ordinal: usize) -> Result<Self, CudaError> {
        let (driver, count) = probe()?;
        if ordinal >= count {
            return Err(CudaError::Ordinal { ordinal, count });
        }
        let (device, info) = device(driver, ordinal)?;
        if info.compute_capability < CAPABILITY {
            let (name, found) = (info.name, info.compute_capability);
            return Err(CudaError::OldDevice { name, what: "the backend", found, needed: CAPABILITY });
        }
        let attribute = sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES;
        // SAFETY: `device` is one that the driver gave.
        let in_place = unsafe { result::device::get_attribute(device, attribute) };
        // SAFETY: as above.
        let context = call("cuDevicePrimaryCtxRetain", unsafe { result::primary_ctx::retain(device) })?;
        let mut this = Self {
            device,
            context,
            streams: [result::stream::null(); LANES],
            lane: AtomicUsize::new(0),
            parting: std::ptr::null_mut(),
            meeting: std::ptr::null_mut(),
            info,
            reads_in_place: call("cuDeviceGetAttribute", in_place)? != 0,
            loaded: Mutex::default(),
            capturing: AtomicBool::new(false),
        };
        this.enter()?;
        let (least, greatest) = call("cuCtxGetStreamPriorityRange", result::stream::get_priority_range())?;
        for (stream, below) in this.streams.iter_mut().zip(BELOW_THE_GREATEST) {
            // The smaller number is the greater priority.
            let priority = greatest.saturating_add(below).min(least);
            let kind = result::stream::StreamKind::NonBlocking;
            *stream = call("cuStreamCreateWithPriority", result::stream::create_with_priority(kind, priority))?;
        }
        for event in [&mut this.parting, &mut this.meeting] {
            *event = call("cuEventCreate", result::event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING))?;
        }
        Ok(this)
    }

    fn stream(&self) -> sys::CUstream {
        self.streams[self.lane.load(Ordering::Relaxed)]
    }

    /// Has lane `to` wait for what `from` was given so far.
    fn follow(&self, from: usize, event: sys::CUevent, to: usize) -> Result<(), CudaError> {
        self.enter()?;
        let [from, to] = [from, to].map(|lane| self.streams[lane]);
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: streams and events are ours.
        unsafe {
            call("cuEventRecord", result::event::record(event, from))?;
            call("cuStreamWaitEvent", result::stream::wait_event(to, event, flags))
        }
    }

    /// Makes the context this thread's.
    fn enter(&self) -> Result<(), CudaError> {
        // SAFETY: the context is retained while `self` lives.
        call("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.context) })
    }

    fn function(&self, kernel: Kernel, shared: u32) -> Result<sys::CUfunction, CudaError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut function = match loaded.functions.get(&kernel) {
            Some(&function) => function,
            None if self.capturing.load(Ordering::Relaxed) => {
                return Err(kernel.first_use());
            }
            None => Function { handle: loaded.find(kernel, self.info.compute_capability)?, shared: 0 },
        };
        // Needed where it has more than 48 KB with what it declares.
        if shared > function.shared {
            let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function belongs to a loaded module.
            let told = unsafe { result::function::set_function_attribute(function.handle, attribute, shared as i32) };
            call(&format!("{}: cuFuncSetAttribute", kernel.name), told)?;
            function.shared = shared;
        }
        loaded.functions.insert(kernel, function);
        Ok(function.handle)
    }
}

impl Loaded {
    fn find(&mut self, kernel: Kernel, capability: [i32; 2]) -> Result<sys::CUfunction, CudaError> {
        let module = match self.modules.get(kernel.module) {
            Some(&module) => module,
            None => {
                let ptx = modules::ptx(kernel.module, capability);
                let ptx = ptx.unwrap_or_else(|| panic!("no module {}", kernel.module));
                let ptx = CString::new(ptx).expect("PTX is text");
                // SAFETY: PTX that ends in a zero byte.
                let module = unsafe { result::module::load_data(ptx.as_ptr().cast()) };
                let module = call(&format!("{}: cuModuleLoadData", kernel.module), module)?;
                self.modules.insert(kernel.module, module);
                module
            }
        };
        let name = CString::new(kernel.name).expect("a C identifier");
        // SAFETY: the module is loaded.
        call(kernel.name, unsafe { result::module::get_function(module, name) })
    }
}

impl Runtime for Driver {
    fn name(&self) -> &str {
        &self.info.name
    }

    fn compute_capability(&self) -> [i32; 2] {
        self.info.compute_capability
    }

    fn alloc(&self, bytes: usize) -> Result<u64, CudaError> {
        self.enter()?;
        // SAFETY: plain memory, which its owner treats as unspecified.
        match unsafe { result::malloc_sync(bytes) } {
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let (free, total) = call("cuMemGetInfo", result::mem_get_info())?;
                Err(CudaError::OutOfMemory { wanted: bytes, free, total })
            }
            other => call("cuMemAlloc", other),
        }
    }

    unsafe fn free(&self, address: u64) {
        if self.enter().is_ok() {
            // A context that failed has nothing left to free.
            // SAFETY: the caller's; the driver waits for work that uses it.
            _ = unsafe { result::free_sync(address) };
        }
    }

    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: the caller's. The call returns when `from` has been staged, so read, unless there is no need to stage it.
        call("cuMemcpyHtoDAsync", unsafe { result::memcpy_htod_async(to, from, self.stream()) })?;
        if self.reads_in_place { self.synchronize() } else { Ok(()) }
    }

    unsafe fn download(&self, from: u64, to: &mut [u8]) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: the caller's, and `to` outlives the wait.
        call("cuMemcpyDtoHAsync", unsafe { result::memcpy_dtoh_async(to, from, self.stream()) })?;
        self.synchronize()
    }

    unsafe fn fill_bytes(&self, address: u64, bytes: usize, byte: u8) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: the caller's.
        call("cuMemsetD8Async", unsafe { result::memset_d8_async(address, byte, bytes, self.stream()) })
    }

    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: the caller's.
        call("cuMemcpyDtoDAsync", unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream()) })
    }

    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[&dyn Argument]) -> Result<(), CudaError> {
        self.enter()?;
        let function = self.function(kernel, grid.shared)?;
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(|argument| argument.pointer().cast_mut()).collect();
        let [blocks, threads] = [grid.blocks, grid.threads].map(|[x, y, z]| (x, y, z));
        // SAFETY: the caller's; the driver copies the arguments before it returns.
        call(kernel.name, unsafe {
            result::launch_kernel(function, blocks, threads, grid.shared, self.stream(), &mut pointers)
        })
    }

    fn part(&self, from: usize, lane: usize) -> Result<(), CudaError> {
        self.follow(from, self.parting, lane)
    }

    fn set_lane(&self, lane: usize) {
        self.lane.store(lane, Ordering::Relaxed);
    }

    fn meet(&self, from: usize, lane: usize) -> Result<(), CudaError> {
        self.follow(lane, self.meeting, from)
    }

    fn synchronize(&self) -> Result<(), CudaError> {
        self.enter()?;
        // SAFETY: the stream is ours.
        call("cuStreamSynchronize", unsafe { result::stream::synchronize(self.stream()) })
    }

    fn free_memory(&self) -> Result<usize, CudaError> {
        self.enter()?;
        Ok(call("cuMemGetInfo", result::mem_get_info())?.0)
    }

    fn begin_capture(&self) -> Result<(), CudaError> {
        self.enter()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is ours.
        call("cuStreamBeginCapture", unsafe { result::stream::begin_capture(self.stream(), mode) })?;
        self.capturing.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn end_capture(&self) -> Result<Box<dyn Replay>, CudaError> {
        self.enter()?;
        self.capturing.store(false, Ordering::Relaxed);
        // SAFETY: the stream is ours and is being captured.
        let graph = call("cuStreamEndCapture", unsafe { result::stream::end_capture(self.stream()) })?;
        // What was captured from a stream keeps its priority.
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY;
        // SAFETY: the graph was just made; the instance does not need it any more.
        let instance = unsafe {
            let instance = result::graph::instantiate(graph, flags);
            call("cuGraphDestroy", result::graph::destroy(graph))?;
            instance
        };
        let instance = call("cuGraphInstantiate", instance)?;
        Ok(Box::new(Recorded { instance, context: self.context, stream: self.stream() }))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.enter().is_err() {
            return;
        }
        // What cannot be given back any more is gone with the process.
        // SAFETY: streams, events, modules and the context are ours, and nothing that uses them is left.
        unsafe {
            for stream in self.streams.into_iter().filter(|stream| !stream.is_null()) {
                _ = result::stream::destroy(stream);
            }
            for event in [self.parting, self.meeting].into_iter().filter(|event| !event.is_null()) {
                _ = result::event::destroy(event);
            }
            for &module in self.loaded.get_mut().unwrap_or_else(PoisonError::into_inner).modules.values() {
                _ = result::module::unload(module);
            }
            _ = result::primary_ctx::release(self.device);
        }
    }
}

/// A graph ready to run; its [`Driver`] outlives it.
struct Recorded {
    instance: sys::CUgraphExec,
    context: sys::CUcontext,
    stream: sys::CUstream,
}

// SAFETY: as for `Driver`.
unsafe impl Send for Recorded {}
// SAFETY: as for `Driver`.
unsafe impl Sync for Recorded {}

impl Replay for Recorded {
    unsafe fn replay(&self) -> Result<(), CudaError> {
        // SAFETY: the caller's; context and stream live as long as the driver.
        unsafe {
            call("cuCtxSetCurrent", result::ctx::set_current(self.context))?;
            call("cuGraphLaunch", result::graph::launch(self.instance, self.stream))
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // SAFETY: the instance is ours; a failed context has nothing left to destroy.
        unsafe {
            _ = result::ctx::set_current(self.context);
            _ = result::graph::exec_destroy(self.instance);
        }
    }
}
