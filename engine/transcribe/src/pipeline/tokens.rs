//! The pipeline of a model of the MT3 family: samples to segments on a grid of the source's
//! timeline, decoded segments to notes.

use std::collections::VecDeque;

use crossbeam::channel::{Receiver, Sender, unbounded};
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::note::{Note, PlacedNote};
use hitscribe_core::tokens::IncrementalParser;
use hitscribe_models::generate::Sequence;
use hitscribe_models::generate::allowed::{AllowedNotes, LogitBias};
use hitscribe_models::generate::{SegmentForm, SegmentJob};

use crate::session_config::SessionConfig;
use hitscribe_picking::drums::candidate::Sensitivity;

/// Samples of the longest segment of the family.
const LONGEST_SEGMENT_SAMPLES: usize = 32_768;

/// Length of the longest segment in seconds: the time between two runs.
pub const SEGMENT_SECONDS: f64 = LONGEST_SEGMENT_SAMPLES as f64 / SAMPLE_RATE_HZ as f64;

/// Length at which live notes are given out before they end: a little less than the shortest
/// segment, so that one more segment is enough.
pub const LONGEST_LIVE_NOTE_SECONDS: f64 = 2.0;

/// Most samples that wait for a model before the session is backed up.
const MAX_WAITING_SAMPLES: usize = 64 * LONGEST_SEGMENT_SAMPLES;
/// Most segments of one source that are decoded at once.
const MAX_SENT: usize = 8;
/// Every so many segments of MT3, one starts on a multiple of 10 ms.
const SEGMENTS_TO_GRID: i64 = 5;

/// The decoded channels of a segment; none if it could not be decoded.
pub type Reply = Option<Vec<Sequence>>;

/// A segment to be decoded, and where to send the result.
pub struct SegmentRequest {
    /// What to decode.
    pub job: SegmentJob,
    reply: Sender<Reply>,
}

impl SegmentRequest {
    /// Sends the result. The session may have been dropped meanwhile.
    pub fn answer(self, reply: Reply) {
        let _ = self.reply.send(reply);
    }
}

/// A segment that is being decoded.
struct Sent {
    start_seconds: f64,
    /// Start of the next segment; none for the last.
    next_seconds: Option<f64>,
}

/// State once the model is loaded.
struct Ready {
    form: SegmentForm,
    /// Index of the next segment to send.
    segment: i64,
    /// Index of the segment from which note times count.
    base: i64,
    memory_ids: Vec<i32>,
    notes: IncrementalParser,
}

enum State {
    /// The model is not loaded yet.
    Waiting,
    Ready(Box<Ready>),
    /// The model cannot be used.
    NoModel,
}

pub(crate) struct TokenPipeline {
    sample_rate_hz: f64,
    longest_seconds: f64,
    source: AllowedNotes,
    sensitivity: LogitBias,
    state: State,
    /// Position of the first pushed sample on the timeline, in samples of the model's rate.
    origin_samples: i64,
    pushed_samples: u64,
    /// Samples that have not been sent.
    samples: Vec<f32>,
    is_finished: bool,
    last_is_sent: bool,
    sent: VecDeque<Sent>,
    replies: (Sender<Reply>, Receiver<Reply>),
    notes: Vec<PlacedNote>,
    ended: Vec<PlacedNote>,
}

/// Distance, in samples of the source, at which samples of the source and the model coincide.
pub(crate) fn grid_samples(sample_rate_hz: u32) -> u64 {
    let grid = (1..=u64::from(SAMPLE_RATE_HZ))
        .map(|count| count * u64::from(sample_rate_hz))
        .find(|samples| samples.is_multiple_of(u64::from(SAMPLE_RATE_HZ)));
    grid.map_or(1, |samples| samples / u64::from(SAMPLE_RATE_HZ))
}

