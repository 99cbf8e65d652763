//! What the editor shows at one moment.

use std::ops::Range;
use std::sync::atomic::Ordering;

use hitscribe::ModelChoice;
use hitscribe_core::DrumClass;
use hitscribe_live::take::{PEAKS_PER_SECOND, Passage, Take, TakeNote};
use hitscribe_live::{EngineStatus, ModelStatus, Phase};

use crate::editor::model_menu;
use crate::editor::zoom::Timeline;
use crate::params::HitscribeParams;
use crate::status::Telemetry;

/// Notes that the list shows.
const LISTED_NOTES: usize = 12;
/// Lines across the lanes, at most.
const MOST_LINES: f64 = 16.0;

/// A note in the lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitView {
    /// Seconds from the start of the passage.
    pub at_seconds: f64,
    /// Length in seconds.
    pub length_seconds: f64,
    /// The lane; none for pitched notes and drums without one.
    pub class: Option<DrumClass>,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity.
    pub velocity: u8,
    /// Taken away by the leakage filter.
    pub is_ghost: bool,
    /// Where it lies on the host's timeline.
    pub place: Place,
}

/// Where a note lies on the host's timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// Bar and beat, counted from 1.
    Bar(i64, f64),
    /// Seconds from the start of the passage.
    Seconds(f64),
}

/// What the editor shows at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// State of the engine; none before the first activation.
    pub engine: Option<EngineStatus>,
    /// The published model that was chosen, and what has become of it; nothing until it is asked for.
    pub model: Option<(ModelChoice, Option<ModelStatus>)>,
    /// Share of one core that the engine uses.
    pub engine_load: f32,
    /// Frames per second; 0 while the host has not activated the plugin.
    pub sample_rate_hz: f64,
    /// The constant between sound and MIDI.
    pub constant_seconds: f64,
    /// Whether the audio is delayed by it.
    pub is_aligned: bool,
    /// Whether blocks wait for the engine now.
    pub is_rendering: bool,
    /// Notes found too late.
    pub late_notes: u64,
    /// Seconds of audio that were lost.
    pub dropped_seconds: f64,
    /// Notes that the host had no room for.
    pub refused_notes: u64,
    /// Something is wrong; one line.
    pub problem: Option<String>,
    /// Notes in the take, without and with those that the filter took away.
    pub note_counts: (usize, usize),
    /// Notes in the shown passage.
    pub shown_notes: usize,
    /// Length of the shown passage.
    pub length_seconds: f64,
    /// What is shown of it.
    pub window: Range<f64>,
    /// The notes in the window.
    pub hits: Vec<HitView>,
    /// The last notes of the passage, the newest first.
    pub last_notes: Vec<HitView>,
    /// Loudness in the window, 0..=1, [`PEAKS_PER_SECOND`] a second, the first at `peaks_seconds`.
    pub peaks: Vec<f32>,
    /// Where the first of the peaks lies.
    pub peaks_seconds: f64,
    /// Lines across the lanes and what they say: bars where the host has them, seconds otherwise.
    pub lines: Vec<(f64, String)>,
}

/// The passage that is shown: the chosen one, else the one that plays, else the latest with notes.
pub fn shown(take: &Take, chosen: Option<usize>) -> Option<&Passage> {
    let is_playing = |passage: &&Passage| passage.is_open && passage.was_playing;
    chosen
        .and_then(|index| take.passages.get(index))
        .or_else(|| take.passages.last().filter(is_playing))
        .or_else(|| take.latest())
        .or_else(|| take.passages.last())
}

/// Where a place in a passage lies, in words that a file may be named with.
pub fn start_of(passage: &Passage, offset_frames: u64) -> String {
    match passage.host_start_beats {
        Some(_) => format!("bar {}", passage.bar_at(offset_frames).number),
        None => "take".to_owned(),
    }
}

