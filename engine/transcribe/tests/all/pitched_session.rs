//! Pitched notes through sessions of the engine, with the weights that it comes with.

use hitscribe::{
    AllowedNotes, BuiltinModels, DeviceChoice, HOP_FRAMES, LIVE_NOTE_SECONDS, MIN_HOP_FRAMES, Note,
    Parts, PlacedNote, SessionConfig, Source, Transcriber, TranscriberBuilder,
};
use hitscribe_models::frame::pitched::PITCH_WEIGHTS;

const RATE_HZ: u32 = 44_100;
/// Seconds and MIDI keys of what [`plucks`] plays.
const PLAYED: [(f64, u8); 6] = [
    (0.5, 57),
    (1.1, 60),
    (1.7, 64),
    (2.3, 69),
    (2.9, 52),
    (3.5, 62),
];

/// Plucked strings: harmonics that decay the faster the higher they are.
fn plucks() -> Vec<f32> {
    let mut audio = vec![0.0f32; 5 * RATE_HZ as usize];
    for (seconds, key) in PLAYED {
        let hz = 440.0 * ((f64::from(key) - 69.0) / 12.0).exp2();
        let first = (seconds * f64::from(RATE_HZ)) as usize;
        for (i, x) in audio[first..]
            .iter_mut()
            .enumerate()
            .take(RATE_HZ as usize / 2)
        {
            let age = i as f64 / f64::from(RATE_HZ);
            let partial = |n: f64| {
                (std::f64::consts::TAU * n * hz * age).sin() * (-age * (2.0 + n)).exp()
                    / n.powf(1.2)
            };
            *x += 0.2 * (1..=12).map(|n| partial(f64::from(n))).sum::<f64>() as f32;
        }
    }
    audio
}

fn engine() -> BuiltinModels {
    BuiltinModels::load(DeviceChoice::Cpu).unwrap()
}

fn on_cpu() -> TranscriberBuilder {
    Transcriber::builder().device(DeviceChoice::Cpu)
}

/// The notes of a bass track.
fn bass_notes(transcriber: &Transcriber, audio: &[f32], rate_hz: u32) -> Vec<Note> {
    let mut options = transcriber.options().source(Source::Bass);
    options.samples(audio, 1, rate_hz).unwrap().notes
}

fn config(parts: Parts) -> SessionConfig {
    SessionConfig {
        parts,
        ..SessionConfig::new(RATE_HZ)
    }
}

#[test]
fn plucked_strings_are_transcribed_where_they_are_played() {
    let audio = plucks();
    let notes = bass_notes(&on_cpu().builtin().unwrap(), &audio, RATE_HZ);
    assert!(notes.iter().all(|n| !n.is_drum && n.program == 33));
    for (seconds, key) in PLAYED {
        let found = notes
            .iter()
            .any(|n| n.pitch == key && (n.onset_seconds - seconds).abs() < 0.05);
        assert!(found, "key {key} at {seconds} s in {notes:?}");
    }
}

#[test]
fn a_long_note_is_written_in_full() {
    const ORGAN_RATE_HZ: u32 = 32_000;
    let (first, last) = (ORGAN_RATE_HZ, 13 * ORGAN_RATE_HZ);
    let wave = |n: u32| {
        let age = f64::from(n - first) / f64::from(ORGAN_RATE_HZ);
        let partial = |k: f64| (std::f64::consts::TAU * 440.0 * k * age).sin() / k;
        0.15 * (1..=8).map(|k| partial(f64::from(k))).sum::<f64>()
    };
    let sample = |n: u32| match (first..last).contains(&n) {
        true => wave(n) as f32,
        false => 0.0,
    };
    let audio: Vec<f32> = (0..last + ORGAN_RATE_HZ).map(sample).collect();
    let notes = bass_notes(&on_cpu().builtin().unwrap(), &audio, ORGAN_RATE_HZ);
    let is_whole =
        |note: &Note| note.pitch == 69 && note.onset_seconds < 1.1 && note.offset_seconds > 12.0;
    assert!(notes.iter().any(is_whole), "{notes:?}");
}

/// The embedded weights with another threshold of onsets in the JSON at their start.
fn weights_with_onset_threshold(threshold: &str) -> Vec<u8> {
    let mut bytes = PITCH_WEIGHTS.to_vec();
    let name = br#"\"onset\": "#;
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap() + name.len();
    let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let digits = bytes[at..]
        .iter()
        .take_while(|byte| is_number(byte))
        .count();
    bytes.splice(at..at + digits, threshold.bytes());
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap());
    let length = length + threshold.len() as u64 - digits as u64;
    bytes[..8].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[test]
