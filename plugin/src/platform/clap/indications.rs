//! `param-indication`: which parameters the host maps to controllers or automates.

use std::ffi::c_char;

use clap_sys::color::clap_color;
use clap_sys::ext::param_indication::*;
use clap_sys::id::clap_id;
use clap_sys::plugin::clap_plugin;

use super::instance::Instance;
use super::text;
use crate::params::indications::{Automation, Indication};

pub(super) static EXTENSION: clap_plugin_param_indication = clap_plugin_param_indication {
    set_mapping: Some(set_mapping),
    set_automation: Some(set_automation),
};

unsafe extern "C" fn set_mapping(
    plugin: *const clap_plugin,
    param_id: clap_id,
    has_mapping: bool,
    color: *const clap_color,
    label: *const c_char,
    _description: *const c_char,
) {
    // SAFETY: the host passes the plugin that it got, and null or values that outlive the call.
    unsafe {
        let name = text(label).map(|label| label.to_string_lossy().into_owned());
        let color = color.as_ref();
        change(plugin, param_id, |indication| {
            indication.mapping = has_mapping.then(|| name.unwrap_or_default());
            indication.color = rgb(color).filter(|_| has_mapping);
        });
    }
}

unsafe extern "C" fn set_automation(
    plugin: *const clap_plugin,
    param_id: clap_id,
    automation_state: u32,
    color: *const clap_color,
) {
    let automation = match automation_state {
        CLAP_PARAM_INDICATION_AUTOMATION_PRESENT => Automation::Present,
        CLAP_PARAM_INDICATION_AUTOMATION_PLAYING => Automation::Playing,
        CLAP_PARAM_INDICATION_AUTOMATION_RECORDING => Automation::Recording,
        CLAP_PARAM_INDICATION_AUTOMATION_OVERRIDING => Automation::Overriding,
        _ => Automation::None,
    };
    // SAFETY: as above.
    unsafe {
        let color = color.as_ref();
        change(plugin, param_id, |indication| {
            indication.automation = automation;
            indication.color = rgb(color).or(indication.color);
        });
    }
}

fn rgb(color: Option<&clap_color>) -> Option<[u8; 3]> {
    let visible = color.filter(|color| color.alpha > 0);
    visible.map(|color| [color.red, color.green, color.blue])
}

/// # Safety
/// `plugin` is what the host got.
unsafe fn change(
    plugin: *const clap_plugin,
    param_id: clap_id,
    change: impl FnOnce(&mut Indication),
) {
    // SAFETY: by the caller.
    let Some(connection) = (unsafe { Instance::connection(plugin) }) else {
        return;
    };
    if let (Some(params), Some(param)) = (connection.params(), connection.param(param_id)) {
        params.indications.change(param, change);
    }
}
