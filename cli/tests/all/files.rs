//! `hitscribe transcribe`: which files are read, and where results are written.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hitscribe_core::DrumClass;
use hitscribe_core::audio::demo_kit;
use hound::{SampleFormat, WavSpec, WavWriter};

use crate::transcribe::hitscribe;

const RATE_HZ: u32 = 44_100;

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
pub fn assert_code(output: &Output, code: i32) -> String {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    message
}

/// Three seconds with five snare hits.
fn samples() -> Vec<f32> {
    let mut samples = vec![0.0; 3 * RATE_HZ as usize];
    let hit = demo_kit::hit(DrumClass::Snare, 110, RATE_HZ);
    for start in (0..5).map(|index| 22_050 + 20_000 * index) {
        for (sample, x) in samples[start..].iter_mut().zip(&hit) {
            *sample += 0.7 * x;
        }
    }
    samples
}

/// A WAV file with this gain for each channel.
pub fn wav(gains: &[f32]) -> Vec<u8> {
    let spec = WavSpec {
        channels: gains.len() as u16,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Vec::new();
    let mut writer = WavWriter::new(std::io::Cursor::new(&mut bytes), spec).unwrap();
    for sample in samples() {
        for gain in gains {
            let sample = (sample * gain * 32_000.0).clamp(-32_000.0, 32_000.0);
            writer.write_sample(sample as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn onsets(document: &serde_json::Value) -> Vec<f64> {
    let notes = document["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|n| n["onset_seconds"].as_f64().unwrap())
        .collect()
}

#[test]
fn existing_outputs_are_kept_unless_they_are_to_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("song.wav"), wav(&[1.0])).unwrap();
    fs::write(folder.join("song.mid"), b"annotations").unwrap();
    let message = assert_code(&hitscribe(folder, &["song.wav"]), 1);
    assert!(
        message.starts_with("hitscribe: song.mid: exists"),
        "{message}"
    );
    let message = assert_code(&hitscribe(folder, &["."]), 1);
    assert!(message.contains("song.mid: exists"), "{message}");
    let message = assert_code(&hitscribe(folder, &["song.wav", "--skip-existing"]), 0);
    assert_eq!(message, "hitscribe: song.mid: kept\n");
    assert_eq!(fs::read(folder.join("song.mid")).unwrap(), b"annotations");
    assert_code(&hitscribe(folder, &["song.wav", "--overwrite"]), 0);
    assert_ne!(fs::read(folder.join("song.mid")).unwrap(), b"annotations");

    fs::write(folder.join("other.wav"), b"a recording").unwrap();
    for output in ["other.wav", "new.flac"] {
        let output = hitscribe(folder, &["song.wav", "--overwrite", "-o", output]);
        let message = assert_code(&output, 1);
        assert!(
            message.contains("is the name of an audio file"),
            "{message}"
        );
    }
    assert_eq!(fs::read(folder.join("other.wav")).unwrap(), b"a recording");
    assert!(!folder.join("new.flac").exists());
}

#[test]
fn folders_give_an_output_for_each_recording() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir_all(folder.join("in/deep/.hidden")).unwrap();
    for name in [
        "a.wav",
        "a.wave",
        "._a.wav",
        ".b.wav",
        "deep/c.wav",
        "deep/.hidden/d.wav",
    ] {
        fs::write(folder.join("in").join(name), wav(&[1.0])).unwrap();
    }
    assert_code(&hitscribe(folder, &["in", "in/a.wav"]), 0);
    let names = |path: &str| -> Vec<String> {
        let entries = fs::read_dir(folder.join(path)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".mid")).collect();
        names.sort();
        names
    };
    assert_eq!(names("in"), ["a.wav.mid", "a.wave.mid"]);
    assert_code(&hitscribe(folder, &["in", "--recursive", "-o", "out"]), 0);
    assert_eq!(names("out"), ["a.wav.mid", "a.wave.mid"]);
    assert_eq!(names("out/deep"), ["c.mid"]);
    fs::create_dir(folder.join("outer")).unwrap();
    fs::rename(folder.join("in"), folder.join("outer/in")).unwrap();
    let message = assert_code(&hitscribe(folder, &["outer"]), 1);
    assert!(message.contains("--recursive"), "{message}");
}

#[cfg(unix)]
#[test]
fn outputs_that_cannot_be_written_are_found_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a.wav"), wav(&[1.0])).unwrap();
    for output in ["/proc/x.mid", "missing/x.mid", "a.wav/x.mid"] {
        let message = assert_code(&hitscribe(folder, &["a.wav", "-o", output]), 1);
        assert!(
            message.starts_with(&format!("hitscribe: {output}: ")),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_pipe_is_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a.wav"), wav(&[1.0])).unwrap();
    assert_code(&hitscribe(folder, &["a.wav"]), 0);
    let expected = fs::read(folder.join("a.mid")).unwrap();
    let piped = |args: &[&str], bytes: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hitscribe"))
            .current_dir(folder)
            .args(["transcribe", "--device", "cpu"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    // As a program that does not know the length writes it.
    let mut stream = wav(&[1.0]);
    let data = stream.windows(4).position(|name| name == b"data").unwrap();
    stream[4..8].fill(0xff);
    stream[data + 4..data + 8].fill(0xff);
    let output = piped(&["-"], &stream);
    assert_eq!(assert_code(&output, 0), "");
    assert!(output.stdout == expected);
    let output = piped(&["-", "-o", "b.mid"], &stream);
    assert_code(&output, 0);
    assert!(fs::read(folder.join("b.mid")).unwrap() == expected);
    let output = hitscribe(folder, &["a.wav", "-o", "-"]);
    assert_code(&output, 0);
    assert!(output.stdout == expected);
    let message = assert_code(&piped(&["-"], b"no audio"), 1);
    assert!(
        message.starts_with("hitscribe: -: is not a WAV"),
        "{message}"
    );
    #[cfg(unix)]
    {
        let output = piped(&["/dev/stdin"], &stream);
        assert_code(&output, 0);
        assert!(output.stdout == expected);
        assert!(!Path::new("/dev/stdin.mid").exists() && !Path::new("/dev/audio.mid").exists());
    }
}

#[test]
fn a_part_that_is_missing_shows_in_the_exit_code_and_the_json() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = wav(&[1.0]);
    fs::write(folder.join("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("whole.wav"), &whole).unwrap();
    let output = hitscribe(folder, &["cut.wav", "--json"]);
    let message = assert_code(&output, 3);
    assert!(message.contains("cut.wav: ends after"), "{message}");
    let document = json(&output);
    assert_eq!(document["complete"], false);
    assert!(
        document["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("ends after")
    );
    let output = hitscribe(folder, &["whole.wav", "--json"]);
    assert_code(&output, 0);
    assert_eq!(json(&output)["complete"], true);
    assert_eq!(json(&output)["warnings"], serde_json::json!([]));
    assert_code(&hitscribe(folder, &["whole.wav", "cut.wav"]), 3);
    assert!(folder.join("cut.mid").exists());
}

#[test]
fn an_inverted_channel_does_not_silence_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("mono.wav"), wav(&[1.0])).unwrap();
    fs::write(folder.join("inverted.wav"), wav(&[1.0, -1.0])).unwrap();
    let expected = onsets(&json(&hitscribe(folder, &["mono.wav", "--json"])));
    let output = hitscribe(folder, &["inverted.wav", "--json"]);
    let message = assert_code(&output, 0);
    assert!(message.contains("channels cancel each other"), "{message}");
    let found = onsets(&json(&output));
    assert_eq!(found.len(), expected.len());
    let late = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    assert!(late.fold(0.0, f64::max) < 0.002, "{found:?} {expected:?}");
}

#[test]
fn an_empty_result_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("silent.wav"), wav(&[0.0])).unwrap();
    fs::write(folder.join("quiet.wav"), wav(&[0.000_1])).unwrap();
    for (name, reason) in [("silent.wav", "is silent"), ("quiet.wav", "is very quiet")] {
        let output = hitscribe(folder, &[name, "--json"]);
        let message = assert_code(&output, 0);
        assert!(message.contains(reason), "{message}");
        let document = json(&output);
        assert!(onsets(&document).is_empty());
        assert!(
            document["warnings"][0]
                .as_str()
                .unwrap()
                .starts_with(reason)
        );
    }
}

#[test]
fn a_midi_file_is_as_long_as_its_recording() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a.wav"), wav(&[1.0])).unwrap();
    assert_code(&hitscribe(folder, &["a.wav", "--tempo", "160"]), 0);
    let bytes = fs::read(folder.join("a.mid")).unwrap();
    let smf = midly::Smf::parse(&bytes).unwrap();
    // Three seconds are eight quarter notes.
    for track in &smf.tracks {
        let ticks: u32 = track.iter().map(|event| event.delta.as_int()).sum();
        assert_eq!(ticks, 8 * 960);
    }
}

#[test]
fn a_note_map_sets_the_keys_of_the_drums() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("song.wav"), wav(&[1.0])).unwrap();
    let keys = |args: &[&str]| -> Vec<u8> {
        let args = [&["song.wav", "--overwrite", "--source", "drums"], args].concat();
        assert_code(&hitscribe(folder, &args), 0);
        let notes = hitscribe_core::midi::read_notes(&folder.join("song.mid")).unwrap();
        notes.iter().map(|note| note.pitch).collect()
    };
    let gm = keys(&[]);
    let mut classes = serde_json::Map::new();
    for &key in &gm {
        let class = hitscribe_core::DrumClass::from_gm_note(key).unwrap();
        classes.insert(class.key().to_owned(), serde_json::json!({"key": key + 40}));
    }
    let map = serde_json::json!({"name": "high", "classes": classes});
    fs::write(folder.join("high.json"), map.to_string()).unwrap();
    let high: Vec<u8> = gm.iter().map(|key| key + 40).collect();
    assert!(!gm.is_empty());
    assert_eq!(keys(&["--note-map", "high.json"]), high);
    assert_eq!(keys(&["--note-map", "general-midi"]), gm);
    let wrong = hitscribe(folder, &["song.wav", "--note-map", "general-mini"]);
    let message = assert_code(&wrong, 2);
    assert!(message.contains("general-midi, roland-td"), "{message}");
    let missing = hitscribe(folder, &["song.wav", "--note-map", "missing.json"]);
    let message = assert_code(&missing, 2);
    assert!(
        message.contains("cannot be read: No such file"),
        "{message}"
    );
}
