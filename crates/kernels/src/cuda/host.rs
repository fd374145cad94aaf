//! The stand-in: the kernels compiled by g++ (`kernels-cu/host`), run on the calling thread, for tests.
//!
//! It is stricter than a GPU: fresh memory is full of NaN, a write beside an allocation is found at the next wait, the
//! sizes of a launch's arguments must be those of the kernel's parameters, and a recorded step runs only when replayed. As there
//! it may hold no kernel that did not run before. What two lanes are given runs when they meet: one lane after the other, the other
//! way round, or in turns, by the order.

use super::graph::Replay;
use super::{Argument, CudaError, Grid, Kernel, Runtime};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, HashSet};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// In which order the blocks of a grid and the threads of a block run between two barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First to last.
    Ascending,
    /// Last to first.
    Descending,
    /// A fixed shuffle, turned at every barrier.
    Shuffled,
}

impl Order {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Ascending, Self::Descending, Self::Shuffled];
}

/// Untouchable bytes on either side of an allocation, and the alignment of `cuMemAlloc`.
const MARGIN: usize = 256;

/// `ecgan_host_launch` of `kernels-cu/host/fibers.cpp`.
type LaunchFn = unsafe extern "C" fn(
    *const c_char,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    c_uint,
    *mut *mut c_void,
    c_int,
    *mut c_char,
    usize,
) -> c_int;
/// `ecgan_host_parameters` of the same file.
type ParametersFn = unsafe extern "C" fn(*const c_char, *mut c_uint, c_uint) -> c_int;

struct Library {
    launch: LaunchFn,
    parameters: ParametersFn,
}

/// The kernels' library: the one that was built with the crate, or `ECGAN_HOST_KERNELS` (the race check's).
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = std::env::var_os("ECGAN_HOST_KERNELS").unwrap_or_else(|| env!("ECGAN_HOST").into());
        // SAFETY: our own library, whose initialisers do nothing but fill tables; it is never unloaded.
        unsafe {
            let library = libloading::Library::new(&path).unwrap_or_else(|error| panic!("the stand-in: {error}"));
            let library = Box::leak(Box::new(library));
            Library {
                launch: *library.get(b"ecgan_host_launch").expect("the stand-in's launch"),
                parameters: *library.get(b"ecgan_host_parameters").expect("the stand-in's parameters"),
            }
        }
    })
}

/// What a step does, recorded or at once.
enum Task {
    Launch { kernel: Kernel, grid: Grid, arguments: Vec<Vec<u64>> },
    Fill { address: u64, bytes: usize, byte: u8 },
    Copy { from: u64, to: u64, bytes: usize },
}

struct Shared {
    order: Order,
    /// The allocations: address and bytes.
    live: Mutex<BTreeMap<u64, usize>>,
    /// The kernels that have run: a driver has loaded them.
    used: Mutex<HashSet<Kernel>>,
}

/// The stand-in for a device.
pub(super) struct Host {
    shared: Arc<Shared>,
    recording: Mutex<Option<Vec<Task>>>,
    lanes: Mutex<Lanes>,
}

/// What parted lanes were given so far.
#[derive(Default)]
struct Lanes {
    current: usize,
    partings: Vec<Parting>,
}

/// What the lane that another parted from was given since, and what the other.
struct Parting {
    lane: usize,
    tasks: [Vec<Task>; 2],
}

impl Parting {
    /// All tasks in an order that two lanes could have.
    fn merged(self, order: Order) -> Vec<Task> {
        let [first, second] = self.tasks;
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        match order {
            Order::Ascending => first.chain(second).collect(),
            Order::Descending => second.chain(first).collect(),
            // One of the first, then two of the second, and so on.
            Order::Shuffled => {
                let turns = (0..).map_while(|turn| {
                    let from = if turn % 3 == 0 { [&mut first, &mut second] } else { [&mut second, &mut first] };
                    from.into_iter().find_map(Iterator::next)
                });
                turns.collect()
            }
        }
    }
}