impl View {
    /// What there is to show now.
    pub fn of(
        params: &HitscribeParams,
        telemetry: &Telemetry,
        timeline: &Timeline,
        chosen: Option<usize>,
    ) -> Self {
        let sample_rate_hz = f64::from(telemetry.sample_rate_hz());
        let seconds = |frames: u64| {
            if sample_rate_hz > 0.0 {
                frames as f64 / sample_rate_hz
            } else {
                0.0
            }
        };
        let engine = telemetry.engine();
        let model = params.model.chosen().map(|choice| {
            let status = telemetry.model(&choice);
            (choice, status)
        });
        let mut view = Self {
            engine_load: telemetry.engine_load(),
            sample_rate_hz,
            constant_seconds: seconds(telemetry.constant_frames.load(Ordering::Relaxed)),
            is_aligned: telemetry.is_aligned.load(Ordering::Relaxed),
            is_rendering: telemetry.is_waiting.load(Ordering::Relaxed),
            late_notes: telemetry.late_notes.load(Ordering::Relaxed),
            refused_notes: telemetry.refused_notes.load(Ordering::Relaxed),
            dropped_seconds: seconds(telemetry.dropped_frames()),
            problem: problem(params, telemetry, engine.as_ref()).or_else(|| {
                let (_, status) = model.as_ref()?;
                model_menu::problem(status.as_ref()?)
            }),
            model,
            engine,
            ..Self::default()
        };
        let filter = params.leakage_filter.value();
        let take = params.take.take().lock();
        let all = take.note_count();
        let kept = take
            .passages
            .iter()
            .map(|p| p.notes_filtered(filter).count())
            .sum();
        view.note_counts = (kept, all);
        view.window = timeline.window(0.0);
        if let Some(passage) = shown(&take, chosen) {
            view.show(passage, filter, timeline);
        }
        view
    }

    fn show(&mut self, passage: &Passage, filter: bool, timeline: &Timeline) {
        let rate = passage.sample_rate_hz;
        self.length_seconds = passage.length_frames as f64 / rate;
        self.window = timeline.window(self.length_seconds);
        let hit = |note: &TakeNote| HitView {
            at_seconds: note.offset_frames as f64 / rate,
            length_seconds: f64::from(note.length_frames) / rate,
            class: DrumClass::from_gm_note(note.key).filter(|_| note.is_drum),
            is_drum: note.is_drum,
            key: note.key,
            velocity: note.velocity,
            is_ghost: filter && note.is_leakage,
            place: place(passage, note.offset_frames),
        };
        let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
        let index = |frames: u64| {
            passage
                .notes
                .partition_point(|note| note.offset_frames < frames)
        };
        // A long note that began before the window reaches into it.
        let from = index(frames(self.window.start - 10.0));
        let to = index(frames(self.window.end));
        self.hits = passage.notes[from..to].iter().map(hit).collect();
        let heard = passage.notes_filtered(filter).collect::<Vec<_>>();
        self.shown_notes = heard.len();
        self.last_notes = heard
            .iter()
            .rev()
            .take(LISTED_NOTES)
            .map(|note| hit(note))
            .collect();
        let step = |seconds: f64| (seconds * PEAKS_PER_SECOND as f64).max(0.0) as usize;
        let first = step(self.window.start).min(passage.peaks.len());
        let last = (step(self.window.end) + 1).clamp(first, passage.peaks.len());
        self.peaks_seconds = first as f64 / PEAKS_PER_SECOND as f64;
        self.peaks = passage.peaks[first..last]
            .iter()
            .map(|peak| f32::from(*peak) / 255.0)
            .collect();
        self.lines = lines(passage, &self.window);
    }
}

/// Bars, or seconds where the host has no tempo.
fn lines(passage: &Passage, window: &Range<f64>) -> Vec<(f64, String)> {
    let rate = passage.sample_rate_hz;
    let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
    if passage.host_start_beats.is_none() {
        let step = ((window.end - window.start) / MOST_LINES).max(1.0).ceil();
        let first = (window.start.max(0.0) / step).ceil();
        return (0..=MOST_LINES as usize)
            .map(|index| (first + index as f64) * step)
            .take_while(|seconds| *seconds < window.end)
            .map(|seconds| (seconds, format!("{seconds:.0} s")))
            .collect();
    }
    /// A line at the very edge is not lost to rounding.
    const ROUNDING_BEATS: f64 = 1e-6;
    let (from, to) = (frames(window.start), frames(window.end));
    let shown = passage.beats_at(from) - ROUNDING_BEATS..passage.beats_at(to);
    let (first, last) = (passage.bar_at(from).number, passage.bar_at(to).number);
    let step = ((last - first) as f64 / MOST_LINES).max(1.0).ceil() as i64;
    // Every so many bars from bar 1, so that the lines do not change while the window moves.
    let first = first + (1 - first).rem_euclid(step);
    (first..=last)
        .step_by(step as usize)
        .map(|number| (number, passage.bar_line_beats(number)))
        .filter(|(_, beats)| shown.contains(beats))
        .map(|(number, beats)| {
            let offset = passage.offset_at_beats(beats);
            (offset as f64 / rate, number.to_string())
        })
        .collect()
}

