//! Everything that the editor shows in one frame.

use std::ops::Range;
use std::sync::atomic::Ordering;

use hitscribe::ModelChoice;
use hitscribe_core::DrumClass;
use hitscribe_core::note::PlacedNote;
use hitscribe_live::take::edits::NoteId;
use hitscribe_live::take::{NoteStatus, PEAKS_PER_SECOND, Passage, Take, TakeNote};
use hitscribe_live::{EngineStatus, ModelStatus, Phase};

use crate::editor::export;
use crate::editor::model_menu;
use crate::editor::problem::Problem;
use crate::editor::resolved::ResolvedNote;
use crate::editor::state::Shown;
use crate::notes::quantize::{Grid, Quantize};
use crate::params::HitscribeParams;
use crate::status::PluginStatus;

/// Largest number of lines across the lanes.
const MAX_LINES: f64 = 16.0;

/// What becomes of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent and exported.
    Sent,
    /// The note map or the flam rule drops it.
    Dropped,
    /// The leakage filter removes it.
    Leakage,
    /// The sensitivity is too low for it.
    Candidate,
    /// The user has deleted it.
    Deleted,
}

/// A note as the editor shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteView {
    /// Identifies it for edits.
    pub id: NoteId,
    /// The note, placed in the passage.
    pub note: PlacedNote,
    /// Seconds from the start of the passage.
    pub at_seconds: f64,
    /// Where quantization moves it in exports, if that is elsewhere.
    pub quantized_seconds: Option<f64>,
    /// Length in seconds.
    pub length_seconds: f64,
    /// The lane; none for pitched notes and for drums without a lane.
    pub class: Option<DrumClass>,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity: as it is sent, or measured if the raw take is shown.
    pub velocity: u8,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether the user has changed or added it.
    pub is_edited: bool,
}

/// A time as the editor shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DisplayTime {
    /// Bar and beat on the host's timeline, both 1-based.
    Bar(i64, f64),
    /// Seconds from the start of the passage.
    Seconds(f64),
}

/// Everything that the editor shows in one frame.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Status of the engine; none before the first activation.
    pub engine: Option<EngineStatus>,
    /// The selected imported model and its status, which is none until the model is requested.
    pub model: Option<(ModelChoice, Option<ModelStatus>)>,
    /// CPU time of the engine as a share of one core.
    pub engine_load: f32,
    /// Frames per second; 0 while the plugin is not active.
    pub sample_rate_hz: f64,
    /// Time between a sound and its MIDI.
    pub midi_delay_seconds: f64,
    /// Whether the audio is delayed by the same time.
    pub is_aligned: bool,
    /// Whether blocks currently wait for the engine.
    pub is_rendering: bool,
    /// Notes that were found too late to be sent live.
    pub late_notes: u64,
    /// Seconds of audio that were lost.
    pub dropped_seconds: f64,
    /// Notes that the host's event queue had no room for.
    pub refused_notes: u64,
    /// A problem that stops the transcription.
    pub problem: Option<Problem>,
    /// Whether the take has notes.
    pub has_notes: bool,
    /// Notes of the shown passage that are sent.
    pub shown_notes: usize,
    /// Notes of the shown passage that the leakage filter removes.
    pub filtered_notes: usize,
    /// Those that are sent, by drum.
    pub class_counts: [usize; DrumClass::ALL.len()],
    /// Drums that have notes or edits in the shown passage.
    pub used_classes: [bool; DrumClass::ALL.len()],
    /// Identifies the shown passage.
    pub passage_id: Option<u64>,
    /// Whether the user has edited the shown passage.
    pub has_edits: bool,
    /// Length of the shown passage in seconds.
    pub length_seconds: f64,
    /// The visible range in seconds from the start of the passage.
    pub window: Range<f64>,
    /// The notes of the shown passage by onset, candidates and deleted ones included.
    pub all_notes: Vec<NoteView>,
    /// The visible ones.
    pub visible: Range<usize>,
    /// Peak levels of the visible range, 0..=1, [`PEAKS_PER_SECOND`] per second.
    pub peaks: Vec<f32>,
    /// Time of the first peak in seconds.
    pub peaks_seconds: f64,
    /// Times and labels of the vertical lines: bars if the host reports them, otherwise seconds.
    pub lines: Vec<(f64, String)>,
}

/// The shown passage: the selected one, otherwise the one being recorded, otherwise the latest with
/// notes.
pub fn shown_passage(take: &Take, selected: Option<usize>) -> Option<&Passage> {
    let is_playing = |passage: &&Passage| passage.is_open && passage.was_playing;
    selected
        .and_then(|index| take.passages.get(index))
        .or_else(|| take.passages.last().filter(is_playing))
        .or_else(|| take.latest())
        .or_else(|| take.passages.last())
}

/// Label of a time in a passage, also for file names.
pub fn start_label(passage: &Passage, offset_frames: u64) -> String {
    match passage.host_start_beats {
        Some(_) => format!("bar {}", passage.bar_at(offset_frames).number),
        None => "take".to_owned(),
    }
}

