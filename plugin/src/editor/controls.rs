//! The parameters as widgets.

use egui::{Button, ComboBox, DragValue, Response, RichText, Slider, Ui};
use nice_plug::prelude::*;

use crate::editor::style::palette;

/// Sets a parameter as one gesture.
pub fn set<P: Param>(setter: Option<&ParamSetter>, param: &P, value: P::Plain) {
    if let Some(setter) = setter {
        setter.begin_set_parameter(param);
        setter.set_parameter(param, value);
        setter.end_set_parameter(param);
    }
}

/// A switch.
pub fn switch(ui: &mut Ui, setter: Option<&ParamSetter>, param: &BoolParam, hint: &str) {
    let mut value = param.value();
    if ui
        .checkbox(&mut value, param.name())
        .on_hover_text(hint)
        .changed()
    {
        set(setter, param, value);
    }
}

/// A button that stays down while `is_on`.
pub fn toggle(ui: &mut Ui, is_on: &mut bool, text: &str) -> Response {
    let response = ui.add(Button::new(text).selected(*is_on));
    if response.clicked() {
        *is_on = !*is_on;
    }
    response
}

/// A choice.
pub fn choice<T: Enum + PartialEq + 'static>(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    param: &EnumParam<T>,
    hint: &str,
) {
    ui.label(RichText::new(param.name()).color(palette(ui).faint));
    let chosen = param.value().to_index();
    let names = T::variants();
    ComboBox::from_id_salt(param.name())
        .selected_text(names.get(chosen).copied().unwrap_or_default())
        .show_ui(ui, |ui| {
            for (index, name) in names.iter().enumerate() {
                if ui.selectable_label(index == chosen, *name).clicked() {
                    set(setter, param, T::from_index(index));
                }
            }
        })
        .response
        .on_hover_text(hint);
}

/// A whole number. A whole drag is one gesture.
pub fn number(ui: &mut Ui, setter: Option<&ParamSetter>, param: &IntParam, hint: &str) {
    let range = param.preview_plain(0.0)..=param.preview_plain(1.0);
    let mut value = param.value();
    ui.horizontal(|ui| {
        let field = DragValue::new(&mut value).range(range);
        let response = ui.add(field).on_hover_text(hint);
        ui.label(RichText::new(param.name()).color(palette(ui).faint));
        gesture(setter, param, value, &response);
    });
}

/// Passes a change on: a drag as one gesture from its start to its end, anything else as one step.
fn gesture<P: Param>(
    setter: Option<&ParamSetter>,
    param: &P,
    value: P::Plain,
    response: &Response,
) {
    let Some(setter) = setter else { return };
    if response.drag_started() {
        setter.begin_set_parameter(param);
    }
    if response.changed() {
        if response.dragged() || response.drag_stopped() {
            setter.set_parameter(param, value);
        } else {
            set(Some(setter), param, value);
        }
    }
    if response.drag_stopped() {
        setter.end_set_parameter(param);
    }
}

/// A share that is shown in per cent. A whole drag is one gesture.
pub fn share(ui: &mut Ui, setter: Option<&ParamSetter>, param: &FloatParam, hint: &str) {
    ui.label(RichText::new(param.name()).color(palette(ui).faint));
    let range = param.preview_plain(0.0) * 100.0..=param.preview_plain(1.0) * 100.0;
    let mut percent = param.value() * 100.0;
    let slider = Slider::new(&mut percent, range)
        .suffix(" %")
        .fixed_decimals(0);
    let response = ui.add(slider).on_hover_text(hint);
    gesture(setter, param, percent / 100.0, &response);
}
