//! Layers that the transformers share.

use std::sync::Arc;

use burn_tensor::activation::{sigmoid, softmax};
use burn_tensor::backend::Backend;
use burn_tensor::{DType, Device, Int, Tensor, TensorData};
use half::f16;

use crate::compact::{CompactMatrix, Format};
use crate::device::is_cpu;
use crate::mt3_family::load::Weights;
use crate::windows::windows;

/// Most rows for which the CPU's matrix product reads the weights in place. With more rows it packs
/// them first, which pays only for many rows: in MT3's decoder 12 rows take 16 ms, 13 rows 45 ms.
const UNPACKED_ROWS: usize = 12;

/// A linear map `y = x W + b`.
#[derive(Clone, Debug)]
pub struct Linear<B: Backend> {
    weight: Weight<B>,
    bias: Option<Tensor<B, 1>>,
}

#[derive(Clone, Debug)]
enum Weight<B: Backend> {
    /// `[in, out]`, in 32-bit floats, or in 16-bit ones on a GPU.
    Floats(Tensor<B, 2>),
    /// On the CPU.
    Compact(Arc<CompactMatrix>),
}

impl<B: Backend> Weight<B> {
    fn new(
        stored: &[f32],
        inputs: usize,
        outputs: usize,
        format: Option<Format>,
        device: &Device<B>,
    ) -> Self {
        if let Some(format) = format.filter(|_| is_cpu::<B>()) {
            let matrix = CompactMatrix::new(stored, inputs, outputs, format);
            return Self::Compact(Arc::new(matrix));
        }
        let shape = [inputs, outputs];
        if format == Some(Format::F16) {
            let largest = f32::from(f16::MAX);
            let half = |value: f32| f16::from_f32(value.clamp(-largest, largest));
            let values = TensorData::new(turned(stored, inputs, outputs, half), shape);
            return Self::Floats(Tensor::from_data(values, (device, DType::F16)));
        }
        let values = TensorData::new(turned(stored, inputs, outputs, |value| value), shape);
        Self::Floats(Tensor::from_data(values, device))
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Floats(weight) => weight.dims()[1],
            Self::Compact(matrix) => matrix.outputs(),
        }
    }
}

/// A matrix `[outputs, inputs]` as `[inputs, outputs]`.
fn turned<T: Copy + Default>(
    stored: &[f32],
    inputs: usize,
    outputs: usize,
    convert: impl Fn(f32) -> T,
) -> Vec<T> {
    let mut values = vec![T::default(); stored.len()];
    for (output, row) in stored.chunks_exact(inputs.max(1)).enumerate() {
        for (input, &value) in row.iter().enumerate() {
            values[input * outputs + output] = convert(value);
        }
    }
    values
}

impl<B: Backend> Linear<B> {
    /// From a matrix `[outputs, inputs]`, PyTorch's layout, and a bias for each output. The matrix
    /// is in `format`, if one is given: on a GPU that is [`Format::F16`].
    pub fn new(
        stored: &[f32],
        inputs: usize,
        outputs: usize,
        bias: Option<Vec<f32>>,
        format: Option<Format>,
        device: &Device<B>,
    ) -> Self {
        Self {
            weight: Weight::new(stored, inputs, outputs, format, device),
            bias: bias.map(|bias| Tensor::from_data(TensorData::new(bias, [outputs]), device)),
        }
    }

    /// Reads `name.weight`, without bias.
    pub fn load(weights: &mut Weights<'_, B>, name: &str, inputs: usize, outputs: usize) -> Self {
        let stored = weights.values(&format!("{name}.weight"), &[outputs, inputs]);
        let (format, device) = (weights.format, weights.device());
        Self::new(&stored, inputs, outputs, None, format, device)
    }

    /// [`Self::load`] for outputs that are sums of products of activations, or logits. On a GPU the
    /// matrix is in 32-bit floats, and so are its inputs: in T5 these sums can exceed the largest of
    /// the 16-bit ones.
    pub fn load_wide(
        weights: &mut Weights<'_, B>,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let format = weights.format;
        weights.format = format.filter(|_| is_cpu::<B>());
        let map = Self::load(weights, name, inputs, outputs);
        weights.format = format;
        map
    }

