//! One plugin instance as the engine thread sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use crate::messages::{LiveNote, Mark, TransportState};
use crate::port::EnginePort;
use crate::status::{ModelState, Shared as Model};
use crate::take::Take;
use crate::take_writer::PassageWriter;
use hitscribe::builtin::BuiltinModels;
use hitscribe::imported::live_config;
use hitscribe::leakage::live::LiveFilter;
use hitscribe::pipeline::tokens::SegmentRequest;
use hitscribe::session::Session;
use hitscribe::session_config::SessionConfig;
use hitscribe::source::Source;
use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;

/// Frames that are taken from the ring at once.
const CHUNK_FRAMES: usize = 4096;
/// A gap that is longer than this ends the passage; a shorter one is filled with silence.
const LONGEST_GAP_SECONDS: f64 = 1.0;

pub(super) struct Instance {
    port: EnginePort,
    writer: PassageWriter,
    config: SessionConfig,
    sample_rate_hz: f64,
    filter: LiveFilter,
    /// The published model that hears the source instead of the built-in ones.
    model: Option<Arc<Model>>,
    session: Option<Session>,
    /// Position in the stream of the session's first frame.
    session_start_frames: u64,
    /// Position in the stream of the next frame that the session gets.
    position_frames: u64,
    source: Source,
    backlog: VecDeque<LiveNote>,
    mono: Vec<f32>,
    found: Vec<PlacedNote>,
    /// The session has heard its last frame and is being emptied.
    is_ending: bool,
}

