//! YourMT3, variant YPTF.MoE+Multi: convolutional pre-encoder, Perceiver-TF encoder with mixtures
//! of experts, one T5 decoder for 13 channels, or for one.

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor};
use hitscribe_core::checkpoint::{Checkpoint, count_elements};
use hitscribe_core::error::Result;
use hitscribe_core::tokens::vocabulary::Vocabulary;

use crate::compact::Precision;
use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::layers::{Linear, to_host};
use crate::mt3_family::load::{LoadReport, Weights};
use crate::mt3_family::perceiver::{Perceiver, PerceiverConfig, PerceiverTrace};
use crate::mt3_family::pre_encoder;
use crate::mt3_family::pre_encoder::PreEncoder;
use crate::mt3_family::shapes::{self, Shapes};
use crate::mt3_family::t5::{Decoder, DecoderParts, T5Config};

/// Frames of a segment.
pub const FRAMES: usize = 110;
/// Bins of the spectrogram.
pub const BINS: usize = 1024;
/// Longest sequence of a channel of a segment in ids.
const MAX_NEW_IDS: usize = 256;
/// Longest sequence of a segment in ids, where one channel holds all notes.
const MAX_NEW_IDS_OF_ONE_CHANNEL: usize = 1024;
/// Attention heads of the published encoder.
const PUBLISHED_ENCODER_HEADS: usize = 8;
/// Experts per row.
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
    /// Latents of the encoder that form a channel: two in the published model, all of them in a
    /// model with one channel.
    pub latents_per_channel: usize,
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
    /// Derives the sizes from a checkpoint's shapes, and the numbers of heads from
    /// `hyperparameters`.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] if the checkpoint is not YourMT3 or the hyperparameters do not fit it.
    pub fn of(
        checkpoint: &Checkpoint,
        prefix: &str,
        hyperparameters: &Hyperparameters,
    ) -> Result<Self> {
        let kind = "a YourMT3 checkpoint of the kind YPTF.MoE+Multi";
        let shapes = Shapes::new(checkpoint, prefix, kind);
        let convolution_blocks = shapes.count(|n| format!("pre_encoder.0.blocks.{n}.conv1.weight"));
        let [latents, size] = shapes.matrix("encoder.latent_array.latents")?;
        let [model_size, channel_size] = shapes.matrix("pre_decoder.0.linear.weight")?;
        let latents_per_channel = channel_size / size;
        if channel_size % size != 0 || latents % latents_per_channel != 0 {
            return Err(shapes.wrong(format!(
                "has {latents} latents of width {size}, which form no channels of width \
                 {channel_size}"
            )));
        }
        let block = "encoder.blocks.0";
        let mixture = format!("{block}.local_transformer.0.mlp");
        let encoder_heads = hyperparameters
            .encoder_heads
            .unwrap_or(PUBLISHED_ENCODER_HEADS);
        let rotary_angles = shapes.first("encoder.rotary_emb_sca.freqs")?;
        if size % encoder_heads != 0
            || 2 * rotary_angles > size / encoder_heads
            || convolution_blocks == 0
            || convolution_blocks > 8
        {
            return Err(shapes.wrong(format!(
                "{encoder_heads} heads do not fit an encoder of width {size}"
            )));
        }
        let experts = shapes.first(&format!("{mixture}.gate.weight"))?;
        let encoder = PerceiverConfig {
            latents,
            size,
            heads: encoder_heads,
            key_features: BINS >> convolution_blocks,
            blocks: shapes.count(|n| {
                format!("encoder.blocks.{n}.spectral_cross_attention.self.query.weight")
            }),
            local_layers: shapes
                .count(|n| format!("{block}.local_transformer.{n}.mlp.gate.weight")),
            temporal_layers: shapes
                .count(|n| format!("{block}.temporal_transformer.{n}.mlp.gate.weight")),
            experts,
            expert_size: shapes.first(&format!("{mixture}.experts.0.w1.weight"))?,
            chosen_experts: CHOSEN_EXPERTS.min(experts),
            frames: FRAMES,
            rotary_angles,
            norm_has_bias: shapes.contains(&format!("{block}.local_transformer.0.layernorm.bias")),
        };
        let decoder = T5Config::of(
            &shapes,
            hyperparameters,
            model_size,
            [
                "decoder.decoder.block.0.layer.0.SelfAttention",
                "decoder.decoder.block.0.layer.2.DenseReluDense",
            ],
        )?;
        let vocabulary_size = shapes.first("embed_tokens.weight")?;
        if vocabulary_size < Vocabulary::YOURMT3.size() {
            return Err(shapes.wrong(format!(
                "a vocabulary of {vocabulary_size} is not YourMT3's"
            )));
        }
        let config = Self {
            convolution_channels: shapes.first("pre_encoder.0.blocks.0.conv1.weight")?,
            convolution_blocks,
            encoder,
            latents_per_channel,
            decoder,
            decoder_layers: shapes
                .count(|n| format!("decoder.decoder.block.{n}.layer.0.layer_norm.weight")),
            vocabulary_size,
            max_positions: shapes.first("decoder.decoder.additive_pe.weight")?,
        };
        checkpoint.check_capacity(config.elements())?;
        Ok(config)
    }

    /// Elements of the network's matrices.
    fn elements(&self) -> u64 {
        let model_size = self.decoder.model_size;
        let between = count_elements(&[
            &[self.latents_per_channel, self.encoder.size, model_size],
            &[2, self.vocabulary_size, model_size],
            &[self.max_positions, model_size],
        ]);
        pre_encoder::elements(self.convolution_blocks, self.convolution_channels)
            .saturating_add(self.encoder.elements())
            .saturating_add(between)
            .saturating_add(self.decoder.elements(self.decoder_layers, 2))
    }

    /// Number of token streams per segment.
    pub fn channels(&self) -> usize {
        self.encoder.latents / self.latents_per_channel
    }

    /// Longest sequence of a channel of a segment in ids.
    pub fn max_new_ids(&self) -> usize {
        match self.channels() {
            1 => MAX_NEW_IDS_OF_ONE_CHANNEL,
            _ => MAX_NEW_IDS,
        }
    }
}

