//! What belongs to a parameter's control beside its value: a mark if the host maps or automates it,
//! and a menu on a right click, the host's if it has one.

use std::sync::Arc;

use egui::{Color32, Context, Id, Popup, Response, RichText, Ui};
use nice_plug::prelude::{Param, ParamSetter};

use crate::editor::controls;
use crate::editor::style::palette;
use crate::params::host_menu::HostMenu;
use crate::params::indications::Indications;

/// What the host reports and offers, for the controls of a frame.
#[derive(Clone)]
struct Host {
    indications: Arc<Indications>,
    has_menu: bool,
}

fn host_id() -> Id {
    Id::unique("host of the parameters")
}

fn request_id() -> Id {
    Id::unique("menu of a parameter")
}

/// Keeps what the host reports, and whether it has menus, for the controls of this frame.
pub fn begin_frame(context: &Context, indications: &Arc<Indications>, has_menu: bool) {
    let indications = indications.clone();
    let host = Host {
        indications,
        has_menu,
    };
    context.data_mut(|data| data.insert_temp(host_id(), host));
}

/// The menu that was requested in this frame.
pub fn take_request(context: &Context) -> Option<HostMenu> {
    context
        .data_mut(|data| data.remove_temp::<Option<HostMenu>>(request_id()))
        .flatten()
}

/// Adds mark and menu to the control of a parameter.
pub fn add<P: Param>(ui: &mut Ui, setter: Option<&ParamSetter>, param: &P, response: &Response)
where
    P::Plain: Copy,
{
    let host = ui.data(|data| data.get_temp::<Host>(host_id()));
    let has_menu = host.as_ref().is_some_and(|host| host.has_menu);
    if let Some(host) = host {
        let indication = host.indications.get(param.as_ptr());
        if let Some(text) = indication.text() {
            let color = indication.color.map(|[r, g, b]| Color32::from_rgb(r, g, b));
            let color = color.unwrap_or(palette(ui).accent);
            let mark = ui.label(RichText::new("●").size(9.0).color(color));
            mark.on_hover_text(format!("{}: {text}", param.name()));
        }
    }
    if !has_menu {
        // Of its own: by default it would be that of the list of a combo box, and open with it.
        let id = response.id.with("reset");
        Popup::context_menu(response).id(id).show(|ui| {
            let value = param.normalized_value_to_string(param.default_normalized_value(), true);
            if ui.button(format!("Reset to {value}")).clicked() {
                controls::set(setter, param, param.default_plain_value());
                ui.close();
            }
        });
    } else if response.secondary_clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        let at = at * ui.ctx().pixels_per_point();
        let request = HostMenu {
            param: param.as_ptr(),
            at_pixels: [at.x, at.y].map(|length| length.round() as i32),
        };
        ui.data_mut(|data| data.insert_temp(request_id(), Some(request)));
    }
}
