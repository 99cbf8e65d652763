//! One plugin instance, seen from the engine thread.

mod replay;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hitscribe::builtin::BuiltinModels;
use hitscribe::imported::live_config;
use hitscribe::leakage::live::LiveFilter;
use hitscribe::pipeline::tokens::SegmentRequest;
use hitscribe::session::Session;
use hitscribe::session_config::SessionConfig;
use hitscribe::source::Source;
use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;
use hitscribe_picking::drums::candidate::Candidate;
use parking_lot::Mutex;

use crate::messages::{Mark, MarkedNote, TransportState};
use crate::port::EnginePort;
use crate::status::{ModelState, SharedModel};
use crate::take::Take;
use crate::take_writer::PassageWriter;
use replay::Replay;

/// Most frames that are read from the port at once.
const CHUNK_FRAMES: usize = 4096;
/// A longer gap ends the passage; a shorter one is filled with silence.
const LONGEST_GAP_SECONDS: f64 = 1.0;

pub(super) struct Instance {
    port: EnginePort,
    writer: PassageWriter,
    config: SessionConfig,
    sample_rate_hz: f64,
    filter: LiveFilter,
    /// The imported model that replaces the built-in ones.
    model: Option<Arc<SharedModel>>,
    session: Option<Session>,
    /// Stream position of the session's first frame.
    session_start_frames: u64,
    /// Stream position of the next frame for the session.
    position_frames: u64,
    source: Source,
    /// For a session of other built-in models.
    replay: Replay,
    /// Notes that did not fit into the port.
    backlog: VecDeque<MarkedNote>,
    mono: Vec<f32>,
    new_notes: Vec<PlacedNote>,
    /// Whether the session keeps candidates.
    has_candidates: bool,
    /// Hits among the candidates that are not counted yet.
    new_hits: usize,
    /// Frame of the candidates in the passage at which those of the session begin.
    first_frame: u64,
    /// Frame of the last candidate in the passage.
    last_frame: u64,
    /// The session has got its last frame; its last notes are still to come.
    is_ending: bool,
}

impl Instance {
    pub fn new(
        port: EnginePort,
        take: Arc<Mutex<Take>>,
        config: SessionConfig,
        model: Option<Arc<SharedModel>>,
    ) -> Self {
        let sample_rate_hz = f64::from(config.sample_rate_hz);
        Self {
            port,
            writer: PassageWriter::new(take, sample_rate_hz),
            config,
            sample_rate_hz,
            filter: LiveFilter::new(config.sample_rate_hz),
            model,
            session: None,
            session_start_frames: 0,
            position_frames: 0,
            source: Source::default(),
            replay: Replay::new(sample_rate_hz),
            backlog: VecDeque::new(),
            mono: Vec::new(),
            new_notes: Vec::new(),
            has_candidates: false,
            new_hits: 0,
            first_frame: 0,
            last_frame: 0,
            is_ending: false,
        }
    }

    /// Whether the port is closed and everything from it has been processed.
    pub fn is_gone(&mut self) -> bool {
        self.port.is_closed() && self.session.is_none() && self.port.readable() == (0, None)
    }

