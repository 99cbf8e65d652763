//! Playing from any position gives the notes of the whole timeline.

use hitscribe_core::audio::demo_kit;
use hitscribe_host::{Library, NoteEvent};
use hitscribe_tests::{Render, groove, library, transport_at};

use crate::common::{ALIGNED, set, transcribed};

/// The model lacks the audio before the start: the first seconds may differ.
const KNOWN_AFTER_SECONDS: f64 = 5.0;
/// Share of the notes that may differ: the network remembers what was before the start, which decides
/// about hits at the threshold.
const MAX_DIFFERING: f64 = 0.15;
/// Maximum difference between a note and the same note of the transcription.
const TOLERANCE_SECONDS: f64 = 0.001;

#[test]
fn playing_from_any_position_gives_the_notes_of_the_transcription() {
    let library = library();
    let cases = [
        (44_100.0, 1usize, 512usize),
        (44_100.0, 7_777, 64),
        (48_000.0, 33_333, 1024),
        (96_000.0, 100, 2048),
    ];
    for (rate, start, block) in cases {
        let audio = groove(rate, 9.5);
        let expected = transcribed(rate, &audio);
        let (notes, latency_frames) = play_from(&library, rate, &audio, start, block);
        let place = |note: &NoteEvent| {
            (note.frame as f64 - f64::from(latency_frames) + start as f64) / rate
        };
        let from = start as f64 / rate + KNOWN_AFTER_SECONDS;
        let until = audio[0].len() as f64 / rate;
        let is_inside = |seconds: f64| (from..until).contains(&seconds);
        let mut missing = 0;
        let mut left: Vec<_> = notes
            .iter()
            .filter(|note| note.is_on && is_inside(place(note)))
            .collect();
        let wanted = expected.iter().filter(|note| is_inside(note.onset_seconds));
        let count = wanted.clone().count();
        assert!(count > 20, "too few notes");
        for note in wanted {
            let is_same = |left: &&NoteEvent| {
                left.key == u16::from(note.pitch)
                    && (place(left) - note.onset_seconds).abs() < TOLERANCE_SECONDS
            };
            match left.iter().position(is_same) {
                Some(found) => _ = left.swap_remove(found),
                None => missing += 1,
            }
        }
        let case = format!("from {start} in blocks of {block} at {rate} Hz");
        let differing = missing + left.len();
        assert!(
            differing as f64 <= MAX_DIFFERING * count as f64,
            "{case}: {missing} of {count} missing, {} too many",
            left.len()
        );
    }
}

#[test]
fn a_stroke_at_the_very_start_of_playback_is_on_time() {
    const LATEST_SECONDS: f64 = 0.004;
    let library = library();
    let rate = f64::from(demo_kit::DEMO_SAMPLE_RATE_HZ);
    let audio = groove(rate, 9.5);
    // Kicks: the first stroke of all, and one in the middle of the ringing of others.
    let (_, notes) = demo_kit::groove();
    let kicks = notes.iter().filter(|note| note.pitch == 36);
    let starts: Vec<usize> = kicks
        .map(|note| (note.onset_seconds * rate).round() as usize)
        .collect();
    for start in [starts[0], starts[4], starts[7]] {
        let (notes, latency_frames) = play_from(&library, rate, &audio, start, 512);
        let at_start = |note: &&NoteEvent| {
            let late = note.frame as f64 - f64::from(latency_frames);
            note.is_on && note.key == 36 && late.abs() <= LATEST_SECONDS * rate
        };
        assert_eq!(notes.iter().filter(at_start).count(), 1, "from {start}");
    }
}

/// Plays the audio from frame `start`, with the transport there. Returns the notes and the latency.
fn play_from(
    library: &Library,
    sample_rate_hz: f64,
    audio: &[Vec<f32>],
    start: usize,
    block_frames: usize,
) -> (Vec<NoteEvent>, u32) {
    let render = Render {
        parameters: vec![set(ALIGNED)],
        ..Render::default()
    };
    let mut host = render.host(library, audio.len()).unwrap();
    host.start(sample_rate_hz, block_frames).unwrap();
    let latency_frames = host.latency_frames();
    let mut notes = Vec::new();
    let total = audio[0].len() + (4.0 * sample_rate_hz) as usize;
    for from in (start..total).step_by(block_frames) {
        let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or_default();
        let mut block: Vec<Vec<f32>> = audio
            .iter()
            .map(|channel| {
                (from..from + block_frames)
                    .map(|at| sample(channel, at))
                    .collect()
            })
            .collect();
        let transport = transport_at(from as f64 / sample_rate_hz);
        host.process(&mut block, Some(transport), &mut notes)
            .unwrap();
    }
    (notes, latency_frames)
}
