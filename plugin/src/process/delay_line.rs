//! The audio delay of the Aligned mode.

/// Delays every channel by the same number of frames. The samples stay bit-identical.
#[derive(Default)]
pub struct DelayLine {
    lines: Vec<Vec<f32>>,
    write_index: usize,
}

impl DelayLine {
    /// A delay of `frames` frames for `channel_count` channels. With 0 frames the audio is
    /// untouched.
    pub fn new(channel_count: usize, frames: usize) -> Self {
        Self {
            lines: vec![vec![0.0; frames]; channel_count],
            write_index: 0,
        }
    }

    /// The delay in frames.
    pub fn frames(&self) -> usize {
        self.lines.first().map_or(0, Vec::len)
    }

    /// Replaces the buffered samples with silence.
    pub fn clear(&mut self) {
        for line in &mut self.lines {
            line.fill(0.0);
        }
        self.write_index = 0;
    }

    /// Replaces a block with the delayed samples. Channels beyond the configured ones are
    /// untouched. Real-time safe.
    pub fn process(&mut self, channels: &mut [&mut [f32]]) {
        let length = self.frames();
        if length == 0 {
            return;
        }
        let mut end_index = self.write_index;
        for (line, channel) in self.lines.iter_mut().zip(channels) {
            let mut index = self.write_index;
            let mut rest = &mut channel[..];
            while !rest.is_empty() {
                let count = rest.len().min(length - index);
                let (now, later) = rest.split_at_mut(count);
                now.swap_with_slice(&mut line[index..index + count]);
                rest = later;
                index = (index + count) % length;
            }
            end_index = index;
        }
        self.write_index = end_index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_delayed_input_for_any_block_size() {
        let input: Vec<f32> = (0..1000)
            .map(|i| f32::from_bits(0x3f00_0000 + i * 7919))
            .collect();
        for (delay, block) in [(1, 1), (64, 64), (100, 7), (7, 100), (333, 512), (0, 64)] {
            let mut line = DelayLine::new(2, delay);
            let mut output = Vec::new();
            for block in input.chunks(block) {
                let (mut left, mut right) = (block.to_vec(), block.to_vec());
                line.process(&mut [&mut left, &mut right]);
                assert_eq!(left, right);
                output.extend(left);
            }
            assert!(output[..delay].iter().all(|sample| *sample == 0.0));
            assert_eq!(
                output[delay..],
                input[..input.len() - delay],
                "{delay} {block}"
            );
        }
    }
}
