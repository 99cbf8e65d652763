//! The built-in presets: the JSON files in `presets/note-maps`.

#![forbid(unsafe_code)]

use hitscribe_core::midi::NoteMap;

/// Name of the file and its text.
const NOTE_MAPS: [(&str, &str); 15] = [
    (
        "general-midi",
        include_str!("../note-maps/general-midi.json"),
    ),
    ("roland-td", include_str!("../note-maps/roland-td.json")),
    (
        "pads-from-c1",
        include_str!("../note-maps/pads-from-c1.json"),
    ),
    (
        "one-channel-per-piece",
        include_str!("../note-maps/one-channel-per-piece.json"),
    ),
    (
        "mpe-channels",
        include_str!("../note-maps/mpe-channels.json"),
    ),
    ("bfd3", include_str!("../note-maps/bfd3.json")),
    (
        "ggd-invasion",
        include_str!("../note-maps/ggd-invasion.json"),
    ),
    (
        "logic-drum-kit-designer",
        include_str!("../note-maps/logic-drum-kit-designer.json"),
    ),
    ("ml-drums", include_str!("../note-maps/ml-drums.json")),
    (
        "mt-power-drum-kit",
        include_str!("../note-maps/mt-power-drum-kit.json"),
    ),
    (
        "ni-studio-drummer",
        include_str!("../note-maps/ni-studio-drummer.json"),
    ),
    (
        "steven-slate-drums-5",
        include_str!("../note-maps/steven-slate-drums-5.json"),
    ),
    (
        "toontrack-ezdrummer-3",
        include_str!("../note-maps/toontrack-ezdrummer-3.json"),
    ),
    (
        "toontrack-superior-drummer-3",
        include_str!("../note-maps/toontrack-superior-drummer-3.json"),
    ),
    (
        "xln-addictive-drums-2",
        include_str!("../note-maps/xln-addictive-drums-2.json"),
    ),
];

/// The built-in note maps. The first is General MIDI.
pub fn note_maps() -> Vec<NoteMap> {
    NOTE_MAPS
        .iter()
        .filter_map(|(_, text)| NoteMap::parse(text).ok())
        .collect()
}

/// The built-in note map of this name, such as `roland-td`.
pub fn note_map(name: &str) -> Option<NoteMap> {
    let (_, text) = NOTE_MAPS.iter().find(|(known, _)| *known == name)?;
    NoteMap::parse(text).ok()
}

/// The names of the built-in note maps.
pub fn note_map_names() -> impl Iterator<Item = &'static str> {
    NOTE_MAPS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use hitscribe_core::DrumClass;
    use hitscribe_core::midi::ClassMap;

    use super::*;

    #[test]
    fn every_preset_lists_all_classes_with_distinct_keys() {
        let presets = note_maps();
        assert_eq!(presets.len(), NOTE_MAPS.len(), "a preset cannot be read");
        assert_eq!(
            presets[0].class(DrumClass::Kick),
            ClassMap::gm(DrumClass::Kick)
        );
        let mut names: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for preset in presets {
            let mut keys: Vec<&str> = preset.classes.keys().map(String::as_str).collect();
            let mut known = DrumClass::ALL.map(DrumClass::key).to_vec();
            keys.sort_unstable();
            known.sort_unstable();
            assert_eq!(keys, known, "{}", preset.name);
            let sent = DrumClass::ALL.map(|class| preset.class(class));
            assert!(sent[DrumClass::Kick.index()].on && sent[DrumClass::Snare.index()].on);
            let mut destinations: Vec<(u8, u8)> = sent
                .iter()
                .filter(|map| map.on)
                .map(|map| (map.channel, map.key))
                .collect();
            destinations.sort_unstable();
            assert!(
                destinations.windows(2).all(|pair| pair[0] != pair[1]),
                "{}",
                preset.name
            );
        }
    }
}
