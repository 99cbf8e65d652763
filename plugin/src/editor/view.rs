//! What the editor shows at one moment.

use std::sync::atomic::Ordering;

use hitscribe_engine::DrumClass;
use hitscribe_engine::note::take::{PEAKS_PER_SECOND, Passage};
use hitscribe_engine::stream::{EngineStatus, Phase};

use crate::params::HitscribeParams;
use crate::telemetry::Telemetry;

/// Seconds of the past that the lanes show.
pub const WINDOW_SECONDS: f64 = 8.0;
/// Notes that the list shows.
const LISTED_NOTES: usize = 12;

/// A hit in the lanes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitView {
    /// Seconds before the right edge.
    pub age_seconds: f64,
    /// The lane; notes without one are listed only.
    pub class: Option<DrumClass>,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity.
    pub velocity: u8,
    /// Taken away by the leakage filter.
    pub is_ghost: bool,
    /// Where it lies: bar and beat counted from 1 if the host has a tempo, seconds otherwise.
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
    /// Passages in the take.
    pub passage_count: usize,
    /// The hits of the last seconds.
    pub hits: Vec<HitView>,
    /// The last notes, the newest first.
    pub last_notes: Vec<HitView>,
    /// Loudness of the last seconds, 0..=1, the newest last, [`PEAKS_PER_SECOND`] a second.
    pub peaks: Vec<f32>,
}

impl View {
    /// What there is to show now.
    pub fn of(params: &HitscribeParams, telemetry: &Telemetry) -> Self {
        let sample_rate_hz = f64::from(telemetry.sample_rate_hz());
        let seconds = |frames: u64| {
            if sample_rate_hz > 0.0 {
                frames as f64 / sample_rate_hz
            } else {
                0.0
            }
        };
        let engine = telemetry.engine();
        let mut view = Self {
            engine_load: telemetry.engine_load(),
            sample_rate_hz,
            constant_seconds: seconds(telemetry.constant_frames.load(Ordering::Relaxed)),
            is_aligned: telemetry.is_aligned.load(Ordering::Relaxed),
            is_rendering: telemetry.is_waiting.load(Ordering::Relaxed),
            late_notes: telemetry.late_notes.load(Ordering::Relaxed),
            refused_notes: telemetry.refused_notes.load(Ordering::Relaxed),
            dropped_seconds: seconds(telemetry.dropped_frames()),
            problem: problem(params, telemetry, engine.as_ref()),
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
        view.passage_count = take.passages.len();
        if let Some(passage) = take.passages.last() {
            view.show(passage, filter);
        }
        view
    }

    fn show(&mut self, passage: &Passage, filter: bool) {
        let end_seconds = passage.length_frames as f64 / passage.sample_rate_hz;
        let hit = |note: &hitscribe_engine::note::take::TakeNote| HitView {
            age_seconds: end_seconds - note.offset_frames as f64 / passage.sample_rate_hz,
            class: DrumClass::from_gm_note(note.key).filter(|_| note.is_drum),
            key: note.key,
            velocity: note.velocity,
            is_ghost: filter && note.is_leakage,
            place: place(passage, note.offset_frames),
        };
        self.hits = passage
            .notes
            .iter()
            .rev()
            .map(hit)
            .take_while(|hit| hit.age_seconds <= WINDOW_SECONDS)
            .collect();
        let heard = passage.notes_filtered(filter).collect::<Vec<_>>();
        self.last_notes = heard
            .iter()
            .rev()
            .take(LISTED_NOTES)
            .map(|note| hit(note))
            .collect();
        let count = (WINDOW_SECONDS * PEAKS_PER_SECOND as f64) as usize;
        let first = passage.peaks.len().saturating_sub(count);
        self.peaks = passage.peaks[first..]
            .iter()
            .map(|peak| f32::from(*peak) / 255.0)
            .collect();
    }
}

fn place(passage: &Passage, offset_frames: u64) -> Place {
    let Some(start_beats) = passage.host_start_beats else {
        return Place::Seconds(offset_frames as f64 / passage.sample_rate_hz);
    };
    let change = passage
        .tempo
        .iter()
        .rev()
        .find(|change| change.offset_frames <= offset_frames)
        .copied()
        .unwrap_or_default();
    let beat_quarters = 4.0 / f64::from(change.beat_unit.max(1));
    let beats = (start_beats + passage.beats_at(offset_frames)) / beat_quarters;
    let per_bar = f64::from(change.beats_per_bar.max(1));
    Place::Bar(
        (beats / per_bar).floor() as i64 + 1,
        beats.rem_euclid(per_bar) + 1.0,
    )
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
        return Some(format!("The engine has stopped, audio passes: {reason}"));
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
