//! Greedy decoding of a batch of sequences.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::generate::token_mask::Constraint;
use crate::mt3_family::layers::host;
use crate::mt3_family::t5::Decoder;
use hitscribe_core::tokens::vocabulary::{EOS_ID, PAD_ID};

/// How to decode.
#[derive(Clone, Copy, Debug)]
pub struct GreedyOptions<'a> {
    /// Most ids per sequence.
    pub max_ids: usize,
    /// YourMT3 does not look for the end in the first id.
    pub first_id_can_end: bool,
    /// What may be said.
    pub constraint: Option<&'a Constraint>,
}

/// What was decoded of one sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// Without the start id; ends with EOS unless it was cut off.
    pub ids: Vec<i32>,
    /// Probability of each id among those that were allowed.
    pub probabilities: Vec<f32>,
    /// Distance in logits from each id to the next best.
    pub margins: Vec<f32>,
    /// Whether EOS was reached.
    pub ended: bool,
}

/// Decodes one sequence for each context: `[batch, rows, model]`. When a quarter of the sequences have
/// ended they leave the batch; the others do not depend on them.
pub fn greedy<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    options: GreedyOptions<'_>,
) -> Vec<Sequence> {
    let constraints = vec![options.constraint; contexts.dims()[0]];
    greedy_each(decoder, contexts, options, &constraints, &|| true)
}

/// The same with a constraint for each sequence instead of that of the options; one that is missing
/// allows everything. `keep_going` is asked before each id; false ends all sequences where they are.
pub fn greedy_each<B: Backend>(
    decoder: &Decoder<B>,
    contexts: Tensor<B, 3>,
    options: GreedyOptions<'_>,
    constraints: &[Option<&Constraint>],
    keep_going: &dyn Fn() -> bool,
) -> Vec<Sequence> {
    let [batch, _, _] = contexts.dims();
    let mut sequences = vec![Sequence::default(); batch];
    let mut program_said = vec![false; batch];
    let mut state = decoder.start(contexts);
    // Which sequence each row of the batch is.
    let mut rows: Vec<usize> = (0..batch).collect();
    let mut last = vec![PAD_ID; batch];
    let vocabulary = decoder.vocabulary_size();
    for position in 0..options.max_ids.min(decoder.max_length()) {
        if batch == 0 || !keep_going() {
            break;
        }
        let mut logits = host(decoder.step(&last, &mut state));
        let mut kept = Vec::with_capacity(rows.len());
        for (row, (logits, &sequence)) in logits.chunks_exact_mut(vocabulary).zip(&rows).enumerate()
        {
            if sequences[sequence].ended {
                continue;
            }
            let constraint = constraints.get(sequence).copied().flatten();
            if let Some(constraint) = constraint {
                constraint.apply(logits, program_said[sequence]);
            }
            let choice = choose(logits);
            let out = &mut sequences[sequence];
            out.ids.push(choice.id);
            out.probabilities.push(choice.probability);
            out.margins.push(choice.margin);
            program_said[sequence] |=
                constraint.is_some_and(|constraint| constraint.is_program(choice.id));
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

/// Feeds `ids` to every sequence and returns the logits after each: `[batch][ids, vocabulary]`, flat.
pub fn teacher_forced<B: Backend>(
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
        let logits = host(decoder.step(&vec![id; batch], &mut state));
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

/// The first largest logit.
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
    // All logits NaN or minus infinity: the first id, of no probability.
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
