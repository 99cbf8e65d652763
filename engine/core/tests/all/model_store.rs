//! The local model store.

use std::fs;
use std::path::Path;

use hitscribe_core::model_store::{Integrity, Store, Transfer};

const BYTES: &[u8] = b"some weights";

fn store(folder: &Path) -> Store {
    Store::at(folder.join("models"))
}

fn hidden(store: &Store) -> usize {
    let entries = fs::read_dir(store.folder()).unwrap();
    entries
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        })
        .count()
}

#[test]
fn a_model_is_added_listed_found_verified_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (
        store(folder.path()),
        folder.path().join("My Checkpoint.PTH"),
    );
    fs::write(&file, BYTES).unwrap();
    assert!(store.list().unwrap().is_empty());
    let model = store.add(&file, None, Transfer::Copy).unwrap();
    assert_eq!(
        (model.name.as_str(), model.file_name.as_str()),
        ("my-checkpoint", "weights.pth")
    );
    assert_eq!(
        (model.size_bytes, model.sha256.len()),
        (BYTES.len() as u64, 64)
    );
    assert!(file.exists());
    assert_eq!(fs::read(store.weights_path(&model)).unwrap(), BYTES);
    assert_eq!(
        store.find("my-checkpoint").unwrap(),
        store.weights_path(&model)
    );
    assert_eq!(store.find(file.to_str().unwrap()).unwrap(), file);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(store.verify("my-checkpoint").unwrap(), Integrity::Intact);
    assert_eq!(store.add(&file, None, Transfer::Copy).unwrap(), model);
    store.remove("my-checkpoint").unwrap();
    assert!(store.list().unwrap().is_empty());
    assert_eq!(hidden(&store), 0);
}

#[test]
fn a_move_removes_the_original_and_names_are_unique() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (store(folder.path()), folder.path().join("a.safetensors"));
    fs::write(&file, BYTES).unwrap();
    store.add(&file, Some("one"), Transfer::Move).unwrap();
    assert!(!file.exists());
    fs::write(&file, b"other bytes").unwrap();
    let error = store
        .add(&file, Some("one"), Transfer::Copy)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--as"), "{error}");
    store.add(&file, Some("two"), Transfer::Copy).unwrap();
    assert_eq!(store.list().unwrap().len(), 2);
}

#[test]
fn a_failed_move_keeps_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (store(folder.path()), folder.path().join("m.ckpt"));
    fs::write(&file, BYTES).unwrap();
    // A file in the place of the model's folder.
    fs::create_dir_all(store.folder()).unwrap();
    fs::write(store.folder().join("m"), b"").unwrap();
    assert!(store.add(&file, None, Transfer::Move).is_err());
    assert_eq!(fs::read(&file).unwrap(), BYTES);
    assert_eq!(hidden(&store), 0);
}

#[test]
fn damage_is_detected_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (store(folder.path()), folder.path().join("m.ckpt"));
    fs::write(&file, BYTES).unwrap();
    let model = store.add(&file, None, Transfer::Copy).unwrap();
    fs::write(store.weights_path(&model), b"damaged").unwrap();
    assert!(
        matches!(store.verify("m").unwrap(), Integrity::Changed { sha256 } if sha256.len() == 64)
    );
    store.add(&file, None, Transfer::Copy).unwrap();
    assert_eq!(store.verify("m").unwrap(), Integrity::Intact);
    fs::remove_file(store.weights_path(&model)).unwrap();
    assert!(matches!(
        store.verify("m").unwrap(),
        Integrity::Unreadable { .. }
    ));
    let entry = store.folder().join("m/model.json");
    let text = fs::read_to_string(&entry)
        .unwrap()
        .replace("weights.ckpt", "../../m.ckpt");
    fs::write(&entry, text).unwrap();
    assert!(
        store
            .get("m")
            .unwrap_err()
            .to_string()
            .contains("does not belong")
    );
    fs::write(&entry, "{").unwrap();
    assert!(matches!(
        store.verify("m").unwrap(),
        Integrity::Unreadable { .. }
    ));
    assert!(store.list().unwrap()[0].1.is_err());
    store.remove("m").unwrap();
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn bad_names_and_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (store(folder.path()), folder.path().join("m.ckpt"));
    fs::write(&file, BYTES).unwrap();
    for name in [
        "",
        ".hidden",
        "..",
        "a/b",
        "UPPER",
        "a b",
        "end.",
        &"x".repeat(65),
    ] {
        assert!(
            store.add(&file, Some(name), Transfer::Copy).is_err(),
            "{name:?}"
        );
        assert!(store.remove(name).is_err(), "{name:?}");
        assert!(store.get(name).is_err(), "{name:?}");
    }
    assert!(
        store
            .add(folder.path(), None, Transfer::Copy)
            .unwrap_err()
            .to_string()
            .contains("not a file")
    );
    assert!(
        store
            .add(&folder.path().join("none"), None, Transfer::Copy)
            .is_err()
    );
    assert!(
        store
            .remove("none")
            .unwrap_err()
            .to_string()
            .contains("models list")
    );
    assert!(
        store
            .find("mt3")
            .unwrap_err()
            .to_string()
            .contains("models fetch mt3")
    );
    assert!(
        store
            .find("no such thing")
            .unwrap_err()
            .to_string()
            .contains("neither")
    );
}
