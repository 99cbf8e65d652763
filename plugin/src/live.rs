//! What runs on the audio thread between activation and deactivation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hitscribe_engine::error::Result;
use hitscribe_engine::stream::{
    CapturePort, HostTime, Hub, LONGEST_LIVE_NOTE_SECONDS, Listening, PortCounters,
    SEGMENT_SECONDS, SessionConfig, live_latency_samples, published_latency_samples,
};

use crate::delay::DelayLine;
use crate::note_map::NoteMapField;
use crate::pace::PaceMeter;
use crate::params::{Hop, LatencyMode};
use crate::performance::{FLAM_SECONDS, Found, Performer, Shaping};
use crate::scheduler::{Message, Scheduler};
use crate::telemetry::Telemetry;
use crate::wait::{PATIENCE, wait_until};

/// Time that the engine has for a run beyond its look-ahead: computing for all instances, sleep,
/// and the host's blocks. Longer hops mean larger runs.
fn allowance_seconds(hop: Hop) -> f64 {
    0.15 + hop.seconds() / 4.0
}

/// The least time that a published model has for decoding what has come in.
const LEAST_DECODING_SECONDS: f64 = 1.0;

/// What cannot change while the host's engine runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Frames per second.
    pub sample_rate_hz: f64,
    /// Channels of the track.
    pub channel_count: usize,
    /// Direct or Aligned.
    pub mode: LatencyMode,
    /// Time between two runs of the built-in models.
    pub hop: Hop,
    /// Stands for the model; 0 for the built-in ones.
    pub model_tag: u64,
    /// Whether the host says that it renders.
    pub host_says_offline: bool,
    /// Frames between a sound and its MIDI: the same for any block size.
    pub constant_frames: u64,
}

impl Setup {
    /// Settles everything.
    ///
    /// # Errors
    /// For sample rates that the engine does not take.
    pub fn new(
        sample_rate_hz: f64,
        channel_count: usize,
        mode: LatencyMode,
        hop: Hop,
        model_tag: u64,
        host_says_offline: bool,
    ) -> Result<Self> {
        let setup = Self {
            sample_rate_hz,
            channel_count,
            mode,
            hop,
            model_tag,
            host_says_offline,
            constant_frames: 0,
        };
        setup.settled()
    }

    /// The same with the constant that follows from the rest.
    ///
    /// # Errors
    /// As for [`Setup::new`].
    pub fn settled(self) -> Result<Self> {
        let constant_frames = if self.model_tag == 0 {
            let allowance_seconds = allowance_seconds(self.hop);
            let allowance_frames = (allowance_seconds * self.sample_rate_hz).ceil() as u64;
            let shortest_frames = live_latency_samples(&self.session())? + allowance_frames;
            shortest_frames.next_multiple_of(self.grid_frames())
        } else {
            self.published_constant_frames()?
        };
        Ok(Self {
            constant_frames,
            ..self
        })
    }

    /// Frames after the last sound in which notes may still leave or sound.
    pub fn tail_frames(&self) -> u64 {
        let note_seconds = match self.model_tag {
            0 => 1.0,
            _ => LONGEST_LIVE_NOTE_SECONDS,
        };
        self.constant_frames + (note_seconds * self.sample_rate_hz) as u64
    }

    /// The constant with a published model: whole segments, so that they lie on the audio as they would
    /// without latency, for the reason that [`Self::grid_frames`] has. What the model's look-ahead leaves
    /// of them, almost a whole segment, is for decoding: any machine that keeps up is in time.
    fn published_constant_frames(&self) -> Result<u64> {
        let segment_frames = SEGMENT_SECONDS * self.sample_rate_hz;
        let least_frames = (LEAST_DECODING_SECONDS * self.sample_rate_hz).ceil() as u64;
        let latency_frames = published_latency_samples(self.sample_rate_hz.round() as u32)?;
        let segments = ((latency_frames + least_frames) as f64 / segment_frames).ceil();
        Ok((segments * segment_frames).ceil() as u64)
    }

    /// Frames after which the model's frames of 8 ms begin on whole frames of the host again; 1 at odd
    /// rates, where that takes too long.
    ///
    /// The constant is a multiple of it: hosts that compensate latency may hand audio over ahead of the
    /// position that they tell, by the latency that they were told. The model's frames must lie on the
    /// audio as they would without that.
    fn grid_frames(&self) -> u64 {
        const LONGEST_SECONDS: f64 = 0.05;
        let eight_seconds = 8 * self.sample_rate_hz.round() as u64;
        let grid = (1..=125)
            .map(|count| count * eight_seconds)
            .find(|thousandfold| thousandfold.is_multiple_of(1000))
            .map_or(1, |thousandfold| thousandfold / 1000);
        if grid as f64 > LONGEST_SECONDS * self.sample_rate_hz {
            1
        } else {
            grid
        }
    }

