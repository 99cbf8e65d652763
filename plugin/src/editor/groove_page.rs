//! The groove page: velocity curve, grace notes, hi-hat pedal, quantization.

use egui::{Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, vec2};
use nice_plug::prelude::{Enum as _, Param as _, ParamSetter};

use crate::editor::controls;
use crate::editor::state::Shown;
use crate::editor::style::palette;
use crate::editor::view::shown_passage;
use crate::notes::quantize::Grid;
use crate::notes::velocity_curve::VelocityCurve;
use crate::params::HitscribeParams;

const CURVE_SIZE: f32 = 150.0;

/// Draws the page.
pub fn show(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>, shown: &Shown) {
    ui.label(RichText::new("Velocity").strong());
    draw_curve(ui, params.shaping().velocity, &velocities(params, shown));
    velocity_controls(ui, params, setter, shown);
    ui.separator();
    controls::switch(
        ui,
        setter,
        &params.no_flams,
        "Of two hits of one drum within 60 ms, only the louder is sent.",
    );
    controls::switch(
        ui,
        setter,
        &params.hat_pedal,
        "Sends the pedal position as CC 4 before each hi-hat note: 127 is closed, 0 is open.",
    );
    ui.separator();
    ui.label(RichText::new("Quantize").strong());
    let text = "Moves notes in dragged and saved files, not in live MIDI. The lanes show both.";
    ui.label(RichText::new(text).color(palette(ui).faint).size(11.5));
    controls::choice_named(
        ui,
        setter,
        &params.grid,
        "Grid",
        Grid::variants(),
        "Grid that notes snap to.",
    );
    controls::percentage(
        ui,
        setter,
        &params.grid_strength,
        "100 % moves notes onto the grid.",
    );
    controls::percentage(
        ui,
        setter,
        &params.swing,
        "Position of every second step: 50 % is straight, 67 % is triplet swing.",
    );
}

fn velocity_controls(
    ui: &mut Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    shown: &Shown,
) {
    let curve = params.shaping().velocity;
    let auto_range = VelocityCurve::auto_range(velocities(params, shown));
    controls::number(
        ui,
        setter,
        &params.velocity_in_low,
        "Input min",
        "Hits at or below this velocity get the output minimum.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_in_high,
        "Input max",
        "Hits at or above this velocity get the output maximum.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_out_low,
        "Output min",
        "Lowest velocity that is sent.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_out_high,
        "Output max",
        "Highest velocity that is sent.",
    );
    controls::number(
        ui,
        setter,
        &params.velocity_bend,
        "Curve",
        "Positive values raise medium velocities, negative ones lower them.",
    );
    ui.horizontal(|ui| {
        let button = ui.add_enabled(auto_range.is_some(), egui::Button::new("Auto range"));
        let hint = "Sets the input range to the 5th and 95th percentile of the shown take.";
        if button.on_hover_text(hint).clicked()
            && let Some((low, high)) = auto_range
        {
            controls::set(setter, &params.velocity_in_low, i32::from(low));
            controls::set(setter, &params.velocity_in_high, i32::from(high));
        }
        let is_default = curve == VelocityCurve::default();
        if ui
            .add_enabled(!is_default, egui::Button::new("Reset"))
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

/// Measured velocities of the shown take.
fn velocities(params: &HitscribeParams, shown: &Shown) -> Vec<u8> {
    let without_leakage = params.leakage_filter.value();
    let take = params.take.take().lock();
    let passage = shown_passage(&take, shown.passage);
    let notes = passage.map(|passage| passage.resolve(&params.detection()));
    notes
        .into_iter()
        .flatten()
        .filter(|taken| taken.is_played(without_leakage))
        .map(|taken| taken.note.velocity)
        .collect()
}

/// Draws the curve and a histogram of the measured velocities.
fn draw_curve(ui: &mut Ui, curve: VelocityCurve, velocities: &[u8]) {
    let (response, painter) = ui.allocate_painter(vec2(CURVE_SIZE, CURVE_SIZE), Sense::hover());
    let (area, colors) = (response.rect, palette(ui));
    response.on_hover_text("Horizontal: measured velocity. Vertical: output velocity.");
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
