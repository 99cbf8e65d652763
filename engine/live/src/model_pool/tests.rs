#[cfg(feature = "gpu")]
mod gpu;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;
use crate::engine_thread::load;
use crate::take::Take;
use crate::{CapturePort, LiveSettings, SharedEngine, TransportState};
use hitscribe::{ImportedModel, ModelUnavailable, SessionConfig, Source, imported_latency_samples};
use hitscribe_core::model_store::Transfer;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::device::{Device, DeviceChoice};
use hitscribe_models::generate::Family;

const RATE_HZ: u32 = 48_000;
const BLOCK: usize = 4_800;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/mt3_family")
}

/// Adds the lively checkpoint, which needs the number of its heads.
fn add(store: &Store) -> ModelChoice {
    let model = store
        .add(
            &data().join("lively.safetensors"),
            Some("lively"),
            Transfer::Copy,
        )
        .unwrap();
    let settings = store.weights_path(&model).with_file_name("config.json");
    std::fs::write(settings, r#"{"num_heads": 2}"#).unwrap();
    ModelChoice::from(&model)
}

fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_done() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Hits of noise that are all different.
fn sound(seconds: usize) -> Vec<f32> {
    let mut state = 5u32;
    let (mut age, mut level) = (0.0f32, 0.0);
    (0..RATE_HZ as usize * seconds)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if n % 9_001 == 77 {
                (age, level) = (0.0, 0.1 + (state >> 16 & 7) as f32 / 10.0);
            }
            age += 1.0 / RATE_HZ as f32;
            ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * level * (-age * 12.0).exp()
        })
        .collect()
}

fn play(port: &mut CapturePort, audio: &[f32]) {
    for (index, block) in audio.chunks(BLOCK).enumerate() {
        let transport = TransportState {
            playing: true,
            position_samples: Some((index * BLOCK) as i64),
            ..TransportState::default()
        };
        wait_for("room", || port.has_room(block.len()));
        port.push(&[&mut block.to_vec()], transport, LiveSettings::default());
    }
}

fn open(engine: &SharedEngine, choice: &ModelChoice, take: &Arc<Mutex<Take>>) -> CapturePort {
    engine.open(1, SessionConfig::new(RATE_HZ), Some(choice), take.clone())
}

/// Onset, key and length of the notes of the first passage.
fn notes_of(take: &Arc<Mutex<Take>>) -> Vec<(u64, u8, u64)> {
    let notes = &take.lock().passages[0].notes;
    let mut notes: Vec<_> = notes
        .iter()
        .map(|n| (n.note.onset_samples, n.note.pitch, n.note.length_samples))
        .collect();
    notes.sort_unstable();
    notes
}

