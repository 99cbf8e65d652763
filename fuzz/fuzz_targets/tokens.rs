//! Any numbers as token streams of both vocabularies.
#![no_main]

use hitscribe_core::tokens::mt3::decode;
use hitscribe_core::tokens::mt3::decode::DecodePath;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::yourmt3::notes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|segments: Vec<(f32, Vec<i16>)>| {
    let segments: Vec<SegmentTokens> = segments
        .into_iter()
        .map(|(start, ids)| {
            SegmentTokens::certain(f64::from(start), ids.into_iter().map(i32::from).collect())
        })
        .collect();
    let tokens: usize = segments.iter().map(|segment| segment.ids.len()).sum();
    for path in [DecodePath::Mt3, DecodePath::MrMt3] {
        let decoded = decode::decode(&segments, path);
        assert!(decoded.notes.len() + decoded.invalid_events <= tokens);
    }
    assert!(notes::decode(&[segments]).notes.len() <= tokens);
});
