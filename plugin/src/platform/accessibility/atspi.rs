//! AT-SPI, the interface to the screen readers of Linux and BSD, by D-Bus.

use std::sync::Arc;
use std::time::{Duration, Instant};

use accesskit_unix::Adapter;
use egui::accesskit::{
    ActionHandler, ActionRequest, ActivationHandler, DeactivationHandler, TreeUpdate,
};

use super::Requests;
use super::place::Place;

/// Time between two looks at where the window is: the host moves it.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// An adapter for AT-SPI.
pub struct UnixAdapter {
    adapter: Adapter,
    window: Option<u32>,
    /// Found when the first tree is passed on, which is when a screen reader runs.
    place: Option<Place>,
    next_look: Option<Instant>,
}

impl UnixAdapter {
    /// The adapter of a new window, with its number in X11.
    pub fn new(requests: Arc<Requests>, window: Option<u32>) -> Self {
        let handler = || Handler(requests.clone());
        Self {
            adapter: Adapter::new(handler(), handler(), handler()),
            window,
            place: None,
            next_look: None,
        }
    }

    /// Passes on where the window is.
    fn look(&mut self) {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(now + LOOK_INTERVAL);
        if self.place.is_none() {
            self.place = self.window.take().and_then(Place::of);
        }
        if let Some(area) = self.place.as_ref().and_then(Place::area) {
            self.adapter.set_root_window_bounds(area, area);
        }
    }
}

impl super::Adapter for UnixAdapter {
    fn update(&mut self, tree: TreeUpdate) {
        self.look();
        self.adapter.update_if_active(|| tree);
    }

    fn set_focus(&mut self, has_focus: bool) {
        self.adapter.update_window_focus_state(has_focus);
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
