//! `hitscribe eval`, `hitscribe eval-set` and `hitscribe filter`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use midly::num::{u4, u7, u15, u28};
use midly::{Format, Header, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};
use serde_json::Value;

fn hitscribe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .args(args)
        .output()
        .unwrap()
}

/// Writes drum hits and piano notes at times in milliseconds; each note lasts 100 ms.
fn write_midi(path: &Path, drums: &[(u32, u8)], piano: &[(u32, u8)]) {
    let mut events: Vec<(u32, u8, u8, u8)> = Vec::new();
    for (channel, notes) in [(9, drums), (0, piano)] {
        for &(ms, key) in notes {
            events.push((ms, channel, key, 90));
            events.push((ms + 100, channel, key, 0));
        }
    }
    events.sort();
    let mut at = 0;
    let track = events.into_iter().map(|(ms, channel, key, velocity)| {
        let delta = u28::new(ms - at);
        at = ms;
        let message = MidiMessage::NoteOn {
            key: u7::new(key),
            vel: u7::new(velocity),
        };
        TrackEvent {
            delta,
            kind: TrackEventKind::Midi {
                channel: u4::new(channel),
                message,
            },
        }
    });
    let header = Header::new(Format::SingleTrack, Timing::Metrical(u15::new(500)));
    let smf = Smf {
        header,
        tracks: vec![track.collect()],
    };
    smf.save(path).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn file_names_need_not_be_unicode() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"notes\xff.mid");
    let path = folder.path().join(name);
    write_midi(&path, &[(100, 36)], &[(100, 60)]);
    for (command, files) in [("eval", vec![&path, &path]), ("filter", vec![&path])] {
        let out = Command::new(env!("CARGO_BIN_EXE_hitscribe"))
            .args([command, "--json"])
            .args(files)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{command}: {stderr}");
    }
}

#[test]
fn two_midi_files_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, estimate) = (
        folder.path().join("ref.mid"),
        folder.path().join("est with space.mid"),
    );
    write_midi(
        &reference,
        &[(1000, 36), (2000, 38), (3000, 42)],
        &[(1500, 60), (2500, 64)],
    );
    write_midi(
        &estimate,
        &[(1010, 35), (2000, 38), (3100, 42)],
        &[(1500, 60), (2500, 65)],
    );
    let out = hitscribe(&["eval", text(&reference), text(&estimate), "--json"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    let micro = &json["scores"]["5"]["50ms"]["micro"];
    assert_eq!(
        (
            micro["tp"].as_u64(),
            micro["n_est"].as_u64(),
            micro["n_ref"].as_u64()
        ),
        (Some(2), Some(3), Some(3))
    );
    assert_eq!(json["pitched"]["mean"]["onset"]["F"], 0.5);
    assert_eq!(
        json["notes"]["instruments_program_and_drum"]["leakage_ratio"],
        1.0
    );
    let table = hitscribe(&["eval", text(&reference), text(&estimate)]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("5-class 50ms") && table.contains("0.667"),
        "{table}"
    );
}

#[test]
fn json_of_sets_and_of_transcriptions_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, estimate) = (folder.path().join("a.json"), folder.path().join("b.json"));
    std::fs::write(
        &reference,
        r#"{"set": "s", "track": "a", "kind": "nodrums", "duration": 30.0, "drums": [],
            "notes": [{"onset": 1.0, "offset": 2.0, "pitch": 60.0, "program": 0, "is_drum": false}]}"#,
    )
    .unwrap();
    std::fs::write(
        &estimate,
        r#"{"notes": [
            {"onset_seconds": 1.01, "offset_seconds": 1.9, "pitch": 60, "velocity": 80, "program": 0, "is_drum": false, "confidence": 0.9},
            {"onset_seconds": 1.01, "offset_seconds": 1.06, "pitch": 36, "velocity": 80, "program": 0, "is_drum": true, "confidence": 0.9}]}"#,
    )
    .unwrap();
    let out = hitscribe(&["eval", text(&reference), text(&estimate), "--json"]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["false_drums"]["per_minute"], 2.0);
    assert_eq!(json["pitched"]["mean"]["onset"]["F"], 1.0);
}

