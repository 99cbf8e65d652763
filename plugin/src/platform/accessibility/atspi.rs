//! AT-SPI, the interface to the screen readers of Linux and BSD, by D-Bus.

use std::sync::Arc;

use accesskit_unix::Adapter;
use egui::accesskit::{
    ActionHandler, ActionRequest, ActivationHandler, DeactivationHandler, TreeUpdate,
};

use super::Requests;

/// An adapter for AT-SPI.
pub struct UnixAdapter(Adapter);

impl UnixAdapter {
    /// The adapter of a new window.
    pub fn new(requests: Arc<Requests>) -> Self {
        let handler = || Handler(requests.clone());
        Self(Adapter::new(handler(), handler(), handler()))
    }
}

impl super::Adapter for UnixAdapter {
    fn update(&mut self, tree: TreeUpdate) {
        self.0.update_if_active(|| tree);
    }

    fn set_focus(&mut self, has_focus: bool) {
        self.0.update_window_focus_state(has_focus);
    }
}

/// Called from the adapter's thread.
struct Handler(Arc<Requests>);

impl ActivationHandler for Handler {
    fn request_initial_tree(&mut self) -> Option<TreeUpdate> {
        self.0.set_wanted(true);
        // The next frame has one.
        None
    }
}

impl ActionHandler for Handler {
    fn do_action(&mut self, request: ActionRequest) {
        self.0.add(request);
    }
}

impl DeactivationHandler for Handler {
    fn deactivate_accessibility(&mut self) {
        self.0.set_wanted(false);
    }
}
