//! A recorded step: the launches, fills and copies that it made, replayed as one.

use super::{Cuda, CudaError};

/// What a runtime recorded.
pub(super) trait Replay: Send + Sync {
    /// # Safety
    /// The memory that the recording refers to is still allocated.
    unsafe fn replay(&self) -> Result<(), CudaError>;
}

/// A step that [`Cuda::capture`] recorded. While one exists, memory of its device that is dropped stays allocated.
pub struct Graph {
    recorded: Option<Box<dyn Replay>>,
    cuda: Cuda,
}

impl Graph {
    /// One that is still to be recorded.
    pub(super) fn new(cuda: &Cuda) -> Self {
        cuda.inner.deferred.begin();
        Self { recorded: None, cuda: cuda.clone() }
    }

    pub(super) fn set(&mut self, recorded: Box<dyn Replay>) {
        self.recorded = Some(recorded);
    }

    /// Runs the step again, with the addresses and numbers it was recorded with: what changes from one step to the
    /// next is read from device memory. What the step had in between lies in memory that the pool may have handed out again:
    /// of tensors that were made after the recording and are still there, some are overwritten.
    ///
    /// Within another recording, or while lanes are parted, it is an error.
    pub fn replay(&self) {
        let recorded = self.recorded.as_ref().expect("recorded before it is handed out");
        if self.cuda.outside(|| "a recorded step".into()).and_then(|()| self.cuda.running()).is_ok() {
            // SAFETY: memory that is dropped stays allocated while this exists.
            self.cuda.remember(unsafe { recorded.replay() });
        }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // A replay may still run; its failure has nobody left to hear of it.
        _ = self.cuda.inner.runtime.synchronize();
        self.recorded = None;
        self.cuda.free_deferred();
    }
}
