//! Everything that the editor shows in one frame.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hitscribe::ModelChoice;
use hitscribe_core::DrumClass;
use hitscribe_live::take::{PEAKS_PER_SECOND, Passage, Take};
use hitscribe_live::{EngineStatus, ModelStatus, Phase};

use crate::editor::export;
use crate::editor::model_menu;
use crate::editor::problem::{Problem, Repair};
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::ruler::{self, display_time};
use crate::editor::state::Shown;
use crate::params::HitscribeParams;
use crate::params::choices::DeviceParam;
use crate::status::{Pending, PluginStatus};

/// Time in which the light of a hit fades.
const LIGHT_SECONDS: f64 = 0.15;

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
    /// What takes effect at the next start of playback.
    pub pending_change: Option<Pending>,
    /// Whether the host shows menus of parameters.
    pub has_host_menu: bool,
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
    pub all_notes: Arc<Vec<NoteView>>,
    /// The visible ones.
    pub visible: Range<usize>,
    /// Peak levels of the visible range, 0..=1, [`PEAKS_PER_SECOND`] per second.
    pub peaks: Vec<f32>,
    /// Time of the first peak in seconds.
    pub peaks_seconds: f64,
    /// Times and labels of the vertical lines: bars if the host reports them, otherwise seconds.
    pub lines: Vec<(f64, String)>,
    /// Times of the beats between the bars, unless they are too close.
    pub beats: Vec<f64>,
    /// Tempo and meter at the left edge of the visible range; empty without a timeline.
    pub tempo: String,
    /// The selection in words; empty without one.
    pub selection: String,
    /// What is being recorded and is not transcribed yet.
    pub pending: Option<Range<f64>>,
    /// How lately each drum was hit, 1 now, 0 long ago or not at all.
    pub lights: [f32; DrumClass::ALL.len()],
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
            pending_change: status.pending(params.latency_key()),
            has_host_menu: status.has_host_menu.load(Ordering::Relaxed),
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
        let resolved = shown
            .resolved
            .notes(passage, &settings, filter, shown.is_raw);
        self.shown_notes = resolved.sent;
        self.filtered_notes = resolved.filtered;
        self.class_counts = resolved.class_counts;
        self.used_classes = resolved.used_classes;
        self.all_notes = resolved.notes.clone();
        let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
        let notes = &self.all_notes;
        let index = |frames: u64| notes.partition_point(|n| n.note.onset_samples < frames);
        // A long note that starts before the window may reach into it.
        let from = index(frames(self.window.start - 10.0));
        let to = index(frames(self.window.end));
        self.visible = from..to;
        let step = |seconds: f64| (seconds * PEAKS_PER_SECOND as f64).max(0.0) as usize;
        let first = step(self.window.start).min(passage.peaks.len());
        let last = (step(self.window.end) + 1).clamp(first, passage.peaks.len());
        self.peaks_seconds = first as f64 / PEAKS_PER_SECOND as f64;
        self.peaks = passage.peaks[first..last]
            .iter()
            .map(|peak| f32::from(*peak) / 255.0)
            .collect();
        self.lines = ruler::lines(passage, &self.window);
        self.beats = ruler::beats(passage, &self.window);
        self.tempo = ruler::tempo(passage, frames(self.window.start));
        if let Some(range) = shown.viewport.selection() {
            let times = [range.start, range.end];
            let [start, end] = times.map(|t| display_time(passage, frames(t)));
            let is_in =
                |note: &&NoteView| note.fate == Fate::Sent && range.contains(&note.at_seconds);
            let hits = self.all_notes.iter().filter(is_in).count();
            self.selection = format!("Selected {start} to {end}, {hits} hits");
        }
        let is_recording = passage.is_open && passage.was_playing;
        if is_recording {
            let length = self.length_seconds;
            let known = (length - self.midi_delay_seconds).max(0.0);
            self.pending = Some(known..length);
        }
        if let Some(now) = now_seconds(shown.playhead_seconds, self.pending.as_ref()) {
            self.lights = lights(&self.all_notes, now);
        }
    }
}

/// The time that is being played or was transcribed last; none while nothing goes on.
fn now_seconds(playhead: Option<f64>, pending: Option<&Range<f64>>) -> Option<f64> {
    playhead.or(pending.map(|pending| pending.start))
}

/// How lately each drum was hit.
fn lights(notes: &[NoteView], now_seconds: f64) -> [f32; DrumClass::ALL.len()] {
    let mut lights = [0.0; DrumClass::ALL.len()];
    let from = notes.partition_point(|note| note.at_seconds < now_seconds - 4.0 * LIGHT_SECONDS);
    for note in &notes[from..] {
        let age = now_seconds - note.at_seconds;
        if age < 0.0 {
            break;
        }
        if let Some(class) = note.class.filter(|_| note.fate == Fate::Sent) {
            lights[class.index()] = (-age / LIGHT_SECONDS).exp() as f32;
        }
    }
    lights
}

fn problem(
    params: &HitscribeParams,
    status: &PluginStatus,
    engine: Option<&EngineStatus>,
) -> Option<Problem> {
    let problem = |text: &str, detail: Option<String>, repair: Option<Repair>| Problem {
        text: text.to_owned(),
        detail,
        repair,
    };
    if let Some(error) = &status.links.lock().error {
        let text = format!("The engine cannot start: {error}");
        return Some(problem(&text, None, None));
    }
    if let Some(engine) = engine.filter(|engine| engine.phase == Phase::Failed) {
        let reason = engine.reason.as_deref().unwrap_or("unknown reason");
        let text = format!(
            "The engine has stopped: {reason}. The audio passes through and the take is safe."
        );
        let is_on_cpu = params.device.value() == DeviceParam::Cpu;
        let repair = (!is_on_cpu).then_some(Repair::UseCpu);
        return Some(problem(&text, None, repair));
    }
    if status.has_stalled.load(Ordering::Relaxed) {
        let text = "The engine timed out, so this render may lack notes. Render again.";
        return Some(problem(text, None, None));
    }
    let detail = params.take.problem()?;
    let text = "The take saved in this project cannot be read. A copy stays in the project.";
    Some(problem(text, Some(detail), None))
}
