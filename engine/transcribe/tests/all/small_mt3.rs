//! A small MT3 that was trained (train/README.md), on a song that its training never had: what its
//! tokens mean, end to end. It is far from trained out: it finds a third of what is played.
//! `song.flac`, `drums.flac` and `song.json` are made by `hitscribe_train.mt3.clip`.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use hitscribe::leakage::{Strategy, apply, filter};
use hitscribe::{ImportedModel, Precision, Session, SessionConfig, Source};
use hitscribe_core::Note;
use hitscribe_core::audio::mono::read_mono;
use hitscribe_core::features::mt3_family::{FrontEndKind, SAMPLE_RATE_HZ};
use hitscribe_core::note::PlacedNote;
use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};
use hitscribe_metrics::{Granularity, Offsets, multi_instrument_scores, note_scores};
use hitscribe_models::device::Device;
use hitscribe_models::generate::{LoadOptions, TokenModel, TokenOptions, TokenTranscription};
use serde::Deserialize;

/// Samples of a segment.
const SEGMENT_SAMPLES: usize = 32_768;

#[derive(Deserialize)]
struct Song {
    /// What PyTorch decodes, by segment.
    ids: Vec<Vec<i32>>,
    notes: Vec<Note>,
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../models/tests/data/mt3_family/small")
        .join(name)
}

fn song() -> Song {
    serde_json::from_slice(&std::fs::read(file("song.json")).unwrap()).unwrap()
}

fn audio(name: &str) -> Vec<f32> {
    read_mono(&file(name), SAMPLE_RATE_HZ).unwrap().samples
}

fn load(options: &LoadOptions<'_>) -> TokenModel {
    let (model, report) = TokenModel::load(&file("small.pth"), options, Device::Cpu).unwrap();
    assert_eq!(report.unused, Vec::<String>::new());
    model
}

fn transcribe(model: &TokenModel, audio: &[f32], source: Source) -> TokenTranscription {
    let options = TokenOptions {
        source: source.mask(),
        ..TokenOptions::default()
    };
    model.transcribe(audio, &options, |_| true).unwrap()
}

fn ids(transcription: &TokenTranscription) -> Vec<Vec<i32>> {
    let segments = transcription.sequences.iter();
    segments.map(|channels| channels[0].ids.clone()).collect()
}

fn f1(reference: &[Note], notes: &[Note]) -> f64 {
    multi_instrument_scores(reference, notes, Granularity::Full)
        .scores
        .f1
}

#[test]
fn it_writes_the_tokens_that_pytorch_decodes() {
    let transcription = transcribe(
        &load(&LoadOptions::default()),
        &audio("song.flac"),
        Source::FullMix,
    );
    assert_eq!(ids(&transcription), song().ids);
}

#[test]
fn its_sequences_end_and_say_what_they_must() {
    let transcription = transcribe(
        &load(&LoadOptions::default()),
        &audio("song.flac"),
        Source::FullMix,
    );
    let tie = Vocabulary::MT3.id(Event::Tie);
    for ids in ids(&transcription) {
        assert_eq!(ids.last(), Some(&EOS_ID));
        assert_eq!(ids.iter().filter(|&&id| id == tie).count(), 1, "{ids:?}");
    }
}

#[test]
fn its_notes_are_those_of_the_song() {
    let (audio, song) = (audio("song.flac"), song());
    let notes = transcribe(&load(&LoadOptions::default()), &audio, Source::FullMix).notes;
    let onsets = note_scores(&song.notes, &notes, Offsets::Ignore).scores.f1;
    let with_instruments = f1(&song.notes, &notes);
    println!(
        "{} notes, onsets {onsets:.3}, instruments {with_instruments:.3}",
        notes.len()
    );
    assert!(onsets > 0.35 && with_instruments > 0.25);
    // Some last from one segment to the next.
    let border = f64::from(u16::try_from(SEGMENT_SAMPLES).unwrap()) / f64::from(SAMPLE_RATE_HZ);
    let tied = |n: &&Note| n.onset_seconds < border && n.offset_seconds > border;
    let tied = notes.iter().filter(tied).filter(|n| !n.is_drum);
    println!("{} tied notes", tied.clone().count());
    assert!(tied.count() > 0);
    let known = |n: &Note| n.is_drum || [0, 27, 33, 48].contains(&n.program);
    assert!(notes.iter().all(known));
}

