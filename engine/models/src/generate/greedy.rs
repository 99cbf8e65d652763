//! Greedy decoding of a batch of sequences.

use burn_tensor::Tensor;
use burn_tensor::backend::Backend;
use hitscribe_core::tokens::vocabulary::{EOS_ID, PAD_ID};

use crate::device::is_cpu;
use crate::generate::greedy_on_device::greedy_on_device;
use crate::generate::token_mask::TokenMask;
use crate::mt3_family::layers::to_host;
use crate::mt3_family::t5::Decoder;

/// How to decode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GreedyOptions<'a> {
    /// Longest sequence in ids.
    pub max_ids: usize,
    /// Whether EOS as the first id ends a sequence. YourMT3 ignores it there.
    pub first_id_can_end: bool,
    /// The mask of every sequence; `None` allows all ids.
    pub mask: Option<&'a TokenMask>,
}

/// A decoded sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// Token ids without the start id. The last is EOS unless the sequence was cut off.
    pub ids: Vec<i32>,
    /// Probability of each id among the allowed ones, 0 to 1.
    pub probabilities: Vec<f32>,
    /// Difference of the logits of each id and the second best.
    pub margins: Vec<f32>,
    /// Whether EOS was reached.
    pub ended: bool,
}

/// Decodes one sequence for each context `[batch, rows, model]`. Sequences that have ended leave
/// the batch once they are a quarter of it; the other sequences do not depend on that.
pub(crate) fn greedy<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    options: GreedyOptions<'_>,
) -> Vec<Sequence> {
    let masks = vec![options.mask; contexts.dims()[0]];
    greedy_each(decoder, contexts, options, &masks, &|| true)
}

/// [`greedy`] with a mask for each sequence instead of that of the options; `None` allows all ids.
/// `keep_going` is called before each id; `false` cuts all sequences off.
pub(crate) fn greedy_each<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    options: GreedyOptions<'_>,
    masks: &[Option<&TokenMask>],
    keep_going: &dyn Fn() -> bool,
) -> Vec<Sequence> {
    if !is_cpu::<B>() {
        return greedy_on_device(decoder, contexts, options, masks, keep_going);
    }
    let [batch, _, _] = contexts.dims();
    let mut sequences = vec![Sequence::default(); batch];
    let mut has_program = vec![false; batch];
    let mut state = decoder.start(contexts);
    // The sequence of each row of the batch.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = vec![PAD_ID; batch];
    let vocabulary = decoder.vocabulary_size();
    for position in 0..options.max_ids.min(decoder.max_length()) {
        if batch == 0 || !keep_going() {
            break;
        }
        let mut logits = to_host(decoder.step(&last, &mut state));
        let mut kept = Vec::with_capacity(rows.len());
        for (row, (logits, &sequence)) in logits.chunks_exact_mut(vocabulary).zip(&rows).enumerate()
        {
            if sequences[sequence].ended {
                continue;
            }
            let mask = masks.get(sequence).copied().flatten();
            if let Some(mask) = mask {
                mask.apply(logits, has_program[sequence]);
            }
            let choice = choose(logits);
            let out = &mut sequences[sequence];
            out.ids.push(choice.id);
            out.probabilities.push(choice.probability);
            out.margins.push(choice.margin);
            has_program[sequence] |= mask.is_some_and(|mask| mask.is_program(choice.id));
            last[row] = choice.id;
            if choice.id == EOS_ID && (position > 0 || options.first_id_can_end) {
                out.ended = true;
            } else {
                kept.push(row);
            }
        }
        if kept.is_empty() {
            break;
        }
        // Narrowing copies all caches: not for every sequence that ends.
        if kept.len() * 4 <= rows.len() * 3 {
            state.select(&kept);
            rows = kept.iter().map(|&row| rows[row]).collect();
            last = kept.iter().map(|&row| last[row]).collect();
        }
    }
    sequences
}

/// Feeds `ids` to every sequence and returns the logits after each: `[batch][ids, vocabulary]`,
/// flat.
pub(crate) fn teacher_forced<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    ids: &[i32],
) -> Vec<Vec<f32>> {
    let [batch, _, _] = contexts.dims();
    let mut state = decoder.start(contexts);
    let mut out = vec![Vec::new(); batch];
    let known = 0..decoder.vocabulary_size() as i32;
    for &id in ids.iter().take(decoder.max_length()) {
        let id = if known.contains(&id) { id } else { PAD_ID };
        let logits = to_host(decoder.step(&vec![id; batch], &mut state));
        for (out, logits) in out
            .iter_mut()
            .zip(logits.chunks_exact(decoder.vocabulary_size()))
        {
            out.extend_from_slice(logits);
        }
    }
    out
}

struct Choice {
    id: i32,
    probability: f32,
    margin: f32,
}

/// The largest logit, the first of equal ones.
fn choose(logits: &[f32]) -> Choice {
    let (mut id, mut best, mut second) = (0, f32::NEG_INFINITY, f32::NEG_INFINITY);
    for (index, &logit) in logits.iter().enumerate() {
        if logit > best {
            (id, second, best) = (index, best, logit);
        } else if logit > second {
            second = logit;
        }
    }
    let total: f32 = logits.iter().map(|logit| (logit - best).exp()).sum();
    // All logits NaN or minus infinity: the first id with probability 0.
    let probability = if total.is_finite() && total > 0.0 {
        1.0 / total
    } else {
        0.0
    };
    Choice {
        id: id as i32,
        probability,
        margin: best - second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_logits_wins_and_probabilities_are_shares() {
        let choice = choose(&[0.0, 2.0, 2.0, 1.0]);
        assert_eq!((choice.id, choice.margin), (1, 0.0));
        let total = 2.0 + (-2f32).exp() + (-1f32).exp();
        assert!((choice.probability - 1.0 / total).abs() < 1e-6);
        let nothing = choose(&[f32::NEG_INFINITY; 3]);
        assert_eq!((nothing.id, nothing.probability), (0, 0.0));
    }
}
