//! What is settled at activation: above all the time between a sound and its MIDI.

use hitscribe::{
    LONGEST_LIVE_NOTE_SECONDS, SEGMENT_SECONDS, SessionConfig, imported_latency_samples,
    live_latency_samples,
};
use hitscribe_core::error::Result;

use crate::params::{Hop, LatencyMode};

/// Time that the engine has for a run beyond its look-ahead: computing for all instances, sleep,
/// and the host's blocks. Longer hops mean larger runs.
fn allowance_seconds(hop: Hop) -> f64 {
    0.15 + hop.seconds() / 4.0
}

/// The least time that a published model has for decoding what has come in.
const LEAST_DECODING_SECONDS: f64 = 1.0;

/// What cannot change while the host's engine runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessConfig {
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

impl ProcessConfig {
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
    /// As for [`ProcessConfig::new`].
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
        let latency_frames = imported_latency_samples(self.sample_rate_hz.round() as u32)?;
        let segments = ((latency_frames + least_frames) as f64 / segment_frames).ceil();
        Ok((segments * segment_frames).ceil() as u64)
    }

    /// Frames after which the model's frames of 8 ms begin on whole frames of the host again; 1 at odd
    /// rates, where that takes too long.
    ///
    /// The constant is a multiple of it: hosts that compensate latency may hand audio over ahead of the
    /// position that they tell, by the latency that they were told, and [`crate::process::transport`] does not know
    /// them all. The model's frames must lie on the audio as they would without that.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_keeps_the_models_frames_where_they_are() {
        let setup = |rate_hz| {
            ProcessConfig::new(rate_hz, 2, LatencyMode::Aligned, Hop::Ms512, 0, false).unwrap()
        };
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
                let setup =
                    ProcessConfig::new(rate_hz, 2, LatencyMode::Aligned, hop, 7, false).unwrap();
                let exact = 3.0 * SEGMENT_SECONDS * rate_hz;
                assert_eq!(setup.constant_frames, exact.ceil() as u64);
                let latency = imported_latency_samples(rate_hz as u32).unwrap();
                let decoding = (setup.constant_frames - latency) as f64 / rate_hz;
                assert!((1.9..2.1).contains(&decoding), "{decoding} s");
            }
        }
    }
}
