//! YourMT3's pre-encoder: residual blocks of 3x3 convolutions over the spectrogram. Each block
//! halves the number of bins.
//!
//! A GPU uses the backend's convolution. On the CPU each frame is a matrix `[bins, channels]`, and
//! a convolution is one matrix product per frame, whose left side is a view of overlapping windows.
//! That copies no columns, and a frame stays in the cache from one step to the next. Frames run in
//! parallel.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::module::{avg_pool2d, conv2d};
use burn_tensor::ops::ConvOptions;
use hitscribe_core::checkpoint::count_elements;
use rayon::prelude::*;

use crate::device::is_cpu;
use crate::mt3_family::layers::Linear;
use crate::mt3_family::load::Weights;

/// Width and height of the kernels.
const KERNEL: usize = 3;
/// Added to the variance in batch norms.
const BATCH_NORM_EPSILON: f32 = 1e-5;

/// Elements of the kernels of `blocks` blocks.
pub(super) fn elements(blocks: usize, channels: usize) -> u64 {
    let of_many_inputs = (2 * blocks).saturating_sub(1);
    count_elements(&[
        &[KERNEL, KERNEL, channels],
        &[of_many_inputs, KERNEL, KERNEL, channels, channels],
    ])
}

/// A 3x3 convolution with the following batch norm folded in.
#[derive(Clone, Debug)]
struct Convolution<B: Backend> {
    /// From bins, frames and inputs of the kernel, the inputs varying fastest.
    map: Linear<B>,
    inputs: usize,
}

impl<B: Backend> Convolution<B> {
    fn load(
        weights: &mut Weights<'_, B>,
        block: &str,
        which: usize,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let mut norm =
            |part: &str| weights.values(&format!("{block}.bn{which}.{part}"), &[outputs]);
        let (gain, offset) = (norm("weight"), norm("bias"));
        let (mean, variance) = (norm("running_mean"), norm("running_var"));
        let kernel = weights.values(
            &format!("{block}.conv{which}.weight"),
            &[outputs, inputs, KERNEL, KERNEL],
        );
        let mut folded = vec![0.0; kernel.len()];
        let mut bias = Vec::with_capacity(outputs);
        for output in 0..outputs {
            let scale = gain[output] / (variance[output] + BATCH_NORM_EPSILON).sqrt();
            bias.push(offset[output] - mean[output] * scale);
            for input in 0..inputs {
                for (frame, bin) in (0..KERNEL * KERNEL).map(|tap| (tap / KERNEL, tap % KERNEL)) {
                    let from = ((output * inputs + input) * KERNEL + frame) * KERNEL + bin;
                    let to = ((output * KERNEL + bin) * KERNEL + frame) * inputs + input;
                    folded[to] = kernel[from] * scale;
                }
            }
        }
        // One input is little work, and a GPU's convolution is in 32-bit floats.
        let format = weights.format.filter(|_| inputs > 1 && is_cpu::<B>());
        let rows = KERNEL * KERNEL * inputs;
        Self {
            map: Linear::new(&folded, rows, outputs, Some(bias), format, weights.device()),
            inputs,
        }
    }

    /// `[batch, inputs, frames, bins]` to `[batch, outputs, frames, bins]`.
    fn on_image(&self, image: Tensor<B, 4>) -> Tensor<B, 4> {
        let (weight, bias) = self.map.parts().expect("only the CPU has compact matrices");
        let outputs = weight.dims()[1];
        let kernel = weight
            .reshape([KERNEL, KERNEL, self.inputs, outputs])
            .permute([3, 2, 1, 0]);
        let options = ConvOptions::new([1, 1], [KERNEL / 2; 2], [1, 1], 1);
        conv2d(image, kernel, bias, options)
    }

