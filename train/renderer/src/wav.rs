//! Writing WAV files.

use std::path::Path;

use anyhow::{Context, Result};

use crate::SAMPLE_RATE;

/// Writes mono samples at [`SAMPLE_RATE`] with 16 bits; those beyond full scale are clipped.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_wav(path: &Path, samples: &[f32]) -> Result<()> {
    let context = || format!("writing {}", path.display());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).with_context(context)?;
    for sample in samples {
        let sample = (sample * 32_767.0).round() as i16;
        writer.write_sample(sample).with_context(context)?;
    }
    writer.finalize().with_context(context)
}
