//! YourMT3, the variant YPTF.MoE+Multi: convolutional pre-encoder, Perceiver-TF encoder with a
//! mixture of experts, and one T5 decoder for 13 channels.

use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::checkpoint::{Checkpoint, LoadReport, Weights};
use super::config::Settings;
use super::ops::{Linear, host};
use super::perceiver::{Perceiver, PerceiverConfig, PerceiverTrace};
use super::t5::{Decoder, DecoderParts, T5Config};
use crate::error::{Error, Result};

/// Frames of a segment.
pub const FRAMES: usize = 110;
/// Bins of the spectrogram.
pub const BINS: usize = 1024;
/// Most ids that one channel of a segment may have.
pub const MAX_NEW_IDS: usize = 256;
/// Added to the variance in the batch norms.
const BATCH_NORM_EPSILON: f32 = 1e-5;
/// Attention heads of the published encoder.
const PUBLISHED_ENCODER_HEADS: usize = 8;
/// Experts that each row uses.
const CHOSEN_EXPERTS: usize = 2;

/// Sizes of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YourMt3Config {
    /// Channels of the convolutions.
    pub convolution_channels: usize,
    /// Blocks of the pre-encoder; each halves the number of bins.
    pub convolution_blocks: usize,
    /// The encoder.
    pub encoder: PerceiverConfig,
    /// The decoder's blocks.
    pub decoder: T5Config,
    /// Number of decoder blocks.
    pub decoder_layers: usize,
    /// Number of ids.
    pub vocabulary_size: usize,
    /// Longest sequence of ids.
    pub max_positions: usize,
}

impl YourMt3Config {
    /// Tells the sizes from the shapes in a checkpoint, and the numbers of heads from `settings`.
    ///
    /// # Errors
    /// [`Error::Model`] if the checkpoint does not look like YourMT3 or the settings do not fit it.
    pub fn of(checkpoint: &Checkpoint, prefix: &str, settings: &Settings) -> Result<Self> {
        let wrong = |reason: String| Error::Model {
            model: checkpoint.path().display().to_string(),
            reason,
        };
        let dimensions = |name: &str| -> Result<Vec<usize>> {
            let key = format!("{prefix}{name}");
            match checkpoint.shape(&key) {
                Some(shape) if !shape.contains(&0) => Ok(shape.to_vec()),
                Some(shape) => Err(wrong(format!("{key} has the shape {shape:?}"))),
                None => Err(wrong(format!(
                    "{key} is missing: not a YourMT3 checkpoint of the kind YPTF.MoE+Multi"
                ))),
            }
        };
        let first = |name: &str| -> Result<usize> {
            dimensions(name)?
                .first()
                .copied()
                .ok_or_else(|| wrong(format!("{prefix}{name} is a single number")))
        };
        let count = |pattern: &dyn Fn(usize) -> String| {
            (0..)
                .take_while(|&n| checkpoint.contains(&format!("{prefix}{}", pattern(n))))
                .count()
        };
        let convolution_blocks = count(&|n| format!("pre_encoder.0.blocks.{n}.conv1.weight"));
        let latents = dimensions("encoder.latent_array.latents")?;
        let [latents, size] = latents[..] else {
            return Err(wrong("its latents are no matrix".into()));
        };
        let block = "encoder.blocks.0";
        let mixture = format!("{block}.local_transformer.0.mlp");
        let encoder_heads = settings.encoder_heads.unwrap_or(PUBLISHED_ENCODER_HEADS);
        let rotary_angles = first("encoder.rotary_emb_sca.freqs")?;
        if size % encoder_heads != 0
            || 2 * rotary_angles > size / encoder_heads
            || convolution_blocks == 0
            || convolution_blocks > 8
        {
            return Err(wrong(format!(
                "{encoder_heads} heads do not fit an encoder of width {size}"
            )));
        }
        let encoder = PerceiverConfig {
            latents,
            size,
            heads: encoder_heads,
            key_features: BINS >> convolution_blocks,
            blocks: count(&|n| {
                format!("encoder.blocks.{n}.spectral_cross_attention.self.query.weight")
            }),
            local_layers: count(&|n| format!("{block}.local_transformer.{n}.mlp.gate.weight")),
            temporal_layers: count(&|n| {
                format!("{block}.temporal_transformer.{n}.mlp.gate.weight")
            }),
            experts: first(&format!("{mixture}.gate.weight"))?,
            expert_size: first(&format!("{mixture}.experts.0.w1.weight"))?,
            chosen_experts: CHOSEN_EXPERTS,
            frames: FRAMES,
            rotary_angles,
            norm_has_bias: checkpoint.contains(&format!(
                "{prefix}{block}.local_transformer.0.layernorm.bias"
            )),
        };
        let stack = "decoder.decoder";
        let model_size = first("pre_decoder.0.linear.weight")?;
        let inner = first(&format!("{stack}.block.0.layer.0.SelfAttention.q.weight"))?;
        let heads = settings.heads_for(inner).map_err(wrong)?;
        let vocabulary_size = first("embed_tokens.weight")?;
        if vocabulary_size < crate::token::yourmt3::VOCABULARY_SIZE {
            return Err(wrong(format!(
                "a vocabulary of {vocabulary_size} is not YourMT3's"
            )));
        }
        Ok(Self {
            convolution_channels: first("pre_encoder.0.blocks.0.conv1.weight")?,
            convolution_blocks,
            encoder,
            decoder: T5Config {
                model_size,
                heads,
                head_size: inner / heads,
                feed_forward_size: first(&format!(
                    "{stack}.block.0.layer.2.DenseReluDense.wi_0.weight"
                ))?,
            },
            decoder_layers: count(&|n| format!("{stack}.block.{n}.layer.0.layer_norm.weight")),
            vocabulary_size,
            max_positions: first(&format!("{stack}.additive_pe.weight"))?,
        })
    }

