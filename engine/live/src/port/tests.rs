use hitscribe::source::Source;

use super::*;
use crate::messages::{LiveSettings, TransportState};

fn push(port: &mut CapturePort, samples: &[f32], transport: TransportState) {
    let (mut left, mut right) = (samples.to_vec(), samples.to_vec());
    port.push(&[&mut left, &mut right], transport, LiveSettings::default());
}

fn playing_at(position: i64) -> TransportState {
    TransportState {
        playing: true,
        position_samples: Some(position),
        ..TransportState::default()
    }
}

#[test]
fn the_first_block_starts_a_passage_and_the_next_ones_continue_it() {
    let (mut capture, mut engine) = port(2, 48_000.0);
    push(&mut capture, &[0.5; 64], playing_at(1000));
    push(&mut capture, &[0.5; 64], playing_at(1064));
    let (frames, mark) = engine.readable();
    assert_eq!(frames, 128);
    let mark = mark.expect("a mark before the first sample");
    assert!(mark.starts_passage);
    assert_eq!(mark.transport.position_samples, Some(1000));
    engine.accept_mark();
    assert_eq!(engine.readable(), (128, None));
    let mut mono = Vec::new();
    engine.read_mono(128, &mut mono);
    assert_eq!(mono, vec![0.5; 128]);
    assert_eq!(engine.readable(), (0, None));
}

#[test]
fn a_jump_splits_the_samples_at_the_exact_frame() {
    let (mut capture, mut engine) = port(2, 48_000.0);
    push(&mut capture, &[0.1; 100], playing_at(0));
    push(&mut capture, &[0.2; 50], playing_at(48_000));
    engine.accept_mark();
    let (frames, mark) = engine.readable();
    assert_eq!((frames, mark), (100, None));
    let mut mono = Vec::new();
    engine.read_mono(frames, &mut mono);
    let (_, mark) = engine.readable();
    let mark = mark.expect("a mark at the jump");
    assert!(mark.starts_passage);
    assert_eq!(mark.position_frames, 100);
}

#[test]
fn another_source_is_another_passage() {
    let (mut capture, mut engine) = port(1, 48_000.0);
    for (position, source) in [
        (0, Source::DrumBus),
        (64, Source::DrumBus),
        (128, Source::Bass),
    ] {
        let settings = LiveSettings {
            source,
            ..LiveSettings::default()
        };
        capture.push(&[&mut [0.1; 64]], playing_at(position), settings);
    }
    engine.accept_mark();
    assert_eq!(engine.readable(), (128, None));
    engine.read_mono(128, &mut Vec::new());
    let (_, mark) = engine.readable();
    assert!(mark.is_some_and(|mark| mark.starts_passage && mark.settings.source == Source::Bass));
}

#[test]
fn bypass_ends_the_passage_once_and_the_next_block_starts_another() {
    let (mut capture, mut engine) = port(2, 48_000.0);
    capture.skip(10);
    assert_eq!(engine.readable(), (0, None), "there is no passage yet");
    push(&mut capture, &[0.1; 100], playing_at(0));
    capture.skip(50);
    capture.skip(50);
    push(&mut capture, &[0.2; 100], playing_at(200));
    engine.accept_mark();
    assert_eq!(engine.readable(), (100, None));
    engine.read_mono(100, &mut Vec::new());
    let (_, mark) = engine.readable();
    let mark = mark.expect("the end");
    assert!(mark.ends_passage && !mark.starts_passage);
    assert_eq!(mark.position_frames, 110);
    engine.accept_mark();
    let (_, mark) = engine.readable();
    let mark = mark.expect("the next start");
    assert!(mark.starts_passage && !mark.ends_passage);
    assert_eq!(mark.position_frames, 210);
    engine.accept_mark();
    assert_eq!(engine.readable(), (100, None));
}

#[test]
fn audio_that_does_not_fit_is_counted_and_the_position_goes_on() {
    let (mut capture, mut engine) = port(1, 8_000.0);
    let mut block = vec![0.0f32; 16_000];
    for _ in 0..4 {
        capture.push(
            &[&mut block],
            TransportState::default(),
            LiveSettings::default(),
        );
    }
    assert_eq!(capture.position_frames(), 64_000);
    assert_eq!(capture.counters().dropped_frames(), 16_000);
    engine.accept_mark();
    let mut mono = Vec::new();
    engine.read_mono(48_000, &mut mono);
    capture.push(
        &[&mut block],
        TransportState::default(),
        LiveSettings::default(),
    );
    let (_, mark) = engine.readable();
    let mark = mark.expect("a mark after the gap");
    assert!(!mark.starts_passage);
    assert_eq!((mark.ring_frames, mark.position_frames), (48_000, 64_000));
}

#[test]
fn frames_stay_whole_around_the_end_of_the_ring() {
    let (mut capture, mut engine) = port(2, 1_000.0);
    let mut mono = Vec::new();
    let mut next = 0.0;
    for round in 0..40 {
        let mut left: Vec<f32> = (0..997).map(|i| next + i as f32).collect();
        let mut right: Vec<f32> = left.iter().map(|sample| sample + 2.0).collect();
        capture.push(
            &[&mut left, &mut right],
            TransportState::default(),
            LiveSettings::default(),
        );
        if round == 0 {
            engine.accept_mark();
        }
        engine.read_mono(997, &mut mono);
        let expected: Vec<f32> = (0..997).map(|i| next + i as f32 + 1.0).collect();
        assert_eq!(mono, expected, "round {round}");
        next += 997.0;
    }
}
