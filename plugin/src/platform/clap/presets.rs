//! Note maps and settings as presets in the host's browser: `preset-discovery` lists those of the
//! user, which are files, `preset-load` loads them and the note maps inside the plugin.

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

use clap_sys::ext::preset_load::{
    CLAP_EXT_PRESET_LOAD, clap_host_preset_load, clap_plugin_preset_load,
};
use clap_sys::factory::preset_discovery::*;
use clap_sys::plugin::clap_plugin;
use clap_sys::universal_plugin_id::clap_universal_plugin_id;
use clap_sys::version::CLAP_VERSION;
use hitscribe_core::midi::NoteMap;

use super::instance::Instance;
use super::{Connection, descriptor, text};
use crate::params::settings::Preset;
use crate::user_files;

pub(super) static FACTORY: clap_preset_discovery_factory = clap_preset_discovery_factory {
    count: Some(count),
    get_descriptor: Some(get_descriptor),
    create: Some(create),
};

pub(super) static LOAD: clap_plugin_preset_load = clap_plugin_preset_load {
    from_location: Some(from_location),
};

static DESCRIPTOR: clap_preset_discovery_provider_descriptor =
    clap_preset_discovery_provider_descriptor {
        clap_version: CLAP_VERSION,
        id: c"org.hitscribe.hitscribe.note-maps".as_ptr(),
        name: c"Hitscribe note maps".as_ptr(),
        vendor: c"Hitscribe".as_ptr(),
    };

unsafe extern "C" fn count(_factory: *const clap_preset_discovery_factory) -> u32 {
    1
}

