//! Audio: files, downmix, resampling.

pub mod demo_kit;
pub mod file;
pub mod mono;
pub mod resample;

use std::borrow::Cow;

/// Samples beyond this are cut off: far above any audio, far below what overflows.
const LOUDEST_SAMPLE: f32 = 1e6;

/// Appends the mean of the channels of interleaved frames to `mono`. The one downmix of the project,
/// so that a file and a track give the same notes. An incomplete last frame is left out.
pub fn downmix(interleaved: &[f32], channel_count: usize, mono: &mut Vec<f32>) {
    match channel_count {
        0 => {}
        1 => mono.extend_from_slice(interleaved),
        count => {
            let scale = 1.0 / count as f32;
            let frames = interleaved.chunks_exact(count);
            mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
        }
    }
}

/// The samples with silence for what is no number and without absurdly large values, and how many had to be
/// replaced. To be used before a filter, which would spread one such sample over all that follow.
pub fn cleaned(samples: &[f32]) -> (Cow<'_, [f32]>, usize) {
    let is_bad = |x: &f32| x.is_nan() || x.abs() > LOUDEST_SAMPLE;
    let bad = samples.iter().filter(|x| is_bad(x)).count();
    if bad == 0 {
        return (Cow::Borrowed(samples), 0);
    }
    let clean = |x: &f32| match x {
        x if x.is_finite() => x.clamp(-LOUDEST_SAMPLE, LOUDEST_SAMPLE),
        _ => 0.0,
    };
    (samples.iter().map(clean).collect(), bad)
}

/// What to tell about so many samples that [`cleaned`] has replaced; nothing about none.
pub fn cleaned_warning(replaced_samples: u64) -> Option<String> {
    (replaced_samples > 0).then(|| {
        format!("{replaced_samples} samples that are no numbers or far too large were replaced")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sample_is_replaced_and_counted() {
        let sound = [0.5, f32::NAN, f32::INFINITY, 1e30, -1e30, -0.5];
        let (clean, bad) = cleaned(&sound);
        assert_eq!(*clean, [0.5, 0.0, 0.0, 1e6, -1e6, -0.5]);
        assert_eq!(bad, 4);
        assert!(matches!(
            cleaned(&[0.5, -2.0]),
            (Cow::Borrowed([0.5, -2.0]), 0)
        ));
        assert_eq!(cleaned_warning(0), None);
        assert!(cleaned_warning(2).unwrap().starts_with("2 samples "));
    }
}
