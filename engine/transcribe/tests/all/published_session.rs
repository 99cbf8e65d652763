//! Imported models on streams, segment by segment, against whole recordings.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use hitscribe::{
    ImportedModel, LONGEST_LIVE_NOTE_SECONDS, SEGMENT_SECONDS, Session, SessionConfig, Source,
    imported_latency_samples,
};
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::device::Device;
use hitscribe_models::generate::{Family, LoadOptions, TokenModel, TokenOptions, family_of};

const RATE_HZ: u32 = 44_100;

/// A folder with a checkpoint and what it needs beside it.
fn lively(folder: &Path) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/mt3_family");
    let path = folder.join("lively.safetensors");
    std::fs::copy(data.join("lively.safetensors"), &path).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"num_heads": 2}"#).unwrap();
    path
}

/// The tiny checkpoints of the golden packs, where they are.
fn packs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/parity");
    let names = [
        "mt3_pytorch/tiny/mt3.pth",
        "mr_mt3_segmem/tiny/segmem.ckpt",
        "yourmt3/tiny/last.ckpt",
    ];
    let (there, missing): (Vec<_>, Vec<_>) = names
        .map(|name| folder.join(name))
        .into_iter()
        .partition(|path| path.exists());
    for path in missing {
        println!("skipped: {} is not there", path.display());
    }
    there
}

/// Hits of noise that are all different.
fn sound(seconds: f64) -> Vec<f32> {
    let mut state = 1u32;
    let (mut age, mut level, mut colour, mut last) = (0.0f32, 0.0, 0.5, 0.0);
    (0..(f64::from(RATE_HZ) * seconds) as usize)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            if n % 7_919 == 300 {
                (age, level) = (0.0, 0.1 + (state >> 16 & 7) as f32 / 10.0);
                colour = 0.05 + (state >> 20 & 15) as f32 / 17.0;
            }
            age += 1.0 / RATE_HZ as f32;
            last += colour * (noise - last);
            last * level * (-age * 12.0).exp()
        })
        .collect()
}

fn sorted(mut notes: Vec<PlacedNote>) -> Vec<PlacedNote> {
    notes.sort_by_key(|n| {
        (
            n.onset_samples,
            n.is_drum,
            n.program,
            n.pitch,
            n.length_samples,
        )
    });
    notes
}

/// Without confidences, which a batch of another size may change in the last digit.
fn plain(notes: &[PlacedNote]) -> Vec<PlacedNote> {
    let plain = |note: &PlacedNote| PlacedNote {
        confidence: 0.0,
        ..*note
    };
    notes.iter().map(plain).collect()
}

/// What the transcription of a whole recording gives.
fn whole(path: &Path, source: Source, audio: &[f32]) -> Vec<PlacedNote> {
    let (model, _) = TokenModel::load(path, &LoadOptions::default(), Device::Cpu).unwrap();
    let mut resampler = Resampler::new(RATE_HZ, SAMPLE_RATE_HZ).unwrap();
    let mut samples = Vec::new();
    resampler.push(audio, &mut samples);
    resampler.finish(&mut samples);
    let options = TokenOptions {
        source: source.mask(),
        ..TokenOptions::default()
    };
    let decoded = model.transcribe(&samples, &options, |_| true).unwrap();
    let last = audio.len() as u64 - 1;
    let place = |note| {
        let note = PlacedNote::from_note(note, RATE_HZ);
        PlacedNote {
            onset_samples: note.onset_samples.min(last),
            ..note
        }
    };
    sorted(decoded.notes.iter().map(place).collect())
}

fn drain(model: &ImportedModel, session: &mut Session, notes: &mut Vec<PlacedNote>) {
    while model.run(&mut [session]).unwrap() > 0 {}
    session.take_notes(notes);
}

fn transcribe_stream(
    model: &ImportedModel,
    config: &SessionConfig,
    source: Source,
    audio: &[f32],
    block: usize,
) -> Vec<PlacedNote> {
    let mut session = model.session(config, source).unwrap();
    let mut notes = Vec::new();
    for block in audio.chunks(block) {
        session.push(block);
        drain(model, &mut session, &mut notes);
    }
    session.finish();
    drain(model, &mut session, &mut notes);
    assert!(session.is_complete());
    sorted(notes)
}

/// For whole recordings: nothing is cut.
fn config() -> SessionConfig {
    SessionConfig {
        longest_note_seconds: f64::INFINITY,
        ..SessionConfig::new(RATE_HZ)
    }
}

#[test]
fn segments_that_come_in_give_the_notes_of_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = packs();
    paths.push(lively(folder.path()));
    for path in paths {
        let model = ImportedModel::load(&path, Device::Cpu).unwrap();
        let is_lively = path.ends_with("lively.safetensors");
        // The first ends exactly with a segment.
        for (seconds, block) in [(2.0 * SEGMENT_SECONDS, 4096), (5.3, usize::MAX)] {
            let audio = sound(seconds);
            for source in [Source::DrumBus, Source::FullMix, Source::Bass] {
                // The packs write as many tokens as they may, which takes long.
                if !is_lively && source != Source::FullMix {
                    continue;
                }
                let whole = whole(&path, source, &audio);
                println!("{} {source:?}: {} notes", path.display(), whole.len());
                if is_lively && source == Source::DrumBus {
                    assert!(whole.len() > 10, "{} notes prove little", whole.len());
                }
                let streamed = transcribe_stream(&model, &config(), source, &audio, block);
                assert_eq!(plain(&streamed), plain(&whole), "{source:?}, {block}");
            }
        }
    }
}

