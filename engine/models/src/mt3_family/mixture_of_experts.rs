//! The mixture of experts: the feed-forward layer of YourMT3's encoder.

use burn_tensor::activation::silu;
use burn_tensor::backend::Backend;
use burn_tensor::{Device, Int, Tensor, TensorData};

use crate::mt3_family::layers::{Linear, to_host};
use crate::mt3_family::load::Weights;

#[derive(Clone, Debug)]
struct Expert<B: Backend> {
    activated: Linear<B>,
    linear: Linear<B>,
    output: Linear<B>,
}

/// Sizes of a mixture of experts.
#[derive(Clone, Copy, Debug)]
pub(super) struct MoeConfig {
    /// Width of the rows.
    pub size: usize,
    /// Width inside an expert.
    pub expert_size: usize,
    /// Number of experts.
    pub experts: usize,
    /// Experts per row.
    pub chosen_experts: usize,
}

/// A mixture of experts: each row passes through the few experts with its largest router logits.
#[derive(Clone, Debug)]
pub(super) struct Mixture<B: Backend> {
    router: Linear<B>,
    experts: Vec<Expert<B>>,
    chosen: usize,
}

impl<B: Backend> Mixture<B> {
    /// Reads `name.gate` and `name.experts.0..`.
    pub fn load(weights: &mut Weights<'_, B>, name: &str, config: &MoeConfig) -> Self {
        let (size, inner) = (config.size, config.expert_size);
        let experts = (0..config.experts).map(|expert| {
            let name = format!("{name}.experts.{expert}");
            Expert {
                activated: Linear::load(weights, &format!("{name}.w1"), size, inner),
                linear: Linear::load(weights, &format!("{name}.gate"), size, inner),
                output: Linear::load_wide(weights, &format!("{name}.w2"), inner, size),
            }
        });
        let experts = experts.collect();
        // Near ties between experts would be decided by rounding.
        let format = weights.format.take();
        let router = Linear::load(weights, &format!("{name}.gate"), size, config.experts);
        weights.format = format;
        Self {
            router,
            experts,
            chosen: config.chosen_experts,
        }
    }

    /// `[rows, size]` to the same shape. Stores the router's logits `[rows, experts]` if asked to.
    pub fn forward(&self, x: Tensor<B, 2>, router_logits: Option<&mut Vec<f32>>) -> Tensor<B, 2> {
        let device = x.device();
        let [rows, _] = x.dims();
        let logits = to_host(self.router.rows(x.clone()));
        let mut own_rows: Vec<Vec<i32>> = vec![Vec::new(); self.experts.len()];
        let mut shares: Vec<Vec<f32>> = vec![Vec::new(); self.experts.len()];
        // For each choice of each row: the expert, and the row's index among that expert's rows.
        let mut places = vec![Vec::with_capacity(rows); self.chosen];
        for (row, logits) in logits.chunks_exact(self.experts.len().max(1)).enumerate() {
            for (choice, (expert, share)) in best_experts(logits, self.chosen).enumerate() {
                places[choice].push((expert, own_rows[expert].len()));
                own_rows[expert].push(row as i32);
                shares[expert].push(share);
            }
        }
        if let Some(out) = router_logits {
            *out = logits;
        }
        let mut first_of = Vec::with_capacity(self.experts.len());
        let mut outputs = Vec::with_capacity(self.experts.len());
        let mut done = 0;
        for (expert, (own_rows, shares)) in
            self.experts.iter().zip(own_rows.into_iter().zip(shares))
        {
            let count = own_rows.len();
            first_of.push(done);
            done += count;
            if count > 0 {
                let own = x.clone().select(0, indices(own_rows, &device));
                let inner = silu(expert.activated.rows(own.clone())) * expert.linear.rows(own);
                let shares = TensorData::new(shares, [count, 1]);
                outputs.push(expert.output.rows(inner) * Tensor::from_data(shares, &device));
            }
        }
        let outputs = Tensor::cat(outputs, 0);
        let of_choice = |places: Vec<(usize, usize)>| {
            let row = |(expert, place): (usize, usize)| (first_of[expert] + place) as i32;
            let rows = places.into_iter().map(row).collect();
            outputs.clone().select(0, indices(rows, &device))
        };
        places
            .into_iter()
            .map(of_choice)
            .reduce(|sum, part| sum + part)
            .unwrap_or(x)
    }
}

fn indices<B: Backend>(rows: Vec<i32>, device: &Device<B>) -> Tensor<B, 1, Int> {
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// The `count` experts with the largest logits, and their softmax weights among themselves.
fn best_experts(logits: &[f32], count: usize) -> impl Iterator<Item = (usize, f32)> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let total: f32 = exponentials.iter().sum();
    let mut shares: Vec<(usize, f32)> =
        exponentials.iter().map(|e| e / total).enumerate().collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.truncate(count);
    let kept: f32 = shares.iter().map(|share| share.1).sum();
    shares
        .into_iter()
        .map(move |(expert, share)| (expert, share / kept))
}
