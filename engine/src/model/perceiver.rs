//! YourMT3's encoder: latents that attend to the spectrum of each frame, then to each other and over
//! time, with a mixture of experts as feed-forward layer.

use burn::tensor::activation::{silu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use super::checkpoint::Weights;
use super::ops::{Linear, host, join_heads, split_heads};

/// Added to the variance in every norm.
const NORM_EPSILON: f64 = 1e-5;

/// Sizes of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerceiverConfig {
    /// Number of latents; two make one channel of the decoder.
    pub latents: usize,
    /// Width of a latent.
    pub size: usize,
    /// Attention heads.
    pub heads: usize,
    /// Features of a key: the pre-encoder's bins.
    pub key_features: usize,
    /// Blocks.
    pub blocks: usize,
    /// Layers over the latents in each block.
    pub local_layers: usize,
    /// Layers over time in each block.
    pub temporal_layers: usize,
    /// Experts of a feed-forward layer.
    pub experts: usize,
    /// Width of an expert.
    pub expert_size: usize,
    /// Experts that each row uses.
    pub chosen_experts: usize,
    /// Frames of a segment.
    pub frames: usize,
    /// Angles of the rotary code: half of the dimensions that turn.
    pub rotary_angles: usize,
    /// Layer norm with bias, or RMS norm.
    pub norm_has_bias: bool,
}

/// Intermediate values of the encoder, for comparison with other implementations.
#[derive(Debug, Default)]
pub struct PerceiverTrace {
    /// `[rows, experts]` of the first local layer.
    pub first_router_logits: Vec<f32>,
    /// `[frames, latents, size]` after each block, flat.
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

/// Turns pairs of neighbouring dimensions of the queries; the first `2 * angles` of each head.
#[derive(Clone, Debug)]
struct Rotary<B: Backend> {
    /// `[rows, head size]`.
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
    /// Maps (x0, x1) to (-x1, x0) in the pairs that turn, all else to 0.
    quarter_turn: Tensor<B, 2>,
}

impl<B: Backend> Rotary<B> {
    fn new(
        positions: &[f32],
        frequencies: &[f32],
        head_size: usize,
        device: &burn::tensor::Device<B>,
    ) -> Self {
        let rows = positions.len();
        let mut cos = vec![1.0; rows * head_size];
        let mut sin = vec![0.0; rows * head_size];
        let mut turn = vec![0.0; head_size * head_size];
        for (i, &frequency) in frequencies.iter().enumerate() {
            let (first, second) = (2 * i, 2 * i + 1);
            for (row, &position) in positions.iter().enumerate() {
                let angle = f64::from(position * frequency);
                for dimension in [first, second] {
                    cos[row * head_size + dimension] = angle.cos() as f32;
                    sin[row * head_size + dimension] = angle.sin() as f32;
                }
            }
            // Rows are inputs, columns outputs.
            turn[second * head_size + first] = -1.0;
            turn[first * head_size + second] = 1.0;
        }
        let table = |values: Vec<f32>, rows: usize| {
            Tensor::from_data(TensorData::new(values, [rows, head_size]), device)
        };
        Self {
            cos: table(cos, rows),
            sin: table(sin, rows),
            quarter_turn: table(turn, head_size),
        }
    }

    fn forward(&self, q: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, heads, rows, size] = q.dims();
        let turned = q
            .clone()
            .reshape([batch * heads * rows, size])
            .matmul(self.quarter_turn.clone());
        q * self.cos.clone().unsqueeze()
            + turned.reshape([batch, heads, rows, size]) * self.sin.clone().unsqueeze()
    }
}

