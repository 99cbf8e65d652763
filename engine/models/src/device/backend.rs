//! The burn backends, and the one place that chooses between them.

use std::any::TypeId;

use burn_tensor::DType;
use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

#[cfg(feature = "gpu")]
use crate::device::adapters;
use crate::device::choice::Device;
#[cfg(any(feature = "cuda", feature = "gpu", test))]
use crate::device::guarded::guarded;

/// The backend of [`Device::Cpu`].
pub(crate) type Cpu = burn_flex::Flex;

/// The backend of all GPUs, in 32-bit floats.
///
/// burn's dispatching backend is compiled in its own crate. The backends themselves are generic to
/// the core: with them every change in this crate would compile their kernels again, for minutes.
#[cfg(any(feature = "cuda", feature = "gpu"))]
pub(crate) type Gpu = burn_dispatch::Dispatch;

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
    /// The GPU backends panic, in a worker thread and in the caller, where a driver, or what CUDA's
    /// run-time compiler needs, is missing or fails. A GPU's `Device` exists only after
    /// [`super::select::select`] found all of them; catching panics is the second net.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub(crate) fn run<T: BackendTask>(self, task: T) -> Result<T::Output> {
        match self {
            Self::Cpu => Ok(task.run::<Cpu>(&Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda { index } => self.guard(|| {
                super::settings::set();
                let device = burn_cuda::CudaDevice::new(index);
                task.run::<Gpu>(&burn_dispatch::DispatchDevice::Cuda(device))
            }),
            #[cfg(feature = "gpu")]
            Self::Gpu { opening, .. } => {
                let device = adapters::device(opening);
                self.guard(|| task.run::<Gpu>(&burn_dispatch::DispatchDevice::Wgpu(device)))
            }
            #[cfg(test)]
            Self::TestGpu => self.guard(|| task.run::<Cpu>(&Default::default())),
        }
    }

    /// The device of [`Gpu`], for tests of the networks.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn dispatch(self) -> burn_dispatch::DispatchDevice {
        match self {
            Self::Gpu { opening, .. } => {
                burn_dispatch::DispatchDevice::Wgpu(adapters::device(opening))
            }
            #[cfg(feature = "cuda")]
            Self::Cuda { index } => {
                burn_dispatch::DispatchDevice::Cuda(burn_cuda::CudaDevice::new(index))
            }
            other => panic!("{other} is no GPU"),
        }
    }

    /// Runs `work` with what [`Self::run`] made on this device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails. A lost GPU need not panic: its results
    /// may be zeros.
    pub(crate) fn guard<T>(self, work: impl FnOnce() -> T) -> Result<T> {
        match self {
            Self::Cpu => Ok(work()),
            #[cfg(feature = "gpu")]
            Self::Gpu { opening, .. } => {
                let outcome = guarded(&self.to_string(), work);
                match adapters::fault(opening) {
                    None => outcome,
                    Some(reason) => Err(hitscribe_core::error::Error::Device {
                        device: self.to_string(),
                        reason,
                    }),
                }
            }
            #[cfg(any(feature = "cuda", test))]
            _ => guarded(&self.to_string(), work),
        }
    }
}

/// Whether the device computes in 16-bit floats. The CPU does not: it widens them.
///
/// # Errors
/// [`hitscribe_core::Error::Device`] when the GPU fails.
pub fn has_half_floats(device: Device) -> Result<bool> {
    struct HasHalfFloats;
    impl BackendTask for HasHalfFloats {
        type Output = bool;

        fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> bool {
            !is_cpu::<B>() && B::supports_dtype(device, DType::F16)
        }
    }
    device.run(HasHalfFloats)
}

/// Whether the tensors of this backend are in main memory.
pub(crate) fn is_cpu<B: Backend>() -> bool {
    TypeId::of::<B>() == TypeId::of::<Cpu>()
}
