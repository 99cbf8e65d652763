//! Decoding of every supported container and codec. The files hold one second of stereo at 22.05
//! kHz with a ping in the middle, at half the level in the right channel. libsndfile wrote them.

use std::path::{Path, PathBuf};

use hitscribe_core::audio::downmix;
use hitscribe_core::audio::file::AudioFile;

const RATE_HZ: u32 = 22_050;

#[test]
fn decoded_samples_keep_their_time() {
    for (name, exact) in [
        ("ping.aiff", true),
        ("ping.flac", true),
        ("ping.ogg", false),
        ("ping.mp3", false),
    ] {
        let mut file = AudioFile::open(&data(name)).unwrap();
        assert_eq!(
            (file.sample_rate_hz(), file.channel_count()),
            (RATE_HZ, 2),
            "{name}"
        );
        let mut mono = Vec::new();
        while let Some(block) = file.next_block().unwrap() {
            downmix(block, 2, &mut mono);
        }
        assert_eq!(file.warning(), None, "{name}");
        let length_error = mono.len().abs_diff(RATE_HZ as usize);
        assert!(
            length_error <= if exact { 0 } else { 64 },
            "{name}: {} frames",
            mono.len()
        );
        // The ping rises to 0.7 and 0.35 within a quarter of a period: 6 samples.
        let start = mono.iter().position(|x| x.abs() > 0.1).unwrap();
        assert!(
            (11_025..11_033).contains(&start),
            "{name}: starts at {start}"
        );
        let peak = mono.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        assert!((0.45..0.6).contains(&peak), "{name}: {peak}");
    }
}

/// Frames in a block of ping.flac, and the offsets of the blocks in the file.
const BLOCK_FRAMES: usize = 4_096;
const BLOCKS: [usize; 4] = [86, 100, 114, 1_866];

#[test]
fn audio_after_damage_keeps_its_time() {
    let ping = std::fs::read(data("ping.flac")).unwrap();
    let intact = read(&data("ping.flac")).0;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.flac");
    let damaged = |block: usize, length: usize| {
        let mut bytes = ping.clone();
        // The checksum at the end of the block.
        bytes[BLOCKS[block + 1] - 1] ^= 1;
        std::fs::write(&path, &bytes[..length]).unwrap();
        read(&path)
    };
    for block in 0..3 {
        let (samples, warning) = damaged(block, ping.len());
        let mut expected = intact.clone();
        expected[2 * block * BLOCK_FRAMES..][..2 * BLOCK_FRAMES].fill(0.0);
        assert!(samples == expected, "block {block}");
        assert_eq!(
            warning.as_deref(),
            Some("0.19 s were damaged and are silent")
        );
    }
    let (samples, warning) = damaged(1, 3_000);
    assert!(samples == intact[..2 * 3 * BLOCK_FRAMES]);
    assert_eq!(
        warning.as_deref(),
        Some("0.19 s were damaged and are silent; ends after 12288 of 22050 frames (truncated?)")
    );
}

#[test]
fn wrong_timestamps_do_not_cause_long_silence() {
    // The first block again, with a frame number hours later and valid checksums.
    let mut bytes = std::fs::read(data("ping.flac")).unwrap()[..BLOCKS[1]].to_vec();
    let frame = [0xff, 0xf8, 0xc6, 0x18, 0xef, 0xbf, 0xbf];
    let mut block = frame.to_vec();
    block.push(checksum(&block, 8, 0x07) as u8);
    block.extend(&bytes[BLOCKS[0] + 6..BLOCKS[1] - 2]);
    let end = checksum(&block, 16, 0x8005);
    block.extend(end.to_be_bytes());
    bytes.extend(block);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jump.flac");
    std::fs::write(&path, bytes).unwrap();
    let (samples, _) = read(&path);
    assert_eq!(samples.len(), 2 * 2 * BLOCK_FRAMES);
}

/// The cyclic checksums of FLAC.
fn checksum(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let top = 1_u16 << (bits - 1);
    bytes.iter().fold(0_u16, |sum, &byte| {
        (0..8).fold(sum ^ (u16::from(byte) << (bits - 8)), |sum, _| {
            let carried = if sum & top == 0 { 0 } else { polynomial };
            ((sum << 1) ^ carried) & (top | (top - 1))
        })
    })
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// All samples, interleaved, and the warning.
fn read(path: &Path) -> (Vec<f32>, Option<String>) {
    let mut file = AudioFile::open(path).unwrap();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    (samples, file.warning())
}

#[test]
fn text_and_folders_are_errors_that_name_the_file() {
    for name in ["src/lib.rs", "src"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let error = AudioFile::open(&path).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{}: is ", path.display())),
            "{error}"
        );
    }
}
