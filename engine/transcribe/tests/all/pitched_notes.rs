//! Notes through sessions as the training code picks them, with the narrow network of the parity
//! pack that `train/hitscribe_train/pitched/harmonic/parity.py` writes.

use hitscribe::{
    BuiltinModels, DeviceChoice, HOP_FRAMES, LIVE_NOTE_SECONDS, MIN_HOP_FRAMES, Note, Parts,
    PlacedNote, Programs, SessionConfig, Source, Transcriber,
};
use hitscribe_models::frame::pitched::{PitchConfig, PitchWeights};

use crate::pitched_session::{every_note_is_out_in_time, transcribe_stream};

const PACK: &[u8] = include_bytes!("../../../models/tests/data/pitched_parity.safetensors");
const RATE_HZ: u32 = 32_000;
const FRAME_SECONDS: f64 = 0.016;

const PITCHED: Parts = Parts {
    drums: false,
    pitched_program: Some(0),
    programs: Programs::ALL,
};

fn tensor(name: &str) -> Vec<f32> {
    let weights = PitchWeights::parse(PACK).unwrap();
    weights.tensor(name, &weights.shape(name).unwrap()).unwrap()
}

fn engine() -> BuiltinModels {
    BuiltinModels::with_weights(PACK, DeviceChoice::Cpu).unwrap()
}

fn transcriber() -> Transcriber {
    let builder = Transcriber::builder().device(DeviceChoice::Cpu);
    builder.weights(PACK).builtin().unwrap()
}

/// The pitched notes of a track.
fn notes(source: Source, audio: &[f32]) -> Vec<Note> {
    let transcriber = transcriber();
    let mut options = transcriber.options().source(source);
    let mut notes = options.samples(audio, 1, RATE_HZ).unwrap().notes;
    notes.retain(|note| !note.is_drum);
    notes
}

#[test]
fn a_recording_has_the_notes_of_the_training_code() {
    /// Silence after which a step of the networks begins, drums included.
    const SILENCE_SAMPLES: usize = 8_000;
    let model = PitchConfig::of_weights(PACK).unwrap();
    let mut audio = vec![0.0; SILENCE_SAMPLES];
    audio.extend(tensor("check.audio"));
    let mut found = notes(Source::FullMix, &audio);
    for note in &mut found {
        let silence_seconds = SILENCE_SAMPLES as f64 / f64::from(RATE_HZ);
        note.onset_seconds -= silence_seconds;
        note.offset_seconds -= silence_seconds;
    }
    // Onset and end in frames, key, velocity, family, probability. Sessions move an onset that is
    // just outside of a passage into it.
    let expected = tensor("check.transcription");
    let last_frame = tensor("check.audio").len() as f64 / 512.0 - 1.0;
    let is_inside = |onset_frames: f64| onset_frames > 1.5 && onset_frames < last_frame;
    let expected: Vec<_> = expected
        .chunks(6)
        .filter(|note| is_inside(f64::from(note[0])))
        .collect();
    let found: Vec<_> = found
        .iter()
        .filter(|note| is_inside(note.onset_seconds / FRAME_SECONDS))
        .collect();
    assert!(expected.len() > 100);
    assert_eq!(found.len(), expected.len());
    let mut programs: Vec<u8> = found.iter().map(|note| note.program).collect();
    for expected in expected {
        let near =
            |seconds: f64, frames: f32| (seconds / FRAME_SECONDS - f64::from(frames)).abs() < 0.01;
        let is_same = |note: &&&Note| {
            near(note.onset_seconds, expected[0]) && f32::from(note.pitch) == expected[2]
        };
        let note = found.iter().find(is_same).unwrap();
        assert!(
            near(note.offset_seconds, expected[1]),
            "{note:?} {expected:?}"
        );
        assert!((f32::from(note.velocity) - expected[3] * 127.0).abs() < 0.51);
        assert_eq!(note.program, model.families[expected[4] as usize].program);
        assert!((note.confidence - expected[5]).abs() < 1e-3);
    }
    programs.sort_unstable();
    programs.dedup();
    assert!(programs.len() > 1, "{programs:?}");
}

#[test]
fn a_track_of_one_instrument_has_its_program() {
    let notes = notes(Source::Bass, &tensor("check.audio"));
    assert!(!notes.is_empty() && notes.iter().all(|note| note.program == 33));
}

#[test]
fn notes_depend_on_neither_block_nor_hop() {
    let (engine, audio) = (engine(), tensor("check.audio"));
    let config = |hop_frames: usize| SessionConfig {
        parts: PITCHED,
        hop_frames,
        ..SessionConfig::new(RATE_HZ)
    };
    let whole = transcribe_stream(&engine, &config(HOP_FRAMES), &audio, audio.len());
    assert!(whole.len() > 100);
    let places = |notes: &[PlacedNote]| -> Vec<_> {
        let place = |n: &PlacedNote| (n.onset_samples, n.length_samples, n.pitch, n.program);
        notes.iter().map(place).collect()
    };
    for block in [441, 5000] {
        let notes = transcribe_stream(&engine, &config(HOP_FRAMES), &audio, block);
        assert_eq!(notes, whole, "{block}");
    }
    for hop_frames in [MIN_HOP_FRAMES, 100, 256] {
        let notes = transcribe_stream(&engine, &config(hop_frames), &audio, 997);
        assert_eq!(places(&notes), places(&whole), "hop of {hop_frames}");
    }
}

#[test]
fn every_note_is_out_after_the_latency() {
    let (engine, audio) = (engine(), tensor("check.audio").repeat(3));
    for (hop_frames, longest_note_seconds) in [(MIN_HOP_FRAMES, LIVE_NOTE_SECONDS), (24, 0.02)] {
        let config = SessionConfig {
            hop_frames,
            longest_note_seconds,
            parts: PITCHED,
            ..SessionConfig::new(RATE_HZ)
        };
        let all = transcribe_stream(&engine, &config, &audio, audio.len());
        let longest = (longest_note_seconds * f64::from(RATE_HZ)) as u64 + 512;
        assert!(all.iter().all(|note| note.length_samples <= longest));
        every_note_is_out_in_time(&engine, &config, &audio, &all);
    }
}