fn place(passage: &Passage, offset_frames: u64) -> Place {
    if passage.host_start_beats.is_none() {
        return Place::Seconds(offset_frames as f64 / passage.sample_rate_hz);
    }
    let change = passage
        .tempo
        .iter()
        .rev()
        .find(|change| change.offset_frames <= offset_frames)
        .copied()
        .unwrap_or_default();
    let beat_quarters = 4.0 / f64::from(change.beat_unit.max(1));
    let bar = passage.bar_at(offset_frames);
    let beats = (passage.beats_at(offset_frames) - bar.start_beats).max(0.0) / beat_quarters;
    Place::Bar(bar.number, beats + 1.0)
}

fn problem(
    params: &HitscribeParams,
    telemetry: &Telemetry,
    engine: Option<&EngineStatus>,
) -> Option<String> {
    if let Some(problem) = telemetry.links.lock().problem.clone() {
        return Some(format!("The engine could not start: {problem}"));
    }
    if let Some(status) = engine.filter(|status| status.phase == Phase::Failed) {
        let reason = status.reason.as_deref().unwrap_or("unknown reason");
        return Some(format!(
            "The engine has stopped: {reason}. Audio passes and the take is safe; choose another \
             device below."
        ));
    }
    if telemetry.has_stalled.load(Ordering::Relaxed) {
        let text = "The engine did not answer in time; this render may lack notes. Render again.";
        return Some(text.to_owned());
    }
    params
        .take
        .problem()
        .map(|problem| format!("Take of the project: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_live::take::{HostBar, TempoChange};

    /// A bar of three beats, then bars of four from the beats 3, 7 and 11; heard from beat 8 on, at 120
    /// quarters per minute, and in bars of three from beat 15 on, bar 5.
    fn passage() -> Passage {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(8.0);
        passage.host_bar = Some(HostBar {
            start_beats: 7.0,
            number: None,
        });
        passage.change_tempo(TempoChange {
            offset_frames: 7 * 24_000,
            beats_per_bar: 3,
            ..TempoChange::default()
        });
        passage
    }

    #[test]
    fn bars_are_those_of_the_host_through_changes_of_the_meter() {
        let passage = passage();
        assert_eq!(start_of(&passage, 0), "bar 3");
        assert_eq!(start_of(&passage, 11 * 24_000), "bar 6");
        assert_eq!(place(&passage, 0), Place::Bar(3, 2.0));
        assert_eq!(place(&passage, 8 * 24_000), Place::Bar(5, 2.0));
        let texts = |window| -> Vec<(f64, String)> { lines(&passage, &window) };
        let line = |seconds, text: &str| (seconds, text.to_owned());
        assert_eq!(
            texts(0.0..6.0),
            [line(1.5, "4"), line(3.5, "5"), line(5.0, "6")]
        );
        // Of many, every so many from bar 1 on.
        let long = texts(0.0..60.0);
        assert!(long.len() <= MOST_LINES as usize + 1);
        assert!(long.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(texts(10.0..60.0).last(), long.last());
    }

    #[test]
    fn without_a_timeline_there_are_seconds() {
        let passage = Passage::new(48_000.0);
        assert_eq!(start_of(&passage, 0), "take");
        assert_eq!(place(&passage, 24_000), Place::Seconds(0.5));
        let line = |seconds, text: &str| (seconds, text.to_owned());
        let expected = [line(0.0, "0 s"), line(1.0, "1 s")];
        assert_eq!(lines(&passage, &(0.0..2.0)), expected);
    }
}
