//! Widgets for parameters.

use egui::{Button, ComboBox, DragValue, Response, RichText, Slider, Ui};
use nice_plug::prelude::*;

use crate::editor::host_menu;
use crate::editor::style::palette;
use crate::params::own::set_unautomated;

/// Sets a parameter as one gesture.
pub fn set<P: Param>(setter: Option<&ParamSetter>, param: &P, value: P::Plain)
where
    P::Plain: Copy,
{
    if let Some(setter) = setter {
        setter.begin_set_parameter(param);
        change(setter, param, value);
        setter.end_set_parameter(param);
    }
}

/// Sets a parameter within a gesture.
fn change<P: Param>(setter: &ParamSetter, param: &P, value: P::Plain)
where
    P::Plain: Copy,
{
    set_unautomated(param, value);
    setter.set_parameter(param, value);
}

/// A check box.
pub fn switch(ui: &mut Ui, setter: Option<&ParamSetter>, param: &BoolParam, hint: &str) {
    let mut value = param.value();
    let response = ui.checkbox(&mut value, param.name()).on_hover_text(hint);
    if response.changed() {
        set(setter, param, value);
    }
    host_menu::add(ui, setter, param, &response);
}

/// A button that stays pressed while `is_on`.
pub fn toggle(ui: &mut Ui, is_on: &mut bool, text: &str) -> Response {
    let response = ui.add(Button::new(text).selected(*is_on));
    if response.clicked() {
        *is_on = !*is_on;
    }
    response
}

/// A menu with other names than those that the host shows.
pub fn choice_named<T: Enum + PartialEq + Copy + 'static>(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    param: &EnumParam<T>,
    name: &str,
    values: &[impl AsRef<str>],
    hint: &str,
) {
    let (clicked, response) = menu(ui, name, values, param.value().to_index(), hint);
    if let Some(index) = clicked {
        set(setter, param, T::from_index(index));
    }
    host_menu::add(ui, setter, param, &response);
}

/// A menu with a name for each state of a switch, off first.
pub fn switch_named(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    param: &BoolParam,
    name: &str,
    values: &[&str; 2],
    hint: &str,
) {
    let (clicked, response) = menu(ui, name, values, usize::from(param.value()), hint);
    if let Some(index) = clicked {
        set(setter, param, index == 1);
    }
    host_menu::add(ui, setter, param, &response);
}

/// A label and a drop-down menu. Returns the index of a value that was clicked, and the button.
fn menu(
    ui: &mut Ui,
    name: &str,
    values: &[impl AsRef<str>],
    selected: usize,
    hint: &str,
) -> (Option<usize>, Response) {
    let mut clicked = None;
    let label = ui.label(RichText::new(name).color(palette(ui).faint));
    let response = ComboBox::from_id_salt(name)
        // High enough for the longest list.
        .height(360.0)
        .selected_text(values.get(selected).map_or("", AsRef::as_ref))
        .show_ui(ui, |ui| {
            for (index, value) in values.iter().enumerate() {
                if ui
                    .selectable_label(index == selected, value.as_ref())
                    .clicked()
                {
                    clicked = Some(index);
                }
            }
        })
        .response
        .labelled_by(label.id)
        .on_hover_text(hint);
    (clicked, response)
}

/// An integer. A drag is one gesture.
pub fn number(ui: &mut Ui, setter: Option<&ParamSetter>, param: &IntParam, name: &str, hint: &str) {
    let range = param.preview_plain(0.0)..=param.preview_plain(1.0);
    let mut value = param.value();
    ui.horizontal(|ui| {
        let field = DragValue::new(&mut value).range(range);
        let response = ui.add(field);
        let label = ui.label(RichText::new(name).color(palette(ui).faint));
        let response = response.labelled_by(label.id).on_hover_text(hint);
        gesture(setter, param, value, &response);
        host_menu::add(ui, setter, param, &response);
    });
}

