//! `hitscribe models`; downloads are in fetch.rs.

use super::store_command::{fails, succeeds};

#[test]
fn files_are_added_listed_verified_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (
        folder.path().join("store"),
        folder.path().join("My Model.ckpt"),
    );
    let tiny = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../engine/models/tests/data/mt3_family/tiny.pth"
    );
    std::fs::copy(tiny, &file).unwrap();
    let path = file.to_str().unwrap();
    succeeds(&store, &["models", "add", path]);
    succeeds(&store, &["models", "add", path, "--as", "second"]);
    let listed = succeeds(&store, &["models", "list"]);
    assert!(
        listed.contains("my-model") && listed.contains("second"),
        "{listed}"
    );
    assert!(
        listed.contains("b8a3807ed265059abd25ad7f68142c06c35e8f6144dcaa45bd55946a3745398f"),
        "{listed}"
    );
    assert!(succeeds(&store, &["models", "verify"]).contains("second: good"));
    std::fs::write(store.join("second/weights.ckpt"), b"rotten").unwrap();
    fails(&store, &["models", "verify"], "second");
    succeeds(&store, &["models", "verify", "my-model"]);
    succeeds(&store, &["models", "remove", "second"]);
    succeeds(&store, &["models", "verify"]);
    fails(&store, &["models", "remove", "second"], "second");
    fails(&store, &["models", "verify", "second"], "second");
    fails(
        &store,
        &[
            "models",
            "add",
            folder.path().join("missing").to_str().unwrap(),
        ],
        "missing",
    );
    fails(
        &store,
        &["models", "add", folder.path().to_str().unwrap()],
        "not a file",
    );
    let text = folder.path().join("text.ckpt");
    std::fs::write(&text, b"no weights").unwrap();
    fails(
        &store,
        &["models", "add", text.to_str().unwrap()],
        "is not a checkpoint",
    );
    fails(
        &store,
        &["models", "add", path, "--as", "../up"],
        "is not a valid model name",
    );
    fails(
        &store,
        &["models", "add", path, "--as", "auto"],
        "choosing a model by content",
    );
}
