//! The licences of all software in the plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// How names of licence files begin, in lower case.
const NAMES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "notice",
    "unlicense",
    "copyright",
];

/// Our own licences, and one text with those of the plugin's dependencies, by file name.
pub fn collect(root: &Path, metadata: &Value) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for (name, text) in licence_files(root)? {
        texts.push((name, text));
    }
    let mut third_party = String::from(
        "Hitscribe contains the following software. Each part is used under the licence named \
         with it.\n",
    );
    // Crates that share a text are listed above one copy of it.
    let mut by_text: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in linked_packages(metadata).context("cargo metadata has an unknown format")? {
        let field = |key: &str| package[key].as_str().unwrap_or("unknown").to_owned();
        let title = format!(
            "{} {} ({})",
            field("name"),
            field("version"),
            field("license")
        );
        let folder = Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent();
        let files = folder.map(licence_files).transpose()?.unwrap_or_default();
        let text = files
            .into_iter()
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
            .join("\n\n");
        by_text.entry(text).or_default().insert(title);
    }
    for (text, titles) in by_text {
        third_party.push_str(&format!("\n{}\n", "=".repeat(78)));
        for title in titles {
            third_party.push_str(&format!("{title}\n"));
        }
        if !text.is_empty() {
            third_party.push_str(&format!("\n{}\n", text.trim_end()));
        }
    }
    texts.push(("THIRD-PARTY.txt".to_owned(), third_party));
    Ok(texts)
}

/// Licence texts in a folder, by name.
fn licence_files(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let lower = name.to_lowercase();
        if entry.file_type()?.is_file() && NAMES.iter().any(|start| lower.starts_with(start)) {
            let bytes =
                fs::read(entry.path()).with_context(|| format!("{}", entry.path().display()))?;
            files.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    files.sort();
    Ok(files)
}

/// Packages from outside the workspace that are linked into the plugin.
fn linked_packages(metadata: &Value) -> Option<Vec<&Value>> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let plugin = packages
        .iter()
        .find(|(_, p)| p["name"] == "hitscribe-plugin")?
        .0;
    let mut seen = BTreeSet::from([*plugin]);
    let mut open = vec![*plugin];
    while let Some(id) = open.pop() {
        for dependency in nodes.get(id)?["deps"].as_array()? {
            let kinds = dependency["dep_kinds"].as_array()?;
            let is_linked = kinds.iter().any(|kind| kind["kind"].is_null());
            let id = dependency["pkg"].as_str()?;
            if is_linked && seen.insert(id) {
                open.push(id);
            }
        }
    }
    let foreign = |package: &&&Value| !package["source"].is_null();
    Some(
        seen.iter()
            .filter_map(|id| packages.get(id))
            .filter(foreign)
            .copied()
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_of_linked_crates_are_listed_and_no_others() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let metadata = crate::cargo::metadata().unwrap();
        let texts = collect(root, &metadata).unwrap();
        let (_, third_party) = texts
            .iter()
            .find(|(name, _)| name == "THIRD-PARTY.txt")
            .unwrap();
        assert!(third_party.contains("nice-plug 0.4.2 (ISC)"));
        assert!(third_party.contains("burn-tensor 0.21.0"));
        assert!(!third_party.contains("\nclack-host "));
    }
}
