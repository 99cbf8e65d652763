//! The burn backends, and the one place that chooses between them.

use std::any::TypeId;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::choice::Device;
#[cfg(any(feature = "cuda", test))]
use crate::device::guarded::guarded;

/// The backend of [`Device::Cpu`].
pub(crate) type Cpu = burn_flex::Flex;

/// The backend of `Device::Cuda`, in 32-bit floats.
///
/// burn's dispatching backend is compiled in its own crate. The CUDA backend itself is generic to
/// the core: with it every change in this crate would compile its kernels again, for minutes.
#[cfg(feature = "cuda")]
type Cuda = burn_dispatch::Dispatch;

/// Work on any backend, for [`Device::run`].
pub(crate) trait BackendTask {
    /// Its result, which does not depend on the backend.
    type Output;

    /// Does the work on backend `B`.
    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Self::Output;
}

impl Device {
    /// Runs `task` on the backend of this device, with panics of a GPU turned into errors.
    ///
    /// The CUDA backend panics, in a worker thread and in the caller, where the driver or the
    /// headers of its run-time compiler are missing. A `Device::Cuda` exists only after
    /// [`super::select::select`] found all of them; catching panics is the second net.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub(crate) fn run<T: BackendTask>(self, task: T) -> Result<T::Output> {
        match self {
            Self::Cpu => Ok(task.run::<Cpu>(&Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda { index } => self.guard(|| {
                let device = burn_cuda::CudaDevice::new(index);
                task.run::<Cuda>(&burn_dispatch::DispatchDevice::Cuda(device))
            }),
            #[cfg(test)]
            Self::TestGpu => self.guard(|| task.run::<Cpu>(&Default::default())),
        }
    }

    /// Runs `work` with what [`Self::run`] made on this device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub(crate) fn guard<T>(self, work: impl FnOnce() -> T) -> Result<T> {
        match self {
            Self::Cpu => Ok(work()),
            #[cfg(any(feature = "cuda", test))]
            _ => guarded(&self.to_string(), work),
        }
    }
}

/// Whether the tensors of this backend are in main memory.
pub(crate) fn is_cpu<B: Backend>() -> bool {
    TypeId::of::<B>() == TypeId::of::<Cpu>()
}