/// Latency in samples of the source: a segment, the longest note and the resampler.
pub(crate) fn latency_samples(resampler: &Resampler, config: &SessionConfig) -> u64 {
    /// Rounding of the model's times.
    const GRID_SECONDS: f64 = 0.01;
    /// Limit for notes that are not cut, whose latency is unbounded.
    const LONGEST_SECONDS: f64 = 3600.0;
    let note_seconds = config.longest_note_seconds.clamp(0.0, LONGEST_SECONDS);
    let seconds = SEGMENT_SECONDS + GRID_SECONDS + note_seconds;
    (seconds * f64::from(config.sample_rate_hz)).ceil() as u64
        + resampler.lookahead_samples() as u64
        + 1
}

impl TokenPipeline {
    /// `origin_samples` is the position of the first sample on the timeline, in samples of the
    /// model's rate.
    pub(crate) fn new(config: &SessionConfig, source: AllowedNotes, origin_samples: i64) -> Self {
        Self {
            sample_rate_hz: f64::from(config.sample_rate_hz),
            longest_seconds: config.longest_note_seconds.max(0.0),
            source,
            sensitivity: LogitBias::default(),
            state: State::Waiting,
            origin_samples,
            pushed_samples: 0,
            samples: Vec::new(),
            is_finished: false,
            last_is_sent: false,
            sent: VecDeque::new(),
            replies: unbounded(),
            notes: Vec::new(),
            ended: Vec::new(),
        }
    }

