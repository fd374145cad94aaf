//! Where tensors live and kernels run.

use crate::pool::{Buffer, Pool};
use crate::profile::Profile;
use crate::{Element, Simd};
use std::sync::Arc;

/// A device: its memory pool, and the SIMD path its kernels take. Cheap to clone; clones share the pool
/// and, where there is one, the profile.
#[derive(Clone)]
pub struct Device {
    simd: Simd,
    pool: Arc<Pool>,
    profile: Option<Arc<Profile>>,
}

impl Device {
    /// The CPU, with the widest SIMD path this machine has.
    pub fn cpu() -> Self {
        Self::cpu_with(Simd::detect()).expect("the detected path is available")
    }

    /// The CPU with a given SIMD path; `None` where this machine lacks it.
    pub fn cpu_with(simd: Simd) -> Option<Self> {
        Simd::available().contains(&simd).then(|| Self { simd, pool: Pool::new(false), profile: None })
    }

    /// The same device with an empty pool whose buffers are handed out full of NaN, for tests.
    pub fn poisoned(&self) -> Self {
        Self { pool: Pool::new(true), ..self.clone() }
    }

    /// The same device and pool with a profile of its own, empty, in which its kernels record their time.
    pub fn profiled(&self) -> Self {
        Self { profile: Some(Arc::default()), ..self.clone() }
    }

    /// The profile, where there is one.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }

    /// The SIMD path.
    pub fn simd(&self) -> Simd {
        self.simd
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