#[test]
fn instances_share_a_model_and_get_the_notes_of_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("models"));
    let choice = add(&store);
    let audio = sound(13);
    let expected = {
        let path = choice.find(&store).unwrap();
        let model = ImportedModel::load(&path, Device::Cpu).unwrap();
        let mut config = SessionConfig::new(RATE_HZ);
        config.longest_note_seconds = f64::INFINITY;
        let mut session = model.session(&config, Source::DrumBus).unwrap();
        session.push(&audio);
        session.finish();
        while model.run(&mut [&mut session]).unwrap() > 0 {}
        let mut notes: Vec<PlacedNote> = Vec::new();
        session.take_notes(&mut notes);
        let mut notes: Vec<_> = notes
            .iter()
            .map(|n| (n.onset_samples, n.pitch, n.length_samples))
            .collect();
        notes.sort_unstable();
        notes
    };
    assert!(expected.len() > 20, "{} notes prove little", expected.len());

    let engine = SharedEngine::start(DeviceChoice::Cpu, load, Some(store)).unwrap();
    let takes: [Arc<Mutex<Take>>; 2] = Default::default();
    let mut ports = takes.each_ref().map(|take| open(&engine, &choice, take));
    let builtin = Arc::new(Mutex::new(Take::default()));
    let mut other = engine.open(1, SessionConfig::new(RATE_HZ), None, builtin.clone());
    wait_for("the model", || {
        engine
            .model_status(&choice)
            .is_some_and(|m| m.phase == ModelPhase::Ready)
    });
    for port in &mut ports {
        play(port, &audio);
    }
    play(&mut other, &audio);
    let latency = imported_latency_samples(RATE_HZ).unwrap();
    for port in &ports {
        wait_for("all but the latency", || {
            port.counters().settled_frames() + latency >= audio.len() as u64
        });
    }
    // A jump ends the passage, and so does the end of the port.
    ports[0].start_passage();
    play(&mut ports[0], &audio[..BLOCK]);
    let [first, second] = ports;
    wait_for("the jump", || {
        first.counters().settled_frames() >= audio.len() as u64
    });
    let status = engine.model_status(&choice).expect("it is in use");
    assert_eq!((status.family, status.reason), (Some(Family::Mt3), None));
    assert!(status.real_time_factor.is_some_and(|factor| factor > 0.0));
    drop((first, second));
    for take in &takes {
        wait_for("the notes", || notes_of(take).len() >= expected.len());
        assert_eq!(notes_of(take), expected);
    }
    wait_for("the model's end", || engine.model_status(&choice).is_none());
    // The built-in model ran all the time.
    wait_for("the built-in model", || {
        other.counters().settled_frames() + 3 * u64::from(RATE_HZ) > audio.len() as u64
    });
    assert_eq!(other.counters().dropped_frames(), 0);
}

#[test]
fn a_missing_model_is_reported_and_used_once_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("models"));
    let choice = {
        let elsewhere = Store::at(folder.path().join("elsewhere"));
        add(&elsewhere)
    };
    let engine = SharedEngine::start(DeviceChoice::Cpu, load, Some(store.clone())).unwrap();
    let take = Arc::new(Mutex::new(Take::default()));
    let mut port = open(&engine, &choice, &take);
    let audio = sound(9);
    play(&mut port, &audio);
    wait_for("the rest to settle", || {
        port.counters().settled_frames() + u64::from(RATE_HZ) > audio.len() as u64
    });
    let status = engine.model_status(&choice).unwrap();
    assert_eq!(status.phase, ModelPhase::Missing);
    let reason = status.reason.unwrap();
    assert!(
        reason.contains("hitscribe models add FILE --as lively"),
        "{reason}"
    );
    assert!(!port.counters().failed());
    wait_for("the whole passage", || {
        take.lock().passages[0].length_frames == audio.len() as u64
    });
    assert!(
        take.lock().passages[0].notes.is_empty(),
        "no model, no notes"
    );
    add(&store);
    wait_for("the model", || {
        engine
            .model_status(&choice)
            .is_some_and(|m| m.phase == ModelPhase::Ready)
    });
    port.start_passage();
    play(&mut port, &audio);
    drop(port);
    wait_for("notes", || !take.lock().passages[1].notes.is_empty());
}

#[test]
fn a_changed_file_and_another_model_of_the_same_name_are_detected() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("models"));
    let choice = add(&store);
    let other = ModelChoice {
        sha256: "0".repeat(64),
        ..choice.clone()
    };
    assert!(choice.is_sound() && other.is_sound());
    assert!(
        !ModelChoice {
            sha256: "../x".to_owned(),
            ..choice.clone()
        }
        .is_sound()
    );
    let missing = other.find(&store).unwrap_err();
    assert!(
        matches!(&missing, ModelUnavailable::Missing(reason) if reason.contains("another file")),
        "{missing:?}"
    );
    let path = choice.find(&store).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let engine = SharedEngine::start(DeviceChoice::Cpu, load, Some(store)).unwrap();
    let port = open(&engine, &choice, &Arc::default());
    wait_for("the damage", || {
        engine
            .model_status(&choice)
            .is_some_and(|m| m.phase == ModelPhase::Damaged)
    });
    let reason = engine.model_status(&choice).unwrap().reason.unwrap();
    assert!(
        reason.contains("has changed since it was imported"),
        "{reason}"
    );
    drop(port);
}
