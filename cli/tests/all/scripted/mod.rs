//! A checkpoint in MT3's layout that transcribes every audio to the same notes, to test what
//! follows the model.
//!
//! Attention and feed-forward layers are zero, so that the output layer sees the previous token and
//! the position. It is trained as a perceptron on the one sequence.

use std::path::Path;

use hitscribe_core::Note;
use hitscribe_core::tokens::mt3::encode;
use hitscribe_core::tokens::vocabulary::{EOS_ID, SPECIAL_IDS};

const VOCABULARY: usize = 1536;
const SIZE: usize = 128;
const BANDS: usize = 16;
/// One head of 64, which needs no configuration.
const INNER: usize = 64;

/// Writes the checkpoint as SafeTensors. The notes lie within the first two seconds; their velocity
/// is 127.
pub fn write(path: &Path, notes: &[Note]) {
    let mut ids = vec![0];
    let codec = encode(notes, &[0.0]).concat();
    ids.extend(codec.iter().map(|index| (index + SPECIAL_IDS) as usize));
    ids.push(EOS_ID as usize);
    let embedding = noise(VOCABULARY * SIZE);
    let output = output_layer(&ids, &embedding);

    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut add = |name: &str, shape: &[usize], values: Vec<f32>| {
        tensors.push((name.to_owned(), shape.to_vec(), values));
    };
    add("proj.weight", &[SIZE, BANDS], vec![0.0; SIZE * BANDS]);
    add("encoder.pos_emb.inv_freq", &[SIZE / 2], frequencies());
    add(
        "decoder_embed_tokens.weight",
        &[VOCABULARY, SIZE],
        embedding,
    );
    add("lm_head.weight", &[VOCABULARY, SIZE], output);
    for (stack, layers) in [
        ("encoder", &["SelfAttention"][..]),
        ("decoder", &["SelfAttention", "EncDecAttention"]),
    ] {
        let block = format!("{stack}.block.0.layer");
        let norm = vec![1.0; SIZE];
        for layer in 0..=layers.len() {
            add(
                &format!("{block}.{layer}.layer_norm.weight"),
                &[SIZE],
                norm.clone(),
            );
        }
        add(&format!("{stack}.final_layer_norm.weight"), &[SIZE], norm);
        for (layer, attention) in layers.iter().enumerate() {
            for (part, shape) in [
                ("q", [INNER, SIZE]),
                ("k", [INNER, SIZE]),
                ("v", [INNER, SIZE]),
                ("o", [SIZE, INNER]),
            ] {
                let name = format!("{block}.{layer}.{attention}.{part}.weight");
                add(&name, &shape, vec![0.0; INNER * SIZE]);
            }
        }
        for (part, shape) in [
            ("wi_0", [INNER, SIZE]),
            ("wi_1", [INNER, SIZE]),
            ("wo", [SIZE, INNER]),
        ] {
            let name = format!("{block}.{}.DenseReluDense.{part}.weight", layers.len());
            add(&name, &shape, vec![0.0; INNER * SIZE]);
        }
    }
    std::fs::write(path, safetensors(&tensors)).unwrap();
}

fn frequencies() -> Vec<f32> {
    (0..SIZE / 2)
        .map(|i| 10_000.0_f32.powf(-2.0 * i as f32 / SIZE as f32))
        .collect()
}

fn noise(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Weights that give each id of the sequence the largest logit after the one before it.
fn output_layer(ids: &[usize], embedding: &[f32]) -> Vec<f32> {
    let hidden = |position: usize| -> Vec<f32> {
        let angles = frequencies().into_iter().map(|w| position as f32 * w);
        let codes = angles.clone().map(f32::sin).chain(angles.map(f32::cos));
        let own = &embedding[ids[position] * SIZE..(ids[position] + 1) * SIZE];
        let sum: Vec<f32> = codes.zip(own).map(|(code, own)| code + own).collect();
        // The norm before the output layer.
        let mean_square = sum.iter().map(|x| x * x).sum::<f32>() / SIZE as f32;
        sum.iter().map(|x| x / mean_square.sqrt()).collect()
    };
    let steps: Vec<(Vec<f32>, usize)> = (0..ids.len() - 1)
        .map(|position| (hidden(position), ids[position + 1]))
        .collect();
    let mut used = ids.to_vec();
    used.sort_unstable();
    used.dedup();
    let mut weights = vec![0.0_f32; VOCABULARY * SIZE];
    for _ in 0..1000 {
        let mut mistakes = 0;
        for (hidden, wanted) in &steps {
            let logit = |id: usize| -> f32 {
                let row = &weights[id * SIZE..(id + 1) * SIZE];
                row.iter().zip(hidden).map(|(w, h)| w * h).sum()
            };
            let others = used.iter().copied().filter(|id| id != wanted);
            let (rival, best) = others
                .map(|id| (id, logit(id)))
                .fold((usize::MAX, 0.0), |a, b| if b.1 > a.1 { b } else { a });
            if logit(*wanted) >= best + 1.0 {
                continue;
            }
            mistakes += 1;
            for (i, value) in hidden.iter().enumerate() {
                weights[wanted * SIZE + i] += 0.01 * value;
                if rival != usize::MAX {
                    weights[rival * SIZE + i] -= 0.01 * value;
                }
            }
        }
        if mistakes == 0 {
            return weights;
        }
    }
    panic!(
        "a sequence of {} ids is too long for this network",
        ids.len()
    );
}

fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let begin = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(header.as_bytes());
    out.extend(data);
    out
}

/// A 16 kHz mono WAV file.
pub fn wav(path: &Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}
