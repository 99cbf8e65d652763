//! Audio: files, resampling, front ends, segments.

pub mod decode;
pub mod demo;
pub mod mel;
pub mod mono;
pub mod resample;
pub mod spectral;

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