impl Instance {
    pub fn new(
        port: EnginePort,
        take: Arc<Mutex<Take>>,
        config: SessionConfig,
        model: Option<Arc<Model>>,
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
            backlog: VecDeque::new(),
            mono: Vec::new(),
            found: Vec::new(),
            is_ending: false,
        }
    }

    /// Whether nothing is left to do and nobody listens any more.
    pub fn is_gone(&mut self) -> bool {
        self.port.is_closed() && self.session.is_none() && self.port.readable() == (0, None)
    }

    pub fn ready_session(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.is_ready())
    }

    /// Segments of this instance that `model` can decode now.
    pub fn requests_to(&mut self, model: &Arc<Model>) -> Vec<SegmentRequest> {
        let uses_it = self
            .model
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, model));
        let session = self.session.as_mut().filter(|_| uses_it);
        session.map(Session::requests).unwrap_or_default()
    }

    /// Passes the state of the model on to the session and to the counters.
    fn follow_model(&mut self) {
        let Some(model) = &self.model else { return };
        match (&mut self.session, model.state()) {
            (Some(session), ModelState::Ready(form)) => session.model_ready(form),
            (Some(session), ModelState::Unusable) => session.model_lost(),
            _ => {}
        }
        let steps = &self.port.counters.model_steps;
        steps.store(model.steps(), Ordering::Relaxed);
    }

    /// Whether the session takes no more audio for now.
    fn is_busy(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            session.is_ready()
                || session.is_backed_up()
                || (self.is_ending && !session.is_complete())
        })
    }

    /// Moves audio from the ring to the session until it has enough for a run. Returns the frames
    /// that were moved.
    pub fn collect(&mut self, engine: &BuiltinModels) -> Result<usize> {
        let mut moved = 0;
        self.reopen_if_lost();
        self.follow_model();
        loop {
            if self.is_busy() {
                return Ok(moved);
            }
            if self.is_ending {
                self.hear_nothing();
            }
            let (frames, mark) = self.port.readable();
            if let Some(mark) = mark {
                if !self.apply(engine, mark)? {
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
                // An engine that comes to life in the middle of a passage begins its own, without a
                // place on the host's timeline.
                self.start(engine, self.position_frames, TransportState::default())?;
            }
            let frames = frames.min(CHUNK_FRAMES);
            self.port.read_mono(frames, &mut self.mono);
            moved += frames;
            self.position_frames += frames as u64;
            if let Some(session) = &mut self.session {
                session.push(&self.mono);
            }
            self.writer.extend(&self.mono);
        }
    }

    /// Carries a mark out; false if the session has to be emptied first.
    fn apply(&mut self, engine: &BuiltinModels, mark: Mark) -> Result<bool> {
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
        if self.session.is_none() {
            self.source = mark.listening.source;
            self.start(engine, mark.position_frames, mark.host)?;
        } else if gap_frames > 0 {
            self.mono.clear();
            self.mono.resize(gap_frames as usize, 0.0);
            if let Some(session) = &mut self.session {
                session.push(&self.mono);
            }
            self.writer.extend(&self.mono);
            self.position_frames += gap_frames;
        }
        self.source = mark.listening.source;
        self.config.sensitivity = mark.listening.sensitivity;
        self.writer.playing_only = mark.listening.records_playing_only;
        if let Some(session) = &mut self.session {
            session.set_sensitivity(self.config.sensitivity);
        }
        self.writer.set_tempo(mark.position_frames, &mark.host);
        Ok(true)
    }

    /// How the source is listened to. One that changes within a passage is so from the next one on. The
    /// latency is the same for all sources.
    fn hearing(&self, engine: &BuiltinModels) -> SessionConfig {
        SessionConfig {
            parts: self.source.parts(),
            longest_note_seconds: engine.longest_live_note_seconds(&self.config),
            ..self.config
        }
    }

    fn start(
        &mut self,
        engine: &BuiltinModels,
        position_frames: u64,
        host: TransportState,
    ) -> Result<()> {
        let timeline = host.position_samples.filter(|_| host.playing);
        self.config.timeline_samples = timeline.unwrap_or(0);
        self.session = Some(match self.model {
            None => engine.session(&self.hearing(engine))?,
            Some(_) => Session::imported(&live_config(&self.config), self.source)?,
        });
        self.follow_model();
        self.session_start_frames = position_frames;
        self.position_frames = position_frames;
        self.writer.start(position_frames, &host);
        Ok(())
    }

    /// A project that was loaded is no place for the last notes of a port that is gone.
    fn reopen_if_lost(&self) {
        if !self.port.is_closed() {
            self.writer.reopen_if_lost();
        }
    }

    /// The session is over.
    fn hear_nothing(&mut self) {
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

    /// The engine failed in the middle of this session: go on with a new one at this point.
    pub fn restart(&mut self, engine: &BuiltinModels) -> Result<()> {
        self.port.counters.failed.store(false, Ordering::Release);
        if self.model.is_some() {
            // Its model is another and goes on.
            return Ok(());
        }
        self.is_ending = false;
        if self.session.is_some() {
            let since_start = self.position_frames - self.session_start_frames;
            let timeline = self.config.timeline_samples;
            self.config.timeline_samples = timeline.saturating_add_unsigned(since_start);
            self.session = Some(engine.session(&self.hearing(engine))?);
            self.session_start_frames = self.position_frames;
        }
        Ok(())
    }

    /// Nothing will be transcribed any more: whoever waits must know.
    pub fn give_up(&mut self) {
        self.port.counters.failed.store(true, Ordering::Release);
        self.hear_nothing();
        let (frames, mark) = self.port.readable();
        if let Some(mark) = mark {
            self.port.accept_mark();
            self.position_frames = mark.position_frames;
        }
        self.port.read_mono(frames, &mut self.mono);
        self.position_frames += frames as u64;
    }

    /// Takes the hits of the last run over and hands notes to the audio thread, as far as there is
    /// room; says how far the stream is settled.
    pub fn deliver(&mut self) {
        self.reopen_if_lost();
        let mut settled_frames = self.position_frames;
        let mut ended = Vec::new();
        if let Some(session) = &mut self.session {
            session.receive();
            session.take_notes(&mut self.found);
            session.take_ended_notes(&mut ended);
            // A passage that is complete is settled up to its end, not for ever.
            settled_frames = settled_frames.min(
                self.session_start_frames
                    .saturating_add(session.settled_samples()),
            );
            let passage_ends = session.is_complete();
            let mut judged = Vec::new();
            let (source, start_frames) = (self.source, self.session_start_frames);
            self.found
                .retain(|note| source.admits(note.is_drum, note.pitch));
            self.found
                .iter_mut()
                .for_each(|note| note.onset_samples += start_frames);
            let give = |note, is_leakage| judged.push((note, is_leakage));
            settled_frames =
                self.filter
                    .push(&self.found, settled_frames, passage_ends, source, give);
            self.found.clear();
            for (note, is_leakage) in judged {
                self.record(note, is_leakage);
            }
            self.lengthen(&ended);
        }
        while let Some(note) = self.backlog.front() {
            if self.port.notes.push(*note).is_err() {
                settled_frames = settled_frames.min(note.position_frames);
                break;
            }
            self.backlog.pop_front();
        }
        self.port
            .counters
            .settled_frames
            .fetch_max(settled_frames, Ordering::AcqRel);
    }

    /// Gives notes of the session, which were recorded before they ended, the length that they had.
    fn lengthen(&self, ended: &[PlacedNote]) {
        for note in ended {
            let position_frames = self.session_start_frames + note.onset_samples;
            let length_frames = u32::try_from(note.length_samples).unwrap_or(u32::MAX);
            self.writer
                .lengthen(position_frames, note.pitch, note.program, length_frames);
        }
    }

    /// `note` is placed in the stream.
    fn record(&mut self, note: PlacedNote, is_leakage: bool) {
        let live = LiveNote {
            position_frames: note.onset_samples,
            length_frames: u32::try_from(note.length_samples)
                .unwrap_or(u32::MAX)
                .max(1),
            key: note.pitch & 127,
            velocity: note.velocity.clamp(1, 127),
            program: note.program & 127,
            is_drum: note.is_drum,
            openness: note.openness,
            is_leakage,
        };
        self.backlog.push_back(live);
        self.writer.insert(&live, note.confidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::LiveSettings;
    use crate::port::{CapturePort, port};
    use hitscribe_models::device::DeviceChoice;

    #[test]
    fn bypass_settles_what_was_heard_before_it_and_ends_its_passage() {
        let engine = BuiltinModels::load(DeviceChoice::Cpu).unwrap();
        let (mut capture, engine_port) = port(1, 48_000.0);
        let take = Arc::new(Mutex::new(Take::default()));
        let config = SessionConfig::new(48_000);
        let mut client = Instance::new(engine_port, take.clone(), config, None);
        let host = TransportState {
            playing: true,
            ..TransportState::default()
        };
        let mut settle = |capture: &CapturePort| {
            for _ in 0..1_000 {
                client.collect(&engine).unwrap();
                if let Some(session) = client.ready_session() {
                    engine.run(&mut [session]).unwrap();
                }
                client.deliver();
            }
            capture.counters().settled_frames()
        };
        capture.push(&[&mut vec![0.0; 48_000]], host, LiveSettings::default());
        assert!(settle(&capture) < 48_000, "the last hop is not complete");
        assert!(take.lock().open_passage().is_some());
        capture.skip(4_800);
        assert_eq!(settle(&capture), 48_000);
        assert!(take.lock().open_passage().is_none());
        capture.push(&[&mut vec![0.0; 48_000]], host, LiveSettings::default());
        settle(&capture);
        let take = take.lock();
        let heard: Vec<_> = take
            .passages
            .iter()
            .map(|passage| (passage.length_frames, passage.is_open))
            .collect();
        assert_eq!(heard, [(48_000, false), (48_000, true)]);
    }
}
