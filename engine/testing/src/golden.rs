//! Golden files: where they are, and how to read them.
//!
//! Most of them are in a folder next to the repository, `../shared/parity`. Tests that need one
//! skip themselves when it is missing. Tests that were carried to another computer find their data
//! in the folder that the environment variable [`DATA`] names.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Names a folder with `parity` and `mt3_family` in it.
pub const DATA: &str = "HITSCRIBE_TEST_DATA";

/// The folder `name` in [`DATA`], or else `in_tree`.
fn folder(name: &str, in_tree: &str) -> PathBuf {
    std::env::var_os(DATA).map_or_else(|| in_tree.into(), |data| Path::new(&data).join(name))
}

/// Path of the golden file `name`. If it is missing, prints that the test is skipped and returns
/// `None`.
pub fn golden(name: &str) -> Option<PathBuf> {
    let in_tree = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/parity");
    let path = folder("parity", in_tree).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no golden data at {}", path.display());
    None
}

/// Path of a tiny model in the repository, of those that `make_tiny.py` in their folder makes.
pub fn tiny_model(name: &str) -> PathBuf {
    let in_tree = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tests/data/mt3_family"
    );
    folder("mt3_family", in_tree).join(name)
}

/// The golden JSON file `name`; `None` as in [`golden`].
pub fn golden_json<T: DeserializeOwned>(name: &str) -> Option<T> {
    golden(name).map(|path| read_json(&path))
}

/// The contents of a JSON file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).expect("golden file is readable");
    serde_json::from_str(&text).expect("golden file is JSON of this type")
}

/// A number.
pub fn f64_of(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// A list of integers.
pub fn ints(value: &Value) -> Vec<i32> {
    let integer = |id: &Value| id.as_i64().expect("an integer") as i32;
    list(value).iter().map(integer).collect()
}

/// A list of numbers.
pub fn floats(value: &Value) -> Vec<f64> {
    list(value).iter().map(f64_of).collect()
}

/// A list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}
