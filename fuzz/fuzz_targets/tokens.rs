//! Any numbers as token streams of both vocabularies.
#![no_main]

use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{self, ParseRules};
use hitscribe_core::tokens::yourmt3;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|segments: Vec<(f32, Vec<i16>)>| {
    let segments: Vec<SegmentTokens> = segments
        .into_iter()
        .map(|(start, ids)| {
            SegmentTokens::certain(f64::from(start), ids.into_iter().map(i32::from).collect())
        })
        .collect();
    let tokens: usize = segments.iter().map(|segment| segment.ids.len()).sum();
    for rules in [ParseRules::Mt3, ParseRules::MrMt3] {
        let parsed = mt3::parse(&segments, rules);
        assert!(parsed.notes.len() + parsed.invalid_events <= tokens);
    }
    assert!(yourmt3::parse(&[segments]).notes.len() <= tokens);
});
