//! Magnitudes over time and frequency, for the picture.

use anyhow::{Context, Result};
use hitscribe_dsp::real_fft;

use crate::recording::Recording;

/// Lowest frequency, in Hz: a quarter tone below MIDI key 16.
pub const LOWEST_HZ: f64 = 20.0;
/// Highest frequency, in Hz.
pub const HIGHEST_HZ: f64 = 20_000.0;

const WINDOW_SECONDS: f64 = 0.09;
const DYNAMIC_RANGE_DB: f32 = 80.0;

/// Levels, `rows` rows of `columns` values, the highest frequency first. 1 is the loudest place of
/// the recording, 0 is [`DYNAMIC_RANGE_DB`] or more below it. Columns have equal distances in time,
/// rows in the logarithm of the frequency.
pub fn levels(recording: &Recording, columns: usize, rows: usize) -> Result<Vec<f32>> {
    let rate = f64::from(recording.sample_rate_hz);
    let window = 1 << ((WINDOW_SECONDS * rate).log2().round().clamp(5.0, 16.0) as u32);
    let fft = real_fft(window);
    let hann: Vec<f32> = (0..window)
        .map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / window as f64).cos()) as f32)
        .collect();
    let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
    // Bins at the upper edge of each row, and at the lower edge of the last one.
    let edges: Vec<f64> = (0..=rows)
        .map(|row| {
            let octaves = (HIGHEST_HZ / LOWEST_HZ).log2() * row as f64 / rows as f64;
            HIGHEST_HZ * (-octaves).exp2() * window as f64 / rate
        })
        .collect();
    let samples_per_column = recording.samples.len() as f64 / columns as f64;
    let mut levels = vec![0.0_f32; columns * rows];
    for column in 0..columns {
        let center = ((column as f64 + 0.5) * samples_per_column) as usize;
        for (i, (x, w)) in input.iter_mut().zip(&hann).enumerate() {
            let sample = (center + i)
                .checked_sub(window / 2)
                .and_then(|at| recording.samples.get(at));
            *x = sample.copied().filter(|s| s.is_finite()).unwrap_or(0.0) * w;
        }
        fft.process(&mut input, &mut output)
            .context("spectrogram")?;
        let magnitudes: Vec<f32> = output.iter().map(|bin| bin.norm()).collect();
        for (row, edge) in edges.windows(2).enumerate() {
            levels[row * columns + column] = largest(&magnitudes, edge[1], edge[0]);
        }
    }
    let loudest = levels.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    for level in &mut levels {
        let db = 20.0 * (*level / loudest).max(f32::MIN_POSITIVE).log10();
        *level = (1.0 + db / DYNAMIC_RANGE_DB).clamp(0.0, 1.0);
    }
    Ok(levels)
}

/// The largest magnitude from one bin to another, which may be fractions; interpolated where no
/// bin lies between the two.
fn largest(magnitudes: &[f32], from: f64, to: f64) -> f32 {
    let at = |bin: f64| {
        let below = bin as usize;
        let part = (bin - below as f64) as f32;
        match magnitudes.get(below..below + 2) {
            Some(pair) => pair[0] + (pair[1] - pair[0]) * part,
            None => 0.0,
        }
    };
    let inside = magnitudes
        .iter()
        .take(to as usize + 1)
        .skip(from.ceil() as usize);
    inside.copied().fold(at((from + to) / 2.0), f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_loudest_in_the_row_of_its_frequency() {
        let rate = 44_100;
        let hz = 1000.0_f32;
        let samples: Vec<f32> = (0..rate)
            .map(|i| (std::f32::consts::TAU * hz * i as f32 / rate as f32).sin())
            .collect();
        let recording = Recording {
            samples,
            sample_rate_hz: rate,
            warning: None,
        };
        let (columns, rows) = (10, 300);
        let levels = levels(&recording, columns, rows).unwrap();
        let middle: Vec<f32> = (0..rows).map(|row| levels[row * columns + 5]).collect();
        let loudest = (0..rows)
            .max_by(|a, b| middle[*a].total_cmp(&middle[*b]))
            .unwrap();
        // A hundred rows for each decade, the highest frequency in the first row.
        let expected = rows as f64 - 100.0 * (f64::from(hz) / LOWEST_HZ).log10();
        assert!((loudest as f64 - expected).abs() < 3.0, "{loudest}");
        assert!(middle[loudest] > 0.99 && middle[20] < 0.3);
    }
}