    /// Frames `[bins, inputs]` to frames `[bins, outputs]`.
    fn on_frames(&self, frames: &[Tensor<B, 2>]) -> Vec<Tensor<B, 2>> {
        if frames.is_empty() {
            return Vec::new();
        }
        let padded: Vec<Tensor<B, 2>> = frames.par_iter().map(with_silent_bins).collect();
        let silence = padded[0].zeros_like();
        let near = |frame: Option<usize>| {
            let frame = frame.and_then(|frame| padded.get(frame));
            frame.unwrap_or(&silence).clone()
        };
        let convolve = |frame: usize| {
            let neighbours = vec![
                near(frame.checked_sub(1)),
                near(Some(frame)),
                near(Some(frame + 1)),
            ];
            // The three frames side by side, so that three bins of them are contiguous.
            let values = Tensor::cat(neighbours, 1);
            let [rows, width] = values.dims();
            let values = values.reshape([rows * width]);
            self.map.windows(values, KERNEL * width, width)
        };
        (0..frames.len()).into_par_iter().map(convolve).collect()
    }
}

/// A frame with a row of zeros before its first and after its last bin.
fn with_silent_bins<B: Backend>(frame: &Tensor<B, 2>) -> Tensor<B, 2> {
    let [_, channels] = frame.dims();
    let silence = Tensor::zeros([1, channels], (&frame.device(), frame.dtype()));
    Tensor::cat(vec![silence.clone(), frame.clone(), silence], 0)
}

/// A 1x1 convolution, for a block that changes the number of channels.
#[derive(Clone, Debug)]
struct Shortcut<B: Backend> {
    /// `[outputs, inputs, 1, 1]`.
    weight: Tensor<B, 4>,
    bias: Tensor<B, 1>,
}

impl<B: Backend> Shortcut<B> {
    fn on_image(&self, image: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        conv2d(image, self.weight.clone(), Some(self.bias.clone()), options)
    }

    fn on_frame(&self, frame: Tensor<B, 2>) -> Tensor<B, 2> {
        let [outputs, inputs, _, _] = self.weight.dims();
        let weight = self.weight.clone().reshape([outputs, inputs]).transpose();
        frame.matmul(weight) + self.bias.clone().unsqueeze()
    }
}

#[derive(Clone, Debug)]
struct Block<B: Backend> {
    first: Convolution<B>,
    second: Convolution<B>,
    shortcut: Option<Shortcut<B>>,
}

impl<B: Backend> Block<B> {
    fn on_image(&self, image: Tensor<B, 4>) -> Tensor<B, 4> {
        let inner = relu(self.first.on_image(image.clone()));
        let outer = self.second.on_image(inner);
        let image = match &self.shortcut {
            Some(shortcut) => shortcut.on_image(image),
            None => image,
        };
        avg_pool2d(relu(outer + image), [1, 2], [1, 2], [0, 0], false, false)
    }

    fn on_frames(&self, frames: Vec<Tensor<B, 2>>) -> Vec<Tensor<B, 2>> {
        let mut inner = self.first.on_frames(&frames);
        inner.par_iter_mut().for_each(|frame| frame.inplace(relu));
        let outer = self.second.on_frames(&inner);
        let end = |(outer, frame): (Tensor<B, 2>, Tensor<B, 2>)| {
            let frame = match &self.shortcut {
                Some(shortcut) => shortcut.on_frame(frame),
                None => frame,
            };
            mean_of_bin_pairs(relu(outer + frame))
        };
        outer.into_par_iter().zip(frames).map(end).collect()
    }
}

/// `[bins, channels]` to `[bins / 2, channels]`.
fn mean_of_bin_pairs<B: Backend>(frame: Tensor<B, 2>) -> Tensor<B, 2> {
    let [bins, channels] = frame.dims();
    let pairs = frame.reshape([bins / 2, 2 * channels]);
    let half = |from: usize| {
        pairs
            .clone()
            .slice([0..bins / 2, from * channels..(from + 1) * channels])
    };
    (half(0) + half(1)).mul_scalar(0.5)
}

/// The pre-encoder.
#[derive(Clone, Debug)]
pub struct PreEncoder<B: Backend> {
    blocks: Vec<Block<B>>,
}

