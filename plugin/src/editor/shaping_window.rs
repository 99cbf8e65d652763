//! The window of what becomes of notes beside the note map: velocities, flams, pedal, grid.

use egui::{Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, Window, vec2};
use nice_plug::prelude::{Param as _, ParamSetter};

use crate::editor::state::Memory;
use crate::editor::style::palette;
use crate::editor::{controls, view};
use crate::notes::velocity_curve::VelocityCurve;
use crate::params::HitscribeParams;

const CURVE_SIZE: f32 = 150.0;

/// Draws the window while it is open.
pub fn feel_window(
    ui: &Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    memory: &mut Memory,
) {
    let mut is_open = memory.is_feel_open;
    Window::new("Feel")
        .open(&mut is_open)
        .default_pos([260.0, 110.0])
        .resizable(false)
        .show(ui.ctx(), |ui| {
            ui.label(RichText::new("Velocity").strong());
            ui.horizontal(|ui| {
                curve(ui, params.shaping().velocity, &velocities(params, memory));
                ui.vertical(|ui| velocity_controls(ui, params, setter, memory));
            });
            ui.separator();
            controls::switch(
                ui,
                setter,
                &params.no_flams,
                "Of two hits of one drum within 60 ms only the louder is played.",
            );
            controls::switch(
                ui,
                setter,
                &params.hat_pedal,
                "Before each hi-hat note CC 4 says where the pedal is: 127 closed, 0 open.",
            );
            ui.separator();
            ui.label(RichText::new("Grid of dragged and saved files").strong());
            ui.label(
                RichText::new("Live MIDI and the take itself stay as they were played.")
                    .color(palette(ui).faint),
            );
            controls::choice(
                ui,
                setter,
                &params.grid,
                "The steps that notes are drawn to.",
            );
            controls::share(
                ui,
                setter,
                &params.grid_strength,
                "100 % puts notes onto the grid.",
            );
            controls::share(
                ui,
                setter,
                &params.swing,
                "Where the second step of each pair lies: 50 % is straight, 67 % a triplet.",
            );
        });
    memory.is_feel_open = is_open;
}

fn velocity_controls(
    ui: &mut Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    memory: &mut Memory,
) {
    let curve = params.shaping().velocity;
    let learnt = VelocityCurve::learnt_range(velocities(params, memory));
    controls::number(
        ui,
        setter,
        &params.velocity_in_low,
        "Softer hits become the lowest.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_in_high,
        "Louder hits become the highest.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_out_low,
        "The lowest velocity that is sent.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_out_high,
        "The highest velocity that is sent.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_bend,
        "Above 0 lifts what lies between.",
    );
    ui.horizontal(|ui| {
        let button = ui.add_enabled(learnt.is_some(), egui::Button::new("Learn from take"));
        let hint = "Sets the two upper numbers to where most hits of the shown passage lie.";
        if button.on_hover_text(hint).clicked()
            && let Some((low, high)) = learnt
        {
            controls::set(setter, &params.velocity_in_low, i32::from(low));
            controls::set(setter, &params.velocity_in_high, i32::from(high));
        }
        let is_straight = curve == VelocityCurve::default();
        if ui
            .add_enabled(!is_straight, egui::Button::new("Reset"))
            .clicked()
        {
            for param in [
                &params.velocity_in_low,
                &params.velocity_in_high,
                &params.velocity_out_low,
                &params.velocity_out_high,
                &params.velocity_bend,
            ] {
                controls::set(setter, param, param.default_plain_value());
            }
        }
    });
}

/// Velocities of the shown passage, as they were measured.
fn velocities(params: &HitscribeParams, memory: &Memory) -> Vec<u8> {
    let without_leakage = params.leakage_filter.value();
    let take = params.take.take().lock();
    let passage = view::shown(&take, memory.passage);
    let notes = passage.map(|passage| passage.notes_filtered(without_leakage));
    notes
        .into_iter()
        .flatten()
        .map(|note| note.velocity)
        .collect()
}

/// Draws the curve over the velocities that were measured.
fn curve(ui: &mut Ui, curve: VelocityCurve, velocities: &[u8]) {
    let (response, painter) = ui.allocate_painter(vec2(CURVE_SIZE, CURVE_SIZE), Sense::hover());
    let (area, colors) = (response.rect, palette(ui));
    response.on_hover_text("Measured velocity to the right, sent velocity upwards");
    painter.rect_filled(area, 4.0, colors.well);
    let x = |velocity: u8| area.left() + area.width() * f32::from(velocity) / 127.0;
    let y = |velocity: u8| area.bottom() - area.height() * f32::from(velocity) / 127.0;
    let mut counts = [0usize; 128];
    for velocity in velocities {
        counts[usize::from(*velocity).min(127)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f32;
    for (velocity, count) in (0u8..).zip(counts).filter(|(_, count)| *count > 0) {
        let height = area.height() * 0.5 * count as f32 / most;
        let bar = Rect::from_min_max(
            Pos2::new(x(velocity) - 0.6, area.bottom() - height),
            Pos2::new(x(velocity) + 0.6, area.bottom()),
        );
        painter.rect_filled(bar, 0.0, colors.wave);
    }
    let points = (1..=127)
        .map(|v| Pos2::new(x(v), y(curve.apply(v))))
        .collect();
    painter.add(Shape::line(points, Stroke::new(2.0, colors.accent)));
}
