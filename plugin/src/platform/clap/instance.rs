//! An instance of the plugin: the framework's, with further extensions.

use std::ffi::{CStr, c_char, c_void};
use std::sync::{Arc, OnceLock};

use clap_sys::ext::note_name::CLAP_EXT_NOTE_NAME;
use clap_sys::ext::param_indication::{
    CLAP_EXT_PARAM_INDICATION, CLAP_EXT_PARAM_INDICATION_COMPAT,
};
use clap_sys::ext::params::{CLAP_EXT_PARAMS, clap_plugin_params};
use clap_sys::ext::preset_load::{CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::ext::state_context::CLAP_EXT_STATE_CONTEXT;
use clap_sys::host::clap_host;
use clap_sys::plugin::clap_plugin;
use clap_sys::stream::clap_istream;
use nice_plug::wrapper::clap::Wrapper;

use super::changes::{Connection, HostPointer};
use super::{indications, note_names, parameters, presets, state_context, text};
use crate::Hitscribe;
use crate::process::rebuild::Task;

/// What the host gets. The framework's functions find their part by `plugin_data`, which is that of
/// the framework's plugin; ours find it by `plugin`, which is the first field.
#[repr(C)]
pub(super) struct Instance {
    plugin: clap_plugin,
    framework: *const clap_plugin,
    connection: Arc<Connection>,
    params: OnceLock<clap_plugin_params>,
    state: OnceLock<clap_plugin_state>,
}

/// Makes an instance.
///
/// # Safety
/// The host outlives it. To be called on the host's main thread.
pub(super) unsafe fn create(host: *const clap_host) -> *const clap_plugin {
    // SAFETY: by the caller.
    let (connection, framework) = unsafe {
        let framework = Wrapper::<Hitscribe>::new(host);
        let ids = framework.param_ptr_to_hash.clone();
        let connection = Connection::new(HostPointer::new(host), ids);
        (Arc::new(connection), framework)
    };
    (framework.task_executor.lock())(Task::Connect(connection.clone()));
    // `destroy` of the framework takes this count back.
    let framework = framework_plugin(Arc::into_raw(framework));
    // SAFETY: the framework's plugin lives until `destroy`.
    let table = unsafe { *framework };
    let instance = Box::new(Instance {
        plugin: clap_plugin {
            get_extension: Some(get_extension),
            destroy: Some(destroy),
            ..table
        },
        framework,
        connection,
        params: OnceLock::new(),
        state: OnceLock::new(),
    });
    Box::into_raw(instance).cast()
}

fn framework_plugin(wrapper: *const Wrapper<Hitscribe>) -> *const clap_plugin {
    // SAFETY: the caller has just made it.
    unsafe { (*wrapper).clap_plugin.as_ptr() }
}

impl Instance {
    /// # Safety
    /// The pointer is null or what [`create`] returned and not yet destroyed.
    unsafe fn of<'a>(plugin: *const clap_plugin) -> Option<&'a Self> {
        // SAFETY: `plugin` is the first field of an instance.
        unsafe { plugin.cast::<Self>().as_ref() }
    }

    /// The connection to the host.
    ///
    /// # Safety
    /// As for [`Instance::of`].
    pub(super) unsafe fn connection<'a>(plugin: *const clap_plugin) -> Option<&'a Connection> {
        // SAFETY: by the caller.
        unsafe { Self::of(plugin) }.map(|instance| instance.connection.as_ref())
    }

    /// The framework's instance.
    ///
    /// # Safety
    /// As for [`Instance::of`].
    pub(super) unsafe fn wrapper<'a>(plugin: *const clap_plugin) -> Option<&'a Wrapper<Hitscribe>> {
        // SAFETY: `plugin_data` is the framework's instance until `destroy`.
        unsafe {
            let plugin = plugin.as_ref()?;
            plugin.plugin_data.cast::<Wrapper<Hitscribe>>().as_ref()
        }
    }

    /// An extension of the framework.
    ///
    /// # Safety
    /// `T` is the type of the extension with this name.
    pub(super) unsafe fn framework_extension<T: Copy>(&self, name: &CStr) -> Option<T> {
        // SAFETY: the framework's extensions live as long as its plugin.
        unsafe {
            let get = (*self.framework).get_extension?;
            get(self.framework, name.as_ptr())
                .cast::<T>()
                .as_ref()
                .copied()
        }
    }

    /// The framework's functions for parameters.
    ///
    /// # Safety
    /// As for [`Instance::of`].
    pub(super) unsafe fn framework_params(
        plugin: *const clap_plugin,
    ) -> Option<clap_plugin_params> {
        // SAFETY: by the caller; the type is that of the extension.
        unsafe { Self::of(plugin)?.framework_extension(CLAP_EXT_PARAMS) }
    }
}

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    if plugin.is_null() {
        return;
    }
    // SAFETY: the host passes what it got and does not use it again.
    unsafe {
        let instance = Box::from_raw(plugin.cast_mut().cast::<Instance>());
        if let Some(destroy) = (*instance.framework).destroy {
            destroy(instance.framework);
        }
    }
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    // SAFETY: the host passes the plugin that it got, and a C string.
    let (Some(instance), Some(name)) = (unsafe { (Instance::of(plugin), text(id)) }) else {
        return std::ptr::null();
    };
    if name == CLAP_EXT_NOTE_NAME {
        (&raw const note_names::EXTENSION).cast()
    } else if name == CLAP_EXT_PARAM_INDICATION || name == CLAP_EXT_PARAM_INDICATION_COMPAT {
        (&raw const indications::EXTENSION).cast()
    } else if name == CLAP_EXT_STATE_CONTEXT {
        (&raw const state_context::EXTENSION).cast()
    } else if name == CLAP_EXT_PRESET_LOAD || name == CLAP_EXT_PRESET_LOAD_COMPAT {
        (&raw const presets::LOAD).cast()
    } else if name == CLAP_EXT_PARAMS {
        let params = instance.params.get_or_init(|| {
            // SAFETY: the type is that of the extension.
            let own = unsafe { instance.framework_extension::<clap_plugin_params>(name) };
            parameters::extension(own)
        });
        std::ptr::from_ref(params).cast()
    } else if name == CLAP_EXT_STATE {
        let state = instance.state.get_or_init(|| {
            // SAFETY: the type is that of the extension.
            let own = unsafe { instance.framework_extension::<clap_plugin_state>(name) };
            clap_plugin_state {
                save: own.and_then(|own| own.save),
                load: Some(load),
            }
        });
        std::ptr::from_ref(state).cast()
    } else {
        // SAFETY: the framework's function gets its own plugin.
        unsafe {
            (*instance.framework)
                .get_extension
                .map_or(std::ptr::null(), |get| get(instance.framework, id))
        }
    }
}

/// Loads a state, which may have another note map.
unsafe extern "C" fn load(plugin: *const clap_plugin, stream: *const clap_istream) -> bool {
    // SAFETY: the host passes the plugin that it got; the type is that of the extension.
    let loaded = unsafe {
        Instance::of(plugin).is_some_and(|instance| {
            let state = instance.framework_extension::<clap_plugin_state>(CLAP_EXT_STATE);
            let load = state.and_then(|state| state.load);
            load.is_some_and(|load| load(plugin, stream))
        })
    };
    // SAFETY: as above, on the main thread.
    if let Some(connection) = unsafe { Instance::connection(plugin) } {
        connection.follow_note_map();
    }
    loaded
}