#[test]
fn the_wrong_front_end_is_heard() {
    let (audio, song) = (audio("song.flac"), song());
    let scores = [FrontEndKind::Mt3, FrontEndKind::Mt3Pytorch].map(|front_end| {
        let options = LoadOptions {
            front_end: Some(front_end),
            ..LoadOptions::default()
        };
        f1(
            &song.notes,
            &transcribe(&load(&options), &audio, Source::FullMix).notes,
        )
    });
    println!("{scores:.3?}");
    assert!(scores[1] < 0.5 * scores[0], "{scores:?}");
}

#[test]
fn a_source_has_its_own_notes_only() {
    let audio = audio("song.flac");
    let model = load(&LoadOptions::default());
    let notes = |source| transcribe(&model, &audio, source).notes;
    let drums = notes(Source::DrumBus);
    assert!(drums.len() > 5 && drums.iter().all(|n| n.is_drum));
    let bass = notes(Source::Bass);
    assert!(!bass.is_empty() && bass.iter().all(|n| !n.is_drum && n.program == 33));
}

#[test]
fn filters_leave_the_drums_of_drums() {
    let audio = audio("drums.flac");
    let model = load(&LoadOptions::default());
    let notes = transcribe(&model, &audio, Source::FullMix).notes;
    let count = |notes: &[Note]| notes.iter().filter(|n| n.is_drum).count();
    println!(
        "{} notes of drums, {} of them drums",
        notes.len(),
        count(&notes)
    );
    assert!(count(&notes) > 5);
    for strategy in Strategy::ALL {
        let left = apply(&notes, &filter(&notes, &strategy.into()));
        assert!(count(&left) >= count(&notes), "{strategy}");
        assert!(left.len() <= notes.len());
        if strategy == Strategy::DrumsOnly {
            assert_eq!(count(&left), left.len());
        }
    }
}

#[test]
fn a_session_writes_the_notes_of_the_recording() {
    let audio = audio("song.flac");
    let whole = transcribe(&load(&LoadOptions::default()), &audio, Source::FullMix).notes;
    let model = ImportedModel::load(&file("small.pth"), Device::Cpu).unwrap();
    let config = SessionConfig {
        longest_note_seconds: f64::INFINITY,
        ..SessionConfig::new(SAMPLE_RATE_HZ)
    };
    let mut session = model.session(&config, Source::FullMix).unwrap();
    let mut notes = Vec::new();
    let mut take = |session: &mut Session| {
        while model.run(&mut [&mut *session]).unwrap() > 0 {}
        session.take_notes(&mut notes);
    };
    for block in audio.chunks(1000) {
        session.push(block);
        take(&mut session);
    }
    session.finish();
    take(&mut session);
    assert_eq!(places(&notes), {
        let placed = whole
            .iter()
            .map(|n| PlacedNote::from_note(n, SAMPLE_RATE_HZ));
        places(&placed.collect::<Vec<_>>())
    });
}

/// Onset, length, program and key, in order.
fn places(notes: &[PlacedNote]) -> Vec<(u64, u64, u8, bool, u8)> {
    let place = |n: &PlacedNote| {
        (
            n.onset_samples,
            n.length_samples,
            n.program,
            n.is_drum,
            n.pitch,
        )
    };
    let mut places: Vec<_> = notes.iter().map(place).collect();
    places.sort_unstable();
    places
}

#[test]
fn fewer_bits_seldom_choose_other_tokens() {
    let audio = audio("song.flac");
    let of = |precision| {
        let options = LoadOptions {
            precision,
            ..LoadOptions::default()
        };
        transcribe(&load(&options), &audio, Source::FullMix)
    };
    let notes = song().notes;
    let full = of(Precision::F32);
    for precision in [Precision::F16, Precision::Int8] {
        let other = of(precision);
        let same = ids(&full)
            .iter()
            .zip(&ids(&other))
            .filter(|(a, b)| a == b)
            .count();
        let scores = [&full, &other].map(|t| f1(&notes, &t.notes));
        println!(
            "{precision:?}: {same} of {} segments are the same; {scores:.3?}",
            full.sequences.len()
        );
        assert!((scores[0] - scores[1]).abs() < 0.1);
    }
}
