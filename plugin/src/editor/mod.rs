//! The editor window. [`layout::draw`] draws everything from a [`view::View`], without types of the
//! window system, so that tests can inspect it.

pub mod controls;
pub mod export;
pub mod file_dialog;
pub mod import_queue;
pub mod lanes;
pub mod layout;
pub mod model_menu;
pub mod note_map_window;
pub mod preview_button;
pub mod problem;
pub mod shaping_window;
pub mod state;
pub mod style;
pub mod take_bar;
pub mod view;
pub mod viewport;

use std::sync::Arc;
use std::time::Duration;

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::ResizeHint;
use nice_plug_egui::baseview::{HandlerError, dpi::LogicalSize};
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier,
    create_egui_editor,
};

use crate::background::preview::Preview;
use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::params::HitscribeParams;
use crate::params::choices::DeviceParam;
use crate::params::device::device_choice;
use crate::status::PluginStatus;

/// Initial window size in logical pixels.
pub const SIZE: [f32; 2] = [960.0, 620.0];
/// The lanes scroll, so the open window is redrawn continuously.
const FRAME_TIME: Duration = Duration::from_millis(33);

/// The application behind the window.
pub struct Window {
    params: Arc<HitscribeParams>,
    status: Arc<PluginStatus>,
    preview: Arc<Preview>,
    /// The device at the last frame.
    device: Option<DeviceParam>,
    context: Option<GuiContext>,
    state: EditorState,
}

/// The editor of one instance.
pub fn create(
    params: Arc<HitscribeParams>,
    status: Arc<PluginStatus>,
    preview: Arc<Preview>,
    repaint: RepaintNotifier,
) -> Option<EguiEditor<Window>> {
    let [width, height] = SIZE;
    let resize = ResizeHint {
        can_resize: true,
        can_resize_horizontally: true,
        can_resize_vertically: true,
        ..ResizeHint::NON_RESIZABLE
    };
    create_egui_editor(
        EguiEditorState::from_size(LogicalSize { width, height }, 1.0),
        repaint,
        EguiNiceSettings::new()
            .with_tile("Hitscribe")
            .with_resize_hint(resize),
        Window {
            params,
            status,
            preview,
            device: None,
            context: None,
            state: EditorState::default(),
        },
    )
}

impl Window {
    /// Requests the device from the engine when the choice has changed. Without the editor, the
    /// next activation does this.
    fn update_device(&mut self) {
        let device = self.params.device.value();
        let previous = self.device.replace(device);
        let has_changed = previous.is_some_and(|previous| previous != device);
        if has_changed && let Some(engine) = &self.status.links.lock().engine {
            engine.set_device(device_choice(device));
        }
    }
}

impl NiceEguiApp for Window {
    fn build(
        &mut self,
        egui_context: egui::Context,
        context: GuiContext,
        _frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        style::apply(&egui_context, *self.params.is_light.lock());
        self.context = Some(context);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut Frame) {
        self.update_device();
        let view = View::new(&self.params, &self.status, &self.state.shown);
        let setter = self.context.as_ref().map(GuiContext::param_setter);
        layout::draw(
            ui,
            &self.params,
            &view,
            setter.as_ref(),
            &self.preview,
            &mut self.state,
        );
        ui.ctx().request_repaint_after(FRAME_TIME);
    }

    fn editor_closed(&mut self) {
        self.preview.stop();
        self.context = None;
    }
}
