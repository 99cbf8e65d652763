//! The native module `hitscribe._native`: the engine and the command for Python.
//!
//! It converts values and errors and releases the GIL; everything that users see is in
//! `python/hitscribe`. Audio comes as `bytes` of interleaved float32 samples: the buffer protocol is
//! not part of the stable ABI of CPython 3.9.

#![cfg(feature = "extension")]

mod errors;
mod notes;
mod session;
mod transcriber;

use std::ffi::OsString;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::main;
    #[pymodule_export]
    use crate::notes::{beats, evaluate, midi};
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::transcriber::Transcriber;

    use hitscribe::DrumClass;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add(
            "AUDIO_EXTENSIONS",
            hitscribe::audio::file::EXTENSIONS.to_vec(),
        )?;
        let key_and_class = |key| Some((key, DrumClass::from_gm_note(key)?.key()));
        let classes: Vec<(u8, &str)> = (0..128).filter_map(key_and_class).collect();
        module.add("DRUM_CLASSES", classes)
    }
}

/// Runs the command. `arguments` begins with the name of the program. Returns the exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| hitscribe_cli::main_from(arguments))
}