impl View {
    /// The visible notes.
    pub fn notes(&self) -> &[NoteView] {
        self.all_notes.get(self.visible.clone()).unwrap_or_default()
    }

    /// The current view.
    pub fn new(params: &HitscribeParams, status: &PluginStatus, shown: &mut Shown) -> Self {
        let sample_rate_hz = f64::from(status.sample_rate_hz());
        let seconds = |frames: u64| {
            if sample_rate_hz > 0.0 {
                frames as f64 / sample_rate_hz
            } else {
                0.0
            }
        };
        let engine = status.engine_status();
        let model = params.model.chosen().map(|choice| {
            let status = status.model_status(&choice);
            (choice, status)
        });
        let mut view = Self {
            engine_load: status.engine_load(),
            sample_rate_hz,
            midi_delay_seconds: seconds(status.midi_delay_frames.load(Ordering::Relaxed)),
            is_aligned: status.is_aligned.load(Ordering::Relaxed),
            is_rendering: status.is_waiting.load(Ordering::Relaxed),
            late_notes: status.late_notes.load(Ordering::Relaxed),
            refused_notes: status.refused_notes.load(Ordering::Relaxed),
            dropped_seconds: seconds(status.dropped_frames()),
            problem: problem(params, status, engine.as_ref()).or_else(|| {
                let (choice, status) = model.as_ref()?;
                model_menu::problem(choice, status.as_ref()?)
            }),
            model,
            engine,
            ..Self::default()
        };
        let take = params.take.take().lock();
        view.has_notes = take.note_count() > 0;
        view.window = shown.viewport.window(0.0);
        if let Some(passage) = shown_passage(&take, shown.passage) {
            view.add_passage(passage, params, shown);
        }
        view
    }

    fn add_passage(&mut self, passage: &Passage, params: &HitscribeParams, shown: &mut Shown) {
        let rate = passage.sample_rate_hz;
        self.passage_id = Some(passage.id);
        self.has_edits = !passage.edits.is_empty();
        self.length_seconds = passage.length_frames as f64 / rate;
        self.window = shown.viewport.window(self.length_seconds);
        let settings = export::clip_settings(params);
        let filter = params.leakage_filter.value();
        let notes = shown.resolved.notes(passage, &settings, filter);
        for resolved in notes.iter() {
            let taken = &resolved.taken;
            if taken.status == NoteStatus::Played && filter && taken.is_leakage {
                self.filtered_notes += 1;
            }
            self.shown_notes += usize::from(resolved.mapped.is_some());
            if let Some(class) = taken.note.drum_class() {
                self.class_counts[class.index()] += usize::from(resolved.mapped.is_some());
                self.used_classes[class.index()] |= taken.status != NoteStatus::Candidate;
            }
            // The lane from which a hit was moved away stays.
            if let NoteId::Recorded(key) = taken.id
                && let Some(class) = DrumClass::from_gm_note(key.pitch).filter(|_| key.is_drum)
            {
                self.used_classes[class.index()] |= taken.status != NoteStatus::Candidate;
            }
        }
        let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
        let index = |frames: u64| notes.partition_point(|n| n.taken.note.onset_samples < frames);
        // A long note that starts before the window may reach into it.
        let from = index(frames(self.window.start - 10.0));
        let to = index(frames(self.window.end));
        let quantized = quantized_position(passage, &settings.quantize);
        let is_raw = shown.is_raw;
        self.visible = from..to;
        self.all_notes = notes
            .iter()
            .map(|resolved| note_view(resolved, rate, filter, is_raw, &quantized))
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

/// Where a note moves in exports, in seconds, if quantization is on.
fn quantized_position<'a>(
    passage: &'a Passage,
    quantize: &'a Quantize,
) -> impl Fn(u64) -> Option<f64> + 'a {
    let bar_beats = passage.bar_at(0).start_beats;
    let is_on = quantize.grid != Grid::Off;
    move |onset_samples| {
        let beats = passage.beats_at(onset_samples) - bar_beats;
        let moved = is_on.then(|| quantize.apply(beats))?;
        let frames = passage.offset_at_beats(moved + bar_beats);
        (frames != onset_samples).then(|| frames as f64 / passage.sample_rate_hz)
    }
}

fn note_view(
    resolved: &ResolvedNote,
    rate: f64,
    filter: bool,
    is_raw: bool,
    quantized: &impl Fn(u64) -> Option<f64>,
) -> NoteView {
    let TakeNote {
        id,
        note,
        is_leakage,
        status,
        is_edited,
    } = resolved.taken;
    let fate = match (status, resolved.mapped) {
        (NoteStatus::Candidate, _) => Fate::Candidate,
        (NoteStatus::Deleted, _) => Fate::Deleted,
        (NoteStatus::Played, _) if filter && is_leakage => Fate::Leakage,
        (NoteStatus::Played, None) => Fate::Dropped,
        (NoteStatus::Played, Some(_)) => Fate::Sent,
    };
    let sent_velocity = resolved.mapped.map(|mapped| mapped.velocity);
    NoteView {
        id,
        note,
        at_seconds: note.onset_samples as f64 / rate,
        quantized_seconds: match fate {
            Fate::Sent if !is_raw => quantized(note.onset_samples),
            _ => None,
        },
        length_seconds: note.length_samples as f64 / rate,
        class: note.drum_class(),
        is_drum: note.is_drum,
        key: note.pitch,
        velocity: sent_velocity.filter(|_| !is_raw).unwrap_or(note.velocity),
        fate: match fate {
            Fate::Dropped if is_raw => Fate::Sent,
            fate => fate,
        },
        is_edited,
    }
}

