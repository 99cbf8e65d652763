//! One instance on the audio thread, from activation to deactivation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hitscribe_live::{CapturePort, LiveSettings, MarkedNote, PortCounters, SharedEngine};

use crate::notes::mapper::{FLAM_SECONDS, NoteMapper, Shaping};
use crate::notes::note_map::NoteMapField;
use crate::process::config::ProcessConfig;
use crate::process::delay_line::DelayLine;
use crate::process::render_detection::RenderDetector;
use crate::process::scheduler::{Message, Scheduler};
use crate::process::transport::{BlockPosition, HostTransport, PositionReference};
use crate::process::wait::{TIMEOUT, wait_until};
use crate::status::PluginStatus;

/// Parameter values for one block.
#[derive(Clone, Copy)]
pub struct BlockSettings<'a> {
    /// Pass the audio through and transcribe nothing.
    pub bypass: bool,
    /// Wait for the engine even if the host does not render.
    pub wait_always: bool,
    /// Do not send notes that are marked as leakage.
    pub without_leakage: bool,
    /// Settings of the engine.
    pub live: LiveSettings,
    /// Key, channel and limits of each drum.
    pub map: &'a NoteMapField,
    /// Velocity curve, flams and hi-hat pedal.
    pub shaping: Shaping,
}

/// The audio-thread side of an instance. Allocates only in [`Processor::new`].
pub struct Processor {
    config: ProcessConfig,
    port: CapturePort,
    scheduler: Scheduler,
    mapper: NoteMapper,
    delay: DelayLine,
    render_detector: RenderDetector,
    engine: Arc<SharedEngine>,
    status: Arc<PluginStatus>,
    position_reference: PositionReference,
    /// Time spent waiting for the engine since the last block began.
    waited: Duration,
    was_playing: bool,
    has_timed_out: bool,
}

impl Processor {
    /// A processor that is ready for its first block.
    pub fn new(
        config: ProcessConfig,
        port: CapturePort,
        engine: Arc<SharedEngine>,
        status: Arc<PluginStatus>,
    ) -> Self {
        Self {
            port,
            scheduler: Scheduler::new(config.midi_delay_frames, config.sample_rate_hz),
            mapper: NoteMapper::new(config.sample_rate_hz),
            delay: DelayLine::new(config.channel_count, config.latency_frames() as usize),
            render_detector: RenderDetector::new(config.sample_rate_hz),
            engine,
            status,
            position_reference: PositionReference::of_this_host(),
            waited: Duration::ZERO,
            was_playing: false,
            has_timed_out: false,
            config,
        }
    }

    /// The counters of the capture port.
    pub fn counters(&self) -> &Arc<PortCounters> {
        self.port.counters()
    }

    /// Sends the note-offs of all sounding notes, before another processor takes over.
    pub fn end_notes(&mut self, send: impl FnMut(u32, Message) -> bool) {
        let now_frames = self.port.position_frames();
        self.scheduler.stop(now_frames);
        self.scheduler.emit(now_frames, 1, send);
    }

    /// Whether the host renders offline and nothing is transcribed, so that the result lacks all
    /// notes.
    pub fn fails_to_render(&self) -> bool {
        let is_dead = || self.port.counters().is_without_engine() || self.has_timed_out;
        self.config.host_says_offline && is_dead()
    }

    /// The configuration that was fixed at activation.
    pub fn config(&self) -> &ProcessConfig {
        &self.config
    }

    /// Discards buffered audio and pending notes. Sounding notes end with the next block.
    pub fn reset(&mut self) {
        self.scheduler.stop(self.port.position_frames());
        self.port.start_passage();
        self.mapper = NoteMapper::new(self.config.sample_rate_hz);
        self.delay.clear();
        self.render_detector.reset();
        self.waited = Duration::ZERO;
        self.was_playing = false;
        self.has_timed_out = false;
    }

