//! YourMT3's encoder, a Perceiver-TF: latents attend to the spectrum of each frame, then to each
//! other, then over time. The feed-forward layers are mixtures of experts.

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor, TensorData};
use hitscribe_core::checkpoint::count_elements;

use crate::mt3_family::layers::{Linear, attend, join_heads, split_heads, to_host};
use crate::mt3_family::load::Weights;
use crate::mt3_family::mixture_of_experts::{Mixture, MoeConfig};

/// Added to the variance in every norm.
const NORM_EPSILON: f64 = 1e-5;

/// Sizes of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerceiverConfig {
    /// Number of latents; two form one channel of the decoder.
    pub latents: usize,
    /// Width of a latent.
    pub size: usize,
    /// Attention heads.
    pub heads: usize,
    /// Features of a key, which are the pre-encoder's bins.
    pub key_features: usize,
    /// Blocks.
    pub blocks: usize,
    /// Layers over the latents of a frame in each block.
    pub local_layers: usize,
    /// Layers over time in each block.
    pub temporal_layers: usize,
    /// Experts of a feed-forward layer.
    pub experts: usize,
    /// Width of an expert.
    pub expert_size: usize,
    /// Experts per row.
    pub chosen_experts: usize,
    /// Frames of a segment.
    pub frames: usize,
    /// Angles of the rotary embedding: half of the rotated dimensions.
    pub rotary_angles: usize,
    /// Whether norms are layer norms with bias, or RMS norms.
    pub norm_has_bias: bool,
}

impl PerceiverConfig {
    fn head_size(&self) -> usize {
        self.size / self.heads.max(1)
    }

    fn experts(&self) -> MoeConfig {
        MoeConfig {
            size: self.size,
            expert_size: self.expert_size,
            experts: self.experts,
            chosen_experts: self.chosen_experts,
        }
    }

    /// Elements of the encoder's matrices, at least those of one block.
    pub(super) fn elements(&self) -> u64 {
        let blocks = self.blocks.max(1);
        let layers = self.local_layers + self.temporal_layers;
        count_elements(&[
            &[self.latents, self.size],
            &[2, blocks, self.size, self.size],
            &[2, blocks, self.size, self.key_features],
            &[4, blocks, layers, self.size, self.size],
            &[blocks, layers, self.experts, self.size],
            &[3, blocks, layers, self.experts, self.size, self.expert_size],
        ])
    }
}

/// Intermediate values of the encoder, for comparison with other implementations.
#[derive(Debug, Default)]
pub struct PerceiverTrace {
    /// The router's logits in the first local layer, `[rows, experts]`.
    pub first_router_logits: Vec<f32>,
    /// The output of each block, `[frames, latents, size]` flat.
    pub block_outputs: Vec<Vec<f32>>,
}

#[derive(Clone, Debug)]
struct Norm<B: Backend> {
    weight: Tensor<B, 1>,
    bias: Option<Tensor<B, 1>>,
}

impl<B: Backend> Norm<B> {
    fn load(weights: &mut Weights<'_, B>, name: &str, size: usize, has_bias: bool) -> Self {
        Self {
            weight: weights.tensor(&format!("{name}.weight"), [size]),
            bias: has_bias.then(|| weights.tensor(&format!("{name}.bias"), [size])),
        }
    }

    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let centred = match self.bias {
            Some(_) => x.clone() - x.mean_dim(2),
            None => x,
        };
        let variance = (centred.clone() * centred.clone()).mean_dim(2);
        let y = centred
            * variance.add_scalar(NORM_EPSILON).sqrt().recip()
            * self.weight.clone().unsqueeze();
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }
}

/// The rotary position embedding of queries: in the first `2 * angles` dimensions of each head,
/// pairs of neighbouring dimensions are rotated by an angle proportional to the position.
///
/// Rotating (x0, x1) gives `(x0, x1) cos + (-x1, x0) sin`. `(-x1, x0)` is a linear map of the
/// query, which [`query_and_rotated`] merges with the query's weights.
#[derive(Clone, Debug)]
struct Rotary<B: Backend> {
    /// `[1, rows * size]`, times the scale of the attention.
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
}

impl<B: Backend> Rotary<B> {
    fn new(
        positions: &[f32],
        frequencies: &[f32],
        config: &PerceiverConfig,
        device: &Device<B>,
    ) -> Self {
        let head_size = config.head_size();
        let scale = 1.0 / (head_size as f64).sqrt();
        let table = |value: fn(f64) -> f64| {
            let mut values = Vec::with_capacity(positions.len() * config.size);
            for &position in positions {
                for dimension in 0..config.size {
                    let angle = match frequencies.get(dimension % head_size / 2) {
                        Some(frequency) => f64::from(position * frequency),
                        None => 0.0,
                    };
                    values.push((scale * value(angle)) as f32);
                }
            }
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [1, count]), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// `query` and `rotated`, by a quarter turn, are `[batch, rows, size]`.
    fn forward(&self, query: Tensor<B, 3>, rotated: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, rows, size] = query.dims();
        let flat = [batch, rows * size];
        let sum = query.reshape(flat) * self.cos.clone() + rotated.reshape(flat) * self.sin.clone();
        sum.reshape([batch, rows, size])
    }
}

