//! What can go wrong with a GPU, and what to do about it.

use thiserror::Error;

/// The CUDA version whose features the backend uses, as `cuDriverGetVersion` writes it.
pub const CUDA_VERSION: i32 = 12040;

/// Why there is no device, or why it stopped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CudaError {
    /// There is no NVIDIA driver.
    #[error("cuda: found no NVIDIA driver (looked for {looked_for}): install driver 550 or newer, or use --device cpu")]
    NoDriver {
        /// The library's name.
        looked_for: &'static str,
    },
    /// The driver is older than the backend needs.
    #[error(
        "cuda: the NVIDIA driver is too old ({found}; CUDA 12.4 is needed): install driver 550 or newer, or use --device cpu"
    )]
    OldDriver {
        /// Its CUDA version, or the function that it lacks.
        found: String,
    },
    /// The driver sees no GPU.
    #[error(
        "cuda: the driver (CUDA {}.{}) found no GPU: see that `nvidia-smi` lists one and CUDA_VISIBLE_DEVICES does not hide it, or use --device cpu",
        driver / 1000,
        driver % 1000 / 10
    )]
    NoDevice {
        /// The driver's CUDA version, 12040 for 12.4.
        driver: i32,
    },
    /// There is no GPU of that number.
    #[error("cuda: no device {ordinal}: the driver lists {count}, numbered from 0")]
    Ordinal {
        /// The number asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The GPU lacks what the kernels need.
    #[error("cuda: {name} has compute capability {}.{}, {what} needs {}.{} or more", found[0], found[1], needed[0], needed[1])]
    OldDevice {
        /// The GPU's name.
        name: String,
        /// What needs more: "the backend", or a precision.
        what: &'static str,
        /// Its compute capability, major and minor.
        found: [i32; 2],
        /// The least that will do.
        needed: [i32; 2],
    },
    /// Device memory ran out.
    #[error("cuda: out of memory: {wanted} bytes wanted, {free} of {total} free: lower --batch or --width")]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        wanted: usize,
        /// Bytes free on the device.
        free: usize,
        /// Bytes that the device has.
        total: usize,
    },
    /// More numbers in one tensor than the kernels count.
    #[error("cuda: {what}: lower --batch or --width")]
    TooLarge {
        /// What has too many, and how many it may have.
        what: String,
    },
    /// A captured step may only launch: the recording holds no answer and no fresh memory.
    #[error("cuda: {what} inside a captured step")]
    InCapture {
        /// What was tried.
        what: String,
    },
    /// Lanes may only launch while they are parted: neither waits for the host.
    #[error("cuda: {what} while two lanes run")]
    InLanes {
        /// What was tried.
        what: String,
    },
    /// A call of the driver failed, or a kernel did.
    #[error("cuda: {call} failed: {reason}")]
    Call {
        /// The call, or the kernel.
        call: String,
        /// The driver's code, or what the stand-in found.
        reason: String,
    },
}
