//! The CLAP entry, with the extensions that the framework lacks: names of notes, states for
//! presets, presets in the host's browser, values of parameters as lists, what the host does with
//! parameters, and its menus for them.
//!
//! The framework makes the plugin; `instance` puts these extensions beside its own.

mod changes;
mod context_menu;
mod indications;
mod instance;
mod note_names;
mod parameters;
mod presets;
mod state_context;

use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

use clap_sys::entry::clap_plugin_entry;
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::factory::preset_discovery::{
    CLAP_PRESET_DISCOVERY_FACTORY_ID, CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT,
};
use clap_sys::host::clap_host;
use clap_sys::plugin::{clap_plugin, clap_plugin_descriptor};
use clap_sys::version::CLAP_VERSION;
use nice_plug::wrapper::clap::PluginDescriptor;
use nice_plug::wrapper::setup_logger;

use crate::Hitscribe;

pub use changes::{Connection, HostLink};

/// The entry point of the CLAP plugin.
#[unsafe(no_mangle)]
#[used]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init),
    deinit: Some(deinit),
    get_factory: Some(get_factory),
};

static FACTORY: clap_plugin_factory = clap_plugin_factory {
    get_plugin_count: Some(plugin_count),
    get_plugin_descriptor: Some(plugin_descriptor),
    create_plugin: Some(create_plugin),
};

extern "C" fn init(_path: *const c_char) -> bool {
    setup_logger::<Hitscribe>();
    true
}

extern "C" fn deinit() {}

extern "C" fn get_factory(id: *const c_char) -> *const c_void {
    // SAFETY: the host passes a C string or null.
    let Some(id) = (unsafe { text(id) }) else {
        return std::ptr::null();
    };
    if id == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else if id == CLAP_PRESET_DISCOVERY_FACTORY_ID
        || id == CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT
    {
        (&raw const presets::FACTORY).cast()
    } else {
        std::ptr::null()
    }
}

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<Hitscribe>)
}

unsafe extern "C" fn plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    match index {
        0 => descriptor().clap_plugin_descriptor(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    // SAFETY: the host passes a C string or null.
    let id = unsafe { text(id) };
    if host.is_null() || id != Some(descriptor().clap_id()) {
        return std::ptr::null();
    }
    // SAFETY: the host outlives the plugins that it makes.
    unsafe { instance::create(host) }
}

/// A C string of the host; none if it is null.
///
/// # Safety
/// The pointer is null or points to a C string that outlives the result.
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    // SAFETY: by the caller.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

/// Copies a text into a field of fixed length, with its closing zero. A text that is too long is
/// cut between characters.
fn copy_text(field: &mut [c_char], text: &str) {
    let room = field.len().saturating_sub(1);
    let end = (0..=room.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    field.fill(0);
    for (to, from) in field.iter_mut().zip(text[..end].bytes()) {
        *to = from as c_char;
    }
}

#[cfg(test)]
mod tests;