    /// Reads `name.weight` and `name.bias`.
    pub fn load_with_bias(
        weights: &mut Weights<'_, B>,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let stored = weights.values(&format!("{name}.weight"), &[outputs, inputs]);
        let bias = weights.values(&format!("{name}.bias"), &[outputs]);
        let (format, device) = (weights.format, weights.device());
        Self::new(&stored, inputs, outputs, Some(bias), format, device)
    }

    /// `[rows, in]` to `[rows, out]`.
    pub fn rows(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, inputs] = x.dims();
        let y = match &self.weight {
            Weight::Compact(matrix) => compact(matrix, x, inputs),
            Weight::Floats(weight)
                if is_cpu::<B>() && (UNPACKED_ROWS + 1..=2 * UNPACKED_ROWS).contains(&rows) =>
            {
                let half = rows.div_ceil(2);
                let part = |from, to| {
                    x.clone()
                        .slice([from..to, 0..inputs])
                        .matmul(weight.clone())
                };
                Tensor::cat(vec![part(0, half), part(half, rows)], 0)
            }
            Weight::Floats(weight) => product(x, weight),
        };
        self.with_bias(y)
    }

    /// Rows of inputs in a flat `x`, each `step` values after the one before, to `[rows, out]`.
    pub fn windows(&self, x: Tensor<B, 1>, inputs: usize, step: usize) -> Tensor<B, 2> {
        let y = match &self.weight {
            Weight::Compact(matrix) => compact(matrix, x, step),
            Weight::Floats(weight) => product(windows(x, inputs, step), weight),
        };
        self.with_bias(y)
    }

    /// The matrix `[in, out]` and the bias; none if it is compact.
    pub fn parts(&self) -> Option<(Tensor<B, 2>, Option<Tensor<B, 1>>)> {
        match &self.weight {
            Weight::Floats(weight) => Some((weight.clone(), self.bias.clone())),
            Weight::Compact(_) => None,
        }
    }

    /// Outputs of this map as they are kept: in the floats of its weights.
    pub fn kept<const D: usize>(&self, y: Tensor<B, D>) -> Tensor<B, D> {
        match &self.weight {
            Weight::Floats(weight) => y.cast(weight.dtype()),
            Weight::Compact(_) => y,
        }
    }

    /// Bytes of a row of [`Self::kept`] outputs.
    pub fn kept_row_bytes(&self) -> usize {
        let value = match &self.weight {
            Weight::Floats(weight) => weight.dtype().size(),
            Weight::Compact(_) => size_of::<f32>(),
        };
        self.weight.outputs() * value
    }

    fn with_bias(&self, y: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }

    /// `[batch, rows, in]` to `[batch, rows, out]`: one product for the whole batch.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, rows, inputs] = x.dims();
        let y = self.rows(x.reshape([batch * rows, inputs]));
        y.reshape([batch, rows, self.weight.outputs()])
    }
}

/// The product with weights in floats of any size. The inputs are in the same floats; sums and
/// result are in 32-bit ones.
fn product<B: Backend>(x: Tensor<B, 2>, weight: &Tensor<B, 2>) -> Tensor<B, 2> {
    let y = x.cast(weight.dtype()).matmul(weight.clone());
    y.cast(DType::F32)
}

/// The product of a compact matrix, on the CPU.
fn compact<B: Backend, const D: usize>(
    matrix: &CompactMatrix,
    x: Tensor<B, D>,
    step: usize,
) -> Tensor<B, 2> {
    let device = x.device();
    let y = matrix.product(&to_host(x), step);
    let rows = y.len() / matrix.outputs().max(1);
    Tensor::from_data(TensorData::new(y, [rows, matrix.outputs()]), &device)
}

