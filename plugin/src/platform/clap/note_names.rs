//! `note-name`: the drums of the note map in the host's piano roll.

use std::collections::BTreeMap;

use clap_sys::ext::note_name::{clap_note_name, clap_plugin_note_name};
use clap_sys::plugin::clap_plugin;
use hitscribe_core::DrumClass;
use hitscribe_core::midi::NoteMap;

use super::copy_text;
use super::instance::Instance;

pub(super) static EXTENSION: clap_plugin_note_name = clap_plugin_note_name {
    count: Some(count),
    get: Some(get),
};

/// The drums that a map sends, by channel from 0 and key. Drums on the same key share its name.
pub(super) fn names(map: &NoteMap) -> BTreeMap<(u8, u8), String> {
    let mut names = BTreeMap::<(u8, u8), String>::new();
    for class in DrumClass::ALL {
        let entry = map.class(class);
        if entry.on {
            let name = names
                .entry((entry.channel.saturating_sub(1), entry.key))
                .or_default();
            if !name.is_empty() {
                name.push_str(" / ");
            }
            name.push_str(class.label());
        }
    }
    names
}

unsafe extern "C" fn count(plugin: *const clap_plugin) -> u32 {
    // SAFETY: the host passes the plugin that it got, on the main thread.
    let Some(connection) = (unsafe { Instance::connection(plugin) }) else {
        return 0;
    };
    let Some(params) = connection.params() else {
        return 0;
    };
    let map = params.note_map.current();
    let count = names(&map).len() as u32;
    connection.host_knows(map);
    count
}

unsafe extern "C" fn get(
    plugin: *const clap_plugin,
    index: u32,
    note_name: *mut clap_note_name,
) -> bool {
    // SAFETY: the host passes the plugin that it got, on the main thread.
    let connection = unsafe { Instance::connection(plugin) };
    // SAFETY: null or room for a name.
    let to = unsafe { note_name.as_mut() };
    let (Some(params), Some(to)) = (connection.and_then(|c| c.params()), to) else {
        return false;
    };
    let names = names(&params.note_map.current());
    let Some(((channel, key), name)) = names.into_iter().nth(index as usize) else {
        return false;
    };
    copy_text(&mut to.name, &name);
    // Every port.
    to.port = -1;
    to.key = i16::from(key);
    to.channel = i16::from(channel);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::midi::ClassMap;

    #[test]
    fn drums_that_are_sent_have_names_and_share_keys() {
        let mut map = NoteMap::gm();
        let all = names(&map);
        assert_eq!(all[&(9, 36)], "Kick");
        assert_eq!(all.len(), DrumClass::ALL.len());
        let snare = map.class(DrumClass::Snare);
        let mut set = |class: DrumClass, entry: ClassMap| {
            map.classes.insert(class.key().to_owned(), entry);
        };
        set(DrumClass::Snare, ClassMap { key: 36, ..snare });
        set(DrumClass::OpenHat, ClassMap { on: false, ..snare });
        let some = names(&map);
        assert_eq!(some[&(9, 36)], "Kick / Snare");
        assert_eq!(some.len(), DrumClass::ALL.len() - 2);
    }
}