    pub fn ready_session(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.is_ready())
    }

    /// Segments that `model` can decode now, if this instance uses it.
    pub fn requests_to(&mut self, model: &Arc<SharedModel>) -> Vec<SegmentRequest> {
        let own_model = self.model.as_ref();
        let uses_it = own_model.is_some_and(|own| Arc::ptr_eq(own, model));
        let session = self.session.as_mut().filter(|_| uses_it);
        session.map(Session::requests).unwrap_or_default()
    }

    /// Passes the state of the imported model on to the session and the counters.
    fn follow_model(&mut self) {
        let Some(model) = &self.model else { return };
        match (&mut self.session, model.state()) {
            (Some(session), ModelState::Ready(form)) => session.model_ready(form),
            (Some(session), ModelState::Unusable) => session.model_lost(),
            _ => {}
        }
        let counters = &self.port.counters;
        let state = model.state();
        // In this order: who sees that the model is known sees whether it can be used.
        counters
            .model_unusable
            .store(state == ModelState::Unusable, Ordering::Release);
        counters
            .model_pending
            .store(state == ModelState::Loading, Ordering::Release);
        counters.model_steps.store(model.steps(), Ordering::Relaxed);
    }

    /// Whether the session cannot take more audio for now.
    fn is_busy(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            session.is_ready()
                || session.is_backed_up()
                || (self.is_ending && !session.is_complete())
        })
    }

    /// Moves audio from the port to the session until that has enough for a run. Returns the number
    /// of frames that were moved.
    pub fn collect(&mut self, models: &BuiltinModels) -> Result<usize> {
        let mut moved = 0;
        self.reopen_if_lost();
        self.follow_model();
        loop {
            if self.is_busy() {
                return Ok(moved);
            }
            if self.is_ending {
                self.close_session();
            }
            let (frames, mark) = self.port.readable();
            if let Some(mark) = mark {
                if !self.apply(models, mark)? {
                    continue;
                }
                self.port.accept_mark();
                continue;
            }
            if frames == 0 {
                if self.port.is_closed() {
                    self.end();
                    if self.is_ending {
                        continue;
                    }
                }
                return Ok(moved);
            }
            if self.session.is_none() {
                // The models were loaded in the middle of a passage: begin one without a place on
                // the host's timeline.
                self.start(models, self.position_frames, TransportState::default())?;
            }
            let frames = frames.min(CHUNK_FRAMES);
            self.port.read_mono(frames, &mut self.mono);
            moved += frames;
            self.position_frames += frames as u64;
            self.push_mono();
        }
    }

    /// Passes audio on to the session and the take.
    fn push_mono(&mut self) {
        if let Some(session) = &mut self.session {
            session.push(&self.mono);
        }
        if self.model.is_none() {
            self.replay.push(&self.mono);
        }
        self.writer.extend(&self.mono);
    }

    /// Applies a mark. Returns false if the session has to end first.
    fn apply(&mut self, models: &BuiltinModels, mark: Mark) -> Result<bool> {
        let gap_frames = mark.position_frames.saturating_sub(self.position_frames);
        let long_gap = gap_frames as f64 > LONGEST_GAP_SECONDS * self.sample_rate_hz;
        if self.session.is_some() && (mark.starts_passage || mark.ends_passage || long_gap) {
            self.end();
            return Ok(false);
        }
        if mark.ends_passage {
            self.position_frames = mark.position_frames;
            return Ok(true);
        }
        self.writer.playing_only = mark.settings.records_playing_only;
        if self.session.is_none() {
            self.source = mark.settings.source;
            self.start(models, mark.position_frames, mark.transport)?;
        } else if gap_frames > 0 {
            self.mono.clear();
            self.mono.resize(gap_frames as usize, 0.0);
            self.push_mono();
            self.position_frames += gap_frames;
        }
        self.source = mark.settings.source;
        self.config.sensitivity = mark.settings.sensitivity;
        self.writer.set_source(self.source);
        if let Some(session) = &mut self.session {
            session.set_sensitivity(self.config.sensitivity);
        }
        self.writer.set_tempo(mark.position_frames, &mark.transport);
        Ok(true)
    }

    /// A session of the built-in models for the present source. Without the time for pitched notes
    /// in the latency of the port there are none: they would be late.
    fn builtin_session(&mut self, models: &BuiltinModels) -> Result<Session> {
        let mut parts = self.source.parts();
        if self.config.parts.pitched_program.is_none() {
            parts.pitched_program = None;
        }
        models.session(&SessionConfig {
            parts,
            keeps_candidates: true,
            ..self.config
        })
    }

    /// Begins a passage at a position in the stream.
    fn start(
        &mut self,
        models: &BuiltinModels,
        position_frames: u64,
        transport: TransportState,
    ) -> Result<()> {
        let timeline = transport.position_samples.filter(|_| transport.playing);
        self.config.timeline_samples = timeline.unwrap_or(0);
        self.session = Some(match self.model {
            None => self.builtin_session(models)?,
            Some(_) => Session::imported(&live_config(&self.config), self.source)?,
        });
        self.follow_model();
        self.session_start_frames = position_frames;
        self.position_frames = position_frames;
        self.replay.start(position_frames);
        let rules = self.session.as_ref().and_then(Session::rules);
        self.has_candidates = rules.is_some();
        (self.first_frame, self.last_frame) = (0, 0);
        self.writer
            .start(position_frames, &transport, self.source, rules);
        Ok(())
    }

    /// The late notes of a closed port must not enter a project that was loaded since.
    fn reopen_if_lost(&self) {
        if !self.port.is_closed() {
            self.writer.reopen_if_lost();
        }
    }

    /// Drops the session and ends its passage.
    fn close_session(&mut self) {
        self.session = None;
        self.is_ending = false;
        self.writer.end();
    }

    fn end(&mut self) {
        if let Some(session) = &mut self.session {
            session.finish();
            self.is_ending = true;
        }
    }

    /// Other models have replaced those of this session: goes on with a new session, which gets the
    /// last seconds again and gives out what the one before had not.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] if the GPU fails.
    pub fn restart(&mut self, models: &BuiltinModels) -> Result<()> {
        self.port.counters.failed.store(false, Ordering::Release);
        if self.model.is_some() {
            // It uses an imported model, which goes on.
            return Ok(());
        }
        self.is_ending = false;
        if self.session.is_some() {
            let audio = self.replay.restart().to_vec();
            let start_frames = self.position_frames - audio.len() as u64;
            let since_start = start_frames.saturating_sub(self.session_start_frames);
            let timeline = self.config.timeline_samples;
            self.config.timeline_samples = timeline.saturating_add_unsigned(since_start);
            let mut session = self.builtin_session(models)?;
            session.push(&audio);
            self.has_candidates = session.rules().is_some();
            self.session = Some(session);
            self.session_start_frames = start_frames;
            // Far enough from the last candidate for both not to compete.
            self.first_frame = self.last_frame + 1_000;
        }
        Ok(())
    }

    /// Drops what the port holds and marks the port as failed, so that offline hosts do not wait.
    pub fn give_up(&mut self) {
        self.port.counters.failed.store(true, Ordering::Release);
        self.close_session();
        let (frames, mark) = self.port.readable();
        if let Some(mark) = mark {
            self.port.accept_mark();
            self.position_frames = mark.position_frames;
        }
        self.port.read_mono(frames, &mut self.mono);
        self.position_frames += frames as u64;
    }

    /// Moves the notes of the last run to the take and, as far as there is room, to the port, and
    /// publishes how far the stream is settled.
    pub fn deliver(&mut self) {
        self.reopen_if_lost();
        let mut settled_frames = self.position_frames;
        let mut ended = Vec::new();
        if let Some(session) = &mut self.session {
            session.receive();
            session.take_notes(&mut self.new_notes);
            session.take_ended_notes(&mut ended);
            let mut candidates = Vec::new();
            session.take_candidates(&mut candidates);
            for candidate in &mut candidates {
                candidate.onset_samples += self.session_start_frames;
                candidate.peak.frame += self.first_frame;
                self.last_frame = candidate.peak.frame;
            }
            let key = |candidate: &Candidate| candidate.peak.class.map_or(u8::MAX, |c| c.gm_note());
            let placed = |candidate: &Candidate| (candidate.onset_samples, key(candidate));
            candidates.retain(|candidate| {
                let (onset_frames, key) = placed(candidate);
                self.replay.is_new(onset_frames, key)
            });
            // A complete passage is settled up to its end only.
            settled_frames = settled_frames.min(
                self.session_start_frames
                    .saturating_add(session.settled_samples()),
            );
            settled_frames = settled_frames.max(self.replay.settled_frames());
            let passage_ends = session.is_complete();
            let mut judged = Vec::new();
            let (source, start_frames) = (self.source, self.session_start_frames);
            self.new_notes
                .retain(|note| source.admits(note.is_drum, note.pitch));
            self.new_notes
                .iter_mut()
                .for_each(|note| note.onset_samples += start_frames);
            self.new_notes
                .retain(|note| self.replay.is_new(note.onset_samples, note.pitch));
            let notes = self.new_notes.iter();
            let notes = notes.map(|note| (note.onset_samples, note.pitch));
            let given = notes.chain(candidates.iter().map(placed));
            self.replay.give(given, settled_frames);
            let collect = |note, is_leakage| judged.push((note, is_leakage));
            settled_frames = self.filter.push(
                &self.new_notes,
                settled_frames,
                passage_ends,
                source,
                collect,
            );
            self.new_notes.clear();
            for (note, is_leakage) in judged {
                self.record(note, is_leakage);
            }
            let hits = std::mem::take(&mut self.new_hits);
            self.writer.add_candidates(candidates, hits);
            self.lengthen(&ended);
        }
        while let Some(marked) = self.backlog.front() {
            if self.port.notes.push(*marked).is_err() {
                settled_frames = settled_frames.min(marked.note.onset_samples);
                break;
            }
            self.backlog.pop_front();
        }
        self.port
            .counters
            .settled_frames
            .fetch_max(settled_frames, Ordering::AcqRel);
        self.port.counters.call_watcher();
    }

    /// Corrects the length of notes that were recorded before they ended.
    fn lengthen(&self, ended: &[PlacedNote]) {
        for note in ended {
            self.writer.lengthen(PlacedNote {
                onset_samples: self.session_start_frames + note.onset_samples,
                ..*note
            });
        }
    }

    /// Adds a note, placed in the stream, to the take and to the notes for the port.
    fn record(&mut self, note: PlacedNote, is_leakage: bool) {
        // An imported model may give any byte; MIDI has seven bits.
        let note = PlacedNote {
            length_samples: note.length_samples.max(1),
            pitch: note.pitch & 127,
            velocity: note.velocity.clamp(1, 127),
            program: note.program & 127,
            ..note
        };
        let marked = MarkedNote { note, is_leakage };
        self.backlog.push_back(marked);
        if self.writer.is_recording() {
            let recorded = &self.port.counters.recorded_notes;
            recorded.fetch_add(1, Ordering::Relaxed);
        }
        // Other drums are among the candidates.
        if self.has_candidates && note.is_drum {
            self.new_hits += 1;
        } else {
            self.writer.insert(&marked);
        }
    }
}

#[cfg(test)]
mod tests;