    /// Processes one block: passes the audio to the engine, delays it if configured, and sends the
    /// block's notes through `send`, which returns whether the host accepted the event.
    pub fn process(
        &mut self,
        channels: &mut [&mut [f32]],
        transport: HostTransport,
        settings: BlockSettings<'_>,
        send: impl FnMut(u32, Message) -> bool,
    ) {
        let frames = channels.first().map_or(0, |channel| channel.len());
        if frames == 0 {
            return;
        }
        let waited = std::mem::take(&mut self.waited);
        self.render_detector.block(Instant::now(), frames, waited);
        let start_frames = self.port.position_frames();
        let may_wait = !self.has_timed_out
            && self
                .render_detector
                .may_wait(settings.wait_always, self.config.host_says_offline);
        // During playback, stopping the transport silences the output. A renderer that stops still
        // needs its last notes.
        if self.was_playing && !transport.time.playing && !may_wait {
            self.silence(start_frames);
        }
        self.was_playing = transport.time.playing;

        if settings.bypass {
            self.port.skip(frames);
            self.silence(self.port.position_frames());
        } else {
            if may_wait {
                self.wait_for_room(frames);
            }
            let position = self.audio_position(transport, frames);
            self.push(channels, position, settings.live);
            if may_wait {
                self.wait_for_notes(start_frames + frames as u64);
            }
        }
        self.delay.process(channels);
        self.take_notes(start_frames, frames, &settings);
        let refused = self.scheduler.emit(start_frames, frames, send);

        let status = &self.status;
        status.refused_notes.fetch_add(refused, Ordering::Relaxed);
        status
            .position_frames
            .store(self.port.position_frames(), Ordering::Relaxed);
        status.is_waiting.store(may_wait, Ordering::Relaxed);
    }

    /// Ends sounding notes and drops pending ones. Program changes are sent again afterwards.
    fn silence(&mut self, now_frames: u64) {
        self.scheduler.stop(now_frames);
        self.mapper.forget_programs();
    }

    fn audio_position(&self, transport: HostTransport, frames: usize) -> BlockPosition {
        let ahead_frames = match self.position_reference {
            PositionReference::Input => 0,
            PositionReference::Output => self.config.latency_frames(),
        };
        transport.audio_position(ahead_frames, frames, self.config.sample_rate_hz)
    }

    fn push(&mut self, channels: &mut [&mut [f32]], position: BlockPosition, live: LiveSettings) {
        let port = &mut self.port;
        match (position.loop_wrap, channels) {
            (Some((frame, time)), [mono]) => {
                let (before, after) = mono.split_at_mut(frame);
                port.push(&[before], position.start, live);
                port.push(&[after], time, live);
            }
            (Some((frame, time)), [left, right]) => {
                let (left, left_after) = left.split_at_mut(frame);
                let (right, right_after) = right.split_at_mut(frame);
                port.push(&[left, right], position.start, live);
                port.push(&[left_after, right_after], time, live);
            }
            (_, channels) => port.push(channels, position.start, live),
        }
    }

    /// Moves the notes that this block needs from the port to the scheduler. Later notes stay in
    /// the port, so that they follow the parameter values of their own block however early the
    /// engine has found them.
    fn take_notes(&mut self, start_frames: u64, frames: usize, settings: &BlockSettings<'_>) {
        let needed_frames = self.needed_frames(start_frames + frames as u64);
        while let Some(MarkedNote { note, is_leakage }) = self.port.next_note_before(needed_frames)
        {
            if settings.without_leakage && is_leakage {
                continue;
            }
            let Some(mapped) = self
                .mapper
                .map(settings.map, &settings.shaping, &note, false)
            else {
                continue;
            };
            let counter = if self.scheduler.accept(&note, mapped, start_frames) {
                &self.status.played_notes
            } else {
                // The note's program change is not sent either.
                self.mapper.forget_programs();
                &self.status.late_notes
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes before this frame must be known before `end_frames` is reached: those due by then, and
    /// the main strokes that may replace one of them as a grace note. The MIDI delay leaves more
    /// time than that.
    fn needed_frames(&self, end_frames: u64) -> u64 {
        let flam_frames = (FLAM_SECONDS * self.config.sample_rate_hz).ceil() as u64;
        (end_frames + flam_frames).saturating_sub(self.config.midi_delay_frames)
    }

    fn wait_for_room(&mut self, frames: usize) {
        self.wait(|port| port.has_room(frames));
    }

    /// Waits until all notes that are due before `end_frames` are known, and whether there is a
    /// model: a render that is shorter than the delay needs no note before it ends.
    fn wait_for_notes(&mut self, end_frames: u64) {
        let needed_frames = self.needed_frames(end_frames);
        if !self.has_timed_out {
            self.wait(|port| {
                let counters = port.counters();
                counters.settled_frames() >= needed_frames && !counters.is_model_pending()
            });
        }
    }

    /// Waits for the engine until `is_done`, unless it is already.
    fn wait(&mut self, is_done: impl Fn(&CapturePort) -> bool) {
        let port = &self.port;
        if is_done(port) {
            return;
        }
        self.engine.wake();
        let began = Instant::now();
        let counters = port.counters();
        let in_time = wait_until(
            || is_done(port),
            || counters.failed(),
            || counters.progress(),
            TIMEOUT,
        );
        self.waited += began.elapsed();
        if !in_time {
            self.has_timed_out = true;
            self.status.has_stalled.store(true, Ordering::Relaxed);
        }
    }
}