    pub(crate) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        let of_class = |class: hitscribe_core::DrumClass| sensitivity.by_class[class.index()];
        self.sensitivity = LogitBias::from_sensitivity(sensitivity.overall, of_class);
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.pushed_samples += samples.len() as u64;
        if !matches!(self.state, State::NoModel) {
            self.samples.extend_from_slice(samples);
        }
    }

    /// Ends the passage.
    pub(crate) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Whether so much waits that no more should be pushed for now.
    pub(crate) fn is_backed_up(&self) -> bool {
        self.samples.len() >= MAX_WAITING_SAMPLES
    }

    /// The model is loaded: aligns what has been pushed with its segments.
    pub(crate) fn model_ready(&mut self, form: SegmentForm) {
        if !matches!(self.state, State::Waiting) {
            return;
        }
        let segment_samples = form.segment_samples as i64;
        let segment = self.origin_samples.div_euclid(segment_samples);
        let silence = self.origin_samples.rem_euclid(segment_samples) as usize;
        self.samples.splice(0..0, std::iter::repeat_n(0.0, silence));
        // The model's tokens have no negative times.
        let base = segment.min(0).div_euclid(SEGMENTS_TO_GRID) * SEGMENTS_TO_GRID;
        self.state = State::Ready(Box::new(Ready {
            form,
            segment,
            base,
            memory_ids: form.memory_ids(None),
            notes: form.incremental_parser(self.longest_seconds),
        }));
    }

    /// The model cannot be used: nothing more is transcribed.
    pub(crate) fn model_lost(&mut self) {
        self.state = State::NoModel;
        self.samples = Vec::new();
        self.sent.clear();
    }

    /// The segments that can be decoded now, of which each is returned once.
    pub(crate) fn requests(&mut self) -> Vec<SegmentRequest> {
        let State::Ready(ready) = &mut self.state else {
            return Vec::new();
        };
        let most = match ready.form.has_memory() {
            true => 1,
            false => MAX_SENT,
        };
        let length = ready.form.segment_samples;
        let mut requests = Vec::new();
        let mut used = 0;
        while self.sent.len() < most && !self.last_is_sent {
            let left = self.samples.len() - used;
            let is_whole = left >= length;
            if !is_whole && !self.is_finished {
                break;
            }
            let end = used + left.min(length);
            let job = SegmentJob {
                samples: self.samples[used..end].to_vec(),
                is_last: !is_whole,
                source: self.source.clone(),
                sensitivity: self.sensitivity.clone(),
                memory_ids: ready.memory_ids.clone(),
            };
            used = end;
            self.last_is_sent = !is_whole;
            self.sent.push_back(Sent {
                start_seconds: ready.seconds(ready.segment),
                next_seconds: is_whole.then(|| ready.seconds(ready.segment + 1)),
            });
            ready.segment += 1;
            let reply = self.replies.0.clone();
            requests.push(SegmentRequest { job, reply });
        }
        self.samples.drain(..used);
        requests
    }

    /// Converts what has been decoded since the last call to notes.
    pub(crate) fn receive(&mut self) {
        while let Ok(reply) = self.replies.1.try_recv() {
            let Some(channels) = reply else {
                self.model_lost();
                return;
            };
            let State::Ready(ready) = &mut self.state else {
                return;
            };
            let Some(sent) = self.sent.pop_front() else {
                return;
            };
            let tokens = ready.form.tokens(sent.start_seconds, &channels);
            ready.notes.push(&tokens, sent.next_seconds);
            if sent.next_seconds.is_none() {
                ready.notes.finish();
            }
            if ready.form.has_memory() {
                ready.memory_ids = ready.form.memory_ids(Some(&channels));
            }
            let (notes, ended) = ready.notes.take();
            let (form, base) = (ready.form, ready.base_seconds());
            let place = |note: &Note| self.placed(&form.note(note), base);
            let notes: Vec<_> = notes.iter().map(place).collect();
            let ended: Vec<_> = ended.iter().map(place).collect();
            self.notes.extend(notes);
            self.ended.extend(ended);
        }
    }

    /// Whether the passage has ended and all of its notes have been given out.
    pub(crate) fn is_complete(&self) -> bool {
        let has_no_model = matches!(self.state, State::NoModel);
        self.is_finished && (has_no_model || (self.last_is_sent && self.sent.is_empty()))
    }

    /// Every note with an onset before this time after the first sample has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let rate = f64::from(SAMPLE_RATE_HZ);
        match &self.state {
            State::Waiting => 0.0,
            State::NoModel => self.pushed_samples as f64 / rate,
            State::Ready(ready) => {
                let settled = ready.notes.settled_seconds() + ready.base_seconds();
                (settled - self.origin_samples as f64 / rate).max(0.0)
            }
        }
    }

    pub(crate) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    /// Notes that were given out before they ended, now with their true length.
    pub(crate) fn take_ended(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.ended);
    }

    /// The note in samples from the first pushed one.
    fn placed(&self, note: &Note, base_seconds: f64) -> PlacedNote {
        let origin = self.origin_samples as f64 / f64::from(SAMPLE_RATE_HZ) * self.sample_rate_hz;
        let origin = origin.round() as i64;
        let place = |seconds: f64| ((seconds + base_seconds) * self.sample_rate_hz).round() as i64;
        let (onset, end) = (place(note.onset_seconds), place(note.offset_seconds));
        PlacedNote {
            onset_samples: u64::try_from(onset - origin).unwrap_or(0),
            length_samples: u64::try_from(end - onset).unwrap_or(0).max(1),
            pitch: note.pitch,
            velocity: note.velocity,
            program: note.program,
            is_drum: note.is_drum,
            openness: note.openness,
            confidence: note.confidence,
        }
    }
}

impl Ready {
    /// Start of a segment in the time of the notes.
    fn seconds(&self, segment: i64) -> f64 {
        let samples = (segment - self.base) * self.form.segment_samples as i64;
        samples as f64 / f64::from(SAMPLE_RATE_HZ)
    }

    /// Position on the timeline from which note times count.
    fn base_seconds(&self) -> f64 {
        (self.base * self.form.segment_samples as i64) as f64 / f64::from(SAMPLE_RATE_HZ)
    }
}

/// The resampler from a source to these models.
///
/// # Errors
/// [`hitscribe_core::Error::Setting`] for a sample rate that is out of range.
pub(crate) fn resampler(config: &SessionConfig) -> Result<Resampler> {
    Resampler::new(config.sample_rate_hz, SAMPLE_RATE_HZ)
}