#[test]
fn sources_do_not_depend_on_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = packs();
    paths.push(lively(folder.path()));
    let audio = sound(4.5);
    for path in paths {
        let model = ImportedModel::load(&path, Device::Cpu).unwrap();
        let sources = [Source::DrumBus, Source::FullMix, Source::Kick, Source::Keys];
        let mut sessions = sources.map(|source| model.session(&config(), source).unwrap());
        let mut notes = sources.map(|_| Vec::new());
        let mut run = |sessions: &mut [Session; 4]| {
            let mut all: Vec<&mut Session> = sessions.iter_mut().collect();
            while model.run(&mut all).unwrap() > 0 {}
            for (session, notes) in sessions.iter_mut().zip(&mut notes) {
                session.take_notes(notes);
            }
        };
        for block in audio.chunks(10_000) {
            sessions.iter_mut().for_each(|session| session.push(block));
            run(&mut sessions);
        }
        sessions.iter_mut().for_each(Session::finish);
        run(&mut sessions);
        for (source, together) in sources.into_iter().zip(notes) {
            let alone = transcribe_stream(&model, &config(), source, &audio, audio.len());
            assert_eq!(plain(&sorted(together)), plain(&alone), "{source:?}");
        }
    }
}

#[test]
fn every_note_is_out_after_the_latency() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = packs();
    paths.push(lively(folder.path()));
    let audio = sound(6.5);
    for path in paths {
        let model = ImportedModel::load(&path, Device::Cpu).unwrap();
        let live = SessionConfig {
            longest_note_seconds: LONGEST_LIVE_NOTE_SECONDS,
            ..SessionConfig::new(RATE_HZ)
        };
        let all = transcribe_stream(&model, &live, Source::FullMix, &audio, audio.len());
        let mut session = model.session(&live, Source::FullMix).unwrap();
        assert!(session.latency_samples() < imported_latency_samples(RATE_HZ).unwrap());
        let mut notes = Vec::new();
        for block in audio.chunks(997) {
            session.push(block);
            drain(&model, &mut session, &mut notes);
            let due = (session.pushed_samples() - 1).checked_sub(session.latency_samples());
            let settled = session.settled_samples();
            assert!(due.is_none_or(|due| settled > due), "{settled} at {due:?}");
            let settled = all.iter().filter(|n| n.onset_samples < settled);
            let out = plain(&notes);
            assert!(
                plain(&settled.copied().collect::<Vec<_>>())
                    .iter()
                    .all(|n| out.contains(n))
            );
        }
    }
}

#[test]
fn the_grid_of_segments_belongs_to_the_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let model = ImportedModel::load(&lively(folder.path()), Device::Cpu).unwrap();
    let audio = sound(15.0);
    let source = Source::DrumBus;
    let whole = transcribe_stream(&model, &config(), source, &audio, audio.len());
    let from = |timeline_samples: i64, audio: &[f32]| {
        let config = SessionConfig {
            timeline_samples,
            ..config()
        };
        transcribe_stream(&model, &config, source, audio, 4096)
    };
    let places = |notes: &[PlacedNote], shift: u64, after: u64| -> Vec<(u64, u8)> {
        let places = notes.iter().map(|n| (n.onset_samples + shift, n.pitch));
        places.filter(|(onset, _)| *onset >= after).collect()
    };
    for start in [441usize, 12_345, 44_100, 100_000] {
        let part = from(start as i64, &audio[start..]);
        // What lies before the start is unknown to the first segment.
        let known = (start as u64).next_multiple_of(90_317) + 90_317;
        let (part, whole) = (places(&part, start as u64, known), places(&whole, 0, known));
        assert!(whole.len() > 10);
        let same = part.iter().filter(|note| {
            let is_it = |other: &&(u64, u8)| other.1 == note.1 && other.0.abs_diff(note.0) <= 1;
            whole.iter().any(|other| is_it(&other))
        });
        // The resampler begins elsewhere: numbers differ in the last digits, and seldom a choice.
        assert!(same.count() * 10 >= whole.len() * 9, "from {start}");
        assert!(part.len() * 10 <= whole.len() * 11, "from {start}");
    }
    // Five segments are 10.24 s.
    let five = 451_584;
    let positive = from(five - 44_100, &audio);
    assert_eq!(
        from(-44_100, &audio),
        positive,
        "before the start of the timeline"
    );
    assert!(
        !from(i64::MIN, &audio[..50_000])
            .iter()
            .any(|n| n.length_samples == 0)
    );
}

#[test]
fn the_family_is_told_without_loading() {
    for path in packs() {
        let family = match path.file_name().and_then(|name| name.to_str()) {
            Some("mt3.pth") => Family::Mt3,
            Some("segmem.ckpt") => Family::MrMt3,
            _ => Family::YourMt3,
        };
        assert_eq!(family_of(&path).unwrap(), family);
    }
    let junk =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/mt3_family/legacy.pth");
    let error = family_of(&junk).unwrap_err().to_string();
    assert!(error.contains("neither MT3"), "{error}");
}
