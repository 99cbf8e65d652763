//! Whether blocks come as fast as they sound, or as fast as they can be had.
//!
//! Hosts render faster than real time without saying so, and say so when they do not: the flag
//! alone decides nothing.

use std::time::{Duration, Instant};

/// Audio per measurement. Shorter than the shortest latency, so that the pace is known before the
/// first note could be missed.
const BUCKET_SECONDS: f64 = 0.25;
/// Measurements that are looked at together.
const BUCKETS: usize = 4;
/// Faster than this is not playback.
const FAST_RATIO: f64 = 1.3;
/// Playback may deviate by this over all measurements together, from irregular callbacks.
const PLAYBACK_TOLERANCE: f64 = 0.05;
/// And by this in each of them: a renderer that is as slow as playback is not as steady.
const PLAYBACK_UNSTEADINESS: f64 = 0.12;
/// A pause longer than this starts the measurement anew.
const PAUSE: Duration = Duration::from_millis(500);

/// How blocks arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Too early to say.
    Unknown,
    /// As fast as they sound.
    Playback,
    /// Faster than they sound.
    Fast,
    /// Slower than they sound.
    Slow,
}

/// Measures the pace from the time between blocks, without the time spent waiting for the engine.
pub struct PaceMeter {
    sample_rate_hz: f64,
    last: Option<Instant>,
    audio_seconds: f64,
    wall_seconds: f64,
    buckets: [(f64, f64); BUCKETS],
    filled: usize,
}

impl PaceMeter {
    /// A meter for blocks at `sample_rate_hz`.
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            last: None,
            audio_seconds: 0.0,
            wall_seconds: 0.0,
            buckets: [(0.0, 0.0); BUCKETS],
            filled: 0,
        }
    }

    /// Forgets what was measured.
    pub fn reset(&mut self) {
        *self = Self::new(self.sample_rate_hz);
    }

    /// A block of `frames` frames begins at `now`; `waited` of the time since the last one was
    /// spent waiting for the engine. Real-time safe.
    pub fn block(&mut self, now: Instant, frames: usize, waited: Duration) {
        let passed = self
            .last
            .map(|last| now.duration_since(last).saturating_sub(waited));
        self.last = Some(now);
        let Some(passed) = passed else { return };
        if passed > PAUSE {
            self.reset();
            self.last = Some(now);
            return;
        }
        self.audio_seconds += frames as f64 / self.sample_rate_hz;
        self.wall_seconds += passed.as_secs_f64();
        if self.audio_seconds >= BUCKET_SECONDS {
            self.buckets.rotate_right(1);
            self.buckets[0] = (self.audio_seconds, self.wall_seconds);
            self.filled = (self.filled + 1).min(BUCKETS);
            self.audio_seconds = 0.0;
            self.wall_seconds = 0.0;
        }
    }

    /// The pace of the last second of audio.
    pub fn pace(&self) -> Pace {
        let measured = &self.buckets[..self.filled];
        let audio: f64 = measured.iter().map(|bucket| bucket.0).sum();
        let wall: f64 = measured.iter().map(|bucket| bucket.1).sum();
        let is_within = |audio: f64, wall: f64, tolerance| (audio - wall).abs() <= wall * tolerance;
        let is_steady = measured
            .iter()
            .all(|&(audio, wall)| is_within(audio, wall, PLAYBACK_UNSTEADINESS));
        if measured.is_empty() {
            Pace::Unknown
        } else if audio > wall * FAST_RATIO {
            Pace::Fast
        } else if is_steady && is_within(audio, wall, PLAYBACK_TOLERANCE) {
            Pace::Playback
        } else if audio < wall {
            Pace::Slow
        } else {
            Pace::Unknown
        }
    }

    /// Whether `process` may wait for the engine: the user wants every note at any price, the host
    /// says that it renders and does not do so at the pace of playback, or it is too fast for
    /// playback whatever it says.
    pub fn may_wait(&self, wait_always: bool, host_says_offline: bool) -> bool {
        let pace = self.pace();
        wait_always || pace == Pace::Fast || (host_says_offline && pace != Pace::Playback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(frames: usize, blocks: usize, ratio: f64) -> PaceMeter {
        let mut meter = PaceMeter::new(48_000.0);
        let mut now = Instant::now();
        for block in 0..blocks {
            meter.block(now, frames, Duration::ZERO);
            // Callbacks come in pairs: irregular, but right on average.
            let uneven = if block % 2 == 0 { 0.2 } else { 1.8 };
            now += Duration::from_secs_f64(frames as f64 / 48_000.0 / ratio * uneven);
        }
        meter
    }

    #[test]
    fn playback_rendering_and_slow_hosts_are_told_apart() {
        assert_eq!(measured(512, 200, 1.0).pace(), Pace::Playback);
        assert_eq!(measured(64, 2000, 1.0).pace(), Pace::Playback);
        assert_eq!(measured(512, 200, 20.0).pace(), Pace::Fast);
        assert_eq!(measured(8192, 40, 2.0).pace(), Pace::Fast);
        assert_eq!(measured(512, 200, 0.5).pace(), Pace::Slow);
        assert_eq!(measured(512, 3, 1.0).pace(), Pace::Unknown);
    }

    #[test]
    fn neither_a_stale_flag_nor_a_silent_bounce_deceives() {
        assert!(
            !measured(512, 200, 1.0).may_wait(false, true),
            "live, told offline"
        );
        assert!(
            measured(512, 200, 9.0).may_wait(false, false),
            "bounce, not told"
        );
        assert!(measured(512, 200, 0.4).may_wait(false, true), "slow bounce");
        assert!(!measured(512, 200, 1.0).may_wait(false, false), "live");
        assert!(
            measured(512, 200, 1.0).may_wait(true, false),
            "the user's wish"
        );
    }

    #[test]
    fn waiting_for_the_engine_does_not_make_a_bounce_look_like_playback() {
        let mut meter = PaceMeter::new(48_000.0);
        let mut now = Instant::now();
        let block = Duration::from_secs_f64(512.0 / 48_000.0);
        for _ in 0..200 {
            meter.block(now, 512, block * 9 / 10);
            now += block;
        }
        assert_eq!(meter.pace(), Pace::Fast);
    }

    #[test]
    fn a_render_on_a_busy_machine_is_not_playback_on_average() {
        let mut meter = PaceMeter::new(48_000.0);
        let mut now = Instant::now();
        let block = Duration::from_secs_f64(480.0 / 48_000.0);
        for index in 0..400 {
            meter.block(now, 480, Duration::ZERO);
            now += block.mul_f64(if index / 25 % 2 == 0 { 0.8 } else { 1.2 });
            assert_ne!(meter.pace(), Pace::Playback, "block {index}");
        }
        assert!(meter.may_wait(false, true));
    }

    #[test]
    fn a_pause_starts_anew() {
        let mut meter = measured(512, 200, 9.0);
        let now = meter.last.expect("blocks came") + Duration::from_secs(2);
        meter.block(now, 512, Duration::ZERO);
        assert_eq!(meter.pace(), Pace::Unknown);
    }
}