    /// Number of token streams per segment.
    pub fn channels(&self) -> usize {
        self.encoder.latents / 2
    }
}

/// A convolution with the batch norm that follows it folded in.
#[derive(Clone, Debug)]
struct Convolution<B: Backend> {
    weight: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    padding: usize,
}

impl<B: Backend> Convolution<B> {
    fn load(
        weights: &mut Weights<'_, B>,
        name: &str,
        which: usize,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let mut norm = |part: &str| weights.values(&format!("{name}.bn{which}.{part}"), &[outputs]);
        let (gain, offset) = (norm("weight"), norm("bias"));
        let (mean, variance) = (norm("running_mean"), norm("running_var"));
        let mut kernel = weights.values(
            &format!("{name}.conv{which}.weight"),
            &[outputs, inputs, 3, 3],
        );
        let mut bias = Vec::with_capacity(outputs);
        for (output, kernel) in kernel.chunks_exact_mut((inputs * 9).max(1)).enumerate() {
            let scale = gain[output] / (variance[output] + BATCH_NORM_EPSILON).sqrt();
            kernel.iter_mut().for_each(|weight| *weight *= scale);
            bias.push(offset[output] - mean[output] * scale);
        }
        let device = weights.device();
        Self {
            weight: Tensor::from_data(TensorData::new(kernel, [outputs, inputs, 3, 3]), device),
            bias: Tensor::from_data(TensorData::new(bias, [outputs]), device),
            padding: 1,
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([1, 1], [self.padding; 2], [1, 1], 1);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

#[derive(Clone, Debug)]
struct ConvolutionBlock<B: Backend> {
    first: Convolution<B>,
    second: Convolution<B>,
    /// 1x1, where the number of channels changes.
    shortcut: Option<Convolution<B>>,
}

impl<B: Backend> ConvolutionBlock<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let y = self.second.forward(relu(self.first.forward(x.clone())));
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        avg_pool2d(relu(y + x), [1, 2], [1, 2], [0, 0], false, false)
    }
}

/// Intermediate values, for comparison with other implementations.
#[derive(Debug, Default)]
pub struct YourMt3Trace {
    /// `[batch, frames, bins, channels]` after the pre-encoder, flat.
    pub pre_encoder: Vec<f32>,
    /// Of the encoder.
    pub encoder: PerceiverTrace,
}

/// The network.
#[derive(Clone, Debug)]
pub struct YourMt3<B: Backend> {
    config: YourMt3Config,
    convolutions: Vec<ConvolutionBlock<B>>,
    encoder: Perceiver<B>,
    pre_decoder: Linear<B>,
    decoder: Decoder<B>,
}

impl<B: Backend> YourMt3<B> {
    /// Loads the network from a checkpoint whose keys begin with `prefix`.
    ///
    /// # Errors
    /// [`Error::Model`] with the list of tensors that are missing or have another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        prefix: &str,
        config: YourMt3Config,
        device: &Device<B>,
    ) -> Result<(Self, LoadReport)> {
        let mut weights = Weights::new(checkpoint, prefix, device);
        let channels = config.convolution_channels;
        let mut convolutions = Vec::with_capacity(config.convolution_blocks);
        for block in 0..config.convolution_blocks {
            let name = format!("pre_encoder.0.blocks.{block}");
            let inputs = if block == 0 { 1 } else { channels };
            convolutions.push(ConvolutionBlock {
                first: Convolution::load(&mut weights, &name, 1, inputs, channels),
                second: Convolution::load(&mut weights, &name, 2, channels, channels),
                shortcut: (block == 0).then(|| Convolution {
                    weight: weights
                        .tensor(&format!("{name}.shortcut.weight"), [channels, inputs, 1, 1]),
                    bias: weights.tensor(&format!("{name}.shortcut.bias"), [channels]),
                    padding: 0,
                }),
            });
        }
        let model_size = config.decoder.model_size;
        let parts = DecoderParts {
            embedding: weights.tensor("embed_tokens.weight", [config.vocabulary_size, model_size]),
            positions: weights.tensor(
                "decoder.decoder.additive_pe.weight",
                [config.max_positions, model_size],
            ),
            output: Linear::load(
                &mut weights,
                "lm_head.lm_head",
                model_size,
                config.vocabulary_size,
            ),
            output_scale: 1.0 / (model_size as f64).sqrt(),
        };
        let model = Self {
            encoder: Perceiver::load(&mut weights, &config.encoder),
            pre_decoder: Linear::load(
                &mut weights,
                "pre_decoder.0.linear",
                2 * config.encoder.size,
                model_size,
            ),
            decoder: Decoder::load(
                &mut weights,
                "decoder.decoder",
                config.decoder,
                config.decoder_layers,
                parts,
            ),
            convolutions,
            config,
        };
        // The front end's window, counters of training, and repetitions of tensors read above.
        weights.ignore(|name| {
            name == "spectrogram.stft.window"
                || name.ends_with(".num_batches_tracked")
                || name.ends_with(".rotary_emb.freqs")
        });
        Ok((model, weights.finish()?))
    }

