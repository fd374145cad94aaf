//! Where tensors live and kernels run.

use crate::cuda::{Cuda, CudaError, Meeting, Precision};
use crate::pool::{Buffer, Pool};
use crate::profile::Profile;
use crate::{Element, Simd};
use std::fmt;
use std::sync::Arc;

/// A device: its memory pool, and what its kernels run on: a SIMD path of the processor, or a GPU. Cheap to clone;
/// clones share the pool and, where there is one, the profile.
#[derive(Clone)]
pub struct Device {
    simd: Simd,
    gpu: Option<Gpu>,
    pool: Arc<Pool>,
    profile: Option<Arc<Profile>>,
}

#[derive(Clone)]
struct Gpu {
    cuda: Cuda,
    precision: Precision,
    /// Whether work may run beside other work.
    lanes: bool,
}

impl Device {
    /// The CPU, with the widest SIMD path this machine has.
    pub fn cpu() -> Self {
        Self::cpu_with(Simd::detect()).expect("the detected path is available")
    }

    /// The CPU with a given SIMD path; `None` where this machine lacks it.
    pub fn cpu_with(simd: Simd) -> Option<Self> {
        Simd::available().contains(&simd).then(|| Self { simd, gpu: None, pool: Pool::new(false), profile: None })
    }

    /// A GPU, whose convolutions and matrix products multiply in this precision. Its tensors are `f32`, labels `i32`,
    /// images `u8`.
    ///
    /// Kernels do not say whether they ran: a failure, also of memory that ran out, is reported by the next
    /// [`Device::synchronize`] or read-back.
    ///
    /// # Errors
    /// [`CudaError::OldDevice`] where the GPU's tensor cores lack the precision.
    pub fn cuda(cuda: Cuda, precision: Precision) -> Result<Self, CudaError> {
        precision.check(&cuda)?;
        let pool = Pool::on(&cuda, false);
        Ok(Self { simd: Simd::detect(), gpu: Some(Gpu { cuda, precision, lanes: true }), pool, profile: None })
    }

    /// The same device with an empty pool whose buffers are handed out full of NaN, for tests.
    pub fn poisoned(&self) -> Self {
        let pool = self.gpu().map_or_else(|| Pool::new(true), |cuda| Pool::on(cuda, true));
        Self { pool, ..self.clone() }
    }

    /// The same device and pool with a profile of its own, empty, in which its kernels record their time.
    pub fn profiled(&self) -> Self {
        Self { profile: Some(Arc::default()), ..self.clone() }
    }

    /// The same device, on which nothing runs beside anything else: what [`Device::concurrently`] gets runs one after the other. The
    /// results are the same bits.
    pub fn in_turn(&self) -> Self {
        Self { gpu: self.gpu.clone().map(|gpu| Gpu { lanes: false, ..gpu }), ..self.clone() }
    }

    /// The profile, where there is one.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }

    /// The SIMD path that kernels take on the CPU.
    pub fn simd(&self) -> Simd {
        self.simd
    }

    /// The GPU, where kernels run on one.
    pub fn gpu(&self) -> Option<&Cuda> {
        self.gpu.as_ref().map(|gpu| &gpu.cuda)
    }

    /// What convolutions and matrix products multiply; `F32` on the CPU.
    pub fn precision(&self) -> Precision {
        self.gpu.as_ref().map_or(Precision::F32, |gpu| gpu.precision)
    }

    /// Waits until all that was launched has run; the first failure since the last report is the error.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.gpu().map_or(Ok(()), Cuda::synchronize)
    }

    /// The same for a clock; a failure stays to be reported.
    pub(crate) fn wait(&self) {
        if let Some(cuda) = self.gpu() {
            cuda.wait();
        }
    }

    /// Both results, of work that does not depend on each other: neither closure may write what the other uses. On a GPU
    /// what `first` launches runs beside what `second` does, also in a recorded step; elsewhere, for a profile and
    /// [in turn](Device::in_turn), one runs after the other.
    ///
    /// While they run, nothing is copied to or from the GPU, and nobody waits for it. What both read must outlive them.
    pub fn concurrently<A, B>(&self, first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
        let (first, _meeting) = self.aside(first);
        (first, second())
    }

    /// [`Device::concurrently`] with all that comes until the meeting is dropped: what `work` launches runs beside that.
    pub fn aside<A>(&self, work: impl FnOnce() -> A) -> (A, Option<Meeting>) {
        match &self.gpu {
            Some(Gpu { cuda, lanes: true, .. }) if self.profile.is_none() => {
                let (found, meeting) = cuda.aside(work);
                (found, Some(meeting))
            }
            _ => (work(), None),
        }
    }

    /// The memory pool.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A buffer from this device's pool; its contents are unspecified.
    pub fn buffer<T: Element>(&self, len: usize) -> Buffer<T> {
        Buffer::new(&self.pool, len)
    }

    /// What a kernel needs until it returns; see [`Buffer::workspace`].
    pub fn workspace<T: Element>(&self, len: usize) -> Buffer<T> {
        Buffer::workspace(&self.pool, len)
    }
}

/// As it is reported: `cpu avx2`, or `cuda`, the GPU's name and the precision.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gpu {
            None => write!(f, "cpu {}", self.simd),
            Some(Gpu { cuda, precision, .. }) => write!(f, "cuda {} {precision}", cuda.name()),
        }
    }
}
