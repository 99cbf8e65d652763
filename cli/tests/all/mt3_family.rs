//! `debug-tensors` and `transcribe --model` with the tiny network of the tests in engine/models.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hitscribe_core::checkpoint::Checkpoint;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/models/tests/data/mt3_family")
        .join(name)
}

fn hitscribe(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Five seconds of a plucked pattern, float, 16 kHz mono.
fn sound(path: &Path) -> Vec<f32> {
    let sample = |n: u32| {
        let (since, hit) = (n % 4000, n / 4000);
        let decay = (-(since as f32) / 800.0).exp();
        decay * (since as f32 * 0.02 * (1 + hit % 5) as f32).sin() * 0.5
    };
    let samples: Vec<f32> = (0..80_000).map(sample).collect();
    super::scripted::wav(path, &samples);
    samples
}

#[test]
fn debug_tensors_writes_the_documented_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    sound(Path::new(&path("sound.wav")));
    std::fs::write(path("ids.txt"), "0, 1134 13\n1135").unwrap();
    let checkpoint = data("tiny.pth").display().to_string();
    let out = hitscribe(&[
        "debug-tensors",
        &checkpoint,
        &path("sound.wav"),
        "-o",
        &path("out.safetensors"),
        "--heads",
        "2",
        "--tokens",
        &path("ids.txt"),
        "--max-ids",
        "30",
        "--notes",
        &path("notes.json"),
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let file = Checkpoint::open(Path::new(&path("out.safetensors"))).unwrap();
    let shape = |name: &str| {
        file.shape(name)
            .unwrap_or_else(|| panic!("no {name}"))
            .to_vec()
    };
    assert_eq!(shape("features"), [3, 256, 16]);
    assert_eq!(shape("encoder_out"), [3, 256, 16]);
    assert_eq!(shape("tf_logits"), [3, 4, 1536]);
    assert_eq!(
        file.read_f32("tf_ids").unwrap(),
        [0.0, 1134.0, 13.0, 1135.0]
    );
    let ids = shape("greedy_ids");
    assert_eq!(shape("greedy_margin"), [3, ids[1] - 1]);
    assert!(ids[1] <= 31);
    let notes: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path("notes.json")).unwrap()).unwrap();
    assert!(notes["notes"].is_array() && notes["invalid_events"].is_u64());

    // Given features give the same ids; one segment can be chosen.
    let given = hitscribe(&[
        "debug-tensors",
        &checkpoint,
        &path("sound.wav"),
        "-o",
        &path("again.safetensors"),
        "--heads",
        "2",
        "--features",
        &path("out.safetensors"),
        "--max-ids",
        "30",
    ]);
    assert!(given.status.success(), "{}", text(&given.stderr));
    let again = Checkpoint::open(Path::new(&path("again.safetensors"))).unwrap();
    assert_eq!(
        again.read_f32("greedy_ids").unwrap(),
        file.read_f32("greedy_ids").unwrap()
    );
    let one = hitscribe(&[
        "debug-tensors",
        &checkpoint,
        &path("sound.wav"),
        "-o",
        &path("one.safetensors"),
        "--heads",
        "2",
        "--segments",
        "2",
        "--max-ids",
        "5",
    ]);
    assert!(one.status.success(), "{}", text(&one.stderr));
    let one = Checkpoint::open(Path::new(&path("one.safetensors"))).unwrap();
    assert_eq!(one.shape("features"), Some(&[1, 256, 16][..]));
}

#[test]
fn mistakes_give_a_one_line_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    sound(Path::new(&path("sound.wav")));
    let tiny = data("tiny.pth").display().to_string();
    let legacy = data("legacy.pth").display().to_string();
    let output = path("out.safetensors");
    for (arguments, expected) in [
        (
            vec![
                "debug-tensors",
                &tiny,
                "absent.wav",
                "-o",
                &output,
                "--heads",
                "2",
            ],
            "absent.wav",
        ),
        (
            vec!["debug-tensors", &tiny, &path("sound.wav"), "-o", &output],
            "config.json",
        ),
        (
            vec![
                "debug-tensors",
                &tiny,
                &path("sound.wav"),
                "-o",
                &output,
                "--heads",
                "3",
            ],
            "do not divide",
        ),
        (
            vec!["debug-tensors", &legacy, &path("sound.wav"), "-o", &output],
            "neither MT3, MR-MT3 nor YourMT3",
        ),
        (
            vec![
                "debug-tensors",
                &tiny,
                &path("sound.wav"),
                "-o",
                &output,
                "--heads",
                "2",
                "--frontend",
                "yourmt3",
            ],
            "front end",
        ),
        (
            vec![
                "debug-tensors",
                &tiny,
                &path("sound.wav"),
                "-o",
                &output,
                "--heads",
                "2",
                "--segments",
                "9",
            ],
            "no segment 9",
        ),
    ] {
        let out = hitscribe(&arguments);
        let error = text(&out.stderr);
        assert!(
            !out.status.success() && error.contains(expected),
            "{arguments:?}: {error}"
        );
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    }
}

#[test]
fn the_source_limits_the_notes_of_every_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    sound(Path::new(&path("sound.wav")));
    // Beside the checkpoint, so that no flag is needed.
    std::fs::copy(data("tiny.pth"), path("tiny.pth")).unwrap();
    std::fs::write(path("config.json"), r#"{"num_heads": 2, "d_kv": 8}"#).unwrap();
    let run = |source: &str, frontend: &str| {
        let out = hitscribe(&[
            "transcribe",
            &path("sound.wav"),
            "--model",
            &path("tiny.pth"),
            "--source",
            source,
            "--frontend",
            frontend,
            "--json",
        ]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    for frontend in ["mt3-pytorch", "mr-mt3"] {
        let drums = run("drums", frontend);
        let notes = drums["notes"].as_array().unwrap();
        assert!(
            notes.iter().all(|note| note["is_drum"] == true),
            "{frontend}"
        );
        let bass = run("bass", frontend);
        let programs = bass["notes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| note["program"].as_u64().unwrap());
        assert!(
            programs
                .into_iter()
                .all(|program| (32..=39).contains(&program)),
            "{frontend}"
        );
    }
    // The built-in model as well.
    let out = hitscribe(&[
        "transcribe",
        &path("sound.wav"),
        "--source",
        "bass",
        "--json",
    ]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let result: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let notes = result["notes"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .all(|note| note["is_drum"] == false && note["program"] == 33),
        "{notes:?}"
    );
}

#[test]
fn samples_that_are_not_finite_are_silence_to_an_imported_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(data("tiny.pth"), at("tiny.pth")).unwrap();
    std::fs::write(at("config.json"), r#"{"num_heads": 2, "d_kv": 8}"#).unwrap();
    let mut samples = sound(&at("whole.wav"));
    let mut transcribed = |name: &str, value: f32| {
        samples[20_000] = value;
        samples[40_000] = value;
        super::scripted::wav(&at(name), &samples);
        let (file, model) = (at(name), at("tiny.pth"));
        let out = hitscribe(&[
            "transcribe",
            &file.display().to_string(),
            "--model",
            &model.display().to_string(),
            "--json",
        ]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        let document: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        (document["notes"].clone(), text(&out.stderr))
    };
    let (silent, stderr) = transcribed("silent.wav", 0.0);
    assert_eq!(stderr, "");
    for value in [f32::NAN, f32::INFINITY] {
        let (notes, stderr) = transcribed("broken.wav", value);
        assert_eq!(notes, silent, "{value}");
        assert!(
            stderr.contains("broken.wav: 2 samples were NaN, infinite or far too large"),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
