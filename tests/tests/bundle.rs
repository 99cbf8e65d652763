//! The built bundle in a real host.

use hitscribe_cli::host::{Library, NoteEvent, Transport};
use hitscribe_engine::device::DeviceChoice;
use hitscribe_engine::event::Note;
use hitscribe_engine::stream::{Engine, transcribe_file, transcribe_samples};
use hitscribe_tests::{Render, bundle, groove, library, read, recording, transport_at};

const ALIGNED: (&str, &str) = ("Latency mode", "Aligned (audio waits)");

fn set(parameter: (&'static str, &str)) -> (&'static str, String) {
    (parameter.0, parameter.1.to_owned())
}

/// What `hitscribe transcribe` finds in audio that is followed by the silence that the host renders
/// after it.
fn transcribed(sample_rate_hz: f64, channels: &[Vec<f32>]) -> Vec<Note> {
    let engine = Engine::builtin(DeviceChoice::Cpu).expect("the built-in model");
    let length = channels[0].len() + (4.0 * sample_rate_hz) as usize;
    let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or_default();
    let interleaved: Vec<f32> = (0..length)
        .flat_map(|at| channels.iter().map(move |channel| sample(channel, at)))
        .collect();
    let rate = sample_rate_hz as u32;
    let mut notes = transcribe_samples(&engine, &interleaved, channels.len(), rate, 0.5)
        .expect("the CPU")
        .notes;
    // What is found in the silence may lie beyond the end of the render.
    let end_seconds = channels[0].len() as f64 / sample_rate_hz;
    notes.retain(|note| note.onset_seconds < end_seconds);
    notes
}

/// Asserts that what left the plugin is what the engine found, `constant` frames later, in the
/// first `seconds` of the audio.
fn assert_same(notes: &[NoteEvent], expected: &[Note], constant: u64, rate: f64, seconds: f64) {
    let length = seconds * rate;
    let mut left: Vec<_> = notes
        .iter()
        .filter(|note| note.is_on && ((note.frame - constant) as f64) < length)
        .collect();
    assert!(
        expected.len() > 10,
        "the audio is too quiet to prove anything"
    );
    for note in expected
        .iter()
        .filter(|note| note.onset_seconds * rate < length)
    {
        let frame = (note.onset_seconds * rate).round() as u64 + constant;
        let found = left.iter().position(|left| {
            left.frame.abs_diff(frame) <= 1
                && left.key == u16::from(note.pitch)
                && (left.velocity * 127.0 - f64::from(note.velocity)).abs() < 1.01
                && left.channel == 9
        });
        let found = found.unwrap_or_else(|| panic!("{note:?} is missing at {frame}"));
        left.swap_remove(found);
    }
    assert!(
        left.is_empty(),
        "{} too many, the first is {:?}",
        left.len(),
        left[0]
    );
}

/// Asserts equality and shows where it ends.
fn assert_equal<T: PartialEq + std::fmt::Debug>(left: &[T], right: &[T], what: &str) {
    let differs = left
        .iter()
        .zip(right)
        .position(|(left, right)| left != right);
    if let Some(at) = differs {
        panic!("{what}: {:?} is not {:?} at {at}", left[at], right[at]);
    }
    assert_eq!(left.len(), right.len(), "{what}");
}

fn assert_balanced(notes: &[NoteEvent]) {
    let mut sounding = std::collections::BTreeSet::new();
    for note in notes {
        if note.is_on {
            assert!(
                sounding.insert((note.channel, note.key)),
                "begun twice: {note:?}"
            );
        } else {
            assert!(
                sounding.remove(&(note.channel, note.key)),
                "ended twice: {note:?}"
            );
        }
    }
    assert!(sounding.is_empty(), "still sounding: {sounding:?}");
}

#[test]
fn a_render_gives_the_notes_of_a_transcription_at_every_rate() {
    let library = library();
    for sample_rate_hz in [44_100.0, 48_000.0, 88_200.0, 96_000.0] {
        let audio = groove(sample_rate_hz, 9.0);
        let expected = transcribed(sample_rate_hz, &audio);
        let render = Render {
            sample_rate_hz,
            parameters: vec![set(ALIGNED)],
            ..Render::default()
        };
        let aligned = render.run(&library, &audio).unwrap();
        assert!(aligned.latency_frames > 0);
        assert_same(
            &aligned.notes,
            &expected,
            u64::from(aligned.latency_frames),
            sample_rate_hz,
            9.0,
        );
        assert_balanced(&aligned.notes);
        // Direct is the same MIDI, and reports nothing.
        let direct = Render {
            parameters: Vec::new(),
            ..render
        }
        .run(&library, &audio)
        .unwrap();
        assert_eq!(direct.latency_frames, 0);
        assert_equal(&direct.notes, &aligned.notes, "direct and aligned");
    }
}

#[test]
fn a_real_recording_gives_the_notes_of_its_transcription() {
    let Some(path) = recording() else {
        eprintln!("skipped: the development recordings are not here");
        return;
    };
    let (channels, rate) = read(&path).unwrap();
    let seconds = channels[0].len() as f64 / rate;
    let parameters = vec![set(ALIGNED)];
    let render = Render {
        sample_rate_hz: rate,
        parameters,
        ..Render::default()
    };
    let out = render.run(&library(), &channels).unwrap();
    let constant = u64::from(out.latency_frames);
    assert_same(
        &out.notes,
        &transcribed(rate, &channels),
        constant,
        rate,
        seconds,
    );
    // The end of a file is not the same as silence after it, and the model looks that far ahead.
    let engine = Engine::builtin(DeviceChoice::Cpu).unwrap();
    let of_file = transcribe_file(&engine, &path, 0.5, |_, _| {})
        .unwrap()
        .notes;
    assert_same(&out.notes, &of_file, constant, rate, seconds - 1.5);
}

#[test]
fn block_sizes_hops_and_runs_do_not_matter() {
    let library = library();
    let audio = groove(44_100.0, 6.0);
    let render = |blocks: &[usize], hop: &str| {
        let parameters = vec![("Hop", hop.to_owned()), set(ALIGNED)];
        let render = Render {
            blocks: blocks.to_vec(),
            parameters,
            ..Render::default()
        };
        render.run(&library, &audio).unwrap()
    };
    let first = render(&[512], "512 ms");
    assert!(!first.notes.is_empty());
    for blocks in [
        &[512][..],
        &[32],
        &[8192],
        &[441],
        &[1, 7, 333, 64, 1000, 4096],
    ] {
        assert!(
            render(blocks, "512 ms") == first,
            "blocks of {blocks:?} differ"
        );
    }
    for hop in ["256 ms", "1024 ms", "2048 ms"] {
        let other = render(&[256], hop);
        let early = |rendered: &hitscribe_tests::Rendered| -> Vec<_> {
            let constant = u64::from(rendered.latency_frames);
            let onsets = rendered
                .onsets()
                .into_iter()
                .map(|(at, key, _)| (at - constant, key));
            onsets
                .filter(|(at, _)| *at < audio[0].len() as u64)
                .collect()
        };
        assert_equal(&early(&other), &early(&first), hop);
    }
}

#[test]
fn mono_and_stereo_agree() {
    let library = library();
    let mono = vec![groove(48_000.0, 5.0).swap_remove(0)];
    let stereo = vec![mono[0].clone(), mono[0].clone()];
    let render = Render {
        sample_rate_hz: 48_000.0,
        ..Render::default()
    };
    let one = render.run(&library, &mono).unwrap();
    let two = render.run(&library, &stereo).unwrap();
    assert!(!one.notes.is_empty());
    assert_equal(&one.notes, &two.notes, "mono and stereo");
    let parameters = vec![set(ALIGNED)];
    let aligned = Render {
        parameters,
        ..render
    }
    .run(&library, &mono)
    .unwrap();
    let constant = u64::from(aligned.latency_frames);
    assert_same(
        &one.notes,
        &transcribed(48_000.0, &mono),
        constant,
        48_000.0,
        5.0,
    );
}

#[test]
fn audio_passes_bit_by_bit() {
    let library = library();
    let mut audio = groove(44_100.0, 2.0);
    // What no one should send, and someone will.
    for (at, odd) in [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40,
        -0.0,
        1e30,
    ]
    .iter()
    .enumerate()
    {
        audio[0][1000 + at] = *odd;
    }
    let bits = |samples: &[f32]| {
        samples
            .iter()
            .map(|sample| sample.to_bits())
            .collect::<Vec<_>>()
    };
    let length = audio[0].len();
    for blocks in [vec![64], vec![1000, 3, 517]] {
        let direct = Render {
            blocks: blocks.clone(),
            ..Render::default()
        };
        let out = direct.run(&library, &audio).unwrap();
        for (channel, input) in out.channels.iter().zip(&audio) {
            assert!(bits(&channel[..length]) == bits(input), "direct");
        }
        let aligned = Render {
            parameters: vec![set(ALIGNED)],
            ..direct
        };
        let out = aligned.run(&library, &audio).unwrap();
        let delay = out.latency_frames as usize;
        for (channel, input) in out.channels.iter().zip(&audio) {
            assert!(
                channel[..delay].iter().all(|sample| sample.to_bits() == 0),
                "before"
            );
            assert!(
                bits(&channel[delay..delay + length]) == bits(input),
                "aligned"
            );
        }
    }
}

#[test]
fn a_host_that_renders_without_saying_so_gets_every_note() {
    let library = library();
    let audio = groove(44_100.0, 9.0);
    let told = Render::default().run(&library, &audio).unwrap();
    let untold = Render {
        says_offline: false,
        ..Render::default()
    }
    .run(&library, &audio)
    .unwrap();
    assert!(!told.notes.is_empty());
    assert_equal(&told.notes, &untold.notes, "not told");
    let parameters = vec![("Wait for every note", "On".to_owned())];
    let wished = Render {
        says_offline: false,
        parameters,
        ..Render::default()
    };
    assert_equal(
        &wished.run(&library, &audio).unwrap().notes,
        &told.notes,
        "wished",
    );
}

#[test]
fn an_instance_can_be_used_again_and_again() {
    let library = library();
    let audio = groove(44_100.0, 4.0);
    let render = Render::default();
    let mut host = render.host(&library, 2).unwrap();
    let first = render.run_with(&mut host, &audio).unwrap();
    assert!(!first.notes.is_empty());
    for blocks in [vec![512], vec![64]] {
        let again = Render {
            blocks,
            ..Render::default()
        }
        .run_with(&mut host, &audio)
        .unwrap();
        assert_equal(&again.notes, &first.notes, "again");
    }
}

#[test]
fn several_instances_share_the_engine_without_hearing_each_other() {
    let library = library();
    let tracks: Vec<_> = (0..6)
        .map(|track| {
            let mut audio = groove(44_100.0, 4.0);
            // Each track is a little later than the one before.
            audio
                .iter_mut()
                .for_each(|channel| channel.rotate_right(track * 997));
            audio
        })
        .collect();
    let render = Render::default();
    let alone: Vec<_> = tracks
        .iter()
        .map(|audio| render.run(&library, audio).unwrap().notes)
        .collect();
    let mut hosts: Vec<_> = tracks
        .iter()
        .map(|_| render.host(&library, 2).unwrap())
        .collect();
    let mut together = vec![Vec::new(); hosts.len()];
    for host in &mut hosts {
        host.start(44_100.0, 512).unwrap();
    }
    let total = tracks[0][0].len() + 4 * 44_100;
    for start in (0..total).step_by(512) {
        for ((host, audio), notes) in hosts.iter_mut().zip(&tracks).zip(&mut together) {
            let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or(0.0);
            let end = (start + 512).min(total);
            let mut block: Vec<Vec<f32>> = audio
                .iter()
                .map(|channel| (start..end).map(|at| sample(channel, at)).collect())
                .collect();
            host.process(
                &mut block,
                Some(transport_at(start as f64 / 44_100.0)),
                notes,
            )
            .unwrap();
        }
    }
    assert!(alone.iter().all(|notes| !notes.is_empty()));
    for (together, alone) in together.iter().zip(&alone) {
        assert_equal(together, alone, "together and alone");
    }
}

/// Runs blocks of 256 frames of `audio` in a loop, with a transport and a wish for each.
fn play(
    library: &Library,
    says_offline: bool,
    blocks: usize,
    mut before: impl FnMut(usize, &mut hitscribe_cli::host::Host) -> Option<Transport>,
) -> Vec<NoteEvent> {
    let audio = groove(44_100.0, 3.0);
    let render = Render {
        says_offline,
        ..Render::default()
    };
    let mut host = render.host(library, 2).unwrap();
    host.start(44_100.0, 256).unwrap();
    let mut notes = Vec::new();
    for index in 0..blocks {
        let transport = before(index, &mut host);
        let start = (index * 256) % (audio[0].len() - 256);
        let mut block: Vec<Vec<f32>> = audio
            .iter()
            .map(|channel| channel[start..start + 256].to_vec())
            .collect();
        host.process(&mut block, transport, &mut notes).unwrap();
    }
    notes
}

#[test]
fn bypass_reset_and_jumps_leave_nothing_sounding() {
    let library = library();
    let frames = |seconds: f64| (seconds * 44_100.0 / 256.0) as usize;
    let end = frames(14.0);
    let seconds = |index: usize| index as f64 * 256.0 / 44_100.0;
    let bypassed = play(&library, true, end, |index, host| {
        if index == frames(5.0) {
            host.set("Bypass", "On").unwrap();
        }
        Some(transport_at(seconds(index)))
    });
    assert!(bypassed.len() > 10);
    assert_balanced(&bypassed);
    let limit = 5.1 * 44_100.0;
    assert!(
        bypassed.iter().all(|note| (note.frame as f64) < limit),
        "notes in bypass"
    );

    let reset = play(&library, true, end, |index, host| {
        if index % frames(2.9) == frames(2.8) {
            host.reset();
        }
        (index < end - frames(3.0)).then(|| transport_at(seconds(index)))
    });
    assert!(reset.len() > 10);

    // A loop of three seconds: nothing at its border is lost or doubled beyond what sounds there.
    let looped = play(&library, true, end, |index, host| {
        if index == end - 200 {
            host.set("Bypass", "On").unwrap();
        }
        Some(transport_at(seconds(index) % 3.0))
    });
    assert_balanced(&looped);
    assert!(looped.len() > bypassed.len());
}

#[test]
fn the_constant_changes_only_when_the_transport_stands() {
    let library = library();
    let mut requests = Vec::new();
    let mut latencies = Vec::new();
    play(&library, true, 40, |index, host| {
        if index == 10 {
            let (name, value) = ALIGNED;
            host.set(name, value).unwrap();
        }
        requests.push(host.restart_requests());
        latencies.push(host.latency_frames());
        let transport = transport_at(index as f64 * 256.0 / 44_100.0);
        Some(Transport {
            playing: index < 30,
            ..transport
        })
    });
    assert!(
        latencies.iter().all(|latency| *latency == 0),
        "no change while active"
    );
    assert_eq!(requests[9], requests[29], "no request while it plays");
    assert!(requests[39] > requests[29], "one when it stands");
}

#[test]
fn the_take_is_saved_and_comes_back() {
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
    assert!(
        other.save().unwrap() == saved,
        "the state is not what it was"
    );
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains("\"take\""), "the take is part of the state");
}

#[test]
fn no_state_breaks_the_plugin() {
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
        // Refusing is fine, and so is taking what can be taken.
        let _ = host.load(&state);
    }
    // Whatever was loaded: it still plays, and a good state brings all of it back.
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
    // SAFETY: the symbol is the plugin's own, of this type.
    let count = unsafe {
        let code = libloading::Library::new(bundle()).unwrap();
        let counter: libloading::Symbol<'_, extern "C" fn() -> u64> =
            code.get(b"hitscribe_process_allocations").unwrap();
        counter()
    };
    assert_eq!(count, 0);
}