unsafe extern "C" fn get_descriptor(
    _factory: *const clap_preset_discovery_factory,
    index: u32,
) -> *const clap_preset_discovery_provider_descriptor {
    match index {
        0 => &raw const DESCRIPTOR,
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn create(
    _factory: *const clap_preset_discovery_factory,
    indexer: *const clap_preset_discovery_indexer,
    id: *const c_char,
) -> *const clap_preset_discovery_provider {
    // SAFETY: the host passes C strings; that of the descriptor is constant.
    let is_ours = unsafe { text(id) == text(DESCRIPTOR.id) };
    if indexer.is_null() || !is_ours {
        return std::ptr::null();
    }
    Box::into_raw(Box::new(clap_preset_discovery_provider {
        desc: &raw const DESCRIPTOR,
        provider_data: indexer.cast_mut().cast(),
        init: Some(init),
        destroy: Some(destroy),
        get_metadata: Some(get_metadata),
        get_extension: Some(get_extension),
    }))
}

unsafe extern "C" fn destroy(provider: *const clap_preset_discovery_provider) {
    if !provider.is_null() {
        // SAFETY: the host passes what it got and does not use it again.
        drop(unsafe { Box::from_raw(provider.cast_mut()) });
    }
}

unsafe extern "C" fn get_extension(
    _provider: *const clap_preset_discovery_provider,
    _id: *const c_char,
) -> *const c_void {
    std::ptr::null()
}

/// What a file holds.
enum Found {
    Map(NoteMap),
    Settings(Preset),
}

fn read(path: &Path) -> Result<Found, String> {
    match user_files::read_preset(path) {
        Ok(preset) => Ok(Found::Settings(preset)),
        // A note map lacks what a preset has.
        Err(no_preset) => user_files::read_note_map(path)
            .map(Found::Map)
            .map_err(|no_map| format!("{no_preset}; {no_map}")),
    }
}

/// Declares the type of files and where they are.
unsafe extern "C" fn init(provider: *const clap_preset_discovery_provider) -> bool {
    // SAFETY: the host passes the provider, whose data is its indexer. All strings live until the
    // calls return.
    unsafe {
        let Some(provider) = provider.as_ref() else {
            return false;
        };
        let indexer = provider
            .provider_data
            .cast::<clap_preset_discovery_indexer>();
        let Some((Some(declare_type), Some(declare_place))) = indexer
            .as_ref()
            .map(|indexer| (indexer.declare_filetype, indexer.declare_location))
        else {
            return false;
        };
        let filetype = clap_preset_discovery_filetype {
            name: c"Hitscribe preset".as_ptr(),
            description: c"Settings, or the key and channel of each drum".as_ptr(),
            file_extension: c"json".as_ptr(),
        };
        // Those inside the plugin would be one location with many presets. clap-validator 0.4.1
        // waits for ever at the second preset of a location, since it locks its result twice; so
        // they can be loaded, but are not listed.
        let declare_folder = |name: &CStr, folder: &Path| {
            let path = folder.to_str().and_then(|path| CString::new(path).ok());
            // A folder that is not there yet is no fault.
            let Some(path) = path.filter(|_| folder.is_dir()) else {
                return true;
            };
            let place = clap_preset_discovery_location {
                flags: CLAP_PRESET_DISCOVERY_IS_USER_CONTENT,
                name: name.as_ptr(),
                kind: CLAP_PRESET_DISCOVERY_LOCATION_FILE,
                location: path.as_ptr(),
            };
            declare_place(indexer, &place)
        };
        declare_type(indexer, &filetype)
            && declare_folder(c"My note maps", &user_files::map_folder())
            && declare_folder(c"My settings", &user_files::preset_folder())
    }
}

/// Names the presets of a location.
unsafe extern "C" fn get_metadata(
    _provider: *const clap_preset_discovery_provider,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    receiver: *const clap_preset_discovery_metadata_receiver,
) -> bool {
    // SAFETY: the host passes C strings and its receiver.
    let (location, receiver) = unsafe { (text(location), receiver.as_ref()) };
    let Some(receiver) = receiver else {
        return false;
    };
    match (kind, location) {
        (CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, _) => {
            let known = hitscribe_presets::note_map_names();
            let maps = known.filter_map(|key| Some((key, hitscribe_presets::note_map(key)?)));
            for (key, map) in maps {
                let Ok(key) = CString::new(key) else { continue };
                // SAFETY: by the host.
                unsafe { describe(receiver, &Found::Map(map), Some(&key)) };
            }
            true
        }
        (CLAP_PRESET_DISCOVERY_LOCATION_FILE, Some(path)) => {
            match read(Path::new(&*path.to_string_lossy())) {
                Ok(found) => {
                    // SAFETY: by the host.
                    unsafe { describe(receiver, &found, None) };
                    true
                }
                Err(reason) => {
                    let reason = CString::new(reason).unwrap_or_default();
                    if let Some(on_error) = receiver.on_error {
                        // SAFETY: by the host.
                        unsafe { on_error(receiver, 0, reason.as_ptr()) };
                    }
                    false
                }
            }
        }
        _ => false,
    }
}

/// # Safety
/// The receiver is the host's.
unsafe fn describe(
    receiver: &clap_preset_discovery_metadata_receiver,
    found: &Found,
    key: Option<&CStr>,
) {
    let (name, feature, source) = match found {
        Found::Map(map) => (&map.name, c"note map", map.source.as_str()),
        Found::Settings(preset) => (&preset.name, c"settings", ""),
    };
    let Ok(name) = CString::new(name.as_str()) else {
        return;
    };
    let plugin = clap_universal_plugin_id {
        abi: c"clap".as_ptr(),
        id: descriptor().clap_id().as_ptr(),
    };
    let key = key.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: by the caller; all strings live until the calls return.
    unsafe {
        let begins = receiver
            .begin_preset
            .is_some_and(|begin| begin(receiver, name.as_ptr(), key));
        if !begins {
            return;
        }
        if let Some(add_plugin_id) = receiver.add_plugin_id {
            add_plugin_id(receiver, &plugin);
        }
        if let Some(add_feature) = receiver.add_feature {
            add_feature(receiver, feature.as_ptr());
            add_feature(receiver, c"drum".as_ptr());
        }
        let source = CString::new(source).unwrap_or_default();
        if let Some(describe) = receiver.set_description.filter(|_| !source.is_empty()) {
            describe(receiver, source.as_ptr());
        }
    }
}

/// # Safety
/// `plugin` is what the host got; this is the main thread.
unsafe fn load(
    plugin: *const clap_plugin,
    connection: &Connection,
    found: Found,
) -> Result<(), String> {
    match found {
        Found::Map(map) => {
            let params = connection.params().ok_or("no parameters")?;
            params.note_map.replace(&map);
        }
        Found::Settings(preset) => {
            // SAFETY: by the caller.
            let wrapper = unsafe { Instance::wrapper(plugin) }.ok_or("no instance")?;
            let mut state = preset.settings.into_state();
            if !wrapper.set_state_inner(&mut state) {
                return Err(format!("{} cannot be loaded", preset.name));
            }
        }
    }
    connection.follow_note_map();
    Ok(())
}

/// Loads a note map or settings into an instance. The take stays, and all that the file lacks.
unsafe extern "C" fn from_location(
    plugin: *const clap_plugin,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
) -> bool {
    // SAFETY: the host passes the plugin that it got, on the main thread, and C strings.
    let (connection, path, key) =
        unsafe { (Instance::connection(plugin), text(location), text(load_key)) };
    let Some(connection) = connection else {
        return false;
    };
    let found = match (kind, path, key) {
        (CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, _, Some(key)) => {
            let key = key.to_string_lossy();
            let map = hitscribe_presets::note_map(&key);
            map.map(Found::Map)
                .ok_or_else(|| format!("no note map {key:?}"))
        }
        (CLAP_PRESET_DISCOVERY_LOCATION_FILE, Some(path), _) => {
            read(Path::new(&*path.to_string_lossy()))
        }
        _ => Err("no preset is named".to_owned()),
    };
    // SAFETY: as above.
    let loaded = found.and_then(|found| unsafe { load(plugin, connection, found) });
    // SAFETY: the type is that of the extension; this is the main thread.
    let host = unsafe {
        connection
            .host()
            .extension::<clap_host_preset_load>(CLAP_EXT_PRESET_LOAD)
    };
    match loaded {
        Ok(()) => {
            if let Some(loaded) = host.and_then(|host| host.loaded) {
                // SAFETY: the host's own strings.
                unsafe { loaded(connection.host().as_ptr(), kind, location, load_key) };
            }
            true
        }
        Err(reason) => {
            let reason = CString::new(reason).unwrap_or_default();
            if let Some(on_error) = host.and_then(|host| host.on_error) {
                let host = connection.host().as_ptr();
                // SAFETY: the host's own strings, and one that lives until the call returns.
                unsafe { on_error(host, kind, location, load_key, 0, reason.as_ptr()) };
            }
            false
        }
    }
}