    /// The sizes.
    pub fn config(&self) -> &YourMt3Config {
        &self.config
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder<B> {
        &self.decoder
    }

    /// Spectrograms `[batch, 110, 1024]` to `[batch, 110, latents, size]`.
    pub fn encode(
        &self,
        spectrograms: Tensor<B, 3>,
        mut trace: Option<&mut YourMt3Trace>,
    ) -> Tensor<B, 4> {
        let image = spectrograms.unsqueeze_dim::<4>(1);
        let image = self
            .convolutions
            .iter()
            .fold(image, |image, block| block.forward(image));
        if let Some(trace) = trace.as_deref_mut() {
            trace.pre_encoder = host(image.clone().permute([0, 2, 3, 1]));
        }
        // The channels are the keys, the bins their features.
        self.encoder
            .forward(image.swap_dims(1, 2), trace.map(|trace| &mut trace.encoder))
    }

    /// Encoder output `[batch, frames, latents, size]` to the decoder's contexts `[batch * channels,
    /// frames, model]`, all channels of a segment together; of all channels, or of those listed.
    pub fn contexts(&self, encoded: Tensor<B, 4>, channels: &[usize]) -> Tensor<B, 3> {
        let [batch, frames, latents, size] = encoded.dims();
        let pairs = encoded
            .reshape([batch, frames, latents / 2, 2 * size])
            .swap_dims(1, 2);
        let chosen: Vec<Tensor<B, 4>> = channels
            .iter()
            .map(|&channel| {
                pairs
                    .clone()
                    .slice([0..batch, channel..channel + 1, 0..frames, 0..2 * size])
            })
            .collect();
        let chosen = Tensor::cat(chosen, 1);
        self.pre_decoder
            .forward(chosen.reshape([batch * channels.len(), frames, 2 * size]))
    }
}

/// The prefix of a YourMT3 network's keys in a checkpoint.
pub fn prefix_of(checkpoint: &Checkpoint) -> Option<&'static str> {
    ["", "model."]
        .into_iter()
        .find(|prefix| checkpoint.contains(&format!("{prefix}pre_decoder.0.linear.weight")))
}
