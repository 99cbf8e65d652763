//! Every container and codec that can be read: one second of stereo at 22.05 kHz with a ping at its
//! middle, the right channel half as loud. The files were written by libsndfile.

use std::path::Path;

use hitscribe_engine::audio::decode::AudioFile;
use hitscribe_engine::audio::downmix;

const RATE_HZ: u32 = 22_050;

#[test]
fn samples_are_where_they_were_before_encoding() {
    for (name, exact) in [
        ("ping.aiff", true),
        ("ping.flac", true),
        ("ping.ogg", false),
        ("ping.mp3", false),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name);
        let mut file = AudioFile::open(&path).unwrap();
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