/// Reads the layer for the queries: as it is, and followed by the map from (x0, x1) to (-x1, x0).
fn query_and_rotated<B: Backend>(
    weights: &mut Weights<'_, B>,
    name: &str,
    config: &PerceiverConfig,
) -> [Linear<B>; 2] {
    let size = config.size;
    let rotated = |values: &[f32], width: usize| {
        let mut values = values.to_vec();
        for head in values.chunks_exact_mut(config.head_size() * width) {
            for pair in head.chunks_exact_mut(2 * width) {
                let (first, second) = pair.split_at_mut(width);
                first.swap_with_slice(second);
                first.iter_mut().for_each(|value| *value = -*value);
            }
        }
        values
    };
    let weight = weights.values(&format!("{name}.weight"), &[size, size]);
    let bias = weights.values(&format!("{name}.bias"), &[size]);
    let (rotated_weight, rotated_bias) = (rotated(&weight, size), rotated(&bias, 1));
    let (format, device) = (weights.format, weights.device());
    [(weight, bias), (rotated_weight, rotated_bias)]
        .map(|(weight, bias)| Linear::new(&weight, size, size, Some(bias), format, device))
}

#[derive(Clone, Debug)]
struct Attention<B: Backend> {
    heads: usize,
    query_norm: Norm<B>,
    /// The norm of the keys in cross attention.
    key_norm: Option<Norm<B>>,
    query: Linear<B>,
    /// The query's pairs rotated by a quarter turn.
    rotated_query: Linear<B>,
    key: Linear<B>,
    value: Linear<B>,
    output: Linear<B>,
}

impl<B: Backend> Attention<B> {
    fn load(
        weights: &mut Weights<'_, B>,
        name: &str,
        config: &PerceiverConfig,
        key_features: Option<usize>,
    ) -> Self {
        let size = config.size;
        let inner = format!("{name}.self");
        let keys = key_features.unwrap_or(size);
        let [query, rotated_query] = query_and_rotated(weights, &format!("{inner}.query"), config);
        Self {
            heads: config.heads,
            query_norm: Norm::load(
                weights,
                &format!("{inner}.layernorm1"),
                size,
                config.norm_has_bias,
            ),
            key_norm: key_features.map(|features| {
                Norm::load(
                    weights,
                    &format!("{inner}.layernorm2"),
                    features,
                    config.norm_has_bias,
                )
            }),
            query,
            rotated_query,
            key: Linear::load_with_bias(weights, &format!("{inner}.key"), keys, size),
            value: Linear::load_with_bias(weights, &format!("{inner}.value"), keys, size),
            output: Linear::load_with_bias(weights, &format!("{name}.output.dense"), size, size),
        }
    }

    /// `x`, `[batch, rows, size]`, plus its attention to itself or to `keys`.
    fn forward(
        &self,
        x: Tensor<B, 3>,
        keys: Option<Tensor<B, 3>>,
        rotary: &Rotary<B>,
    ) -> Tensor<B, 3> {
        let normed = self.query_norm.forward(x.clone());
        let keys = match (keys, &self.key_norm) {
            (Some(keys), Some(norm)) => norm.forward(keys),
            _ => normed.clone(),
        };
        let rotated = self.rotated_query.forward(normed.clone());
        let q = rotary.forward(self.query.forward(normed), rotated);
        let k = self.key.kept(self.key.forward(keys.clone()));
        let v = self.value.kept(self.value.forward(keys));
        let [q, k, v] = [q, k, v].map(|x| split_heads(x, self.heads));
        x + self.output.forward(join_heads(attend(q, k, v)))
    }
}

#[derive(Clone, Debug)]
struct Layer<B: Backend> {
    attention: Attention<B>,
    norm: Norm<B>,
    mixture: Mixture<B>,
}

impl<B: Backend> Layer<B> {
    fn load(weights: &mut Weights<'_, B>, name: &str, config: &PerceiverConfig) -> Self {
        Self {
            attention: Attention::load(weights, &format!("{name}.attention"), config, None),
            norm: Norm::load(
                weights,
                &format!("{name}.layernorm"),
                config.size,
                config.norm_has_bias,
            ),
            mixture: Mixture::load(weights, &format!("{name}.mlp"), &config.experts()),
        }
    }

