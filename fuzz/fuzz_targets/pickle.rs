//! Any bytes as a pickle.
#![no_main]

use hitscribe_core::checkpoint::pickle::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((pickle, length)) = parse(bytes) {
        assert!(length <= bytes.len());
        let _ = pickle.at(&["state_dict"]);
    }
});
