//! What is fixed at activation, above all the delay between the audio and its MIDI.

use hitscribe::{
    LIVE_NOTE_SECONDS, LONGEST_LIVE_NOTE_SECONDS, Parts, SEGMENT_SECONDS, SessionConfig,
    imported_latency_samples, live_latency_samples,
};
use hitscribe_core::error::Result;

use crate::params::choices::{Hop, LatencyMode};
use crate::params::latency_key::LatencyKey;
use crate::params::model::ModelTag;

/// Time for one engine run beyond the model's look-ahead: computation for all instances, thread
/// wake-up, and the host's blocks, of which one of 4,096 frames at 44.1 kHz is 93 ms. Longer hops
/// mean larger runs.
fn compute_allowance_seconds(hop: Hop) -> f64 {
    0.14 + hop.seconds() / 4.0
}

/// Least time for an imported model to decode its input.
const MIN_DECODING_SECONDS: f64 = 1.0;

/// What cannot change between activation and deactivation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessConfig {
    /// Frames per second.
    pub sample_rate_hz: f64,
    /// Channels of the track.
    pub channel_count: usize,
    /// The parameters that determine the delay.
    pub key: LatencyKey,
    /// Whether the host reports offline processing.
    pub host_says_offline: bool,
    /// Frames between a sound and its MIDI. Independent of the block size.
    pub midi_delay_frames: u64,
}

impl ProcessConfig {
    /// A configuration with the MIDI delay that follows from the other values.
    ///
    /// # Errors
    /// If the engine does not support the sample rate.
    pub fn new(
        sample_rate_hz: f64,
        channel_count: usize,
        key: LatencyKey,
        host_says_offline: bool,
    ) -> Result<Self> {
        let config = Self {
            sample_rate_hz,
            channel_count,
            key,
            host_says_offline,
            midi_delay_frames: 0,
        };
        config.with_key(key)
    }

    /// The same configuration for other parameters.
    ///
    /// # Errors
    /// As for [`ProcessConfig::new`].
    pub fn with_key(self, key: LatencyKey) -> Result<Self> {
        let mut config = Self { key, ..self };
        config.midi_delay_frames = match key.model {
            ModelTag::Builtin => config.builtin_delay_frames()?,
            ModelTag::Imported(_) => config.imported_delay_frames()?,
        };
        Ok(config)
    }

    /// Frames after the last input in which notes may still start or sound.
    pub fn tail_frames(&self) -> u64 {
        let note_seconds = match self.key.model {
            ModelTag::Builtin => 1.0,
            ModelTag::Imported(_) => LONGEST_LIVE_NOTE_SECONDS,
        };
        self.midi_delay_frames + (note_seconds * self.sample_rate_hz) as u64
    }

    fn builtin_delay_frames(&self) -> Result<u64> {
        let allowance_seconds = compute_allowance_seconds(self.key.hop);
        let allowance_frames = (allowance_seconds * self.sample_rate_hz).ceil() as u64;
        let least_frames = live_latency_samples(&self.session())? + allowance_frames;
        Ok(least_frames.next_multiple_of(self.grid_frames()))
    }

    /// A whole number of segments, so that segment boundaries fall on the same audio as without
    /// latency; [`Self::grid_frames`] explains why. The look-ahead leaves almost a whole segment
    /// for decoding: any machine that runs the model in real time is fast enough.
    fn imported_delay_frames(&self) -> Result<u64> {
        let segment_frames = SEGMENT_SECONDS * self.sample_rate_hz;
        let decoding_frames = (MIN_DECODING_SECONDS * self.sample_rate_hz).ceil() as u64;
        let latency_frames = imported_latency_samples(self.sample_rate_hz.round() as u32)?;
        let segments = ((latency_frames + decoding_frames) as f64 / segment_frames).ceil();
        Ok((segments * segment_frames).ceil() as u64)
    }

