//! Mixing channels down to mono where they may cancel each other.

/// Frames after which energy counts for a third: about a third of a second.
const MEMORY_FRAMES: f64 = 16_000.0;
/// Energy of the mean, relative to that of the mean of unrelated channels, below which the channels
/// cancel each other, and above which they no longer do.
const CANCELLED: f64 = 0.02;
const NOT_CANCELLED: f64 = 0.1;
/// Samples below this are silence (-80 dBFS).
const AUDIBLE: f64 = 1e-4;
/// Audible frames before the first decision.
const MIN_AUDIBLE_FRAMES: u64 = 16;
/// Frames of the change between the mean and one channel.
const CHANGE_FRAMES: f32 = 240.0;

/// Mixes the channels of a stream down to their mean, or to the loudest channel where the mean
/// cancels: of a pair of which one has inverted polarity.
///
/// The result does not depend on the length of the blocks. Where nothing cancels it is exactly the
/// mean. Files and plugin inputs are both mixed down here, so that they give the same notes.
#[derive(Clone, Debug)]
pub struct Downmixer {
    decay: f64,
    mean_energy: f64,
    channel_energies: Vec<f64>,
    total_energy: f64,
    audible_frames: u64,
    is_cancelled: bool,
    loudest: usize,
    /// Share of the loudest channel in the result.
    share: f32,
    cancelled_frames: u64,
}

impl Downmixer {
    /// A downmixer at the start of a stream.
    pub fn new(channel_count: usize) -> Self {
        Self {
            decay: (-1.0 / MEMORY_FRAMES).exp(),
            mean_energy: 0.0,
            channel_energies: vec![0.0; channel_count],
            total_energy: 0.0,
            audible_frames: 0,
            is_cancelled: false,
            loudest: 0,
            share: 0.0,
            cancelled_frames: 0,
        }
    }

    /// Begins another stream. Real-time safe.
    pub fn restart(&mut self) {
        self.channel_energies.fill(0.0);
        (self.mean_energy, self.total_energy) = (0.0, 0.0);
        (self.audible_frames, self.cancelled_frames) = (0, 0);
        (self.is_cancelled, self.share) = (false, 0.0);
    }

    /// Frames so far in which one channel was used.
    pub fn cancelled_frames(&self) -> u64 {
        self.cancelled_frames
    }

    /// Appends the mixed frames of `interleaved` to `mono`. An incomplete last frame is dropped.
    /// Real-time safe if `mono` has enough capacity.
    pub fn push(&mut self, interleaved: &[f32], mono: &mut Vec<f32>) {
        let channel_count = self.channel_energies.len();
        if channel_count <= 1 {
            mono.extend_from_slice(&interleaved[..interleaved.len() * channel_count]);
            return;
        }
        let scale = 1.0 / channel_count as f32;
        for frame in interleaved.chunks_exact(channel_count) {
            let mean = frame.iter().sum::<f32>() * scale;
            self.measure(frame, mean);
            let target = if self.is_cancelled { 1.0 } else { 0.0 };
            let step = 1.0 / CHANGE_FRAMES;
            self.share += (target - self.share).clamp(-step, step);
            if self.share == 0.0 {
                mono.push(mean);
            } else {
                self.cancelled_frames += 1;
                mono.push(mean + self.share * (frame[self.loudest] - mean));
            }
        }
    }

