//! The backend that a parity test runs on.

use burn_tensor::Device;
use burn_tensor::backend::Backend;

use crate::device::Cpu;

/// A device of a backend, and how far its values may be from the golden ones.
pub(super) struct On<B: Backend> {
    pub device: Device<B>,
    /// Where a test demands more.
    pub loosest: f32,
}

impl On<Cpu> {
    /// The CPU, which has to keep the tolerances of the tests.
    pub fn cpu() -> Self {
        Self {
            device: Default::default(),
            loosest: 0.0,
        }
    }
}

impl<B: Backend> On<B> {
    /// The tolerance for a value that may differ by `on_cpu` there.
    pub fn tolerance(&self, on_cpu: f32) -> f32 {
        on_cpu.max(self.loosest)
    }
}