#[derive(Clone, Debug)]
struct Attention<B: Backend> {
    heads: usize,
    query_norm: Norm<B>,
    /// Of the keys, where they are not the queries.
    key_norm: Option<Norm<B>>,
    query: Linear<B>,
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
            query: Linear::load_with_bias(weights, &format!("{inner}.query"), size, size),
            key: Linear::load_with_bias(weights, &format!("{inner}.key"), keys, size),
            value: Linear::load_with_bias(weights, &format!("{inner}.value"), keys, size),
            output: Linear::load_with_bias(weights, &format!("{name}.output.dense"), size, size),
        }
    }

    /// `x` (`[batch, rows, size]`) plus what it attends to: itself, or `keys`.
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
        let q = rotary.forward(split_heads(self.query.forward(normed), self.heads));
        let k = split_heads(self.key.forward(keys.clone()), self.heads);
        let v = split_heads(self.value.forward(keys), self.heads);
        let scale = 1.0 / (q.dims()[3] as f64).sqrt();
        let attended = softmax(q.mul_scalar(scale).matmul(k.swap_dims(2, 3)), 3).matmul(v);
        x + self.output.forward(join_heads(attended))
    }
}

#[derive(Clone, Debug)]
struct Expert<B: Backend> {
    activated: Linear<B>,
    linear: Linear<B>,
    output: Linear<B>,
}

/// Mixture of experts: each row goes through the few experts that its router prefers.
#[derive(Clone, Debug)]
struct Mixture<B: Backend> {
    router: Linear<B>,
    experts: Vec<Expert<B>>,
    chosen: usize,
}

impl<B: Backend> Mixture<B> {
    fn load(weights: &mut Weights<'_, B>, name: &str, config: &PerceiverConfig) -> Self {
        let (size, inner) = (config.size, config.expert_size);
        let experts = (0..config.experts).map(|expert| {
            let name = format!("{name}.experts.{expert}");
            Expert {
                activated: Linear::load(weights, &format!("{name}.w1"), size, inner),
                linear: Linear::load(weights, &format!("{name}.gate"), size, inner),
                output: Linear::load(weights, &format!("{name}.w2"), inner, size),
            }
        });
        let experts = experts.collect();
        let router = Linear::load(weights, &format!("{name}.gate"), size, config.experts);
        Self {
            router,
            experts,
            chosen: config.chosen_experts,
        }
    }

    fn forward(&self, x: Tensor<B, 2>, router_logits: Option<&mut Vec<f32>>) -> Tensor<B, 2> {
        let device = x.device();
        let logits = host(self.router.rows(x.clone()));
        let mut assigned: Vec<(Vec<i32>, Vec<f32>)> = vec![Default::default(); self.experts.len()];
        for (row, logits) in logits.chunks_exact(self.experts.len().max(1)).enumerate() {
            for (expert, weight) in best_experts(logits, self.chosen) {
                assigned[expert].0.push(row as i32);
                assigned[expert].1.push(weight);
            }
        }
        if let Some(out) = router_logits {
            *out = logits;
        }
        let mut sum = x.zeros_like();
        for (expert, (rows, weights)) in self.experts.iter().zip(assigned) {
            if rows.is_empty() {
                continue;
            }
            let count = rows.len();
            let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [count]), &device);
            let weights = Tensor::<B, 2>::from_data(TensorData::new(weights, [count, 1]), &device);
            let own = x.clone().select(0, rows.clone());
            let inner = silu(expert.activated.rows(own.clone())) * expert.linear.rows(own);
            sum = sum.select_assign(
                0,
                rows,
                expert.output.rows(inner) * weights,
                IndexingUpdateOp::Add,
            );
        }
        sum
    }
}

/// The `count` experts with the largest logits and their shares.
fn best_experts(logits: &[f32], count: usize) -> Vec<(usize, f32)> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let total: f32 = exponentials.iter().sum();
    let mut shares: Vec<(usize, f32)> =
        exponentials.iter().map(|e| e / total).enumerate().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.truncate(count);
    let kept: f32 = shares.iter().map(|share| share.1).sum();
    shares.iter_mut().for_each(|share| share.1 /= kept);
    shares
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
            mixture: Mixture::load(weights, &format!("{name}.mlp"), config),
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
        let head_size = config.size / config.heads.max(1);
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
            Rotary::new(positions, &frequencies, head_size, &device)
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
                trace.block_outputs.push(host(x.clone()));
            }
        }
        if let (Some(trace), Some(logits)) = (trace, router_logits) {
            trace.first_router_logits = logits;
        }
        x.reshape([batch, frames, latents, size])
    }
}