/// Root-mean-square norm without mean and bias, T5's layer norm.
#[derive(Clone, Debug)]
pub struct RmsNorm<B: Backend> {
    weight: Tensor<B, 1>,
    epsilon: f64,
}

impl<B: Backend> RmsNorm<B> {
    /// Reads `name.weight`.
    pub fn load(weights: &mut Weights<'_, B>, name: &str, size: usize, epsilon: f64) -> Self {
        Self {
            weight: weights.tensor(&format!("{name}.weight"), [size]),
            epsilon,
        }
    }

    /// Normalises over the last dimension, which must have the size of the norm.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let mean_square = x.clone().powi_scalar(2).mean_dim(D - 1);
        x * mean_square.add_scalar(self.epsilon).sqrt().recip() * self.weight.clone().unsqueeze()
    }
}

/// `gelu(a) * b` with the tanh form of GELU, `0.5 a (1 + tanh(sqrt(2/pi) (a + 0.044715 a^3)))`,
/// by way of the logistic function: `(1 + tanh u) / 2 = sigmoid(2 u)`.
pub fn gated_gelu<B: Backend, const D: usize>(a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
    let twice_root = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let square = a.clone() * a.clone();
    let inner = (square
        .mul_scalar(0.044715 * twice_root)
        .add_scalar(twice_root))
        * a.clone();
    sigmoid(inner) * a * b
}

/// Splits `[batch, rows, heads * size]` into `[batch, heads, rows, size]`.
pub fn split_heads<B: Backend>(x: Tensor<B, 3>, heads: usize) -> Tensor<B, 4> {
    let [batch, rows, width] = x.dims();
    x.reshape([batch, rows, heads, width / heads.max(1)])
        .swap_dims(1, 2)
}

/// The inverse of [`split_heads`].
pub fn join_heads<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, heads, rows, size] = x.dims();
    x.swap_dims(1, 2).reshape([batch, rows, heads * size])
}

/// Attention `softmax(q k^T) v` over `[batch, heads, rows, size]`, without scale and mask. Products
/// are in the floats of the keys and values, the softmax and the result in 32-bit ones.
pub fn attend<B: Backend>(q: Tensor<B, 4>, k: Tensor<B, 4>, v: Tensor<B, 4>) -> Tensor<B, 4> {
    let scores = q.cast(k.dtype()).matmul(k.swap_dims(2, 3));
    let shares = softmax(scores.cast(DType::F32), 3).cast(v.dtype());
    shares.matmul(v).cast(DType::F32)
}

/// Rows `ids` of an embedding table `[vocabulary, size]`.
pub fn embed<B: Backend>(table: &Tensor<B, 2>, ids: &[i32]) -> Tensor<B, 2> {
    let indices =
        Tensor::<B, 1, Int>::from_data(TensorData::new(ids.to_vec(), [ids.len()]), &table.device());
    table.clone().select(0, indices)
}

/// Sinusoidal positions `[rows, 2 * inv_freq.len()]`: sines first, then cosines.
///
/// The angles are rounded to f32 like those of the reference, which matters for late rows.
pub fn sinusoidal_positions<B: Backend>(
    inv_freq: &[f32],
    rows: usize,
    device: &Device<B>,
) -> Tensor<B, 2> {
    let half = inv_freq.len();
    let mut values = vec![0.0; rows * half * 2];
    for (row, out) in values.chunks_exact_mut((half * 2).max(1)).enumerate() {
        for (i, &frequency) in inv_freq.iter().enumerate() {
            let angle = f64::from(row as f32 * frequency);
            out[i] = angle.sin() as f32;
            out[half + i] = angle.cos() as f32;
        }
    }
    Tensor::from_data(TensorData::new(values, [rows, half * 2]), device)
}

/// Copies a tensor from the device: its values in row-major order.
pub(crate) fn to_host<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    let data = x.into_data();
    match data.as_slice::<f32>() {
        Ok(values) => values.to_vec(),
        Err(_) => data.iter::<f32>().collect(),
    }
}