fn weights_of_the_pitched_network_take_its_place() {
    let audio = plucks();
    let count = |builder: TranscriberBuilder| {
        bass_notes(&builder.builtin().unwrap(), &audio, RATE_HZ).len()
    };
    let own = count(on_cpu());
    assert_eq!(count(on_cpu().weights(PITCH_WEIGHTS)), own);
    assert!(count(on_cpu().weights(weights_with_onset_threshold("0.001"))) > own);
    assert!(on_cpu().weights(&PITCH_WEIGHTS[..1000]).builtin().is_err());
}

#[test]
fn a_source_sets_the_parts() {
    let parts = |text: &str| Parts::from(&text.parse::<AllowedNotes>().unwrap());
    assert_eq!(parts("mix"), Parts::ALL);
    assert_eq!(parts("drums"), Parts::DRUMS);
    let bass = parts("bass");
    assert_eq!((bass.drums, bass.pitched_program), (false, Some(33)));
    assert!(bass.programs.contains(39) && !bass.programs.contains(40));
    assert_eq!(parts("guitar+kick").pitched_program, Some(25));
    assert!(parts("guitar+kick").drums);
    let transcriber = on_cpu().builtin().unwrap();
    let mut options = transcriber
        .options()
        .source(Source::DrumBus)
        .sensitivity(1.0);
    let drums = options.samples(&plucks(), 1, RATE_HZ).unwrap();
    assert!(drums.notes.iter().all(|n| n.is_drum));
}

/// The notes of audio that comes in blocks of a size, by onset and key.
pub fn transcribe_stream(
    engine: &BuiltinModels,
    config: &SessionConfig,
    audio: &[f32],
    block: usize,
) -> Vec<PlacedNote> {
    let mut session = engine.session(config).unwrap();
    let mut notes = Vec::new();
    for block in audio.chunks(block) {
        session.push(block);
        while engine.run(&mut [&mut session]).unwrap() > 0 {}
        session.take_notes(&mut notes);
    }
    session.finish();
    while engine.run(&mut [&mut session]).unwrap() > 0 {}
    session.take_notes(&mut notes);
    assert!(session.is_complete());
    notes.sort_by_key(|n| (n.onset_samples, n.pitch));
    notes
}

#[test]
fn notes_do_not_depend_on_block_sizes() {
    let (engine, audio) = (engine(), plucks());
    let config = config(Parts::ALL);
    let whole = transcribe_stream(&engine, &config, &audio, audio.len());
    assert!(whole.iter().any(|n| !n.is_drum));
    for block in [441, 8192, 50_001] {
        assert_eq!(
            transcribe_stream(&engine, &config, &audio, block),
            whole,
            "{block}"
        );
    }
}

#[test]
fn live_pitched_notes_come_within_a_second_and_the_hop() {
    let engine = engine();
    for hop_frames in [MIN_HOP_FRAMES, 100, 256] {
        let config = SessionConfig {
            hop_frames,
            parts: Parts::ALL,
            longest_note_seconds: LIVE_NOTE_SECONDS,
            ..SessionConfig::new(RATE_HZ)
        };
        let latency_samples = engine.session(&config).unwrap().latency_samples();
        let seconds = latency_samples as f64 / f64::from(RATE_HZ);
        let hop_seconds = hop_frames as f64 * 0.008;
        assert!((0.7..0.8).contains(&(seconds - hop_seconds)), "{seconds} s");
    }
}

/// Checks that a session gives out each note of `all` after its latency at the latest.
pub fn every_note_is_out_in_time(
    engine: &BuiltinModels,
    config: &SessionConfig,
    audio: &[f32],
    all: &[PlacedNote],
) {
    let mut session = engine.session(config).unwrap();
    let mut notes = Vec::new();
    for block in audio.chunks(997) {
        session.push(block);
        while engine.run(&mut [&mut session]).unwrap() > 0 {}
        session.take_notes(&mut notes);
        let due = (session.pushed_samples() - 1).checked_sub(session.latency_samples());
        let settled = session.settled_samples();
        assert!(due.is_none_or(|due| settled > due));
        for note in all.iter().filter(|n| n.onset_samples < settled) {
            assert!(notes.contains(note), "{note:?} is not settled at {settled}");
        }
    }
}

#[test]
fn every_note_is_out_after_the_latency() {
    let (engine, audio) = (engine(), plucks());
    for hop_frames in [MIN_HOP_FRAMES, HOP_FRAMES] {
        let config = SessionConfig {
            hop_frames,
            longest_note_seconds: 0.4,
            ..config(Parts::ALL)
        };
        let all = transcribe_stream(&engine, &config, &audio, audio.len());
        every_note_is_out_in_time(&engine, &config, &audio, &all);
    }
}
