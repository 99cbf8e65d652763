//! `context-menu`: the host's own menu of a parameter, where it offers controllers, automation and
//! values.

use clap_sys::ext::context_menu::{
    CLAP_CONTEXT_MENU_TARGET_KIND_PARAM, CLAP_EXT_CONTEXT_MENU, CLAP_EXT_CONTEXT_MENU_COMPAT,
    clap_context_menu_target, clap_host_context_menu,
};

use super::changes::Connection;
use crate::params::host_menu::HostMenu;

impl Connection {
    fn menu(&self) -> Option<&clap_host_context_menu> {
        let is_main = self.is_main_thread();
        // SAFETY: the type is that of the extension; this is the main thread.
        let find = |name| unsafe { self.host().extension::<clap_host_context_menu>(name) };
        let find = |name| is_main.then(|| find(name)).flatten();
        find(CLAP_EXT_CONTEXT_MENU).or_else(|| find(CLAP_EXT_CONTEXT_MENU_COMPAT))
    }

    /// Whether the host shows menus for the open window.
    pub(super) fn has_menu(&self) -> bool {
        let can_popup = self.menu().and_then(|menu| menu.can_popup);
        // SAFETY: this is the main thread, or there would be no menu.
        can_popup.is_some_and(|can_popup| unsafe { can_popup(self.host().as_ptr()) })
    }

    /// Has the host show its menu of a parameter.
    pub(super) fn open_menu(&self, wanted: &HostMenu) {
        let popup = self.menu().and_then(|menu| menu.popup);
        let (Some(popup), Some(id)) = (popup, self.param_id(wanted.param)) else {
            return;
        };
        let target = clap_context_menu_target {
            kind: CLAP_CONTEXT_MENU_TARGET_KIND_PARAM,
            id,
        };
        let [x, y] = wanted.at_pixels;
        // The screen does not matter to windows that are embedded.
        // SAFETY: as above; the target lives until the call returns.
        unsafe { popup(self.host().as_ptr(), &target, 0, x, y) };
    }
}