    /// Whether `other` differs in what the user chooses only.
    pub fn fits(&self, other: &Self) -> bool {
        self.sample_rate_hz == other.sample_rate_hz && self.channel_count == other.channel_count
    }

    /// What the engine is asked for.
    pub fn session(&self) -> SessionConfig {
        let mut config = SessionConfig::new(self.sample_rate_hz.round() as u32);
        config.hop_frames = self.hop.frames();
        config
    }

    /// Frames by which the audio is delayed.
    pub fn delay_frames(&self) -> u64 {
        match self.mode {
            LatencyMode::Direct => 0,
            LatencyMode::Aligned => self.constant_frames,
        }
    }
}

/// What the user asks for in this block.
#[derive(Clone, Copy)]
pub struct Wishes<'a> {
    /// Audio passes, nothing else.
    pub bypass: bool,
    /// Wait for the engine whatever the host says.
    pub wait_always: bool,
    /// Notes that the leakage filter marks are not played.
    pub without_leakage: bool,
    /// For the engine.
    pub listening: Listening,
    /// Which note each drum becomes.
    pub map: &'a NoteMapField,
    /// What else becomes of notes.
    pub shaping: Shaping,
}

/// The audio thread's half of an instance. Nothing in here allocates after [`Live::new`].
pub struct Live {
    setup: Setup,
    port: CapturePort,
    scheduler: Scheduler,
    performer: Performer,
    delay: DelayLine,
    pace: PaceMeter,
    hub: Arc<Hub>,
    telemetry: Arc<Telemetry>,
    waited: Duration,
    was_playing: bool,
    has_given_up: bool,
}

impl Live {
    /// Ready for the first block.
    pub fn new(setup: Setup, port: CapturePort, hub: Arc<Hub>, telemetry: Arc<Telemetry>) -> Self {
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
    pub fn setup(&self) -> &Setup {
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
        host: HostTime,
        wishes: Wishes<'_>,
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
        if self.was_playing && !host.playing && !may_wait {
            self.scheduler.stop(start_frames);
        }
        self.was_playing = host.playing;

        if wishes.bypass {
            self.port.skip(frames);
            self.scheduler.stop(self.port.position_frames());
        } else {
            if may_wait {
                self.wait_for_room(frames);
            }
            self.port.push(channels, host, wishes.listening);
            if may_wait {
                self.wait_for_notes(start_frames + frames as u64);
            }
        }
        self.delay.process(channels);
        self.take_notes(start_frames, &wishes);
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

    fn take_notes(&mut self, start_frames: u64, wishes: &Wishes<'_>) {
        while let Some(note) = self.port.next_note() {
            if wishes.without_leakage && note.is_leakage {
                continue;
            }
            let found = Found {
                position_frames: note.position_frames,
                is_drum: note.is_drum,
                key: note.key,
                velocity: note.velocity,
                program: note.program,
            };
            let played = self.performer.perform(wishes.map, &wishes.shaping, found);
            let Some(played) = played else { continue };
            let counter = if self.scheduler.accept(&note, played, start_frames) {
                &self.telemetry.played_notes
            } else {
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

    /// Waits until every note is known that belongs before `end_frames`, and the main strokes that
    /// may take a grace note among them back. The allowance for the engine's work is longer than that.
    fn wait_for_notes(&mut self, end_frames: u64) {
        let flam_frames = (FLAM_SECONDS * self.setup.sample_rate_hz).ceil() as u64;
        let needed_frames = (end_frames + flam_frames).saturating_sub(self.setup.constant_frames);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_keeps_the_models_frames_where_they_are() {
        let setup =
            |rate_hz| Setup::new(rate_hz, 2, LatencyMode::Aligned, Hop::Ms512, 0, false).unwrap();
        for (rate_hz, grid) in [
            (44_100.0, 1_764),
            (48_000.0, 384),
            (88_200.0, 3_528),
            (96_000.0, 768),
        ] {
            let setup = setup(rate_hz);
            assert_eq!(setup.grid_frames(), grid);
            assert!(setup.constant_frames.is_multiple_of(grid));
        }
        assert_eq!(setup(44_101.0).grid_frames(), 1);
    }

    #[test]
    fn with_a_published_model_the_constant_is_whole_segments_for_any_hop() {
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            for hop in [Hop::Ms256, Hop::Ms2048] {
                let setup = Setup::new(rate_hz, 2, LatencyMode::Aligned, hop, 7, false).unwrap();
                let exact = 3.0 * SEGMENT_SECONDS * rate_hz;
                assert_eq!(setup.constant_frames, exact.ceil() as u64);
                let latency = published_latency_samples(rate_hz as u32).unwrap();
                let decoding = (setup.constant_frames - latency) as f64 / rate_hz;
                assert!((1.9..2.1).contains(&decoding), "{decoding} s");
            }
        }
    }
}
