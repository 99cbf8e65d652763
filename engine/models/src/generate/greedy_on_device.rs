//! Greedy decoding for GPUs: ids are chosen on the device and fed to the next step there, and the
//! host reads them in blocks.

use burn_tensor::backend::Backend;
use burn_tensor::{Int, Tensor, TensorData};
use hitscribe_core::tokens::vocabulary::{EOS_ID, PAD_ID};

use crate::generate::greedy::{GreedyOptions, Sequence};
use crate::generate::token_mask::{EXCLUDED, TokenMask};
use crate::mt3_family::layers::to_host;
use crate::mt3_family::t5::Decoder;

/// Steps between two reads. Sequences that end in a block are decoded in vain to its end.
const BLOCK_STEPS: usize = 16;
/// Values for each step that the host reads: id, probability, margin.
const READ_VALUES: usize = 3;

/// The masks of all rows, `[rows, vocabulary]`.
struct Masks<B: Backend> {
    bias: Tensor<B, 2>,
    /// What keeps a pitch from coming before a program.
    pitch_bias: Tensor<B, 2>,
    /// 1 for programs.
    programs: Tensor<B, 2>,
    /// 1 for rows that have not had a program yet, `[rows, 1]`.
    lacks_program: Tensor<B, 2>,
}

/// The same as [`crate::generate::greedy::greedy_each`].
pub(crate) fn greedy_on_device<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    options: GreedyOptions<'_>,
    masks: &[Option<&TokenMask>],
    keep_going: &dyn Fn() -> bool,
) -> Vec<Sequence> {
    let [batch, _, _] = contexts.dims();
    let device = contexts.device();
    let mut sequences = vec![Sequence::default(); batch];
    let mut masks = Masks::new(masks, batch, decoder.vocabulary_size(), &device);
    let mut state = decoder.start(contexts);
    // The sequence of each row of the batch.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = Tensor::from_data(TensorData::new(vec![PAD_ID; batch], [batch]), &device);
    let most = options.max_ids.min(decoder.max_length());
    let (mut position, mut goes_on) = (0, batch > 0);
    while position < most && goes_on {
        let mut chosen = Vec::new();
        while chosen.len() < BLOCK_STEPS.min(most - position) && goes_on {
            goes_on = keep_going();
            if goes_on {
                let logits = decoder.step_ids(last, &mut state);
                let choice = choose(logits, masks.as_mut());
                last = choice.0;
                chosen.push(choice.1);
            }
        }
        let steps = chosen.len();
        if steps == 0 {
            break;
        }
        let values = to_host(Tensor::cat(chosen, 1));
        let mut kept = Vec::with_capacity(rows.len());
        let of_rows = values.chunks_exact(steps * READ_VALUES).zip(&rows);
        for (row, (values, &sequence)) in of_rows.enumerate() {
            let out = &mut sequences[sequence];
            for (step, values) in values.chunks_exact(READ_VALUES).enumerate() {
                if out.ended {
                    break;
                }
                let id = values[0] as i32;
                out.ids.push(id);
                out.probabilities.push(values[1]);
                out.margins.push(values[2]);
                out.ended = id == EOS_ID && (position + step > 0 || options.first_id_can_end);
            }
            if !out.ended {
                kept.push(row);
            }
        }
        position += steps;
        if kept.is_empty() {
            break;
        }
        // Narrowing copies all caches: not for every sequence that ends.
        if kept.len() * 4 <= rows.len() * 3 {
            state.select(&kept);
            let index = kept.iter().map(|&row| row as i32).collect::<Vec<_>>();
            let index = Tensor::from_data(TensorData::new(index, [kept.len()]), &device);
            last = last.select(0, index.clone());
            masks = masks.map(|masks| masks.select(index));
            rows = kept.iter().map(|&row| rows[row]).collect();
        }
    }
    sequences
}

/// The ids with the largest logits, `[rows]`, and what the host reads of them.
fn choose<B: Backend>(
    logits: Tensor<B, 2>,
    masks: Option<&mut Masks<B>>,
) -> (Tensor<B, 1, Int>, Tensor<B, 2>) {
    let logits = match &masks {
        Some(masks) => masks.apply(logits),
        None => logits,
    };
    let [rows, size] = logits.dims();
    let ids = logits.clone().argmax(1);
    let best = logits.clone().gather(1, ids.clone());
    if let Some(masks) = masks {
        masks.note(ids.clone());
    }
    let total = (logits.clone() - best.clone()).exp().sum_dim(1);
    let all = Tensor::<B, 1, Int>::arange(0..size as i64, &logits.device());
    let is_best = all
        .unsqueeze_dim::<2>(0)
        .expand([rows, size])
        .equal(ids.clone().expand([rows, size]));
    let second = logits.mask_fill(is_best, EXCLUDED).max_dim(1);
    let read = vec![ids.clone().float(), total.recip(), best - second];
    (ids.squeeze_dim(1), Tensor::cat(read, 1))
}

impl<B: Backend> Masks<B> {
    /// None if every id is allowed in every row.
    fn new(
        masks: &[Option<&TokenMask>],
        batch: usize,
        size: usize,
        device: &burn_tensor::Device<B>,
    ) -> Option<Self> {
        if masks.iter().all(Option::is_none) {
            return None;
        }
        let mut values: [Vec<f32>; 3] = Default::default();
        for row in 0..batch {
            match masks.get(row).copied().flatten() {
                Some(mask) => mask.extend(&mut values),
                None => values
                    .iter_mut()
                    .for_each(|values| values.resize((row + 1) * size, 0.0)),
            }
        }
        let [bias, pitch_bias, programs] =
            values.map(|values| Tensor::from_data(TensorData::new(values, [batch, size]), device));
        Some(Self {
            bias,
            pitch_bias,
            programs,
            lacks_program: Tensor::ones([batch, 1], device),
        })
    }

    fn apply(&self, logits: Tensor<B, 2>) -> Tensor<B, 2> {
        logits + self.bias.clone() + self.pitch_bias.clone() * self.lacks_program.clone()
    }

    /// Notes which rows have got a program.
    fn note(&mut self, ids: Tensor<B, 2, Int>) {
        let is_program = self.programs.clone().gather(1, ids);
        let lacks = self.lacks_program.clone();
        self.lacks_program = lacks.clone() - lacks * is_program;
    }

    fn select(self, rows: Tensor<B, 1, Int>) -> Self {
        let pick = |values: Tensor<B, 2>| values.select(0, rows.clone());
        Self {
            bias: pick(self.bias),
            pitch_bias: pick(self.pitch_bias),
            programs: pick(self.programs),
            lacks_program: pick(self.lacks_program),
        }
    }
}
