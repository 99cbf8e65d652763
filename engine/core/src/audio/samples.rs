//! Operations on blocks of samples.

use std::borrow::Cow;

/// Largest magnitude of a sample: far above any audio, far below what overflows in a filter.
const MAX_MAGNITUDE: f32 = 1e6;

/// Appends the mean of the channels of each frame of `interleaved` to `mono`. An incomplete last
/// frame is dropped.
///
/// [`Downmixer`](super::Downmixer) also finds channels that cancel each other. Real-time safe if
/// `mono` has enough capacity.
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

/// Replaces NaN and infinity with silence, clamps absurd values, and returns how many samples
/// changed.
///
/// Call this before any filter: one such sample would spread over all samples that follow.
pub fn sanitize(samples: &[f32]) -> (Cow<'_, [f32]>, usize) {
    let is_invalid = |x: &f32| x.is_nan() || x.abs() > MAX_MAGNITUDE;
    let changed = samples.iter().filter(|x| is_invalid(x)).count();
    if changed == 0 {
        return (Cow::Borrowed(samples), 0);
    }
    let valid = |x: &f32| match x {
        x if x.is_finite() => x.clamp(-MAX_MAGNITUDE, MAX_MAGNITUDE),
        _ => 0.0,
    };
    (samples.iter().map(valid).collect(), changed)
}

/// The warning about samples that [`sanitize`] changed; `None` if there are none.
pub fn sanitize_warning(changed_samples: u64) -> Option<String> {
    (changed_samples > 0)
        .then(|| format!("{changed_samples} samples were NaN, infinite or far too large: replaced"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_samples_are_replaced_and_counted() {
        let samples = [0.5, f32::NAN, f32::INFINITY, 1e30, -1e30, -0.5];
        let (valid, changed) = sanitize(&samples);
        assert_eq!(*valid, [0.5, 0.0, 0.0, 1e6, -1e6, -0.5]);
        assert_eq!(changed, 4);
        assert!(matches!(
            sanitize(&[0.5, -2.0]),
            (Cow::Borrowed([0.5, -2.0]), 0)
        ));
        assert_eq!(sanitize_warning(0), None);
        assert!(sanitize_warning(2).unwrap().starts_with("2 samples "));
    }
}
