//! Overlapping windows of a tensor.

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};

use crate::device::is_cpu;

/// Windows of `size` values along the last dimension, each `step` values after the one before:
/// `[..., windows, size]`, a dimension more than `x` has.
///
/// On the CPU they share the memory of `x`. GPUs refuse products of matrices whose rows overlap, so
/// there they are a copy.
pub(crate) fn windows<B: Backend, const D: usize, const E: usize>(
    x: Tensor<B, D>,
    size: usize,
    step: usize,
) -> Tensor<B, E> {
    match is_cpu::<B>() {
        true => x.unfold::<E, _>(D - 1, size, step),
        false => copied(x, size, step),
    }
}

fn copied<B: Backend, const D: usize, const E: usize>(
    x: Tensor<B, D>,
    size: usize,
    step: usize,
) -> Tensor<B, E> {
    let dims = x.dims();
    let count = (dims[D - 1] + step).saturating_sub(size) / step;
    let indices: Vec<i32> = (0..count)
        .flat_map(|window| (0..size).map(move |value| (window * step + value) as i32))
        .collect();
    let indices = TensorData::new(indices, [count * size]);
    let indices = Tensor::from_data(indices, &x.device());
    let mut shape = [0; E];
    shape[..D].copy_from_slice(&dims);
    shape[E - 2..].copy_from_slice(&[count, size]);
    x.select(D - 1, indices).reshape(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Cpu;

    #[test]
    fn copied_windows_have_the_values_of_those_that_overlap() {
        let values: Vec<f32> = (0..22).map(|value| value as f32).collect();
        let x = Tensor::<Cpu, 2>::from_data(TensorData::new(values, [2, 11]), &Default::default());
        for (size, step) in [(3, 1), (4, 2), (11, 1), (2, 5)] {
            let shared: Tensor<Cpu, 3> = windows(x.clone(), size, step);
            let copied: Tensor<Cpu, 3> = copied(x.clone(), size, step);
            assert_eq!(shared.dims(), copied.dims());
            shared.into_data().assert_eq(&copied.into_data(), true);
        }
    }
}
