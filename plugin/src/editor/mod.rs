//! The editor window. [`layout::draw`] draws everything from a [`view::View`], without types of the
//! window system, so that tests can inspect it.

pub mod action_bar;
pub mod clip_tile;
pub mod controls;
pub mod device_menu;
pub mod drums_page;
pub mod editing;
pub mod empty_state;
pub mod export;
pub mod file_dialog;
pub mod footer;
pub mod groove_page;
pub mod header;
pub mod history;
pub mod host_menu;
pub mod import_bar;
pub mod import_queue;
pub mod lanes;
pub mod layout;
pub mod model_menu;
pub mod presets_menu;
pub mod preview_button;
pub mod problem;
pub mod resolved;
pub mod ruler;
pub mod settings_page;
pub mod side_panel;
pub mod state;
pub mod style;
pub mod take_menu;
pub mod view;
pub mod viewport;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::PluginApi;
use nice_plug_egui::baseview::{HandlerError, WindowContext, WindowSize};
use nice_plug_egui::{Frame, NiceEguiApp, RepaintNotifier};

use crate::background::preview::Preview;
use crate::editor::file_dialog::FileKind;
use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::editor::window::PluginEditor;
use crate::params::HitscribeParams;
use crate::params::device::RequestedDevice;
use crate::params::model::ModelTag;
use crate::platform::accessibility;
use crate::platform::file_dialog::{Answer, SystemDialog};
use crate::process::rebuild::Task;
use crate::status::PluginStatus;
use hitscribe_core::midi::NoteMap;

/// The lanes scroll, so the open window is redrawn continuously.
const FRAME_TIME: Duration = Duration::from_millis(33);

/// The application behind the window.
pub struct Window {
    params: Arc<HitscribeParams>,
    status: Arc<PluginStatus>,
    preview: Arc<Preview>,
    /// The device at the last frame.
    device: Option<RequestedDevice>,
    context: Option<GuiContext>,
    run: Box<dyn Fn(Task) + Send>,
    /// The fields of the state that are not parameters, at the last frame.
    saved_fields: Option<SavedFields>,
    /// The system's file dialog, if it is open.
    dialog: Option<(FileKind, SystemDialog)>,
    state: EditorState,
}

/// What the editor changes in the state beside parameters and the take.
#[derive(PartialEq)]
struct SavedFields {
    note_map: NoteMap,
    model: ModelTag,
    gpu_name: String,
    is_light: bool,
    is_b: bool,
}

/// The editor of one instance. `run` runs a task on the host's main thread.
pub fn create(
    params: Arc<HitscribeParams>,
    status: Arc<PluginStatus>,
    preview: Arc<Preview>,
    repaint: RepaintNotifier,
    run: Box<dyn Fn(Task) + Send>,
) -> Option<PluginEditor> {
    let window = Window {
        params: params.clone(),
        status,
        preview,
        device: None,
        context: None,
        run,
        saved_fields: None,
        dialog: None,
        state: EditorState::default(),
    };
    Some(PluginEditor::new(params, window, repaint))
}

impl Window {
    /// Requests the device from the engine when the choice has changed. Without the editor, the
    /// next activation does this.
    fn update_device(&mut self) {
        let device = RequestedDevice::of(&self.params);
        let has_changed = self.device.as_ref().is_some_and(|before| *before != device);
        if has_changed && let Some(engine) = &self.status.links.lock().engine {
            engine.set_device(device.choice());
        }
        self.device = Some(device);
    }
}

impl Window {
    /// Reports changes of the state that the host does not see to the host.
    fn report_changes(&mut self) {
        let params = &self.params;
        let fields = SavedFields {
            note_map: params.note_map.current(),
            model: params.model.tag(),
            gpu_name: params.gpu_name.lock().clone(),
            is_light: *params.is_light.lock(),
            is_b: params.compare.lock().is_b(),
        };
        let before = self.saved_fields.replace(fields);
        let has_changed = before.is_some_and(|before| Some(&before) != self.saved_fields.as_ref());
        if has_changed | std::mem::take(&mut self.state.has_changed_take) {
            (self.run)(Task::ReportChange);
        }
    }

    /// Opens the file dialog that the editor asks for, and the files that come out of it.
    fn update_dialog(&mut self, window: &WindowContext) {
        let request = self.state.import.request.take();
        if let Some(kind) = request
            && self.dialog.is_none()
        {
            let folder = import_bar::first_folder(kind, &self.state);
            let (title, name, extensions) = (kind.title(), kind.name(), kind.extensions());
            let dialog = SystemDialog::open(title, name, extensions, &folder, window);
            self.dialog = Some((kind, dialog));
        }
        let Some((kind, dialog)) = &mut self.dialog else {
            return;
        };
        let (kind, answer) = (*kind, dialog.answer());
        match answer {
            None => return,
            Some(Answer::Files(paths)) => {
                for path in paths {
                    import_bar::open_file(kind, path, &self.params, &mut self.state);
                }
            }
            Some(Answer::Cancelled) => {}
            Some(Answer::Unavailable) => import_bar::open_own_dialog(kind, &mut self.state),
        }
        self.dialog = None;
    }
}

impl NiceEguiApp for Window {
    fn build(
        &mut self,
        egui_context: egui::Context,
        context: GuiContext,
        frame: &mut Frame,
    ) -> Result<(), HandlerError> {
        style::apply(&egui_context, *self.params.is_light.lock());
        accessibility::connect(&egui_context, Some(frame.baseview_window()));
        // A VST3 host would take any task for a change of the project.
        if context.plugin_api() == PluginApi::Clap {
            (self.run)(Task::FindHostMenu);
        }
        self.context = Some(context);
        // A state that was loaded since is no change.
        self.saved_fields = None;
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        self.update_device();
        let view = View::new(&self.params, &self.status, &mut self.state.shown);
        let setter = self.context.as_ref().map(GuiContext::param_setter);
        layout::draw(
            ui,
            &self.params,
            &view,
            setter.as_ref(),
            &self.preview,
            &mut self.state,
        );
        self.update_dialog(frame.baseview_window());
        self.report_changes();
        if let Some(menu) = host_menu::take_request(ui.ctx()) {
            (self.run)(Task::OpenHostMenu(menu));
        }
        ui.ctx().request_repaint_after(FRAME_TIME);
    }

    fn resized(&mut self, new_size: WindowSize) {
        let mut shape = self.params.window.lock();
        let [width, height] = [new_size.logical.width, new_size.logical.height]
            .map(|length| length as f32 / shape.zoom());
        shape.set_content([width, height]);
    }

    fn editor_closed(&mut self) {
        self.preview.stop();
        self.dialog = None;
        self.context = None;
    }
}
