//! What runs on the audio thread between activation and deactivation.

pub mod alloc_guard;
pub mod config;
pub mod delay_line;
pub mod rebuild;
pub mod render_detection;
pub mod scheduler;
pub mod transport;
pub mod wait;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hitscribe_live::{CapturePort, LiveSettings, PortCounters, SharedEngine};

use crate::notes::mapper::{FLAM_SECONDS, Found, Performer, Shaping};
use crate::notes::note_map::NoteMapField;
pub use crate::process::config::ProcessConfig;
use crate::process::delay_line::DelayLine;
use crate::process::render_detection::PaceMeter;
use crate::process::scheduler::{Message, Scheduler};
use crate::process::transport::{HostTransport, Place, PositionOf};
use crate::process::wait::{PATIENCE, wait_until};
use crate::status::Telemetry;

/// What the user asks for in this block.
#[derive(Clone, Copy)]
pub struct BlockSettings<'a> {
    /// Audio passes, nothing else.
    pub bypass: bool,
    /// Wait for the engine whatever the host says.
    pub wait_always: bool,
    /// Notes that the leakage filter marks are not played.
    pub without_leakage: bool,
    /// For the engine.
    pub listening: LiveSettings,
    /// Which note each drum becomes.
    pub map: &'a NoteMapField,
    /// What else becomes of notes.
    pub shaping: Shaping,
}

/// The audio thread's half of an instance. Nothing in here allocates after [`Live::new`].
pub struct Live {
    setup: ProcessConfig,
    port: CapturePort,
    scheduler: Scheduler,
    performer: Performer,
    delay: DelayLine,
    pace: PaceMeter,
    hub: Arc<SharedEngine>,
    telemetry: Arc<Telemetry>,
    position_of: PositionOf,
    waited: Duration,
    was_playing: bool,
    has_given_up: bool,
}

impl Live {
    /// Ready for the first block.
    pub fn new(
        setup: ProcessConfig,
        port: CapturePort,
        hub: Arc<SharedEngine>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let constant_frames = setup.constant_frames;
        Self {
            setup,
            port,
            scheduler: Scheduler::new(constant_frames, setup.sample_rate_hz),
            performer: Performer::new(setup.sample_rate_hz),
            delay: DelayLine::new(setup.channel_count, setup.delay_frames() as usize),
            pace: PaceMeter::new(setup.sample_rate_hz),
            hub,
            telemetry,
            position_of: PositionOf::this_host(),
            waited: Duration::ZERO,
            was_playing: false,
            has_given_up: false,
        }
    }

    /// The figures of its port.
    pub fn counters(&self) -> &Arc<PortCounters> {
        self.port.counters()
    }

    /// Ends what sounds, now; for the last block before another takes over.
    pub fn end(&mut self, send: impl FnMut(u32, Message) -> bool) {
        let now_frames = self.port.position_frames();
        self.scheduler.stop(now_frames);
        self.scheduler.emit(now_frames, 1, send);
    }

    /// What was settled at activation.
    pub fn setup(&self) -> &ProcessConfig {
        &self.setup
    }

    /// Forgets what was heard; what sounds ends with the next block.
    pub fn reset(&mut self) {
        self.scheduler.stop(self.port.position_frames());
        self.port.start_passage();
        self.performer = Performer::new(self.setup.sample_rate_hz);
        self.delay.clear();
        self.pace.reset();
        self.waited = Duration::ZERO;
        self.was_playing = false;
        self.has_given_up = false;
    }

    /// One block: audio to the engine, audio out, notes out through `send`.
    pub fn process(
        &mut self,
        channels: &mut [&mut [f32]],
        told: HostTransport,
        wishes: BlockSettings<'_>,
        send: impl FnMut(u32, Message) -> bool,
    ) {
        let frames = channels.first().map_or(0, |channel| channel.len());
        if frames == 0 {
            return;
        }
        self.pace
            .block(Instant::now(), frames, std::mem::take(&mut self.waited));
        let start_frames = self.port.position_frames();
        let may_wait = !self.has_given_up
            && self
                .pace
                .may_wait(wishes.wait_always, self.setup.host_says_offline);
        // Live, a stopped transport is silent. A renderer that stops wants its last notes.
        if self.was_playing && !told.time.playing && !may_wait {
            self.fall_silent(start_frames);
        }
        self.was_playing = told.time.playing;

        if wishes.bypass {
            self.port.skip(frames);
            self.fall_silent(self.port.position_frames());
        } else {
            if may_wait {
                self.wait_for_room(frames);
            }
            let place = self.place(told, frames);
            self.push(channels, place, wishes.listening);
            if may_wait {
                self.wait_for_notes(start_frames + frames as u64);
            }
        }
        self.delay.process(channels);
        self.take_notes(start_frames, frames, &wishes);
        let refused = self.scheduler.emit(start_frames, frames, send);

        let telemetry = &self.telemetry;
        telemetry
            .refused_notes
            .fetch_add(refused, Ordering::Relaxed);
        telemetry
            .position_frames
            .store(self.port.position_frames(), Ordering::Relaxed);
        telemetry.is_waiting.store(may_wait, Ordering::Relaxed);
    }

