//! The renderer from outside.

use std::process::Command;

fn renderer(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hitscribe-train"))
        .args(arguments)
        .output()
        .expect("the renderer runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), errors)
}

#[test]
fn a_length_that_is_no_whole_number_of_frames_is_refused() {
    let (ok, errors) = renderer(&[
        "segments",
        "--bank",
        ".",
        "--count",
        "1",
        "--seconds",
        "4.1",
    ]);
    assert!(!ok && errors.contains("multiple of 0.008 s"), "{errors}");
}

#[test]
fn a_bank_without_sounds_is_named_as_such() {
    let empty = std::env::temp_dir().join(format!("hitscribe-no-bank-{}", std::process::id()));
    std::fs::create_dir_all(&empty).expect("a folder");
    let path = empty.display().to_string();
    let (ok, errors) = renderer(&["segments", "--bank", &path, "--count", "1"]);
    std::fs::remove_dir_all(&empty).expect("the folder goes");
    assert!(!ok && errors.contains("no one-shots"), "{errors}");
}