impl<B: Backend> PreEncoder<B> {
    /// Reads `count` blocks of `channels` channels under `pre_encoder.0.`.
    pub fn load(weights: &mut Weights<'_, B>, count: usize, channels: usize) -> Self {
        let blocks = (0..count).map(|block| {
            let name = format!("pre_encoder.0.blocks.{block}");
            let inputs = if block == 0 { 1 } else { channels };
            Block {
                first: Convolution::load(weights, &name, 1, inputs, channels),
                second: Convolution::load(weights, &name, 2, channels, channels),
                shortcut: (block == 0).then(|| Shortcut {
                    weight: weights
                        .tensor(&format!("{name}.shortcut.weight"), [channels, inputs, 1, 1]),
                    bias: weights.tensor(&format!("{name}.shortcut.bias"), [channels]),
                }),
            }
        });
        Self {
            blocks: blocks.collect(),
        }
    }

    /// Spectrograms `[batch, frames, bins]` to `[batch, frames, channels, fewer bins]`.
    pub fn forward(&self, spectrograms: Tensor<B, 3>) -> Tensor<B, 4> {
        if is_cpu::<B>() {
            self.by_frames(spectrograms)
        } else {
            self.by_image(spectrograms)
        }
    }

    fn by_image(&self, spectrograms: Tensor<B, 3>) -> Tensor<B, 4> {
        let image = spectrograms.unsqueeze_dim::<4>(1);
        let image = self
            .blocks
            .iter()
            .fold(image, |image, block| block.on_image(image));
        image.swap_dims(1, 2)
    }

    fn by_frames(&self, spectrograms: Tensor<B, 3>) -> Tensor<B, 4> {
        let [batch, frames, bins] = spectrograms.dims();
        let segments = (0..batch).map(|segment| {
            let frame = |frame: usize| {
                spectrograms
                    .clone()
                    .slice([segment..segment + 1, frame..frame + 1, 0..bins])
                    .reshape([bins, 1])
            };
            let frames: Vec<Tensor<B, 2>> = (0..frames).map(frame).collect();
            let frames = self
                .blocks
                .iter()
                .fold(frames, |frames, block| block.on_frames(frames));
            Tensor::stack::<3>(frames, 0)
        });
        Tensor::stack::<4>(segments.collect(), 0).swap_dims(2, 3)
    }
}

#[cfg(test)]
mod tests {
    use burn_tensor::TensorData;

    use super::*;
    use crate::device::Cpu;

    #[test]
    fn frames_and_image_give_the_same() {
        let mut state = 1_u32;
        let mut noise = |count: usize| {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            };
            (0..count).map(next).collect::<Vec<f32>>()
        };
        let channels = 6;
        let device = Default::default();
        let mut convolution = |inputs: usize| {
            let rows = KERNEL * KERNEL * inputs;
            let [weight, bias] = [rows * channels, channels].map(&mut noise);
            Convolution {
                map: Linear::new(&weight, rows, channels, Some(bias), None, &device),
                inputs,
            }
        };
        let convolutions = [1, channels, channels, channels].map(&mut convolution);
        let [first, second, third, fourth] = convolutions;
        let mut random =
            |shape: &[usize]| TensorData::new(noise(shape.iter().product()), shape.to_vec());
        let mut block = |inputs: usize, first, second| Block {
            first,
            second,
            shortcut: (inputs != channels).then(|| Shortcut {
                weight: Tensor::from_data(random(&[channels, inputs, 1, 1]), &device),
                bias: Tensor::from_data(random(&[channels]), &device),
            }),
        };
        let pre_encoder = PreEncoder::<Cpu> {
            blocks: vec![block(1, first, second), block(channels, third, fourth)],
        };
        let spectrograms = Tensor::from_data(random(&[2, 5, 16]), &device);
        let frames = pre_encoder.by_frames(spectrograms.clone());
        let image = pre_encoder.by_image(spectrograms);
        assert_eq!(frames.dims(), [2, 5, channels, 4]);
        let difference: f32 = (frames - image.clone()).abs().max().into_scalar();
        let largest: f32 = image.abs().max().into_scalar();
        assert!(difference <= 1e-5 * largest, "{difference} of {largest}");
    }
}
