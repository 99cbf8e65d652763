//! What the built-in models get before the first sound of a passage.

use hitscribe_core::features::log_bands::LogBandsConfig;
use hitscribe_models::frame::drums::DrumConfig;
use hitscribe_models::frame::pitched::PitchConfig;
use hitscribe_models::frame::weights_file::NetworkConfig as _;

use crate::session_config::SessionConfig;

/// How long before the start of the timeline a step of the drum networks begins. Loops are cut to
/// their first stroke, which the networks find less often where a step begins.
const TIMELINE_START_SECONDS: f64 = 0.006;
/// Frames of silence at the ends of a passage, at least.
const MIN_EDGE_FRAMES: usize = 8;
/// Length of the noise in seconds.
const NOISE_SECONDS: f64 = 0.5;
/// Its peak; its level is -61 dBFS.
const NOISE_PEAK: f32 = 0.0016;

/// How the models' frames will lie once something else than digital silence has come.
pub struct LeadIn {
    /// Steps of the models begin at its multiples, from the timeline's start or just before it.
    grid_samples: u64,
    /// Of the start of the passage on this grid.
    off_grid_samples: u64,
    /// Samples before the cell of the grid in which the sound begins.
    edge_samples: u64,
    /// Whether they are noise.
    is_noise: bool,
}

impl LeadIn {
    /// The lead-in of a passage: at least `edge_samples` of silence, so that a hit at the first sample
    /// is seen as after a pause. For pitched notes alone it is faint noise: their network has learnt
    /// from rooms and instruments, which are never silent, and misses first notes after digital
    /// silence. The drum networks find fewer first hits after noise.
    pub fn new(config: &SessionConfig, edge_samples: u64, grid_samples: u64) -> Self {
        let is_noise = config.parts.pitched_program.is_some() && !config.parts.drums;
        let noise_samples = (NOISE_SECONDS * f64::from(config.sample_rate_hz)) as u64;
        let edge_samples = match is_noise {
            true => edge_samples.max(noise_samples),
            false => edge_samples,
        };
        let start_seconds = match config.parts.drums {
            true => TIMELINE_START_SECONDS,
            false => 0.0,
        };
        let start_samples = (start_seconds * f64::from(config.sample_rate_hz)) as i64;
        let on_grid = config.timeline_samples.saturating_add(start_samples);
        Self {
            grid_samples,
            off_grid_samples: on_grid.rem_euclid(grid_samples as i64) as u64,
            edge_samples: edge_samples.next_multiple_of(grid_samples),
            is_noise,
        }
    }

    /// The samples, if the sound begins after this many samples of the passage.
    pub fn samples(&self, skipped_samples: u64) -> Vec<f32> {
        let in_cell = (self.off_grid_samples + skipped_samples) % self.grid_samples;
        let count = (self.edge_samples + in_cell) as usize;
        match self.is_noise {
            true => noise().take(count).collect(),
            false => vec![0.0; count],
        }
    }
}

/// Faint noise, always the same.
fn noise() -> impl Iterator<Item = f32> {
    // The generator of Numerical Recipes; its upper bits are random enough.
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(1u32), next);
    states.map(|state| (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0) as f32 * NOISE_PEAK)
}

/// Distance, in samples of the source, at which steps of `step_samples` samples of the model begin
/// on whole samples.
pub fn grid_samples(step_samples: usize, model_rate_hz: u32, sample_rate_hz: u32) -> u64 {
    let step = step_samples as u64 * u64::from(sample_rate_hz);
    let model_rate = u64::from(model_rate_hz);
    (1..=model_rate)
        .map(|steps| steps * step)
        .find(|samples| samples.is_multiple_of(model_rate))
        .map_or(1, |samples| samples / model_rate)
}

/// Silence at either end of a passage, in samples of the source: as much as frames of the models
/// that lie outside of it see of it, and as an onset may be away from its frame.
pub fn edge_samples(drums: &DrumConfig, pitched: &PitchConfig, config: &SessionConfig) -> u64 {
    let longest = |front_end: &LogBandsConfig| {
        let longest_fft = front_end.fft_sizes.iter().max().copied().unwrap_or(0);
        let samples = longest_fft.max(MIN_EDGE_FRAMES * front_end.hop_samples) as u64;
        (samples * u64::from(config.sample_rate_hz)).div_ceil(u64::from(front_end.sample_rate_hz))
    };
    match config.parts.pitched_program {
        None => longest(drums.front_end()),
        Some(_) => longest(drums.front_end()).max(longest(pitched.front_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_faint_and_has_no_offset() {
        const COUNT: usize = 48_000;
        let mean = noise().take(COUNT).sum::<f32>() / COUNT as f32;
        let power = noise().take(COUNT).map(|x| x * x).sum::<f32>() / COUNT as f32;
        assert!(mean.abs() < 2e-5, "{mean}");
        let level = 10.0 * power.log10();
        assert!((-61.5..-60.0).contains(&level), "{level} dBFS");
    }
}
