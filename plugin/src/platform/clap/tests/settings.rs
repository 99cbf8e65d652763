//! Settings as presets in the host's browser.

use super::*;
use crate::params::own::set_for_test;
use crate::params::settings::{Preset, Settings};
use crate::user_files;

fn load_file(plugin: &Plugin, path: &std::path::Path) -> bool {
    let load: clap_plugin_preset_load = plugin.extension(CLAP_EXT_PRESET_LOAD);
    let path = CString::new(path.to_str().unwrap()).unwrap();
    let (kind, from) = (CLAP_PRESET_DISCOVERY_LOCATION_FILE, load.from_location);
    unsafe { from.unwrap()(plugin.plugin, kind, path.as_ptr(), std::ptr::null()) }
}

#[test]
fn files_of_settings_and_of_note_maps_are_loaded_and_leave_the_take_alone() {
    let folder = std::env::temp_dir().join(format!("hitscribe-settings-{}", std::process::id()));
    let wanted = HitscribeParams::default();
    set_for_test(&wanted.sensitivity, 0.75);
    let map = hitscribe_presets::note_map("roland-td").unwrap();
    wanted.note_map.replace(&map);
    let preset = Preset::new("Bright".to_owned(), Settings::of(&wanted));
    let preset = user_files::save_preset(&folder, &preset).unwrap();
    let other = hitscribe_presets::note_map("general-midi").unwrap();
    let other_path = user_files::save_note_map(&folder, &other).unwrap();
    let junk = folder.join("junk.json");
    std::fs::write(&junk, "{").unwrap();

    let plugin = Plugin::new();
    let params = plugin.params();
    params
        .take
        .take()
        .lock()
        .add_passage(Passage::new(48_000.0));
    assert!(load_file(&plugin, &preset));
    assert_eq!(params.sensitivity.value(), 0.75);
    assert_eq!(params.note_map.name(), map.name);
    assert!(load_file(&plugin, &other_path));
    assert_eq!(params.sensitivity.value(), 0.75);
    assert_eq!(params.note_map.name(), other.name);
    assert!(!load_file(&plugin, &junk));
    assert!(!load_file(&plugin, &folder.join("missing.json")));
    assert_eq!(params.take.take().lock().passages.len(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
