//! An imported model in the plugin, selected by the saved state. One test, because the environment
//! of the process sets the folder of models.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use hitscribe_core::DrumClass;
use hitscribe_core::audio::downmix;
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::model_store::{Store, StoredModel, Transfer};
use hitscribe_core::note::PlacedNote;
use hitscribe_host::{Host, Library};
use hitscribe_live::take::Take;
use hitscribe_models::device::Device;
use hitscribe_models::generate::allowed::AllowedNotes;
use hitscribe_models::generate::{LoadOptions, TokenModel, TokenOptions};
use hitscribe_tests::{Render, Rendered, groove, json_of, library, take_of};
use serde_json::{Value, json};

const RATE_HZ: f64 = 44_100.0;
/// Three segments of 2.048 s, in whole frames.
const LATENCY_FRAMES: u32 = 270_951;
const TAIL_SECONDS: f64 = 9.0;

fn state_of(json: &Value) -> Vec<u8> {
    let text = serde_json::to_vec(json).expect("JSON");
    [&(text.len() as u64).to_le_bytes()[..], &text].concat()
}

/// The state with another model.
fn choosing(state: &[u8], name: &str, sha256: &str) -> Vec<u8> {
    let mut json = json_of(state);
    let saved = json!({"format": 1, "chosen": {"name": name, "sha256": sha256}});
    json["fields"]["model"] = saved.to_string().into();
    state_of(&json)
}

/// Onset, key and length, in order.
fn notes_of(take: &Take) -> Vec<(u64, u8, u64)> {
    let notes = take.passages.iter().flat_map(|passage| &passage.notes);
    let mut notes: Vec<_> = notes
        .map(|n| (n.note.onset_samples, n.note.pitch, n.note.length_samples))
        .collect();
    notes.sort_unstable();
    notes
}

fn render(blocks: &[usize]) -> Render {
    Render {
        sample_rate_hz: RATE_HZ,
        blocks: blocks.to_vec(),
        parameters: vec![("Latency mode", "Aligned (audio waits)".to_owned())],
        tail_seconds: TAIL_SECONDS,
        ..Render::default()
    }
}

fn run(library: &Library, state: &[u8], audio: &[Vec<f32>], blocks: &[usize]) -> (Host, Rendered) {
    let render = render(blocks);
    let mut host = library.instance(audio.len()).unwrap();
    host.load(state).unwrap();
    let mut ready = render.parameters.iter();
    ready
        .try_for_each(|(name, value)| host.set(name, value))
        .unwrap();
    host.set_offline(true);
    let rendered = render.run_with(&mut host, audio).unwrap();
    (host, rendered)
}

/// The notes of `hitscribe transcribe --model` in the audio and the silence after it.
fn transcribed(path: &Path, audio: &[Vec<f32>]) -> Vec<(u64, u8, u64)> {
    let length = audio[0].len() + (TAIL_SECONDS * RATE_HZ) as usize;
    let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or_default();
    let interleaved: Vec<f32> = (0..length)
        .flat_map(|at| audio.iter().map(move |channel| sample(channel, at)))
        .collect();
    let (mut mono, mut samples) = (Vec::new(), Vec::new());
    downmix(&interleaved, audio.len(), &mut mono);
    let mut resampler = Resampler::new(RATE_HZ as u32, SAMPLE_RATE_HZ).unwrap();
    resampler.push(&mono, &mut samples);
    resampler.finish(&mut samples);
    let (model, _) = TokenModel::load(path, &LoadOptions::default(), Device::Cpu).unwrap();
    let options = TokenOptions {
        source: AllowedNotes::drums(),
        ..TokenOptions::default()
    };
    let heard = model.transcribe(&samples, &options, |_| true).unwrap();
    let mut notes: Vec<_> = heard
        .notes
        .iter()
        .map(|note| PlacedNote::from_note(note, RATE_HZ as u32))
        .map(|note| {
            let onset = note.onset_samples.min(length as u64 - 1);
            (onset, note.pitch, note.length_samples)
        })
        .collect();
    notes.sort_unstable();
    notes
}

