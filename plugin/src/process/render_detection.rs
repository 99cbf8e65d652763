//! Detects offline rendering from the rate at which blocks arrive.
//!
//! The host's offline flag is not enough: some hosts render faster than real time without setting
//! it, and some leave it set during playback.

use std::time::{Duration, Instant};

/// Audio per measurement. Shorter than the shortest MIDI delay, so that the speed is known before
/// the first note could be missed.
const BUCKET_SECONDS: f64 = 0.25;
/// Number of measurements that are evaluated together.
const BUCKETS: usize = 4;
/// A higher ratio of audio time to wall time is not playback.
const FAST_RATIO: f64 = 1.3;
/// Largest deviation from real time over all measurements during playback, caused by irregular
/// callbacks.
const PLAYBACK_TOLERANCE: f64 = 0.05;
/// Largest deviation of a single measurement during playback. A renderer that happens to be as slow
/// as playback is less steady.
const PLAYBACK_JITTER: f64 = 0.12;
/// A longer pause restarts the measurement.
const PAUSE: Duration = Duration::from_millis(500);

/// How fast blocks arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderSpeed {
    /// Not known yet.
    Unknown,
    /// In real time.
    Playback,
    /// Faster than real time.
    Fast,
    /// Slower than real time.
    Slow,
}

/// Measures the speed from the time between blocks, less the time spent waiting for the engine.
pub struct RenderDetector {
    sample_rate_hz: f64,
    last: Option<Instant>,
    audio_seconds: f64,
    wall_seconds: f64,
    buckets: [(f64, f64); BUCKETS],
    filled: usize,
}

impl RenderDetector {
    /// A detector for audio at `sample_rate_hz`.
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

    /// Restarts the measurement.
    pub fn reset(&mut self) {
        *self = Self::new(self.sample_rate_hz);
    }

    /// Records that a block of `frames` frames begins at `now`. `waited` is the time since the last
    /// block that was spent waiting for the engine. Real-time safe.
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

    /// The speed over the last second of audio.
    pub fn speed(&self) -> RenderSpeed {
        let measured = &self.buckets[..self.filled];
        let audio: f64 = measured.iter().map(|bucket| bucket.0).sum();
        let wall: f64 = measured.iter().map(|bucket| bucket.1).sum();
        let is_within = |audio: f64, wall: f64, tolerance| (audio - wall).abs() <= wall * tolerance;
        let is_steady = measured
            .iter()
            .all(|&(audio, wall)| is_within(audio, wall, PLAYBACK_JITTER));
        if measured.is_empty() {
            RenderSpeed::Unknown
        } else if audio > wall * FAST_RATIO {
            RenderSpeed::Fast
        } else if is_steady && is_within(audio, wall, PLAYBACK_TOLERANCE) {
            RenderSpeed::Playback
        } else if audio < wall {
            RenderSpeed::Slow
        } else {
            RenderSpeed::Unknown
        }
    }

    /// Whether `process` may wait for the engine: always if the user requires it, if the host
    /// reports offline processing and does not run in real time, or if it runs faster than
    /// playback.
    pub fn may_wait(&self, wait_always: bool, host_says_offline: bool) -> bool {
        let speed = self.speed();
        wait_always
            || speed == RenderSpeed::Fast
            || (host_says_offline && speed != RenderSpeed::Playback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(frames: usize, blocks: usize, ratio: f64) -> RenderDetector {
        let mut detector = RenderDetector::new(48_000.0);
        let mut now = Instant::now();
        for block in 0..blocks {
            detector.block(now, frames, Duration::ZERO);
            // Callbacks come in pairs: irregular, but correct on average.
            let uneven = if block % 2 == 0 { 0.2 } else { 1.8 };
            now += Duration::from_secs_f64(frames as f64 / 48_000.0 / ratio * uneven);
        }
        detector
    }

    #[test]
    fn playback_rendering_and_slow_hosts_are_distinguished() {
        assert_eq!(measured(512, 200, 1.0).speed(), RenderSpeed::Playback);
        assert_eq!(measured(64, 2000, 1.0).speed(), RenderSpeed::Playback);
        assert_eq!(measured(512, 200, 20.0).speed(), RenderSpeed::Fast);
        assert_eq!(measured(8192, 40, 2.0).speed(), RenderSpeed::Fast);
        assert_eq!(measured(512, 200, 0.5).speed(), RenderSpeed::Slow);
        assert_eq!(measured(512, 3, 1.0).speed(), RenderSpeed::Unknown);
    }

    #[test]
    fn a_wrong_offline_flag_is_overruled() {
        assert!(
            !measured(512, 200, 1.0).may_wait(false, true),
            "playback with the flag set"
        );
        assert!(
            measured(512, 200, 9.0).may_wait(false, false),
            "render without the flag"
        );
        assert!(measured(512, 200, 0.4).may_wait(false, true), "slow render");
        assert!(!measured(512, 200, 1.0).may_wait(false, false), "playback");
        assert!(
            measured(512, 200, 1.0).may_wait(true, false),
            "forced by the user"
        );
    }

    #[test]
    fn time_spent_waiting_for_the_engine_does_not_count() {
        let mut detector = RenderDetector::new(48_000.0);
        let mut now = Instant::now();
        let block = Duration::from_secs_f64(512.0 / 48_000.0);
        for _ in 0..200 {
            detector.block(now, 512, block * 9 / 10);
            now += block;
        }
        assert_eq!(detector.speed(), RenderSpeed::Fast);
    }

    #[test]
    fn an_unsteady_render_is_not_playback() {
        let mut detector = RenderDetector::new(48_000.0);
        let mut now = Instant::now();
        let block = Duration::from_secs_f64(480.0 / 48_000.0);
        for index in 0..400 {
            detector.block(now, 480, Duration::ZERO);
            now += block.mul_f64(if index / 25 % 2 == 0 { 0.8 } else { 1.2 });
            assert_ne!(detector.speed(), RenderSpeed::Playback, "block {index}");
        }
        assert!(detector.may_wait(false, true));
    }

    #[test]
    fn a_pause_restarts_the_measurement() {
        let mut detector = measured(512, 200, 9.0);
        let now = detector.last.unwrap() + Duration::from_secs(2);
        detector.block(now, 512, Duration::ZERO);
        assert_eq!(detector.speed(), RenderSpeed::Unknown);
    }
}