/// Lines at bars, or at seconds if the host reports no tempo.
fn lines(passage: &Passage, window: &Range<f64>) -> Vec<(f64, String)> {
    let rate = passage.sample_rate_hz;
    let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
    if passage.host_start_beats.is_none() {
        let step = ((window.end - window.start) / MAX_LINES).max(1.0).ceil();
        let first = (window.start.max(0.0) / step).ceil();
        return (0..=MAX_LINES as usize)
            .map(|index| (first + index as f64) * step)
            .take_while(|seconds| *seconds < window.end)
            .map(|seconds| (seconds, format!("{seconds:.0} s")))
            .collect();
    }
    /// Keeps a line at the very edge.
    const ROUNDING_BEATS: f64 = 1e-6;
    let (from, to) = (frames(window.start), frames(window.end));
    let visible = passage.beats_at(from) - ROUNDING_BEATS..passage.beats_at(to);
    let (first, last) = (passage.bar_at(from).number, passage.bar_at(to).number);
    let step = ((last - first) as f64 / MAX_LINES).max(1.0).ceil() as i64;
    // Counted from bar 1, so that the lines do not change while the window moves.
    let first = first + (1 - first).rem_euclid(step);
    (first..=last)
        .step_by(step as usize)
        .map(|number| (number, passage.bar_line_beats(number)))
        .filter(|(_, beats)| visible.contains(beats))
        .map(|(number, beats)| {
            let offset = passage.offset_at_beats(beats);
            (offset as f64 / rate, number.to_string())
        })
        .collect()
}

/// Position of a note, as bar and beat on the host's timeline if it reports one.
pub fn display_time(passage: &Passage, offset_frames: u64) -> DisplayTime {
    if passage.host_start_beats.is_none() {
        return DisplayTime::Seconds(offset_frames as f64 / passage.sample_rate_hz);
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
    DisplayTime::Bar(bar.number, beats + 1.0)
}

fn problem(
    params: &HitscribeParams,
    status: &PluginStatus,
    engine: Option<&EngineStatus>,
) -> Option<Problem> {
    let problem = |text: &str, detail: Option<String>| Problem {
        text: text.to_owned(),
        detail,
    };
    if let Some(error) = &status.links.lock().error {
        return Some(problem(&format!("The engine cannot start: {error}"), None));
    }
    if let Some(engine) = engine.filter(|engine| engine.phase == Phase::Failed) {
        let reason = engine.reason.as_deref().unwrap_or("unknown reason");
        let text = format!(
            "The engine has stopped: {reason}. The audio passes through and the take is safe. Select \
             another device below."
        );
        return Some(problem(&text, None));
    }
    if status.has_stalled.load(Ordering::Relaxed) {
        let text = "The engine timed out, so this render may lack notes. Render again.";
        return Some(problem(text, None));
    }
    let detail = params.take.problem()?;
    let text = "The take saved in this project cannot be read. A copy stays in the project.";
    Some(problem(text, Some(detail)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_live::take::{HostBar, TempoChange};

    /// A bar of three beats, then bars of four from beats 3, 7 and 11. The passage starts at beat
    /// 8, at 120 quarter notes per minute, and has bars of three from beat 15 on, bar 5.
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
    fn bars_follow_the_host_through_changes_of_the_meter() {
        let passage = passage();
        assert_eq!(start_label(&passage, 0), "bar 3");
        assert_eq!(start_label(&passage, 11 * 24_000), "bar 6");
        assert_eq!(display_time(&passage, 0), DisplayTime::Bar(3, 2.0));
        assert_eq!(display_time(&passage, 8 * 24_000), DisplayTime::Bar(5, 2.0));
        let texts = |window| -> Vec<(f64, String)> { lines(&passage, &window) };
        let line = |seconds, text: &str| (seconds, text.to_owned());
        assert_eq!(
            texts(0.0..6.0),
            [line(1.5, "4"), line(3.5, "5"), line(5.0, "6")]
        );
        // At most MAX_LINES, counted from bar 1.
        let long = texts(0.0..60.0);
        assert!(long.len() <= MAX_LINES as usize + 1);
        assert!(long.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(texts(10.0..60.0).last(), long.last());
    }

    #[test]
    fn without_a_timeline_times_are_in_seconds() {
        let passage = Passage::new(48_000.0);
        assert_eq!(start_label(&passage, 0), "take");
        assert_eq!(display_time(&passage, 24_000), DisplayTime::Seconds(0.5));
        let line = |seconds, text: &str| (seconds, text.to_owned());
        let expected = [line(0.0, "0 s"), line(1.0, "1 s")];
        assert_eq!(lines(&passage, &(0.0..2.0)), expected);
    }
}