/// Waits until the take has these notes and returns the state. The last notes arrive after the
/// render.
fn state_with_notes(host: &mut Host, expected: &[(u64, u8, u64)]) -> Vec<u8> {
    let began = Instant::now();
    loop {
        let state = host.save().unwrap();
        let notes = notes_of(&take_of(&state));
        if notes.len() >= expected.len() || began.elapsed() > Duration::from_secs(60) {
            assert_eq!(notes, expected);
            return state;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Imports the test checkpoint whose sequences end and have many drum notes.
fn import(store: &Store) -> StoredModel {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/models/tests/data/mt3_family");
    let file = data.join("lively.safetensors");
    let model = store.add(&file, Some("lively"), Transfer::Copy).unwrap();
    let settings = store.weights_path(&model).with_file_name("config.json");
    std::fs::write(settings, r#"{"num_heads": 2}"#).unwrap();
    model
}

#[test]
fn the_model_of_the_project_is_used_if_it_is_installed_and_reported_if_not() {
    let folder = tempfile::tempdir().unwrap();
    // SAFETY: the only test of this process, which has no other threads that look at it yet.
    unsafe { std::env::set_var("HITSCRIBE_MODELS", folder.path()) };
    let library = library();
    let audio = groove(RATE_HZ, 14.0);
    let store = Store::at(folder.path().to_owned());
    let model = import(&store);
    let expected = transcribed(&store.weights_path(&model), &audio);
    assert!(expected.len() > 20, "only {} notes", expected.len());

    let empty = library.instance(2).unwrap().save().unwrap();
    let state = choosing(&empty, &model.name, &model.sha256);
    let (mut host, rendered) = run(&library, &state, &audio, &[512]);
    assert_eq!(rendered.latency_frames, LATENCY_FRAMES);
    let saved = state_with_notes(&mut host, &expected);
    let later = LATENCY_FRAMES as usize;
    assert!(rendered.channels[0][later..later + audio[0].len()] == audio[0][..]);
    let played: std::collections::BTreeSet<(u64, u16)> = expected
        .iter()
        .map(|(onset, key, _)| {
            let key = DrumClass::from_gm_note(*key).map_or(*key, DrumClass::gm_note);
            (onset + u64::from(LATENCY_FRAMES), u16::from(key))
        })
        .collect();
    let onsets = rendered.onsets();
    assert!(onsets.len() > 20, "{} notes left", onsets.len());
    let left: std::collections::BTreeSet<(u64, u16)> = onsets
        .iter()
        .map(|(frame, key, _)| (*frame, *key))
        .collect();
    let end_frames = rendered.channels[0].len() as u64;
    let due = played.into_iter().filter(|(frame, _)| *frame < end_frames);
    assert_eq!(left, due.collect());
    for blocks in [&[64, 1_000, 4_096][..], &[8_192]] {
        let (_, again) = run(&library, &state, &audio, blocks);
        assert_eq!(again.onsets(), onsets, "{blocks:?}");
    }

    // Another computer without the model: the take stays, audio passes, no notes, no long wait.
    let elsewhere = choosing(&saved, "lively", &"0".repeat(64));
    let mut host = library.instance(2).unwrap();
    host.load(&elsewhere).unwrap();
    host.set("Latency mode", "Aligned (audio waits)").unwrap();
    let live = Render {
        says_offline: false,
        ..render(&[512])
    };
    let began = Instant::now();
    let silent = live.run_with(&mut host, &audio).unwrap();
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert!(silent.notes.is_empty());
    assert!(silent.channels[0][later..later + audio[0].len()] == audio[0][..]);
    let kept = host.save().unwrap();
    assert_eq!(notes_of(&take_of(&kept)), expected);
    let field = json_of(&kept)["fields"]["model"].clone();
    assert!(field.as_str().unwrap().contains(&"0".repeat(64)), "{field}");

    // A project without a model field, of an older version, uses the built-in model.
    let mut old = json_of(&empty);
    old["fields"].as_object_mut().unwrap().remove("model");
    host.load(&state_of(&old)).unwrap();
    host.set("Latency mode", "Aligned (audio waits)").unwrap();
    let builtin = render(&[512]).run_with(&mut host, &audio).unwrap();
    assert!((1..LATENCY_FRAMES / 2).contains(&builtin.latency_frames));
    assert!(!builtin.notes.is_empty());
}
