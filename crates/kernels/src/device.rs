//! Where tensors live and kernels run.

use crate::pool::{Buffer, Pool};
use crate::{Element, Simd};
use std::sync::Arc;

/// A device: its memory pool, and the SIMD path its kernels take. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct Device {
    simd: Simd,
    pool: Arc<Pool>,
}

impl Device {
    /// The CPU, with the widest SIMD path this machine has.
    pub fn cpu() -> Self {
        Self::cpu_with(Simd::detect()).expect("the detected path is available")
    }

    /// The CPU with a given SIMD path; `None` where this machine lacks it.
    pub fn cpu_with(simd: Simd) -> Option<Self> {
        Simd::available().contains(&simd).then(|| Self { simd, pool: Pool::new(false) })
    }

    /// The same device with an empty pool whose buffers are handed out full of NaN, for tests.
    pub fn poisoned(&self) -> Self {
        Self { simd: self.simd, pool: Pool::new(true) }
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
}