    fn forward(
        &self,
        x: Tensor<B, 3>,
        rotary: &Rotary<B>,
        router_logits: Option<&mut Vec<f32>>,
    ) -> Tensor<B, 3> {
        let x = self.attention.forward(x, None, rotary);
        let [batch, rows, size] = x.dims();
        let normed = self.norm.forward(x.clone()).reshape([batch * rows, size]);
        x + self
            .mixture
            .forward(normed, router_logits)
            .reshape([batch, rows, size])
    }
}

#[derive(Clone, Debug)]
struct Block<B: Backend> {
    spectral: Attention<B>,
    local: Vec<Layer<B>>,
    temporal: Vec<Layer<B>>,
}

/// The Perceiver-TF encoder.
#[derive(Clone, Debug)]
pub struct Perceiver<B: Backend> {
    latents: Tensor<B, 2>,
    blocks: Vec<Block<B>>,
    spectral_rotary: Rotary<B>,
    latent_rotary: Rotary<B>,
    temporal_rotary: Rotary<B>,
}

impl<B: Backend> Perceiver<B> {
    /// Reads everything under `encoder.`.
    pub fn load(weights: &mut Weights<'_, B>, config: &PerceiverConfig) -> Self {
        let last = config.latents.saturating_sub(1).max(1) as f32;
        let pixels: Vec<f32> = (0..config.latents)
            .map(|latent| -1.0 + 2.0 * latent as f32 / last)
            .collect();
        let frames: Vec<f32> = (0..config.frames).map(|frame| frame as f32).collect();
        let device = weights.device().clone();
        let mut rotary = |which: &str, positions: &[f32]| {
            let frequencies = weights.values(
                &format!("encoder.rotary_emb_{which}.freqs"),
                &[config.rotary_angles],
            );
            Rotary::new(positions, &frequencies, config, &device)
        };
        let spectral_rotary = rotary("sca", &pixels);
        let latent_rotary = rotary("latent", &pixels);
        let temporal_rotary = rotary("temporal", &frames);
        let blocks = (0..config.blocks).map(|block| {
            let name = format!("encoder.blocks.{block}");
            let mut layers = |kind: &str, count: usize| -> Vec<Layer<B>> {
                (0..count)
                    .map(|layer| Layer::load(weights, &format!("{name}.{kind}.{layer}"), config))
                    .collect()
            };
            let local = layers("local_transformer", config.local_layers);
            let temporal = layers("temporal_transformer", config.temporal_layers);
            let spectral = Attention::load(
                weights,
                &format!("{name}.spectral_cross_attention"),
                config,
                Some(config.key_features),
            );
            Block {
                spectral,
                local,
                temporal,
            }
        });
        let blocks = blocks.collect();
        let latents = weights.tensor(
            "encoder.latent_array.latents",
            [config.latents, config.size],
        );
        Self {
            latents,
            blocks,
            spectral_rotary,
            latent_rotary,
            temporal_rotary,
        }
    }

    /// `[batch, frames, keys, features]` to `[batch, frames, latents, size]`.
    pub fn forward(
        &self,
        spectra: Tensor<B, 4>,
        mut trace: Option<&mut PerceiverTrace>,
    ) -> Tensor<B, 4> {
        let [batch, frames, keys, features] = spectra.dims();
        let spectra: Tensor<B, 3> = spectra.reshape([batch * frames, keys, features]);
        let [latents, size] = self.latents.dims();
        let mut x = self
            .latents
            .clone()
            .unsqueeze::<3>()
            .repeat_dim(0, batch * frames);
        let mut router_logits = trace.is_some().then(Vec::new);
        for block in &self.blocks {
            x = block
                .spectral
                .forward(x, Some(spectra.clone()), &self.spectral_rotary);
            for layer in &block.local {
                let wanted = router_logits.as_mut().filter(|logits| logits.is_empty());
                x = layer.forward(x, &self.latent_rotary, wanted);
            }
            let mut over_time = x
                .reshape([batch, frames, latents, size])
                .swap_dims(1, 2)
                .reshape([batch * latents, frames, size]);
            for layer in &block.temporal {
                over_time = layer.forward(over_time, &self.temporal_rotary, None);
            }
            x = over_time
                .reshape([batch, latents, frames, size])
                .swap_dims(1, 2)
                .reshape([batch * frames, latents, size]);
            if let Some(trace) = trace.as_deref_mut() {
                trace.block_outputs.push(to_host(x.clone()));
            }
        }
        if let (Some(trace), Some(logits)) = (trace, router_logits) {
            trace.first_router_logits = logits;
        }
        x.reshape([batch, frames, latents, size])
    }
}