    /// The smallest number of host frames that is a whole number of 32 ms steps of the drum model;
    /// where that is too long, of its 8 ms frames, or else 1.
    ///
    /// The MIDI delay is a multiple of it. A host that compensates latency may hand over audio
    /// ahead of the position that it reports, by the reported latency, and
    /// [`transport`](crate::process::transport) does not know every such host. The model must be at
    /// the same step on the same audio either way.
    fn grid_frames(&self) -> u64 {
        const LONGEST_SECONDS: f64 = 0.05;
        let longest = (LONGEST_SECONDS * self.sample_rate_hz) as u64;
        let whole = |milliseconds: u64| {
            let thousandfold = milliseconds * self.sample_rate_hz.round() as u64;
            let mut grids = (1..=125).map(|count| count * thousandfold);
            let grid = grids.find(|grid| grid.is_multiple_of(1000))?;
            (grid / 1000 <= longest).then_some(grid / 1000)
        };
        whole(32).or_else(|| whole(8)).unwrap_or(1)
    }

    /// Whether `other` has the same sample rate and channel count.
    pub fn has_format_of(&self, other: &Self) -> bool {
        self.sample_rate_hz == other.sample_rate_hz && self.channel_count == other.channel_count
    }

    /// The engine's session configuration.
    pub fn session(&self) -> SessionConfig {
        let mut config = SessionConfig::new(self.sample_rate_hz.round() as u32);
        config.hop_frames = self.key.hop.frames();
        if self.key.is_pitched {
            config.parts = Parts::ALL;
            config.longest_note_seconds = LIVE_NOTE_SECONDS;
        }
        config
    }

    /// Frames by which the audio is delayed, reported to the host as latency.
    pub fn latency_frames(&self) -> u64 {
        match self.key.mode {
            LatencyMode::Direct => 0,
            LatencyMode::Aligned => self.midi_delay_frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU64;

    fn config(rate_hz: f64, hop: Hop, model: ModelTag) -> ProcessConfig {
        let key = LatencyKey {
            mode: LatencyMode::Aligned,
            hop,
            is_pitched: false,
            model,
        };
        ProcessConfig::new(rate_hz, 2, key, false).unwrap()
    }

    #[test]
    fn the_midi_delay_is_a_whole_number_of_model_frames() {
        for (rate_hz, grid) in [
            (44_100.0, 1_764),
            (48_000.0, 1_536),
            (88_200.0, 3_528),
            (96_000.0, 3_072),
        ] {
            let config = config(rate_hz, Hop::Ms512, ModelTag::Builtin);
            assert_eq!(config.grid_frames(), grid);
            assert!(config.midi_delay_frames.is_multiple_of(grid));
        }
        let odd = config(44_101.0, Hop::Ms512, ModelTag::Builtin);
        assert_eq!(odd.grid_frames(), 1);
    }

    #[test]
    fn the_midi_delay_of_drums_is_short_and_that_of_pitched_notes_longer() {
        for (rate_hz, hop, least, most) in [
            (44_100.0, Hop::Ms64, 0.4, 0.45),
            (48_000.0, Hop::Ms64, 0.4, 0.45),
            (96_000.0, Hop::Ms64, 0.4, 0.45),
            (48_000.0, Hop::Ms32, 0.35, 0.42),
            (48_000.0, Hop::Ms2048, 2.2, 3.0),
        ] {
            let drums = config(rate_hz, hop, ModelTag::Builtin);
            let seconds = drums.midi_delay_frames as f64 / rate_hz;
            assert!(
                (least..=most).contains(&seconds),
                "{seconds} s at {rate_hz}"
            );
            let key = LatencyKey {
                is_pitched: true,
                ..drums.key
            };
            let pitched = drums.with_key(key).unwrap();
            let longer = (pitched.midi_delay_frames - drums.midi_delay_frames) as f64 / rate_hz;
            assert!(
                (0.3..1.0).contains(&longer),
                "{longer} s longer at {rate_hz}"
            );
        }
    }

    #[test]
    fn the_midi_delay_of_an_imported_model_is_whole_segments_for_any_hop() {
        let model = ModelTag::Imported(NonZeroU64::MIN);
        for rate_hz in [44_100.0, 48_000.0, 96_000.0] {
            for hop in [Hop::Ms256, Hop::Ms2048] {
                let config = config(rate_hz, hop, model);
                let exact = 3.0 * SEGMENT_SECONDS * rate_hz;
                assert_eq!(config.midi_delay_frames, exact.ceil() as u64);
                let latency = imported_latency_samples(rate_hz as u32).unwrap();
                let decoding = (config.midi_delay_frames - latency) as f64 / rate_hz;
                assert!((1.9..2.1).contains(&decoding), "{decoding} s");
            }
        }
    }
}
