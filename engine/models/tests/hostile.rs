//! Damaged and malicious checkpoints and token streams: errors, no panics, little memory.
//!
//! A short deterministic version of the targets in `fuzz/`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use hitscribe_core::checkpoint::{Checkpoint, StoredTensor, write_safetensors};
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{self, ParseRules};
use hitscribe_core::tokens::yourmt3;
use hitscribe_models::Hyperparameters;
use hitscribe_models::device::Device;
use hitscribe_models::generate::{LoadOptions, TokenModel};
use hitscribe_testing::golden::tiny_model;

/// Counts allocated bytes, to show that memory stays bounded.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer comes from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// A copy with a few faults between `from` and `to`.
fn mutate(original: &[u8], from: usize, to: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + random.below(6) {
        let at = from + random.below(to.min(bytes.len()).saturating_sub(from));
        if at >= bytes.len() {
            break;
        }
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at),
            3 => {
                bytes.remove(at);
            }
            4 => bytes.insert(at, random.next() as u8),
            // Lengths and offsets.
            5 => {
                let value =
                    [0, u64::MAX, 1 << 31, 1 << 62, random.next()][random.below(5)].to_le_bytes();
                let end = (at + [1, 2, 4, 8][random.below(4)]).min(bytes.len());
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
            // A duplicated piece of the file.
            6 => {
                let start = random.below(bytes.len());
                let piece = bytes[start..(start + random.below(200)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            // Opcodes of pickles.
            _ => {
                bytes[at] = b"(.0N}]t)RbQcqhujMKX\x80\x85\x86\x87\x8c\x93\x94\x95"[random.below(27)]
            }
        }
    }
    bytes
}

#[test]
fn mutated_checkpoints_and_token_streams_are_errors() {
    // One test, because the peak of memory is that of the process.
    checkpoints();
    whole_networks();
    huge_networks();
    token_streams();
}

fn checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutated");
    let originals: Vec<Vec<u8>> = ["legacy.pth", "lightning.ckpt", "expected.safetensors"]
        .iter()
        .map(|name| std::fs::read(tiny_model(name)).unwrap())
        .collect();
    let mut random = Random(1);
    let (mut opened, mut refused) = (0, 0);
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    for round in 0..10_000 {
        let original = &originals[round % originals.len()];
        // The header of the SafeTensors file is at its start.
        let to = if round % 3 == 2 { 500 } else { original.len() };
        std::fs::write(&path, mutate(original, 0, to, &mut random)).unwrap();
        match Checkpoint::open(&path) {
            Ok(checkpoint) => {
                opened += 1;
                let keys: Vec<String> = checkpoint.keys().map(str::to_owned).collect();
                for key in keys {
                    let _ = checkpoint.read_f32(&key);
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    let used = PEAK.load(Ordering::Relaxed) - before;
    eprintln!("{opened} mutated checkpoints opened, {refused} were refused, at most {used} bytes");
    assert!(
        opened > 100 && refused > 1000,
        "the mutations are too weak or too strong: {opened}, {refused}"
    );
    assert!(used < 16 << 20, "{used} bytes for files of a few kilobytes");
}

fn whole_networks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutated.pth");
    let original = std::fs::read(tiny_model("tiny.pth")).unwrap();
    let pickle = original
        .windows(8)
        .position(|window| window == b"data.pkl")
        .unwrap();
    let hyperparameters = Hyperparameters {
        heads: Some(2),
        ..Hyperparameters::default()
    };
    let mut random = Random(2);
    let (mut loaded, mut refused) = (0, 0);
    for round in 0..400 {
        let (from, to) = if round % 4 == 0 {
            (0, original.len())
        } else {
            (pickle, pickle + 6000)
        };
        std::fs::write(&path, mutate(&original, from, to, &mut random)).unwrap();
        let options = LoadOptions {
            hyperparameters: hyperparameters.clone(),
            ..LoadOptions::default()
        };
        match TokenModel::load(&path, &options, Device::Cpu) {
            Ok(_) => loaded += 1,
            Err(error) => {
                refused += 1;
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
        }
    }
    assert!(loaded > 0 && refused > 100, "{loaded}, {refused}");
}

/// Small files whose few tensors belong to networks of terabytes, or to impossible ones.
fn huge_networks() {
    const LONG: &[usize] = &[100_000, 1];
    const SHORT: &[usize] = &[64, 1];
    const WIDE: &[usize] = &[64, 1024];
    let mt3 = [
        ("proj.weight", LONG),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", SHORT),
        ("encoder.block.0.layer.1.DenseReluDense.wi_0.weight", LONG),
        ("decoder_embed_tokens.weight", LONG),
    ];
    let mixture = "encoder.blocks.0.local_transformer.0.mlp";
    let (gate, expert) = (
        format!("{mixture}.gate.weight"),
        format!("{mixture}.experts.0.w1.weight"),
    );
    let block = "decoder.decoder.block.0.layer";
    let (query, inner) = (
        format!("{block}.0.SelfAttention.q.weight"),
        format!("{block}.2.DenseReluDense.wi_0.weight"),
    );
    let yourmt3 = [
        ("pre_decoder.0.linear.weight", WIDE),
        ("encoder.latent_array.latents", &[2, 512]),
        ("encoder.rotary_emb_sca.freqs", &[16]),
        ("pre_encoder.0.blocks.0.conv1.weight", LONG),
        (&gate, LONG),
        (&expert, LONG),
        (&query, SHORT),
        (&inner, LONG),
        ("embed_tokens.weight", LONG),
        ("decoder.decoder.additive_pe.weight", SHORT),
    ];
    let odd = [
        ("pre_decoder.0.linear.weight", SHORT),
        ("encoder.latent_array.latents", &[3, 512]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.safetensors");
    for (tensors, reason) in [
        (&mt3[..], "bytes cannot hold"),
        (&yourmt3, "bytes cannot hold"),
        (&odd, "3 latents"),
    ] {
        let stored = tensors.iter().map(|&(name, shape)| StoredTensor {
            name,
            shape,
            is_int: false,
            bytes: vec![0; 4 * shape.iter().product::<usize>()],
        });
        write_safetensors(&path, &stored.collect::<Vec<_>>()).unwrap();
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let error = TokenModel::load(&path, &LoadOptions::default(), Device::Cpu)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        let used = PEAK.load(Ordering::Relaxed) - before;
        assert!(error.contains(reason), "{error}");
        assert!(used < 16 << 20, "{used} bytes for a file of few tensors");
    }
}

fn token_streams() {
    let mut random = Random(3);
    for round in 0..10_000 {
        let segments: Vec<SegmentTokens> = (0..1 + random.below(4))
            .map(|segment| {
                let ids = (0..random.below(120)).map(|_| id(&mut random)).collect();
                let start = match random.below(20) {
                    0 => -5.0,
                    1 => 1e300,
                    2 => f64::NAN,
                    _ => 2.048 * segment as f64,
                };
                SegmentTokens {
                    start_seconds: start,
                    ids,
                    probabilities: vec![0.5; random.below(60)],
                }
            })
            .collect();
        let tokens: usize = segments.iter().map(|segment| segment.ids.len()).sum();
        for path in [ParseRules::Mt3, ParseRules::MrMt3] {
            let decoded = mt3::parse(&segments, path);
            assert!(
                decoded.notes.len() + decoded.invalid_events <= tokens,
                "round {round}"
            );
            assert!(
                decoded
                    .notes
                    .iter()
                    .all(|note| note.pitch < 128 && (0.0..=1.0).contains(&note.confidence))
            );
        }
        let decoded = yourmt3::parse(&[segments]);
        assert!(decoded.notes.len() <= tokens, "round {round}");
    }
}

/// Mostly ids of the vocabularies, sometimes any number.
fn id(random: &mut Random) -> i32 {
    match random.below(12) {
        0 => random.next() as i32,
        1 => random.below(2000) as i32 - 100,
        // Shifts, velocities, ties, programs, pitches, drums of either vocabulary.
        2 => 3 + random.below(206) as i32,
        3 => [1132, 1133, 1134, 337, 338, 339][random.below(6)],
        4 => [1135, 340][random.below(2)] + random.below(4) as i32,
        5..=8 => [1004 + 60, 209 + 60][random.below(2)] + random.below(5) as i32,
        _ => [1263 + 36, 468 + 36][random.below(2)] + random.below(5) as i32,
    }
}
