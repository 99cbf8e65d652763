//! `transcribe --model auto`: the chosen model and the messages.

use std::path::Path;
use std::process::Command;

use hitscribe_core::Note;
use serde_json::Value;

const RATE_HZ: f64 = 16_000.0;

/// Four seconds of audio. `add` gets a function that adds a sound: onset, waveform over the seconds
/// since the onset, decay time.
fn sound(add: impl Fn(&mut dyn FnMut(f64, &dyn Fn(f64) -> f64, f64))) -> Vec<f32> {
    let mut samples = vec![0.0_f32; (4.0 * RATE_HZ) as usize];
    add(&mut |at_seconds, wave, decay_seconds| {
        let start = (at_seconds * RATE_HZ) as usize;
        for (i, sample) in samples.iter_mut().skip(start).enumerate() {
            let t = i as f64 / RATE_HZ;
            *sample += (0.3 * wave(t) * (-t / decay_seconds).exp()) as f32;
        }
    });
    samples
}

/// Noise bursts and low thuds.
fn drums() -> Vec<f32> {
    let noise = |t: f64| ((t * 1e5).sin() * 43_758.545_3).fract();
    let thud = |t: f64| (350.0 * t + 25.0 * (1.0 - (-40.0 * t).exp())).sin();
    sound(|add| {
        for eighth in 0..16 {
            let at = 0.25 * f64::from(eighth);
            add(at, &noise, 0.03);
            if eighth % 2 == 0 {
                add(at, &thud, 0.06);
            }
        }
    })
}

/// Chords of tones with three partials.
fn chords() -> Vec<f32> {
    sound(|add| {
        for (second, root_hz) in [220.0, 293.7, 330.0, 220.0].into_iter().enumerate() {
            for ratio in [1.0, 1.26, 1.5] {
                let tone = move |t: f64| {
                    let partial =
                        |k: f64| (std::f64::consts::TAU * root_hz * ratio * k * t).sin() / (k * k);
                    0.3 * (partial(1.0) + partial(2.0) + partial(3.0))
                };
                add(second as f64, &tone, 0.9);
            }
        }
    })
}

struct Answer {
    model: String,
    stderr: String,
}

fn transcribe(store: &Path, sound: &Path, model: Option<&str>) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitscribe"));
    command
        .env("HITSCRIBE_MODELS", store)
        .args(["transcribe", "--json", "--device", "cpu"]);
    if let Some(model) = model {
        command.args(["--model", model]);
    }
    let out = command.arg(sound).output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{stderr}");
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    Answer {
        model: document["model"].as_str().unwrap().to_owned(),
        stderr,
    }
}

fn add_to_store(store: &Path, file: &Path, name: &str) {
    let out = Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .env("HITSCRIBE_MODELS", store)
        .args(["models", "add", "--as", name])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[test]
fn drums_use_the_built_in_model_and_other_music_an_imported_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (store, drums_file, chords_file) = (at("store"), at("drums.wav"), at("chords.wav"));
    super::scripted::wav(&drums_file, &drums());
    super::scripted::wav(&chords_file, &chords());

    let builtin = transcribe(&store, &chords_file, None);
    assert_eq!(builtin.stderr, "", "off by default");

    let alone = transcribe(&store, &chords_file, Some("auto"));
    assert_eq!(alone.model, builtin.model);
    assert!(
        alone
            .stderr
            .contains("although it sounds like pitched instruments"),
        "{}",
        alone.stderr
    );
    assert!(alone.stderr.contains("models fetch"), "{}", alone.stderr);
    assert_eq!(alone.stderr.lines().count(), 1, "{}", alone.stderr);

    // A model that cannot be loaded is skipped.
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/models/tests/data/mt3_family/tiny.pth");
    add_to_store(&store, &tiny, "a-broken-one");
    std::fs::write(store.join("a-broken-one/weights.pth"), b"no weights").unwrap();
    let broken = transcribe(&store, &chords_file, Some("auto"));
    assert_eq!(broken.model, builtin.model);
    assert!(broken.stderr.contains("a-broken-one"), "{}", broken.stderr);

    let note = Note {
        onset_seconds: 0.5,
        offset_seconds: 1.0,
        pitch: 60,
        velocity: 127,
        program: 0,
        is_drum: false,
        openness: None,
        confidence: 1.0,
    };
    super::scripted::write(&at("scripted.safetensors"), &[note]);
    add_to_store(&store, &at("scripted.safetensors"), "scripted");
    let pitched = transcribe(&store, &chords_file, Some("auto"));
    assert_eq!(pitched.model, "scripted");
    assert!(
        pitched
            .stderr
            .contains("chords.wav: the model scripted, because it sounds like"),
        "{}",
        pitched.stderr
    );
    let drums = transcribe(&store, &drums_file, Some("auto"));
    assert_eq!(drums.model, builtin.model);
    assert!(
        drums
            .stderr
            .contains("built-in model, because it sounds like drums alone"),
        "{}",
        drums.stderr
    );
}

#[test]
fn a_source_and_a_choice_by_content_exclude_each_other() {
    let out = Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .args([
            "transcribe",
            "demo",
            "--model",
            "auto",
            "--source",
            "drums",
            "--json",
        ])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("--source") && stderr.lines().count() == 1,
        "{stderr}"
    );
}
