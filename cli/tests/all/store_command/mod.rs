//! `hitscribe` with a store of its own.

use std::path::Path;
use std::process::{Command, Output};

pub fn hitscribe(store: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .env("HITSCRIBE_MODELS", store)
        .args(args)
        .output()
        .unwrap()
}

#[track_caller]
pub fn succeeds(store: &Path, args: &[&str]) -> String {
    let out = hitscribe(store, args);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

#[track_caller]
pub fn fails(store: &Path, args: &[&str], expected: &str) {
    let out = hitscribe(store, args);
    let error = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    assert!(error.contains(expected), "{error:?} lacks {expected:?}");
}
