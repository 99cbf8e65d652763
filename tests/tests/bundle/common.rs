//! Helpers of these tests.

use hitscribe::{DeviceChoice, Note, Source, Transcriber};
use hitscribe_host::NoteEvent;

/// The latency mode that delays the audio to its MIDI.
pub const ALIGNED: (&str, &str) = ("Latency mode", "Aligned (audio waits)");

/// A parameter and its value, for [`Render`](hitscribe_tests::Render).
pub fn set(parameter: (&'static str, &str)) -> (&'static str, String) {
    (parameter.0, parameter.1.to_owned())
}

/// The built-in models on the CPU.
pub fn on_cpu() -> Transcriber {
    let builder = Transcriber::builder().device(DeviceChoice::Cpu);
    builder.builtin().expect("the built-in models")
}

/// What `hitscribe transcribe --live` finds in audio that is followed by the silence that the host renders
/// after it.
pub fn transcribed(sample_rate_hz: f64, channels: &[Vec<f32>]) -> Vec<Note> {
    let transcriber = on_cpu();
    let length = channels[0].len() + (4.0 * sample_rate_hz) as usize;
    let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or_default();
    let interleaved: Vec<f32> = (0..length)
        .flat_map(|at| channels.iter().map(move |channel| sample(channel, at)))
        .collect();
    let rate = sample_rate_hz as u32;
    let mut notes = transcriber
        .options()
        .source(Source::DrumBus)
        .live(true)
        .samples(&interleaved, channels.len(), rate)
        .expect("the CPU")
        .notes;
    // What is found in the silence may lie beyond the end of the render.
    let end_seconds = channels[0].len() as f64 / sample_rate_hz;
    notes.retain(|note| note.onset_seconds < end_seconds);
    notes
}

/// Asserts that what left the plugin is what the engine found, `constant` frames later, in the
/// first `seconds` of the audio.
pub fn assert_same(notes: &[NoteEvent], expected: &[Note], constant: u64, rate: f64, seconds: f64) {
    let length = seconds * rate;
    let mut left: Vec<_> = notes
        .iter()
        .filter(|note| note.is_on && ((note.frame - constant) as f64) < length)
        .collect();
    assert!(expected.len() > 10, "too few notes");
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

/// Asserts equality; a failure shows the first difference.
pub fn assert_equal<T: PartialEq + std::fmt::Debug>(left: &[T], right: &[T], what: &str) {
    let differs = left
        .iter()
        .zip(right)
        .position(|(left, right)| left != right);
    if let Some(at) = differs {
        panic!("{what}: {:?} is not {:?} at {at}", left[at], right[at]);
    }
    assert_eq!(left.len(), right.len(), "{what}");
}

/// Asserts that every note ends exactly once.
pub fn assert_balanced(notes: &[NoteEvent]) {
    let mut sounding = std::collections::BTreeSet::new();
    for note in notes {
        if note.is_on {
            assert!(
                sounding.insert((note.channel, note.key)),
                "started twice: {note:?}"
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
