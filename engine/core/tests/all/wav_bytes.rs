//! The bytes of small WAV files, well formed or not.

pub const RATE_HZ: u32 = 8_000;
pub const FRAMES: usize = 4_000;

/// Samples that rise and fall, never 0 for long.
pub fn sample(frame: usize) -> i16 {
    ((frame * 37 % 2_001) as i16 - 1_000) * 16
}

pub fn pcm() -> Vec<u8> {
    (0..FRAMES)
        .flat_map(|frame| sample(frame).to_le_bytes())
        .collect()
}

pub fn fmt(tag: u16, channels: u16, bytes: u16, bits: u16) -> Vec<u8> {
    let block = channels * bytes;
    let mut fmt = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    fmt.extend(RATE_HZ.to_le_bytes());
    fmt.extend((RATE_HZ * u32::from(block)).to_le_bytes());
    fmt.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
    fmt
}

pub fn chunk(name: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [name, size.to_le_bytes().as_slice(), body].concat()
}

pub fn whole(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    chunk(name, body.len() as u32, body)
}

pub fn riff(size: Option<u32>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [b"WAVE".to_vec(), chunks.concat()].concat();
    chunk(b"RIFF", size.unwrap_or(body.len() as u32), &body)
}

pub fn mono() -> Vec<u8> {
    whole(b"fmt ", &fmt(1, 1, 2, 16))
}