    /// Ends what sounds and forgets what has not begun, the programs of the channels with it.
    fn fall_silent(&mut self, now_frames: u64) {
        self.scheduler.stop(now_frames);
        self.performer.forget_programs();
    }

    fn place(&self, told: HostTransport, frames: usize) -> Place {
        let ahead_frames = match self.position_of {
            PositionOf::Input => 0,
            PositionOf::Output => self.setup.delay_frames(),
        };
        told.place(ahead_frames, frames, self.setup.sample_rate_hz)
    }

    fn push(&mut self, channels: &mut [&mut [f32]], place: Place, listening: LiveSettings) {
        let port = &mut self.port;
        match (place.loop_wrap, channels) {
            (Some((frame, time)), [mono]) => {
                let (before, after) = mono.split_at_mut(frame);
                port.push(&[before], place.start, listening);
                port.push(&[after], time, listening);
            }
            (Some((frame, time)), [left, right]) => {
                let (left, left_after) = left.split_at_mut(frame);
                let (right, right_after) = right.split_at_mut(frame);
                port.push(&[left, right], place.start, listening);
                port.push(&[left_after, right_after], time, listening);
            }
            (_, channels) => port.push(channels, place.start, listening),
        }
    }

    /// Takes the notes that belong into this block, and not those after it: they are played as the user
    /// wishes then, however early the engine has found them.
    fn take_notes(&mut self, start_frames: u64, frames: usize, wishes: &BlockSettings<'_>) {
        let needed_frames = self.needed_frames(start_frames + frames as u64);
        while let Some(note) = self.port.next_note_before(needed_frames) {
            if wishes.without_leakage && note.is_leakage {
                continue;
            }
            let found = Found {
                position_frames: note.position_frames,
                is_drum: note.is_drum,
                openness: note.openness,
                key: note.key,
                velocity: note.velocity,
                program: note.program,
            };
            let played = self.performer.perform(wishes.map, &wishes.shaping, found);
            let Some(played) = played else { continue };
            let counter = if self.scheduler.accept(&note, played, start_frames) {
                &self.telemetry.played_notes
            } else {
                // What was to go before it is not sent either.
                self.performer.forget_programs();
                &self.telemetry.late_notes
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait_for_room(&mut self, frames: usize) {
        let port = &self.port;
        if !port.has_room(frames) {
            let counters = port.counters();
            self.hub.wake();
            let began = Instant::now();
            let is_done = wait_until(
                || port.has_room(frames),
                || counters.failed(),
                || counters.progress(),
                PATIENCE,
            );
            self.waited += began.elapsed();
            self.note_outcome(is_done);
        }
    }

    /// Where the notes end that are sent before `end_frames`, and the main strokes that may take a grace
    /// note among them back. The allowance for the engine's work is longer than that.
    fn needed_frames(&self, end_frames: u64) -> u64 {
        let flam_frames = (FLAM_SECONDS * self.setup.sample_rate_hz).ceil() as u64;
        (end_frames + flam_frames).saturating_sub(self.setup.constant_frames)
    }

    /// Waits until every note is known that is needed for what is sent before `end_frames`.
    fn wait_for_notes(&mut self, end_frames: u64) {
        let needed_frames = self.needed_frames(end_frames);
        let counters = self.port.counters();
        if counters.settled_frames() < needed_frames && !self.has_given_up {
            self.hub.wake();
            let began = Instant::now();
            let is_done = wait_until(
                || counters.settled_frames() >= needed_frames,
                || counters.failed(),
                || counters.progress(),
                PATIENCE,
            );
            self.waited += began.elapsed();
            self.note_outcome(is_done);
        }
    }

    fn note_outcome(&mut self, is_done: bool) {
        if !is_done {
            self.has_given_up = true;
            self.telemetry.has_stalled.store(true, Ordering::Relaxed);
        }
    }
}
