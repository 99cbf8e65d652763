//! The editor's window in the host: its size, its zoom and their limits.

use std::error::Error;
use std::sync::Arc;

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize as Logical, NativeSize, Size};
use nice_plug::editor::{EditorHandle, HostMethods, SpawnedEditor};
use nice_plug::prelude::*;
use nice_plug_egui::baseview::dpi::LogicalSize;
use nice_plug_egui::baseview::{self, HandlerError, WindowSize};
use nice_plug_egui::{
    EguiEditor, EguiEditorHandle, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp,
    RepaintNotifier, create_egui_editor,
};
use parking_lot::Mutex;

use crate::editor::Window;
use crate::params::HitscribeParams;
use crate::params::window_shape::{MIN_SIZE, WindowShape};

/// The nearest size that the window can have.
fn adjusted(shape: &WindowShape, size: NativeSize<u32>, scale: f64) -> NativeSize<u32> {
    let least = |axis: usize| {
        let least = f64::from(MIN_SIZE[axis] * shape.zoom());
        // On macOS the native size is in points.
        let scale = if cfg!(target_os = "macos") {
            1.0
        } else {
            scale
        };
        (least * scale).ceil() as u32
    };
    NativeSize {
        width: size.width.max(least(0)),
        height: size.height.max(least(1)),
    }
}

/// The editor of one instance.
pub struct PluginEditor {
    params: Arc<HitscribeParams>,
    window: Arc<Mutex<Window>>,
    repaint: RepaintNotifier,
    /// State of the window that was opened last.
    opened: Mutex<Arc<EguiEditorState>>,
}

impl PluginEditor {
    /// An editor that shows `window`.
    pub fn new(params: Arc<HitscribeParams>, window: Window, repaint: RepaintNotifier) -> Self {
        let opened = Mutex::new(egui_state(&params.window.lock()));
        Self {
            params,
            window: Arc::new(Mutex::new(window)),
            repaint,
            opened,
        }
    }

    fn shape(&self) -> WindowShape {
        *self.params.window.lock()
    }
}

fn egui_state(shape: &WindowShape) -> Arc<EguiEditorState> {
    let [width, height] = shape.content();
    EguiEditorState::from_size(LogicalSize { width, height }, shape.zoom())
}

impl Editor for PluginEditor {
    type Handle = PluginEditorHandle;

    fn spawn(
        &self,
        parent: Option<ParentWindowHandle>,
        wait_for_parent: bool,
        fallback_scale_factor: Option<f64>,
        gui_context: GuiContext,
        host: Option<HostMethods>,
    ) -> Result<SpawnedEditor<Self::Handle>, Box<dyn Error>> {
        let state = egui_state(&self.shape());
        let settings = EguiNiceSettings::new()
            .with_tile("Hitscribe")
            .with_resize_hint(self.resize_hint());
        let app = SharedWindow(self.window.clone());
        let editor: EguiEditor<SharedWindow> =
            create_egui_editor(state.clone(), self.repaint.clone(), settings, app)
                .ok_or("the editor cannot be made")?;
        let spawned = editor.spawn(
            parent,
            wait_for_parent,
            fallback_scale_factor,
            gui_context,
            host,
        )?;
        *self.opened.lock() = state;
        let handle = PluginEditorHandle {
            handle: spawned.handle,
            params: self.params.clone(),
        };
        Ok(SpawnedEditor {
            handle,
            window: spawned.window,
        })
    }

    fn size(&self) -> NativeSize<u32> {
        let opened = self.opened.lock();
        let scale = f64::from(opened.physical_size().width)
            / f64::from(opened.logical_size().width).max(1.0);
        let [width, height] = self.shape().window();
        NativeSize::from_size(Size::Logical(Logical { width, height }.cast()), scale)
    }

    fn resize_hint(&self) -> ResizeHint {
        let [width, height] = MIN_SIZE.map(|length| length * self.shape().zoom());
        ResizeHint::RESIZABLE.with_min_logical_size(Logical { width, height })
    }

    fn track_info_updated(&self, info: TrackInfo) {
        self.window.lock().track_info_changed(info);
        self.repaint.request_repaint();
    }
}

/// The open editor.
pub struct PluginEditorHandle {
    handle: EguiEditorHandle,
    params: Arc<HitscribeParams>,
}

impl EditorHandle for PluginEditorHandle {
    type Window = baseview::Window;
    type Error = baseview::Error;

    fn run_until_closed(window: Self::Window) -> Result<(), Self::Error> {
        EguiEditorHandle::run_until_closed(window)
    }

    fn set_parent(
        &self,
        parent: ParentWindowHandle,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        self.handle.set_parent(parent, window)
    }

    fn show(&self, window: &Self::Window) -> Result<(), Self::Error> {
        self.handle.show(window)
    }

    fn hide(&self, window: &Self::Window) -> Result<(), Self::Error> {
        self.handle.hide(window)
    }

    fn set_size(
        &self,
        new_size: NativeSize<u32>,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        let scale = window.size().scale_factor;
        let adjusted = adjusted(&self.params.window.lock(), new_size, scale);
        self.handle.set_size(adjusted, window)
    }

    fn host_main_thread_callback(&self, window: &Self::Window) {
        self.handle.host_main_thread_callback(window);
    }

    fn adjust_size(
        &self,
        new_size: NativeSize<u32>,
        window: &Self::Window,
    ) -> Option<NativeSize<u32>> {
        let scale = window.size().scale_factor;
        Some(adjusted(&self.params.window.lock(), new_size, scale))
    }

    fn set_fallback_scale_factor(
        &self,
        scale_factor: f64,
        window: &Self::Window,
    ) -> Result<(), Self::Error> {
        self.handle.set_fallback_scale_factor(scale_factor, window)
    }

    fn state_changed(&self) {
        self.handle.state_changed();
    }

    fn param_value_changed(&self, id: &str, normalized_value: f32) {
        self.handle.param_value_changed(id, normalized_value);
    }

    fn param_modulation_changed(&self, id: &str, modulation_offset: f32) {
        self.handle.param_modulation_changed(id, modulation_offset);
    }
}

/// The window's content, which outlives the windows that show it.
struct SharedWindow(Arc<Mutex<Window>>);

impl NiceEguiApp for SharedWindow {
    fn build(
        &mut self,
        egui_context: egui::Context,
        context: GuiContext,
        frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        self.0.lock().build(egui_context, context, frame)
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        self.0.lock().ui(ui, frame);
    }

    fn resized(&mut self, new_size: WindowSize) {
        self.0.lock().resized(new_size);
    }

    fn editor_closed(&mut self) {
        self.0.lock().editor_closed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_never_too_small_for_its_content_at_any_zoom_and_scale() {
        let mut shape = WindowShape::default();
        let native = |width, height| NativeSize { width, height };
        assert_eq!(adjusted(&shape, native(640, 420), 1.0), native(720, 440));
        assert_eq!(adjusted(&shape, native(1400, 420), 1.5), native(1400, 660));
        shape.set_zoom_percent(200);
        assert_eq!(adjusted(&shape, native(1, 1), 1.0), native(1440, 880));
        assert_eq!(shape.window(), [2080.0, 1280.0]);
    }
}