    fn measure(&mut self, frame: &[f32], mean: f32) {
        let energy = |x: f32| match x.abs() {
            magnitude if magnitude < 1e3 => f64::from(x) * f64::from(x),
            _ => 0.0,
        };
        let (mut total, mut peak) = (0.0, 0.0_f64);
        for (sum, &sample) in self.channel_energies.iter_mut().zip(frame) {
            let energy = energy(sample);
            *sum = *sum * self.decay + energy;
            total += energy;
            peak = peak.max(energy);
        }
        self.total_energy = self.total_energy * self.decay + total;
        self.mean_energy = self.mean_energy * self.decay + energy(mean);
        if peak < AUDIBLE * AUDIBLE {
            return;
        }
        self.audible_frames += 1;
        let channel_count = frame.len() as f64;
        let relative = self.mean_energy * channel_count * channel_count / self.total_energy;
        if !self.is_cancelled && relative < CANCELLED {
            if self.audible_frames < MIN_AUDIBLE_FRAMES {
                return;
            }
            self.is_cancelled = true;
            if self.share == 0.0 {
                self.loudest = self.loudest_channel();
            }
            // At the start there was nothing to change from.
            if self.audible_frames == MIN_AUDIBLE_FRAMES {
                self.share = 1.0;
            }
        } else if relative > NOT_CANCELLED {
            self.is_cancelled = false;
        }
    }

    fn loudest_channel(&self) -> usize {
        let energies = self.channel_energies.iter().enumerate();
        energies
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
            .map_or(0, |(channel, _)| channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::downmix;

    /// Hits of noise, with their level for each channel.
    fn hits(levels: &[f32]) -> Vec<f32> {
        let mut seed = 1_u32;
        let noise = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed as f32 / u32::MAX as f32 - 0.5
        };
        let mut noise = noise;
        (0..60_000)
            .flat_map(|at| {
                let sample = noise() * (-(at % 12_000) as f32 / 2_000.0).exp();
                levels
                    .iter()
                    .map(move |level| sample * level)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn mixed(interleaved: &[f32], channels: usize, block: usize) -> Vec<f32> {
        let (mut downmixer, mut mono) = (Downmixer::new(channels), Vec::new());
        for block in interleaved.chunks(block * channels) {
            downmixer.push(block, &mut mono);
        }
        mono
    }

    #[test]
    fn inverted_channels_give_the_louder_one() {
        let left = hits(&[1.0]);
        for (levels, loudest) in [([1.0, -1.0], 1.0), ([0.9, -1.0], -1.0)] {
            let stereo = hits(&levels);
            let mono = mixed(&stereo, 2, 512);
            let late = MIN_AUDIBLE_FRAMES as usize + 2;
            for (at, (x, y)) in mono.iter().zip(&left).enumerate().skip(late) {
                assert!((x - loudest * y).abs() < 1e-6, "{at}: {x} {y}");
            }
            assert_eq!(mono, mixed(&stereo, 2, 7));
        }
    }

    #[test]
    fn other_channels_give_exactly_their_mean() {
        for levels in [
            &[1.0, 1.0][..],
            &[1.0, 0.0],
            &[1.0, -0.5],
            &[0.0, 0.0, 0.0, 1.0, 0.0],
        ] {
            let interleaved = hits(levels);
            let mut mean = Vec::new();
            downmix(&interleaved, levels.len(), &mut mean);
            assert_eq!(mixed(&interleaved, levels.len(), 512), mean, "{levels:?}");
        }
    }

    #[test]
    fn a_change_of_polarity_makes_no_jump() {
        let tone = |at: usize| (at as f32 * 0.02).sin() * 0.5;
        let interleaved: Vec<f32> = (0..300_000)
            .flat_map(|at| {
                let inverted = (100_000..200_000).contains(&at);
                [tone(at), if inverted { -tone(at) } else { tone(at) }]
            })
            .collect();
        let mono = mixed(&interleaved, 2, 512);
        let steps = mono.windows(2).enumerate();
        // Only the recording itself jumps, where the mean becomes 0.
        for (at, step) in steps.filter(|(at, _)| !(99_990..100_010).contains(at)) {
            let is_own = (199_990..200_010).contains(&at);
            assert!(is_own || (step[1] - step[0]).abs() < 0.02, "{at}");
        }
        let energy: f32 = mono[180_000..190_000].iter().map(|x| x * x).sum();
        assert!(energy > 1_000.0, "{energy}");
    }
}
