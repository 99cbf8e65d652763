//! `state-context`: a preset of the host leaves out what belongs to a project or a computer; a
//! project and a duplicate have everything.

use std::ffi::c_void;

use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::ext::state_context::{
    CLAP_STATE_CONTEXT_FOR_PRESET, clap_plugin_state_context, clap_plugin_state_context_type,
};
use clap_sys::plugin::clap_plugin;
use clap_sys::stream::{clap_istream, clap_ostream};
use nice_plug::prelude::PluginState;

use super::instance::Instance;
use crate::params::settings::keep_settings;

pub(super) static EXTENSION: clap_plugin_state_context = clap_plugin_state_context {
    save: Some(save),
    load: Some(load),
};

/// Larger presets are not read: they are a few kilobytes.
const MAX_PRESET_BYTES: u64 = 64 << 20;

unsafe extern "C" fn save(
    plugin: *const clap_plugin,
    stream: *const clap_ostream,
    context: clap_plugin_state_context_type,
) -> bool {
    // SAFETY: the host passes the plugin that it got and an open stream, on the main thread.
    unsafe {
        if context != CLAP_STATE_CONTEXT_FOR_PRESET {
            return state_of(plugin)
                .and_then(|state| state.save)
                .is_some_and(|save| save(plugin, stream));
        }
        let Some(wrapper) = Instance::wrapper(plugin) else {
            return false;
        };
        let mut state = wrapper.get_state_object();
        keep_settings(&mut state);
        let Ok(text) = serde_json::to_vec(&state) else {
            return false;
        };
        // The form of the framework's states.
        let length = (text.len() as u64).to_le_bytes();
        stream
            .as_ref()
            .is_some_and(|stream| write(stream, &length) && write(stream, &text))
    }
}

unsafe extern "C" fn load(
    plugin: *const clap_plugin,
    stream: *const clap_istream,
    context: clap_plugin_state_context_type,
) -> bool {
    // SAFETY: the host passes the plugin that it got and an open stream, on the main thread.
    unsafe {
        if context != CLAP_STATE_CONTEXT_FOR_PRESET {
            // Ours, which follows the note map.
            return state_of(plugin)
                .and_then(|state| state.load)
                .is_some_and(|load| load(plugin, stream));
        }
        let read = stream.as_ref().and_then(|stream| read_state(stream));
        let (Some(mut state), Some(wrapper)) = (read, Instance::wrapper(plugin)) else {
            return false;
        };
        // Presets of hosts without this extension have a take.
        keep_settings(&mut state);
        let is_loaded = wrapper.set_state_inner(&mut state);
        if let Some(connection) = Instance::connection(plugin) {
            connection.follow_note_map();
        }
        is_loaded
    }
}

/// The extension for whole states.
///
/// # Safety
/// `plugin` is what the host got.
unsafe fn state_of(plugin: *const clap_plugin) -> Option<clap_plugin_state> {
    // SAFETY: by the caller; the type is that of the extension.
    unsafe {
        let get = plugin.as_ref()?.get_extension?;
        get(plugin, CLAP_EXT_STATE.as_ptr())
            .cast::<clap_plugin_state>()
            .as_ref()
            .copied()
    }
}

/// # Safety
/// The stream is open.
unsafe fn read_state(stream: &clap_istream) -> Option<PluginState> {
    let mut length = [0; 8];
    // SAFETY: by the caller.
    unsafe { read(stream, &mut length) }.then_some(())?;
    let length = u64::from_le_bytes(length);
    if length > MAX_PRESET_BYTES {
        return None;
    }
    let mut text = Vec::new();
    text.try_reserve_exact(length as usize).ok()?;
    text.resize(length as usize, 0);
    // SAFETY: by the caller.
    unsafe { read(stream, &mut text) }.then_some(())?;
    serde_json::from_slice(&text).ok()
}

/// Fills the buffer; false if the stream ends before.
///
/// # Safety
/// The stream is open.
unsafe fn read(stream: &clap_istream, buffer: &mut [u8]) -> bool {
    let Some(read) = stream.read else {
        return false;
    };
    let mut rest = buffer;
    while !rest.is_empty() {
        let room = rest.len() as u64;
        // SAFETY: the host writes at most `room` bytes.
        let count = unsafe { read(stream, rest.as_mut_ptr().cast::<c_void>(), room) };
        match usize::try_from(count) {
            Ok(count) if (1..=rest.len()).contains(&count) => rest = &mut rest[count..],
            _ => return false,
        }
    }
    true
}

/// Writes everything.
///
/// # Safety
/// The stream is open.
unsafe fn write(stream: &clap_ostream, bytes: &[u8]) -> bool {
    let Some(write) = stream.write else {
        return false;
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the host reads at most as many bytes.
        let count = unsafe { write(stream, rest.as_ptr().cast::<c_void>(), rest.len() as u64) };
        match usize::try_from(count) {
            Ok(count) if (1..=rest.len()).contains(&count) => rest = &rest[count..],
            _ => return false,
        }
    }
    true
}