/// Intermediate values, for comparison with other implementations.
#[derive(Debug, Default)]
pub struct YourMt3Trace {
    /// Output of the pre-encoder, `[batch, frames, bins, channels]` flat.
    pub pre_encoder: Vec<f32>,
    /// Values inside the encoder.
    pub encoder: PerceiverTrace,
}

/// The network.
#[derive(Clone, Debug)]
pub struct YourMt3<B: Backend> {
    config: YourMt3Config,
    pre_encoder: PreEncoder<B>,
    encoder: Perceiver<B>,
    pre_decoder: Linear<B>,
    decoder: Decoder<B>,
}

impl<B: Backend> YourMt3<B> {
    /// Loads a network from a checkpoint whose keys begin with `prefix`.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] with the list of tensors that are missing or have another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        prefix: &str,
        config: YourMt3Config,
        precision: Precision,
        device: &Device<B>,
    ) -> Result<(Self, LoadReport)> {
        let mut weights = Weights::new(checkpoint, prefix, device);
        weights.format = precision.of_encoder::<B>();
        let pre_encoder = PreEncoder::load(
            &mut weights,
            config.convolution_blocks,
            config.convolution_channels,
        );
        let model_size = config.decoder.model_size;
        weights.format = precision.of_decoder();
        let parts = DecoderParts {
            embedding: weights.tensor("embed_tokens.weight", [config.vocabulary_size, model_size]),
            positions: weights.tensor(
                "decoder.decoder.additive_pe.weight",
                [config.max_positions, model_size],
            ),
            output: Linear::load_wide(
                &mut weights,
                "lm_head.lm_head",
                model_size,
                config.vocabulary_size,
            ),
            output_scale: 1.0 / (model_size as f64).sqrt(),
        };
        let decoder = Decoder::load(
            &mut weights,
            "decoder.decoder",
            config.decoder,
            config.decoder_layers,
            parts,
        );
        weights.format = precision.of_encoder::<B>();
        let model = Self {
            encoder: Perceiver::load(&mut weights, &config.encoder),
            pre_decoder: Linear::load(
                &mut weights,
                "pre_decoder.0.linear",
                config.latents_per_channel * config.encoder.size,
                model_size,
            ),
            decoder,
            pre_encoder,
            config,
        };
        // The front end's window, training counters, and copies of tensors read above.
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

    /// Encodes spectrograms `[batch, 110, 1024]` to `[batch, 110, latents, size]`.
    pub fn encode(
        &self,
        spectrograms: Tensor<B, 3>,
        mut trace: Option<&mut YourMt3Trace>,
    ) -> Tensor<B, 4> {
        // The encoder's keys are the channels, their features the bins.
        let spectra = self.pre_encoder.forward(spectrograms);
        if let Some(trace) = trace.as_deref_mut() {
            trace.pre_encoder = to_host(spectra.clone().swap_dims(2, 3));
        }
        self.encoder
            .forward(spectra, trace.map(|trace| &mut trace.encoder))
    }

    /// Encoder output `[batch, frames, latents, size]` to the decoder's contexts of the given
    /// channels, `[batch * channels, frames, model]`, all channels of a segment together.
    pub fn contexts(&self, encoded: Tensor<B, 4>, channels: &[usize]) -> Tensor<B, 3> {
        let [batch, frames, _, size] = encoded.dims();
        let width = self.config.latents_per_channel * size;
        let parts = encoded
            .reshape([batch, frames, self.config.channels(), width])
            .swap_dims(1, 2);
        let chosen: Vec<Tensor<B, 4>> = channels
            .iter()
            .map(|&channel| {
                parts
                    .clone()
                    .slice([0..batch, channel..channel + 1, 0..frames, 0..width])
            })
            .collect();
        let chosen = Tensor::cat(chosen, 1);
        self.pre_decoder
            .forward(chosen.reshape([batch * channels.len(), frames, width]))
    }
}

/// The prefix of a YourMT3 network's keys in a checkpoint.
pub fn prefix_of(checkpoint: &Checkpoint) -> Option<&'static str> {
    shapes::prefix_of(checkpoint, "pre_decoder.0.linear.weight")
}
