//! What hosts do, and what must not follow from it: faults that were found in real hosts.

use std::time::{Duration, Instant};

use hitscribe_tests::{Render, groove, json_of, library, take_of};
use serde_json::json;

use crate::common::assert_equal;

#[test]
fn a_project_for_a_gpu_is_transcribed_on_the_cpu_where_there_is_none() {
    let library = library();
    let audio = groove(44_100.0, 3.0);
    let on_cpu = Render::default().run(&library, &audio).unwrap();
    assert!(!on_cpu.notes.is_empty());
    let render = Render {
        parameters: vec![("Device", "GPU".to_owned())],
        ..Render::default()
    };
    let rendered = render.run(&library, &audio).unwrap();
    assert_equal(&rendered.notes, &on_cpu.notes, "notes");
}

#[test]
fn an_offline_render_without_an_engine_is_an_error_and_live_audio_passes() {
    let library = library();
    let audio = groove(44_100.0, 2.0);
    let mut host = library.instance(2).unwrap();
    let mut state = json_of(&host.save().unwrap());
    let missing = json!({"format": 1, "chosen": {"name": "missing", "sha256": "5".repeat(64)}});
    state["fields"]["model"] = json!(missing.to_string());
    let text = state.to_string();
    let bytes = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    host.load(&bytes).unwrap();
    let live = Render {
        says_offline: false,
        tail_seconds: 0.0,
        ..Render::default()
    };
    let passed = live.run_with(&mut host, &audio).unwrap();
    assert_equal(&passed.channels[0], &audio[0], "audio");
    host.set_offline(true);
    let failed = Render::default().run_with(&mut host, &audio);
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("failed"), "{error}");
}

#[test]
fn a_new_take_is_reported_as_a_change_of_the_project_once_until_it_is_saved() {
    let library = library();
    let audio = groove(44_100.0, 4.0);
    let mut host = library.instance(2).unwrap();
    host.set_offline(true);
    Render::default()
        .run_with(&mut host, &vec![vec![0.0; 44_100]; 2])
        .unwrap();
    assert_eq!(host.reported_changes(), 0, "silence is no change");
    for saves in 1..=2 {
        Render::default().run_with(&mut host, &audio).unwrap();
        // The report comes by way of other threads.
        let began = Instant::now();
        while host.reported_changes() < saves && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
            host.run_callbacks();
        }
        assert_eq!(host.reported_changes(), saves);
        assert!(!take_of(&host.save().unwrap()).passages.is_empty());
    }
    assert_eq!(host.changes_reported_in_callback(), 0);
}
