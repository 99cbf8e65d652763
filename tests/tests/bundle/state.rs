//! Saved and loaded states, and allocations in the audio callback.

use hitscribe_host::Transport;
use hitscribe_tests::{Render, bundle, groove, library, transport_at};

use crate::common::{ALIGNED, set};

#[test]
fn the_take_is_saved_and_loaded() {
    let library = library();
    let audio = groove(44_100.0, 4.0);
    let render = Render {
        parameters: vec![("Sensitivity", "60 %".to_owned())],
        ..Render::default()
    };
    let mut host = render.host(&library, 2).unwrap();
    let rendered = render.run_with(&mut host, &audio).unwrap();
    assert!(!rendered.notes.is_empty());
    let saved = host.save().unwrap();
    let mut other = library.instance(2).unwrap();
    assert!(other.save().unwrap() != saved);
    other.load(&saved).unwrap();
    assert!(other.save().unwrap() == saved, "the state has changed");
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains("\"take\""), "the take is part of the state");
}

#[test]
fn invalid_states_do_not_break_the_plugin() {
    let library = library();
    let audio = groove(44_100.0, 1.0);
    let mut host = library.instance(2).unwrap();
    Render::default().run_with(&mut host, &audio).unwrap();
    let saved = host.save().unwrap();
    let framed = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    let mut states = vec![
        Vec::new(),
        b"junk".to_vec(),
        vec![0xff; 4096],
        framed(""),
        framed("{}"),
        framed("[1,2,3]"),
        framed(r#"{"version":"99.0.0","params":{"sens":1e300,"hop":"7ms"},"fields":{}}"#),
        framed(
            r#"{"version":"0.1.0","params":{"bypass":3,"sens":"x"},"fields":{"take":"\"SFNUSwk\""}}"#,
        ),
        framed(r#"{"version":"0.1.0","params":{},"fields":{"take":"17","new":"{}"}}"#),
    ];
    states.extend(
        (0..saved.len())
            .step_by(41)
            .map(|length| saved[..length].to_vec()),
    );
    states.extend((8..saved.len()).step_by(23).map(|at| {
        let mut damaged = saved.clone();
        damaged[at] ^= 0x15;
        damaged
    }));
    let render = Render {
        tail_seconds: 0.2,
        ..Render::default()
    };
    for state in states {
        // The plugin may refuse it or load what is valid.
        let _ = host.load(&state);
    }
    // The plugin still works, and a valid state loads completely.
    host.load(&saved).unwrap();
    let out = render.run_with(&mut host, &audio).unwrap();
    assert!(out.channels[0][..audio[0].len()] == audio[0]);
}

#[test]
fn process_neither_asks_for_memory_nor_gives_any_back() {
    let library = library();
    let audio = groove(44_100.0, 3.0);
    for says_offline in [false, true] {
        let render = Render {
            says_offline,
            parameters: vec![set(ALIGNED)],
            ..Render::default()
        };
        assert!(!render.run(&library, &audio).unwrap().notes.is_empty());
    }
    // The whole callback counts, and so does a request to restart with another latency.
    let mut host = Render::default().host(&library, 2).unwrap();
    host.start(44_100.0, 512).unwrap();
    let mut stopped = || {
        let transport = Transport {
            playing: false,
            ..transport_at(0.0)
        };
        let mut block = vec![vec![0.0; 512]; 2];
        let mut notes = Vec::new();
        host.process(&mut block, Some(transport), &mut notes)
            .unwrap();
        host.set("Hop", "1024 ms").unwrap();
        host.restart_requests()
    };
    assert_eq!([stopped(), stopped(), stopped()], [0, 1, 1]);
    // SAFETY: the symbol is the plugin's own, of this type.
    let count = unsafe {
        let code = libloading::Library::new(bundle()).unwrap();
        let counter: libloading::Symbol<'_, extern "C" fn() -> u64> =
            code.get(b"hitscribe_process_allocations").unwrap();
        counter()
    };
    assert_eq!(count, 0);
}
