//! `hitscribe diagnose` from outside.

use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn hitscribe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .args(args)
        .output()
        .unwrap()
}

/// Three seconds with a click every quarter of a second.
fn write_wav(path: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 22_050,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let mut noise = 1u32;
    for i in 0..66_150_u32 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let since = i % 5_512;
        let level = (-f64::from(since) / 600.0).exp() * 12_000.0;
        writer
            .write_sample(((f64::from(noise >> 8) / f64::from(1 << 23) - 1.0) * level) as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
}

/// A leaky transcription of the clicks: twelve hits, each also a short bass note.
fn write_notes(path: &Path) {
    let notes: Vec<Value> = (0..12)
        .flat_map(|i| {
            let at = f64::from(i) * 0.25;
            [
                serde_json::json!({"onset": at, "offset": at + 0.05, "pitch": 38, "velocity": 100, "is_drum": true}),
                serde_json::json!({"onset": at, "offset": at + 0.06, "pitch": 36, "velocity": 99, "program": 33}),
            ]
        })
        .collect();
    std::fs::write(path, serde_json::to_string(&notes).unwrap()).unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Width, height and RGB pixels of a PNG file.
fn read_png(path: &Path) -> (u32, u32, Vec<[u8; 3]>) {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let (pixels, _) = bytes.as_chunks::<3>();
    (info.width, info.height, pixels.to_vec())
}

#[test]
fn the_folder_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (wav, notes) = (
        folder.path().join("löop 1.wav"),
        folder.path().join("notes.json"),
    );
    write_wav(&wav);
    write_notes(&notes);
    let out = hitscribe(&[
        "diagnose",
        wav.to_str().unwrap(),
        "--notes",
        notes.to_str().unwrap(),
    ]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let results = folder.path().join("löop 1-diagnosis");
    let full = json(&results.join("full.json"));
    assert_eq!(full["notes"].as_array().unwrap().len(), 24);
    assert_eq!(full["instruments"][0]["notes"], 12);
    let filtered = json(&results.join("filtered.json"));
    assert_eq!(filtered["notes"].as_array().unwrap().len(), 12);
    assert_eq!(filtered["leakage"]["report"]["removed"], 12);
    assert_eq!(filtered["leakage"]["changed"].as_array().unwrap().len(), 12);
    let instruments = json(&results.join("instruments.json"));
    assert_eq!(instruments["filters"]["smart"]["report"]["removed"], 12);
    assert_eq!(instruments["filters"]["off"]["report"]["removed"], 0);
    assert_eq!(instruments["content"]["content"], "drums");
    let log = std::fs::read_to_string(results.join("diagnosis.log")).unwrap();
    assert!(
        log.contains("filter auto (chosen)") && log.contains("program 33 (bass)"),
        "{log}"
    );
    let (width, height, pixels) = read_png(&results.join("spectrogram.png"));
    // Three seconds get the smallest width; there is a lane for the snare.
    assert_eq!((width, height), (1174, 764));
    let count = |color: [u8; 3]| pixels.iter().filter(|pixel| **pixel == color).count();
    let (removed, drum, pitched) = ([255, 70, 70], [120, 200, 255], [80, 255, 120]);
    assert!(count(removed) > 100 && count(drum) > 100);
    assert_eq!(count(pitched), 0);
    // The title is light on dark, with soft edges.
    let header = &pixels[..84 * width as usize];
    let light = |pixel: &&[u8; 3]| pixel.iter().all(|&value| value > 120);
    assert!(header.iter().filter(light).count() > 100);
    // A second run replaces the results.
    let keep = hitscribe(&[
        "diagnose",
        wav.to_str().unwrap(),
        "--notes",
        notes.to_str().unwrap(),
        "--leakage",
        "off",
    ]);
    assert!(keep.status.success());
    assert_eq!(
        json(&results.join("filtered.json"))["notes"]
            .as_array()
            .unwrap()
            .len(),
        24
    );
}

#[test]
fn a_recording_is_transcribed_and_diagnosed() {
    let folder = tempfile::tempdir().unwrap();
    let (wav, results) = (folder.path().join("clicks.wav"), folder.path().join("out"));
    write_wav(&wav);
    let out = hitscribe(&[
        "diagnose",
        wav.to_str().unwrap(),
        "-o",
        results.to_str().unwrap(),
        "--device",
        "cpu",
    ]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let full = json(&results.join("full.json"));
    assert!(
        full["notes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|n| n["is_drum"] == true)
    );
    assert!(
        full["transcription"].as_str().unwrap().contains("cpu"),
        "{}",
        full["transcription"]
    );
}

#[test]
fn bad_inputs_give_a_one_line_error() {
    let folder = tempfile::tempdir().unwrap();
    let (wav, text) = (folder.path().join("a.wav"), folder.path().join("text.wav"));
    write_wav(&wav);
    std::fs::write(&text, "no audio").unwrap();
    let (wav, text) = (wav.to_str().unwrap(), text.to_str().unwrap());
    for (args, expected) in [
        (vec!["diagnose", "missing.wav"], "missing.wav"),
        (vec!["diagnose", text], "text.wav"),
        (vec!["diagnose", wav, "-o", text], "is a file"),
        (vec!["diagnose", wav, "--notes", text], "text.wav"),
    ] {
        let out = hitscribe(&args);
        let error = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
}
