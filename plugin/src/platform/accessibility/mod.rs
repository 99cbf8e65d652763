//! The editor for screen readers: names, roles and values of its controls, and what a reader asks
//! them to do.
//!
//! egui describes each frame as a tree of AccessKit, and [`Bridge`] passes it to the adapter of the
//! system. Nothing is described until a screen reader runs.

#[cfg(target_os = "linux")]
mod atspi;
#[cfg(target_os = "linux")]
mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::accesskit::{ActionRequest, TreeUpdate};
use egui::{Context, Event, FullOutput, Plugin, RawInput};
use nice_plug_egui::baseview::WindowContext;
use parking_lot::Mutex;

/// What screen readers want from the editor. Adapters fill it from threads of their own; the next
/// frame reads it.
#[derive(Default)]
pub struct Requests {
    is_wanted: AtomicBool,
    actions: Mutex<Vec<ActionRequest>>,
}

impl Requests {
    /// Whether a screen reader wants the tree from now on.
    pub fn set_wanted(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Release);
    }

    /// A screen reader has clicked a control or set its value.
    pub fn add(&self, action: ActionRequest) {
        self.actions.lock().push(action);
    }
}

/// The way to the screen readers of a system, as long as the window is open. All calls come from
/// the thread of the window.
pub trait Adapter: Send + Sync + 'static {
    /// Passes on the tree of a frame.
    fn update(&mut self, tree: TreeUpdate);

    /// Whether the window has the keyboard.
    fn set_focus(&mut self, has_focus: bool);
}

/// Connects the frames of a window with an adapter.
pub struct Bridge<A> {
    adapter: A,
    requests: Arc<Requests>,
}

impl<A: Adapter> Bridge<A> {
    /// A bridge to an adapter that fills `requests`.
    pub fn new(adapter: A, requests: Arc<Requests>) -> Self {
        Self { adapter, requests }
    }
}

impl<A: Adapter> Plugin for Bridge<A> {
    fn debug_name(&self) -> &'static str {
        "screen readers"
    }

    fn input_hook(&mut self, context: &Context, input: &mut RawInput) {
        if self.requests.is_wanted.load(Ordering::Acquire) {
            context.enable_accesskit();
        } else {
            context.disable_accesskit();
        }
        let actions = std::mem::take(&mut *self.requests.actions.lock());
        let events = actions.into_iter().map(Event::AccessKitActionRequest);
        input.events.extend(events);
        let has_focus = input.viewport().focused.unwrap_or(input.focused);
        self.adapter.set_focus(has_focus);
    }

    fn output_hook(&mut self, _context: &Context, output: &mut FullOutput) {
        if let Some(tree) = output.platform_output.accesskit_update.take() {
            self.adapter.update(tree);
        }
    }
}

/// The variable with which users keep programs from the accessibility bus.
#[cfg(target_os = "linux")]
const OFF: &str = "NO_AT_BRIDGE";

#[cfg(target_os = "linux")]
fn is_off(value: Option<std::ffi::OsString>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// Connects a window with the screen readers of the system, until its context is dropped. So far
/// Linux only. Without `window`, as in tests, its place on the screen is not known.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
pub fn connect(context: &Context, window: Option<&WindowContext>) {
    #[cfg(target_os = "linux")]
    if !is_off(std::env::var_os(OFF)) {
        let requests = Arc::<Requests>::default();
        let window = window.and_then(place::x11_window);
        let adapter = atspi::UnixAdapter::new(requests.clone(), window);
        context.add_plugin(Bridge::new(adapter, requests));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::accesskit::{Action, TreeId};

    /// Keeps what it gets.
    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<(Vec<TreeUpdate>, bool)>>);

    impl Adapter for Recorder {
        fn update(&mut self, tree: TreeUpdate) {
            self.0.lock().0.push(tree);
        }

        fn set_focus(&mut self, has_focus: bool) {
            self.0.lock().1 = has_focus;
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_usual_variable_turns_the_connection_off() {
        let is_off = |value: Option<&str>| is_off(value.map(Into::into));
        assert!(!is_off(None) && !is_off(Some("")) && !is_off(Some("0")));
        assert!(is_off(Some("1")));
    }

    #[test]
    fn trees_are_made_while_they_are_wanted_and_actions_reach_the_controls() {
        let (recorder, requests) = (Recorder::default(), Arc::<Requests>::default());
        let context = Context::default();
        context.add_plugin(Bridge::new(recorder.clone(), requests.clone()));
        let mut clicks = 0;
        let mut frame = || {
            let mut output = context.run_ui(RawInput::default(), |ui| {
                clicks += usize::from(ui.button("Undo").clicked());
            });
            output.textures_delta.clear();
            clicks
        };
        frame();
        assert!(recorder.0.lock().0.is_empty());
        requests.set_wanted(true);
        frame();
        let tree = recorder.0.lock().0.pop().unwrap();
        let is_button = |node: &&(_, egui::accesskit::Node)| node.1.label() == Some("Undo");
        let (target_node, _) = *tree.nodes.iter().find(is_button).unwrap();
        requests.add(ActionRequest {
            action: Action::Click,
            target_tree: TreeId::ROOT,
            target_node,
            data: None,
        });
        assert_eq!(frame(), 1);
        assert_eq!(frame(), 1);
        assert!(recorder.0.lock().1);
        requests.set_wanted(false);
        recorder.0.lock().0.clear();
        frame();
        assert!(recorder.0.lock().0.is_empty());
        // The adapter ends with the window.
        drop(context);
        assert_eq!(Arc::strong_count(&recorder.0), 1);
    }
}
