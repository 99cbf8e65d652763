//! The editor window. Everything that is drawn is drawn by [`draw::draw`] from a [`view::View`],
//! without any type of the window system, so that tests can look at it.

pub mod controls;
pub mod file_dialog;
pub mod import_queue;
pub mod lanes;
pub mod layout;
pub mod model_menu;
pub mod note_map_window;
pub mod shaping_window;
pub mod state;
pub mod style;
pub mod take_bar;
pub mod view;
pub mod zoom;

use std::sync::Arc;
use std::time::Duration;

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::ResizeHint;
use nice_plug_egui::baseview::{HandlerError, dpi::LogicalSize};
use nice_plug_egui::{
    EguiEditor, EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier,
    create_egui_editor,
};

use crate::background::audition::Audition;
use crate::device_choice;
use crate::params::{DeviceParam, HitscribeParams};
use crate::status::Telemetry;
use view::View;

/// Size of a new window in logical pixels.
pub const SIZE: [f32; 2] = [960.0, 620.0];
/// The lanes scroll, so the window is drawn anew all the time it is open.
const FRAME_TIME: Duration = Duration::from_millis(33);

/// The application behind the window.
pub struct Window {
    params: Arc<HitscribeParams>,
    telemetry: Arc<Telemetry>,
    audition: Arc<Audition>,
    /// The device that was chosen when it was last looked at.
    device: Option<DeviceParam>,
    context: Option<GuiContext>,
    memory: state::Memory,
}

/// The editor of one instance.
pub fn create(
    params: Arc<HitscribeParams>,
    telemetry: Arc<Telemetry>,
    audition: Arc<Audition>,
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
            telemetry,
            audition,
            device: None,
            context: None,
            memory: state::Memory::default(),
        },
    )
}

impl Window {
    /// Asks the engine for the device when the choice has changed. Not the audio thread's business:
    /// without the window it is done at the next activation.
    fn follow_device(&mut self) {
        let device = self.params.device.value();
        let is_new = self
            .device
            .replace(device)
            .is_some_and(|last| last != device);
        if is_new && let Some(hub) = &self.telemetry.links.lock().hub {
            hub.set_device(device_choice(device));
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
        self.follow_device();
        let memory = &mut self.memory;
        let view = View::of(
            &self.params,
            &self.telemetry,
            &memory.timeline,
            memory.passage,
        );
        let setter = self.context.as_ref().map(GuiContext::param_setter);
        layout::draw(
            ui,
            &self.params,
            &view,
            setter.as_ref(),
            &self.audition,
            memory,
        );
        ui.ctx().request_repaint_after(FRAME_TIME);
    }

    fn editor_closed(&mut self) {
        self.audition.stop();
        self.context = None;
    }
}
