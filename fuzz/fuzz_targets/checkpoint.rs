//! Any bytes as a checkpoint file: opened, every tensor read, and tried as a network.
//! Seeds: engine/models/tests/data/mt3_family.
#![no_main]

use std::io::Write as _;

use hitscribe_models::generate::{LoadOptions, TokenModel};
use hitscribe_models::device::Device;
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_models::Hyperparameters;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a writable temporary file");
    let Ok(checkpoint) = Checkpoint::open(file.path()) else {
        return;
    };
    for key in checkpoint.keys() {
        let _ = checkpoint.read_f32(key);
    }
    let hyperparameters = Hyperparameters {
        heads: Some(2),
        ..Hyperparameters::default()
    };
    let options = LoadOptions {
        hyperparameters,
        ..LoadOptions::default()
    };
    let _ = TokenModel::load(file.path(), &options, Device::Cpu);
});
