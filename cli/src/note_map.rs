//! The note map of a MIDI file: built in, or a JSON file.

use std::fs;

use anyhow::{Context, Result, bail};
use hitscribe::midi::NoteMap;

/// Reads the value of `--note-map`: the name of a built-in map, or a file.
pub fn parse(value: &str) -> Result<NoteMap> {
    if let Some(map) = hitscribe_presets::note_map(value) {
        return Ok(map);
    }
    if !value.ends_with(".json") {
        let names: Vec<&str> = hitscribe_presets::note_map_names().collect();
        bail!("is neither a .json file nor one of {}", names.join(", "));
    }
    let text = fs::read_to_string(value).with_context(|| value.to_owned())?;
    NoteMap::parse(&text).map_err(anyhow::Error::msg)
}
