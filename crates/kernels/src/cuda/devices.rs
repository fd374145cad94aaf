//! What there is: the driver's library and its functions, and the GPUs that it lists.
//!
//! cudarc panics where the library or a function of it is missing, so both are probed before anything is called.

use super::{CUDA_VERSION, CudaError};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys;
use std::ffi::c_void;

/// Every function of the driver that is called here and in `driver`, by the names that cudarc loads.
const FUNCTIONS: [&str; 39] = [
    "cuCtxGetCurrent",
    "cuCtxGetStreamPriorityRange",
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDeviceTotalMem_v2",
    "cuDriverGetVersion",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuFuncSetAttribute",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuStreamBeginCapture_v2",
    "cuStreamCreateWithPriority",
    "cuStreamDestroy_v2",
    "cuStreamEndCapture",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
];

/// A GPU as the driver lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number, as `cuda:N` takes it.
    pub ordinal: usize,
    /// Its name.
    pub name: String,
    /// Bytes of memory.
    pub memory: usize,
    /// Compute capability, major and minor.
    pub compute_capability: [i32; 2],
    /// The driver's CUDA version, 12040 for 12.4.
    pub driver: i32,
}

/// Every GPU that the driver lists; an error says why there is none.
pub fn devices() -> Result<Vec<DeviceInfo>, CudaError> {
    let (driver, count) = probe()?;
    (0..count).map(|ordinal| device(driver, ordinal).map(|(_, info)| info)).collect()
}

/// The driver's version and how many devices it has.
pub(super) fn probe() -> Result<(i32, usize), CudaError> {
    // SAFETY: loading the driver's library runs its own initialisers alone.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoDriver { looked_for: "libcuda.so.1" });
    }
    // SAFETY: the library is present; a symbol is looked up, not called.
    let lacks = |name: &&&str| unsafe { sys::culib().get::<*const c_void>(name.as_bytes()) }.is_err();
    if let Some(missing) = FUNCTIONS.iter().find(lacks) {
        return Err(CudaError::OldDriver { found: format!("it has no {missing}") });
    }
    let mut version = 0;
    // SAFETY: the function exists and writes one int.
    call("cuDriverGetVersion", unsafe { sys::cuDriverGetVersion(&raw mut version) }.result())?;
    if version < CUDA_VERSION {
        return Err(CudaError::OldDriver { found: format!("CUDA {}.{}", version / 1000, version % 1000 / 10) });
    }
    let none = Err(CudaError::NoDevice { driver: version });
    match result::init() {
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => return none,
        other => call("cuInit", other)?,
    }
    match call("cuDeviceGetCount", result::device::get_count())? {
        0 => none,
        count => Ok((version, count as usize)),
    }
}

/// The device of this number, and what the driver says of it.
pub(super) fn device(driver: i32, ordinal: usize) -> Result<(sys::CUdevice, DeviceInfo), CudaError> {
    let device = call("cuDeviceGet", result::device::get(ordinal as i32))?;
    let name = call("cuDeviceGetName", result::device::get_name(device))?;
    // SAFETY: `device` is one that the driver gave.
    let memory = call("cuDeviceTotalMem", unsafe { result::device::total_mem(device) })?;
    let attribute = |which| {
        // SAFETY: as above.
        call("cuDeviceGetAttribute", unsafe { result::device::get_attribute(device, which) })
    };
    let compute_capability = [
        attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    ];
    Ok((device, DeviceInfo { ordinal, name, memory, compute_capability, driver }))
}

/// The outcome of the driver's call of this name.
pub(super) fn call<T>(name: &str, result: Result<T, DriverError>) -> Result<T, CudaError> {
    result.map_err(|error| CudaError::Call { call: name.into(), reason: format!("{:?}", error.0) })
}
