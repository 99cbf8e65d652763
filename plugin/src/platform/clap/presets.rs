//! Note maps as presets in the host's browser: `preset-discovery` lists those of the user, which are
//! files, `preset-load` loads them and those inside the plugin.

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
use super::{descriptor, text};
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
            name: c"Hitscribe note map".as_ptr(),
            description: c"The key and channel of each drum".as_ptr(),
            file_extension: c"json".as_ptr(),
        };
        // Those inside the plugin would be one location with many presets. clap-validator 0.4.1
        // waits for ever at the second preset of a location, since it locks its result twice; so
        // they can be loaded, but are not listed.
        let is_declared = declare_type(indexer, &filetype);
        let folder = user_files::map_folder();
        let Some(folder) = folder.to_str().and_then(|path| CString::new(path).ok()) else {
            return is_declared;
        };
        let user = clap_preset_discovery_location {
            flags: CLAP_PRESET_DISCOVERY_IS_USER_CONTENT,
            name: c"My note maps".as_ptr(),
            kind: CLAP_PRESET_DISCOVERY_LOCATION_FILE,
            location: folder.as_ptr(),
        };
        // A folder that is not there yet is no fault.
        let is_there = Path::new(&*folder.to_string_lossy()).is_dir();
        is_declared && (!is_there || declare_place(indexer, &user))
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
                unsafe { describe(receiver, &map, Some(&key)) };
            }
            true
        }
        (CLAP_PRESET_DISCOVERY_LOCATION_FILE, Some(path)) => {
            match user_files::read_note_map(Path::new(&*path.to_string_lossy())) {
                Ok(map) => {
                    // SAFETY: by the host.
                    unsafe { describe(receiver, &map, None) };
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
    map: &NoteMap,
    key: Option<&CStr>,
) {
    let Ok(name) = CString::new(map.name.as_str()) else {
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
            add_feature(receiver, c"note map".as_ptr());
            add_feature(receiver, c"drum".as_ptr());
        }
        let source = CString::new(map.source.as_str()).unwrap_or_default();
        if let Some(describe) = receiver.set_description.filter(|_| !source.is_empty()) {
            describe(receiver, source.as_ptr());
        }
    }
}

/// Loads a note map into an instance. The take and all other settings stay.
unsafe extern "C" fn from_location(
    plugin: *const clap_plugin,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
) -> bool {
    // SAFETY: the host passes the plugin that it got, on the main thread, and C strings.
    let (connection, path, key) =
        unsafe { (Instance::connection(plugin), text(location), text(load_key)) };
    let Some((connection, params)) = connection.and_then(|c| Some((c, c.params()?))) else {
        return false;
    };
    let map = match (kind, path, key) {
        (CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN, _, Some(key)) => {
            let key = key.to_string_lossy();
            hitscribe_presets::note_map(&key).ok_or_else(|| format!("no note map {key:?}"))
        }
        (CLAP_PRESET_DISCOVERY_LOCATION_FILE, Some(path), _) => {
            user_files::read_note_map(Path::new(&*path.to_string_lossy()))
        }
        _ => Err("no note map is named".to_owned()),
    };
    // SAFETY: the type is that of the extension; this is the main thread.
    let host = unsafe {
        connection
            .host()
            .extension::<clap_host_preset_load>(CLAP_EXT_PRESET_LOAD)
    };
    match map {
        Ok(map) => {
            params.note_map.replace(&map);
            connection.follow_note_map();
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
