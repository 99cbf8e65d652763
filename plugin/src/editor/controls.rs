//! Widgets for parameters.

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

/// A check box.
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

/// A button that stays pressed while `is_on`.
pub fn toggle(ui: &mut Ui, is_on: &mut bool, text: &str) -> Response {
    let response = ui.add(Button::new(text).selected(*is_on));
    if response.clicked() {
        *is_on = !*is_on;
    }
    response
}

/// A menu with the parameter's own names.
pub fn choice<T: Enum + PartialEq + 'static>(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    param: &EnumParam<T>,
    hint: &str,
) {
    choice_named(ui, setter, param, param.name(), T::variants(), hint);
}

/// A menu with other names than those that the host shows.
pub fn choice_named<T: Enum + PartialEq + 'static>(
    ui: &mut Ui,
    setter: Option<&ParamSetter>,
    param: &EnumParam<T>,
    name: &str,
    values: &[impl AsRef<str>],
    hint: &str,
) {
    if let Some(index) = menu(ui, name, values, param.value().to_index(), hint) {
        set(setter, param, T::from_index(index));
    }
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
    if let Some(index) = menu(ui, name, values, usize::from(param.value()), hint) {
        set(setter, param, index == 1);
    }
}

/// A label and a drop-down menu. Returns the index of a value that was clicked.
fn menu(
    ui: &mut Ui,
    name: &str,
    values: &[impl AsRef<str>],
    selected: usize,
    hint: &str,
) -> Option<usize> {
    let mut clicked = None;
    ui.label(RichText::new(name).color(palette(ui).faint));
    ComboBox::from_id_salt(name)
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
        .on_hover_text(hint);
    clicked
}

/// An integer. A drag is one gesture.
pub fn number(ui: &mut Ui, setter: Option<&ParamSetter>, param: &IntParam, name: &str, hint: &str) {
    let range = param.preview_plain(0.0)..=param.preview_plain(1.0);
    let mut value = param.value();
    ui.horizontal(|ui| {
        let field = DragValue::new(&mut value).range(range);
        let response = ui.add(field).on_hover_text(hint);
        ui.label(RichText::new(name).color(palette(ui).faint));
        gesture(setter, param, value, &response);
    });
}

/// A fraction, shown as a percentage. A drag is one gesture.
pub fn percentage(ui: &mut Ui, setter: Option<&ParamSetter>, param: &FloatParam, hint: &str) {
    ui.label(RichText::new(param.name()).color(palette(ui).faint));
    let range = param.preview_plain(0.0) * 100.0..=param.preview_plain(1.0) * 100.0;
    let mut percent = param.value() * 100.0;
    let slider = Slider::new(&mut percent, range)
        .suffix(" %")
        .fixed_decimals(0);
    let response = ui.add(slider).on_hover_text(hint);
    gesture(setter, param, percent / 100.0, &response);
}

/// Forwards a change to the host: a drag as one gesture, anything else as a single step.
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
