//! The note map of a MIDI file: built in, or a JSON file.

use std::fs;

use anyhow::{Error, Result, anyhow, bail};
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
    // The parser of arguments shows one line, without causes.
    let text = fs::read_to_string(value).map_err(|error| anyhow!("cannot be read: {error}"))?;
    NoteMap::parse(&text).map_err(Error::msg)
}
