//! The export: a script in Ardour turns the plugin's notes into pulses in the exported file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::session::{SAMPLE_RATE_HZ, SESSION_NAME};

/// Seconds and key of a note.
pub type Onset = (f64, u8);

const PULSES: &str = include_str!("pulses.lua");
/// A pulse is as high as the key number plus one, times this share of full scale.
const KEY_STEP: f32 = 1.0 / 256.0;

/// Writes the script to Ardour's folder of user scripts.
pub fn install_pulses(config: &Path) -> Result<()> {
    let scripts = config.join("ardour7/scripts");
    fs::create_dir_all(&scripts).with_context(|| format!("{}", scripts.display()))?;
    let script = scripts.join("pulses.lua");
    fs::write(&script, PULSES).with_context(|| format!("{}", script.display()))
}

/// The onsets that the exported file has as pulses.
pub fn onsets(folder: &Path) -> Result<Vec<Onset>> {
    let file = folder.join(SESSION_NAME).join("bounce.wav");
    let mut reader =
        hound::WavReader::open(&file).with_context(|| format!("{}", file.display()))?;
    let spec = reader.spec();
    ensure!(
        spec.sample_rate == SAMPLE_RATE_HZ && spec.sample_format == hound::SampleFormat::Int,
        "{}: has another rate or format than the session",
        file.display()
    );
    let full_scale = (1u32 << (spec.bits_per_sample - 1)) as f32;
    let samples: Vec<i32> = reader
        .samples::<i32>()
        .collect::<Result<_, _>>()
        .with_context(|| format!("{}", file.display()))?;
    let left = samples.iter().step_by(usize::from(spec.channels.max(1)));
    Ok(pulses(left.map(|sample| *sample as f32 / full_scale)))
}

fn pulses(samples: impl Iterator<Item = f32>) -> Vec<Onset> {
    let key = |sample: f32| (sample / KEY_STEP).round() as i32 - 1;
    samples
        .enumerate()
        .filter_map(|(frame, sample)| {
            let key = u8::try_from(key(sample)).ok()?;
            Some((frame as f64 / f64::from(SAMPLE_RATE_HZ), key))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_are_read_in_spite_of_dither() {
        let mut samples = vec![0.0002f32; 48_001];
        samples[24_000] = 37.0 / 256.0 - 0.0003;
        samples[48_000] = 1.0 / 256.0 + 0.0003;
        assert_eq!(pulses(samples.into_iter()), [(0.5, 36), (1.0, 0)]);
    }
}