/// A fraction, shown as a percentage. A drag is one gesture.
pub fn percentage(ui: &mut Ui, setter: Option<&ParamSetter>, param: &FloatParam, hint: &str) {
    let label = ui.label(RichText::new(param.name()).color(palette(ui).faint));
    let range = param.preview_plain(0.0) * 100.0..=param.preview_plain(1.0) * 100.0;
    let mut percent = param.value() * 100.0;
    let slider = Slider::new(&mut percent, range)
        .suffix(" %")
        .fixed_decimals(0);
    let response = ui
        .add(slider)
        .labelled_by(label.id)
        .on_hover_text(format!("{hint} A double click resets it."));
    if response.double_clicked() {
        set(setter, param, param.default_plain_value());
        return;
    }
    gesture(setter, param, percent / 100.0, &response);
    host_menu::add(ui, setter, param, &response);
}

/// Forwards a change to the host: a drag as one gesture, anything else as a single step.
fn gesture<P: Param>(setter: Option<&ParamSetter>, param: &P, value: P::Plain, response: &Response)
where
    P::Plain: Copy,
{
    let Some(setter) = setter else { return };
    if response.drag_started() {
        setter.begin_set_parameter(param);
    }
    if response.changed() {
        if response.dragged() || response.drag_stopped() {
            change(setter, param, value);
        } else {
            set(Some(setter), param, value);
        }
    }
    if response.drag_stopped() {
        setter.end_set_parameter(param);
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the framework's interface to a host")]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use nice_plug::context::gui::GuiContext;

    use super::*;
    use crate::notes::quantize::Grid;
    use crate::params::HitscribeParams;
    use crate::params::choices::{DeviceParam, Hop, LatencyMode};

    /// A host that refuses every edit, as Ardour does for parameters that cannot be automated.
    struct Refusing;

    impl GuiContextInner for Refusing {
        fn plugin_api(&self) -> PluginApi {
            PluginApi::Vst3
        }
        unsafe fn raw_begin_set_parameter(&self, _: ParamPtr) {}
        unsafe fn raw_set_parameter_normalized(&self, _: ParamPtr, _: f32) {}
        unsafe fn raw_end_set_parameter(&self, _: ParamPtr) {}
        fn get_state(&self) -> PluginState {
            PluginState {
                version: String::new(),
                params: Default::default(),
                fields: Default::default(),
            }
        }
        fn set_state(&self, _: PluginState) {}
        fn request_restart(&self) {}
    }

    #[test]
    fn a_host_that_refuses_edits_blocks_no_control() {
        let params = HitscribeParams::default();
        let context = GuiContext::new(Arc::new(Refusing));
        let setter = &context.param_setter();
        let mut own = BTreeSet::new();
        macro_rules! sets {
            ($($param:ident, $id:literal, $value:expr;)*) => {$(
                assert!(params.$param.value() != $value, $id);
                set(Some(setter), &params.$param, $value);
                assert!(params.$param.value() == $value, $id);
                own.insert($id.to_owned());
            )*};
        }
        sets! {
            latency_mode, "mode", LatencyMode::Aligned;
            hop, "hop", Hop::Ms2048;
            wait_for_every_note, "wait", true;
            records_playing_only, "playonly", !params.records_playing_only.default_plain_value();
            device, "device", DeviceParam::Gpu;
            grid, "grid", Grid::Sixteenth;
            grid_strength, "gridpull", 0.5;
            swing, "swing", 0.625;
        }
        // Automation stays with the host.
        set(Some(setter), &params.sensitivity, 0.25);
        assert_eq!(params.sensitivity.value(), 0.5);
        let refused = params.param_map().into_iter().filter(|(_, param, _)| {
            // SAFETY: `params` still exists.
            unsafe { param.flags() }.contains(ParamFlags::NON_AUTOMATABLE)
        });
        assert_eq!(refused.map(|(id, _, _)| id).collect::<BTreeSet<_>>(), own);
    }
}
