//! Parameters whose values are a list: hosts then show a menu.

use clap_sys::ext::params::{CLAP_PARAM_IS_ENUM, clap_param_info, clap_plugin_params};
use clap_sys::plugin::clap_plugin;
use nice_plug::params::internals::ParamPtr;

use super::instance::Instance;

/// The framework's extension with the list flag.
pub(super) fn extension(framework: Option<clap_plugin_params>) -> clap_plugin_params {
    let empty = clap_plugin_params {
        count: None,
        get_info: None,
        get_value: None,
        value_to_text: None,
        text_to_value: None,
        flush: None,
    };
    clap_plugin_params {
        get_info: Some(get_info),
        ..framework.unwrap_or(empty)
    }
}

unsafe extern "C" fn get_info(
    plugin: *const clap_plugin,
    index: u32,
    info: *mut clap_param_info,
) -> bool {
    // SAFETY: the host passes the plugin that it got and room for the information.
    unsafe {
        let Some(params) = Instance::framework_params(plugin) else {
            return false;
        };
        // The framework panics one index after the last.
        if params.count.is_none_or(|count| index >= count(plugin)) {
            return false;
        }
        let is_known = params.get_info.is_some_and(|get| get(plugin, index, info));
        let (Some(wrapper), Some(info)) = (Instance::wrapper(plugin), info.as_mut()) else {
            return false;
        };
        let is_list = |(pointer, id): (&ParamPtr, &u32)| {
            *id == info.id && matches!(pointer, ParamPtr::EnumParam(_))
        };
        if is_known && wrapper.param_ptr_to_hash.iter().any(is_list) {
            info.flags |= CLAP_PARAM_IS_ENUM;
        }
        is_known
    }
}
