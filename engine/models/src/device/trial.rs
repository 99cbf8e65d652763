//! A small computation that a GPU has to do correctly before it is used. It compiles kernels, so
//! that a driver or compiler that does not work is noticed before a model is loaded.

use std::sync::{Mutex, PoisonError};

use burn_tensor::activation::softmax;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};

use crate::device::backend::BackendTask;
use crate::device::choice::Device;
use crate::device::guarded::one_line;

const SIZE: usize = 32;
const TOLERANCE: f32 = 1e-3;

/// Whether the device computes correctly; tried once for each.
///
/// # Errors
/// What it does instead, in one line.
pub(super) fn passes(device: Device) -> Result<(), String> {
    static TRIED: Mutex<Vec<(Device, Result<(), String>)>> = Mutex::new(Vec::new());
    let lock = || TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, outcome)) = lock().iter().find(|(tried, _)| *tried == device) {
        return outcome.clone();
    }
    let outcome = try_out(device);
    lock().push((device, outcome.clone()));
    outcome
}

fn try_out(device: Device) -> Result<(), String> {
    let on_gpu = device.run(Trial).map_err(|error| match error {
        hitscribe_core::error::Error::Device { reason, .. } => reason,
        other => one_line(&other.to_string()),
    })?;
    let on_cpu = Trial.run::<super::backend::Cpu>(&Default::default());
    let is_right = on_gpu.len() == on_cpu.len()
        && on_gpu
            .iter()
            .zip(&on_cpu)
            .all(|(a, b)| (a - b).abs() < TOLERANCE);
    match is_right {
        true => Ok(()),
        false => Err("computes wrong results".to_owned()),
    }
}

struct Trial;

impl BackendTask for Trial {
    type Output = Vec<f32>;

    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Vec<f32> {
        let values = (0..SIZE * SIZE)
            .map(|n| (n * n % 13) as f32 / 13.0)
            .collect();
        let matrix = TensorData::new(values, [SIZE, SIZE]);
        let matrix = Tensor::<B, 2>::from_data(matrix, device);
        let product = matrix.clone().matmul(matrix.transpose());
        let values = softmax(product, 1).into_data().to_vec();
        values.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_computes_passes() {
        assert_eq!(passes(Device::TestGpu), Ok(()));
    }
}
