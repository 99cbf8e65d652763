//! Renders: every note at its exact sample, for any block size.

use hitscribe::Source;
use hitscribe_tests::{Render, groove, library, read, recording};

use crate::common::{
    ALIGNED, assert_balanced, assert_equal, assert_same, on_cpu, set, transcribed,
};

#[test]
fn a_render_gives_the_notes_of_a_transcription_at_every_rate() {
    let library = library();
    for sample_rate_hz in [44_100.0, 48_000.0, 88_200.0, 96_000.0] {
        let audio = groove(sample_rate_hz, 5.0);
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
            5.0,
        );
        assert_balanced(&aligned.notes);
        // Direct mode gives the same MIDI and reports no latency.
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
    // At the end of the file the model has no look-ahead, where the render has silence.
    let of_file = on_cpu()
        .options()
        .source(Source::DrumBus)
        .live(true)
        .file(&path)
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
fn audio_passes_unchanged() {
    let library = library();
    let mut audio = groove(44_100.0, 2.0);
    // Samples that are invalid, but occur.
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
fn a_host_that_does_not_announce_its_render_gets_every_note() {
    let library = library();
    let audio = groove(44_100.0, 9.0);
    let announced = Render::default().run(&library, &audio).unwrap();
    let unannounced = Render {
        says_offline: false,
        ..Render::default()
    }
    .run(&library, &audio)
    .unwrap();
    assert!(!announced.notes.is_empty());
    assert_equal(&announced.notes, &unannounced.notes, "not announced");
    let parameters = vec![("Wait for every note", "On".to_owned())];
    let forced = Render {
        says_offline: false,
        parameters,
        ..Render::default()
    };
    assert_equal(
        &forced.run(&library, &audio).unwrap().notes,
        &announced.notes,
        "forced",
    );
}