#[test]
fn a_folder_of_sets_is_scored_and_missing_tracks_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, pred) = (folder.path().join("data"), folder.path().join("pred"));
    std::fs::create_dir_all(data.join("s")).unwrap();
    std::fs::create_dir_all(pred.join("s")).unwrap();
    for track in ["d", "m"] {
        let json = format!(
            r#"{{"set": "s", "track": "{track}", "kind": "drums", "duration": 4.0, "notes": [],
                "drums": [{{"t": 1.0, "midi": 36}}, {{"t": 2.0, "midi": 38}}]}}"#
        );
        std::fs::write(data.join(format!("s/{track}.json")), json).unwrap();
    }
    write_midi(
        &pred.join("s/d.mid"),
        &[(1000, 36), (2000, 38)],
        &[(1000, 40), (3000, 41)],
    );
    let report = folder.path().join("out.json");
    let out = hitscribe(&[
        "eval-set",
        "--data",
        text(&data),
        "--pred",
        text(&pred),
        "--sets",
        "s",
        "--per-track",
        "--json",
        text(&report),
    ]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let printed = String::from_utf8(out.stdout).unwrap();
    assert!(printed.contains("MISSING s/m: no prediction"), "{printed}");
    let json: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(json["leakage"]["fraction"], 0.5);
    assert_eq!(json["scores"]["5"]["50ms"]["micro"]["P"], 1.0);
    assert_eq!(json["scores"]["5"]["50ms"]["micro"]["R"], 0.5);
}

#[test]
fn a_transcription_is_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let (leaky, clean) = (
        folder.path().join("leaky.mid"),
        folder.path().join("clean.mid"),
    );
    write_midi(
        &leaky,
        &[(1000, 36), (2000, 38), (3000, 42), (3500, 36)],
        &[(1500, 60), (2500, 64)],
    );
    let out = hitscribe(&[
        "filter",
        text(&leaky),
        "-o",
        text(&clean),
        "--leakage",
        "drums-only",
        "--json",
    ]);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["report"]["removed"], 2);
    assert_eq!(json["changed"].as_array().unwrap().len(), 2);
    let again = hitscribe(&["eval", text(&leaky), text(&clean), "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["scores"]["8"]["20ms"]["micro"]["F"], 1.0);
    assert_eq!(again["pitched"]["mean"]["onset"]["R"], 0.0);
    fails(
        &["filter", text(&folder.path().join("none.mid"))],
        "none.mid",
    );
}

#[track_caller]
fn fails(args: &[&str], expected: &str) {
    let out = hitscribe(args);
    let error = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
}

#[test]
fn bad_inputs_give_a_one_line_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    write_midi(&at("good.mid"), &[(1000, 36)], &[]);
    write_midi(&at("empty.mid"), &[], &[]);
    std::fs::write(at("not.mid"), "MThd, but no MIDI").unwrap();
    std::fs::write(at("broken.json"), "{\"notes\": [").unwrap();
    std::fs::write(at("other.json"), "{\"name\": 1}").unwrap();
    std::fs::write(at("pitch.json"), r#"[{"onset": 1.0, "pitch": 300}]"#).unwrap();
    let good = at("good.mid");
    let good = text(&good);
    fails(&["eval", good, text(&at("missing.mid"))], "missing.mid");
    fails(&["eval", good, text(folder.path())], "is a folder");
    fails(&["eval", good, text(&at("not.mid"))], "not.mid");
    fails(&["eval", good, text(&at("broken.json"))], "not valid JSON");
    fails(&["eval", good, text(&at("other.json"))], "neither");
    fails(&["eval", good, text(&at("pitch.json"))], "300");
    fails(
        &["eval", text(&at("empty.mid")), good],
        "no notes to compare",
    );
    fails(
        &[
            "eval-set",
            "--data",
            text(folder.path()),
            "--pred",
            text(folder.path()),
            "--sets",
            "none",
        ],
        "none",
    );
}

#[test]
fn beats_are_scored_where_both_files_have_some() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let note = r#""notes": [{"onset": 0.5, "pitch": 36, "is_drum": true}]"#;
    let reference = write(
        "reference.json",
        &format!(r#"{{{note}, "beats": [0.5, 0.0, 1.0, 1.5], "downbeats": [0.0, 1.0]}}"#),
    );
    let estimate = write(
        "estimate.json",
        &format!(r#"{{{note}, "beats": [0.02, 0.51, 1.2, 1.5], "downbeats": [0.02]}}"#),
    );
    let output = hitscribe(&["eval", &reference, &estimate, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["beats"]["f1"], 0.75);
    assert!((report["beats"]["downbeat_f1"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9);
    let table = hitscribe(&["eval", &reference, &estimate]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("CMLt"), "{table}");

    let without = write("without.json", &format!("{{{note}}}"));
    let output = hitscribe(&["eval", &reference, &without, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report.get("beats").is_none());
}