impl Host {
    pub(super) fn new(order: Order) -> Self {
        let shared = Arc::new(Shared { order, live: Mutex::default(), used: Mutex::default() });
        Self { shared, recording: Mutex::default(), lanes: Mutex::default() }
    }

    fn recording(&self) -> MutexGuard<'_, Option<Vec<Task>>> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the task for its lane, records it, or runs it.
    unsafe fn submit(&self, task: Task) -> Result<(), CudaError> {
        let mut lanes = self.lanes();
        let current = lanes.current;
        if let Some(Parting { lane, tasks }) = lanes.partings.last_mut() {
            tasks[usize::from(current == *lane)].push(task);
            return Ok(());
        }
        drop(lanes);
        if let Some(tasks) = self.recording().as_mut() {
            if let Task::Launch { kernel, .. } = &task
                && !self.shared.used().contains(kernel)
            {
                return Err(kernel.first_use());
            }
            tasks.push(task);
            return Ok(());
        }
        // SAFETY: the caller's.
        unsafe { self.shared.run(&task) }
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, HashSet<Kernel>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    unsafe fn run(&self, task: &Task) -> Result<(), CudaError> {
        match task {
            // SAFETY: the caller's: device memory of this length.
            Task::Fill { address, bytes, byte } => unsafe {
                std::ptr::write_bytes(*address as *mut u8, *byte, *bytes);
            },
            // SAFETY: the caller's.
            Task::Copy { from, to, bytes } => unsafe {
                std::ptr::copy_nonoverlapping(*from as *const u8, *to as *mut u8, *bytes);
            },
            // SAFETY: the caller's.
            Task::Launch { kernel, grid, arguments } => unsafe { self.launch(*kernel, *grid, arguments)? },
        }
        Ok(())
    }

    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[Vec<u64>]) -> Result<(), CudaError> {
        let name = CString::new(kernel.name).expect("a C identifier");
        let mut pointers: Vec<*mut c_void> =
            arguments.iter().map(|argument| argument.as_ptr().cast_mut().cast()).collect();
        let ([gx, gy, gz], [bx, by, bz]) = (grid.blocks, grid.threads);
        let mut error = [0; 320];
        // SAFETY: the caller's; the sizes were compared when the task was made.
        let failed = unsafe {
            (library().launch)(
                name.as_ptr(),
                gx,
                gy,
                gz,
                bx,
                by,
                bz,
                grid.shared,
                pointers.as_mut_ptr(),
                self.order as c_int,
                error.as_mut_ptr(),
                error.len(),
            )
        };
        if failed == 0 {
            self.used().insert(kernel);
            return Ok(());
        }
        // SAFETY: the library wrote a terminated text.
        let reason = unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned();
        Err(CudaError::Call { call: kernel.name.into(), reason })
    }

    /// Finds writes beside an allocation.
    fn check_margins(&self) -> Result<(), CudaError> {
        for (&address, &bytes) in &*self.live() {
            for margin in [address - MARGIN as u64, address + bytes as u64] {
                // SAFETY: the margins belong to the allocation.
                let margin = unsafe { std::slice::from_raw_parts(margin as *const u8, MARGIN) };
                if margin.iter().any(|&byte| byte != 0xFF) {
                    let reason = format!("a kernel wrote beside an allocation of {bytes} bytes");
                    return Err(CudaError::Call { call: "the stand-in".into(), reason });
                }
            }
        }
        Ok(())
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes + 2 * MARGIN, MARGIN).expect("less than the address space")
}

/// The arguments' bytes, each in words of its own; their sizes must be those of the kernel's parameters.
fn copied(kernel: Kernel, arguments: &[&dyn Argument]) -> Vec<Vec<u64>> {
    let name = CString::new(kernel.name).expect("a C identifier");
    let mut sizes = [0; 64];
    // SAFETY: the capacity is the array's.
    let count = unsafe { (library().parameters)(name.as_ptr(), sizes.as_mut_ptr(), sizes.len() as c_uint) };
    assert!(count >= 0, "no kernel {} in {}.cu", kernel.name, kernel.module);
    let given: Vec<c_uint> = arguments.iter().map(|argument| argument.size() as c_uint).collect();
    assert_eq!(given, sizes[..count as usize], "{}: sizes of the arguments, and of the parameters", kernel.name);
    let copy = |argument: &&dyn Argument| {
        let mut words = vec![0u64; argument.size().div_ceil(8)];
        // SAFETY: an argument points to as many bytes as it says.
        unsafe { std::ptr::copy_nonoverlapping(argument.pointer(), words.as_mut_ptr().cast(), argument.size()) };
        words
    };
    arguments.iter().map(copy).collect()
}

