//! Content of the development recordings, if they are present.
#![allow(clippy::print_stdout)]

use std::path::Path;

use hitscribe::content::{Content, analyze};
use hitscribe_core::audio::downmix;
use hitscribe_core::audio::file::AudioFile;

fn mono(path: &Path) -> (Vec<f32>, u32) {
    let mut file = AudioFile::open(path).unwrap();
    let (rate, channels) = (file.sample_rate_hz(), file.channel_count());
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        downmix(block, channels, &mut samples);
    }
    (samples, rate)
}

#[test]
fn the_content_of_development_recordings_is_recognised() {
    let data = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/eval/data"
    ));
    if !data.exists() {
        println!("skipped: {} is not there", data.display());
        return;
    }
    let mut judged = 0;
    // Not the loops of drum machines (edm_kick, logic_kits): some count as a mix, since a tuned
    // kick or tom rings like a bass.
    let sets = [
        "composite",
        "guitarset",
        "loops_noref",
        "maps",
        "mdb_drum",
        "mdb_mix",
        "mdb_nodrums",
        "mdb_remix",
        "vocadito_nodrums",
    ];
    for set in sets
        .map(|set| data.join(set))
        .iter()
        .filter(|set| set.exists())
    {
        for file in std::fs::read_dir(set).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "flac") {
                continue;
            }
            let reference = std::fs::read_to_string(path.with_extension("json")).unwrap();
            let reference: serde_json::Value = serde_json::from_str(&reference).unwrap();
            let expected = match reference["kind"].as_str() {
                Some("drums") => Content::Drums,
                Some("mixed") => Content::Mixed,
                _ => Content::Pitched,
            };
            let (samples, rate) = mono(&path);
            let analysis = analyze(&samples, rate);
            println!("{}: {:.2} {analysis}", path.display(), analysis.drum_points);
            assert_eq!(
                analysis.content,
                expected,
                "{}: {analysis:?}",
                path.display()
            );
            judged += 1;
        }
    }
    assert!(judged > 0);
}
