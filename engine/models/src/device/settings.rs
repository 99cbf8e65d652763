//! The settings of the GPU backends: their own defaults, whatever the working folder contains.
//!
//! Left to themselves they read `cubecl.toml` and `burn.toml` in the working folder of the process
//! and in all folders above it. In a plugin that is the host's; a file there could have them write
//! logs anywhere, and one that is damaged, or a working folder that is gone, panics.
//!
//! There is no cache of compiled kernels on disk: drivers keep their own. That of cubecl 0.10 is
//! for CUDA alone (`cubecl-cuda/src/compute/context.rs`); it names kernels by their Rust types, not
//! by the code, the compiler or the card, hands the file's bytes to the driver unchecked, and
//! panics when the disk is full.

use burn_std::config::BurnConfig;
use cubecl_runtime::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Sets them, unless a program that contains this crate has done so. To be called before a backend
/// is used.
pub(super) fn set() {
    static SET: std::sync::Once = std::sync::Once::new();
    SET.call_once(|| {
        set_defaults::<CubeClRuntimeConfig>();
        set_defaults::<BurnConfig>();
    });
}

fn set_defaults<T: RuntimeConfig>() {
    // Not `set`, which panics if there are settings.
    T::storage().lock().get_or_insert_with(Default::default);
}