impl Runtime for Host {
    fn name(&self) -> &str {
        "CPU stand-in"
    }

    fn compute_capability(&self) -> [i32; 2] {
        [9, 0]
    }

    fn alloc(&self, bytes: usize) -> Result<u64, CudaError> {
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout(bytes)) };
        if start.is_null() {
            return Err(CudaError::OutOfMemory { wanted: bytes, free: 0, total: 0 });
        }
        // SAFETY: the allocation is this long.
        unsafe { std::ptr::write_bytes(start, 0xFF, bytes + 2 * MARGIN) };
        let address = start as u64 + MARGIN as u64;
        self.shared.live().insert(address, bytes);
        Ok(address)
    }

    unsafe fn free(&self, address: u64) {
        if let Some(bytes) = self.shared.live().remove(&address) {
            // SAFETY: `alloc` made it with this layout. NaN is what a kernel finds that still reads it.
            unsafe {
                std::ptr::write_bytes(address as *mut u8, 0xFF, bytes);
                dealloc((address as usize - MARGIN) as *mut u8, layout(bytes));
            }
        }
    }

    unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), CudaError> {
        // SAFETY: the caller's.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn download(&self, from: u64, to: &mut [u8]) -> Result<(), CudaError> {
        self.synchronize()?;
        // SAFETY: the caller's.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn fill_bytes(&self, address: u64, bytes: usize, byte: u8) -> Result<(), CudaError> {
        // SAFETY: the caller's.
        unsafe { self.submit(Task::Fill { address, bytes, byte }) }
    }

    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), CudaError> {
        // SAFETY: the caller's.
        unsafe { self.submit(Task::Copy { from, to, bytes }) }
    }

    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[&dyn Argument]) -> Result<(), CudaError> {
        let arguments = copied(kernel, arguments);
        // SAFETY: the caller's.
        unsafe { self.submit(Task::Launch { kernel, grid, arguments }) }
    }

    fn part(&self, _: usize, lane: usize) -> Result<(), CudaError> {
        self.lanes().partings.push(Parting { lane, tasks: Default::default() });
        Ok(())
    }

    fn set_lane(&self, lane: usize) {
        self.lanes().current = lane;
    }

    fn meet(&self, _: usize, _: usize) -> Result<(), CudaError> {
        let parting = self.lanes().partings.pop().expect("lanes parted before they meet");
        let tasks = parting.merged(self.shared.order);
        // SAFETY: as when they were submitted: what they refer to was not freed, as memory is kept until lanes meet.
        tasks.into_iter().try_for_each(|task| unsafe { self.submit(task) })
    }

    fn synchronize(&self) -> Result<(), CudaError> {
        self.shared.check_margins()
    }

    fn free_memory(&self) -> Result<usize, CudaError> {
        Ok(usize::MAX)
    }

    fn begin_capture(&self) -> Result<(), CudaError> {
        *self.recording() = Some(Vec::new());
        Ok(())
    }

    fn end_capture(&self) -> Result<Box<dyn Replay>, CudaError> {
        let tasks = self.recording().take().expect("a capture was begun");
        Ok(Box::new(Recorded { tasks, shared: Arc::clone(&self.shared) }))
    }
}

struct Recorded {
    tasks: Vec<Task>,
    shared: Arc<Shared>,
}

impl Replay for Recorded {
    unsafe fn replay(&self) -> Result<(), CudaError> {
        // SAFETY: the caller's.
        self.tasks.iter().try_for_each(|task| unsafe { self.shared.run(task) })
    }
}
