//! What the host does with parameters, and its menus for them.

use clap_sys::color::clap_color;
use clap_sys::ext::context_menu::{
    CLAP_CONTEXT_MENU_TARGET_KIND_PARAM, clap_context_menu_target, clap_host_context_menu,
};
use clap_sys::ext::param_indication::*;
use nice_plug::prelude::Param as _;

use super::*;
use crate::params::host_menu::HostMenu;

pub(super) static HOST_MENU: clap_host_context_menu = clap_host_context_menu {
    populate: None,
    perform: None,
    can_popup: Some(can_popup),
    popup: Some(popup),
};

unsafe extern "C" fn can_popup(_host: *const clap_host) -> bool {
    true
}

unsafe extern "C" fn popup(
    host: *const clap_host,
    target: *const clap_context_menu_target,
    _screen: i32,
    x: i32,
    y: i32,
) -> bool {
    let (counts, target) = unsafe { (counts(host), *target) };
    assert_eq!(target.kind, CLAP_CONTEXT_MENU_TARGET_KIND_PARAM);
    counts.menus.lock().push((target.id, x, y));
    true
}

fn id(plugin: &Plugin, param: ParamPtr) -> u32 {
    let wrapper = unsafe { Instance::wrapper(plugin.plugin) }.unwrap();
    wrapper.param_ptr_to_hash[&param]
}

#[test]
fn the_host_shows_its_menu_of_a_parameter_on_the_main_thread() {
    let plugin = Plugin::new();
    let connection = unsafe { Instance::connection(plugin.plugin) }.unwrap();
    assert!(connection.has_menu());
    let param = plugin.params().sensitivity.as_ptr();
    let at_pixels = [30, 400];
    let open = || {
        let wrapper = unsafe { Instance::wrapper(plugin.plugin) }.unwrap();
        let menu = HostMenu { param, at_pixels };
        (wrapper.task_executor.lock())(Task::OpenHostMenu(menu));
    };
    open();
    let expected = [(id(&plugin, param), 30, 400)];
    assert_eq!(*plugin.counts.menus.lock(), expected);
    std::thread::scope(|scope| {
        let is_refused = scope.spawn(|| !connection.has_menu());
        assert!(is_refused.join().unwrap());
    });
}

#[test]
fn mapped_and_automated_parameters_are_known() {
    let plugin = Plugin::new();
    let extension: clap_plugin_param_indication = plugin.extension(CLAP_EXT_PARAM_INDICATION);
    let param = plugin.params().sensitivity.as_ptr();
    let id = id(&plugin, param);
    let color = clap_color {
        alpha: 255,
        red: 1,
        green: 2,
        blue: 3,
    };
    let map = |id, is_mapped, label: Option<&CStr>| unsafe {
        let label = label.map_or(std::ptr::null(), CStr::as_ptr);
        let set = extension.set_mapping.unwrap();
        set(
            plugin.plugin,
            id,
            is_mapped,
            &color,
            label,
            std::ptr::null(),
        );
    };
    let automate = |id, state| unsafe {
        extension.set_automation.unwrap()(plugin.plugin, id, state, std::ptr::null());
    };
    let text = || plugin.params().indications.get(param).text();
    map(id, true, Some(c"Knob 3"));
    automate(id, CLAP_PARAM_INDICATION_AUTOMATION_RECORDING);
    let expected = "mapped to Knob 3, automation is being recorded";
    assert_eq!(text().as_deref(), Some(expected));
    let known = plugin.params().indications.get(param);
    assert_eq!(known.color, Some([1, 2, 3]));
    map(id, true, None);
    automate(id, 99);
    assert_eq!(text().as_deref(), Some("mapped to a controller"));
    map(id, false, None);
    assert_eq!(text(), None);
    // No parameter has this number.
    map(id ^ 1, true, Some(c"Knob 4"));
    assert_eq!(text(), None);
}
