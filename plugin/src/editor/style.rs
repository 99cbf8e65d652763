//! Colours and shapes of the editor.

use egui::{Color32, CornerRadius, Stroke, Visuals};
use hitscribe_engine::DrumClass;

/// Behind everything.
pub const BACKGROUND: Color32 = Color32::from_rgb(0x17, 0x19, 0x1d);
/// Behind panels.
pub const PANEL: Color32 = Color32::from_rgb(0x1f, 0x22, 0x27);
/// Every other lane.
pub const LANE: Color32 = Color32::from_rgb(0x23, 0x27, 0x2d);
/// Lines between lanes and seconds.
pub const LINE: Color32 = Color32::from_rgb(0x30, 0x35, 0x3d);
/// Plain text.
pub const TEXT: Color32 = Color32::from_rgb(0xd8, 0xdc, 0xe2);
/// Text that is not needed at once.
pub const FAINT: Color32 = Color32::from_rgb(0x8b, 0x93, 0x9f);
/// The waveform.
pub const WAVE: Color32 = Color32::from_rgb(0x5a, 0x66, 0x76);
/// What is good, and the accent.
pub const ACCENT: Color32 = Color32::from_rgb(0xf2, 0xa5, 0x41);
/// What is wrong.
pub const ALARM: Color32 = Color32::from_rgb(0xf2, 0x5f, 0x5c);

/// Colour of a class: one hue for each part of the kit.
pub fn class_color(class: DrumClass) -> Color32 {
    use DrumClass::*;
    match class {
        Kick => Color32::from_rgb(0xf2, 0xa5, 0x41),
        Snare | SideStick | Clap => Color32::from_rgb(0xf2, 0x74, 0x6b),
        HighTom | MidTom | LowTom | FloorTom => Color32::from_rgb(0xb0, 0x8c, 0xf0),
        ClosedHat | PedalHat | OpenHat => Color32::from_rgb(0x62, 0xc3, 0x8d),
        Crash | Ride | RideBell | China | Splash => Color32::from_rgb(0x58, 0xb4, 0xe8),
        Cowbell | Tambourine | Shaker => Color32::from_rgb(0xd3, 0xc0, 0x5c),
    }
}

/// Sets the editor's look on a context.
pub fn apply(context: &egui::Context) {
    let mut visuals = Visuals::dark();
    visuals.panel_fill = BACKGROUND;
    visuals.window_fill = PANEL;
    visuals.extreme_bg_color = Color32::from_rgb(0x12, 0x14, 0x17);
    visuals.override_text_color = Some(TEXT);
    visuals.selection.bg_fill = Color32::from_rgb(0x8a, 0x5c, 0x1c);
    visuals.selection.stroke = Stroke::new(1.0, ACCENT);
    visuals.hyperlink_color = ACCENT;
    for widget in [
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = CornerRadius::same(4);
    }
    visuals.widgets.inactive.bg_fill = Color32::from_rgb(0x30, 0x35, 0x3d);
    visuals.widgets.inactive.weak_bg_fill = Color32::from_rgb(0x2b, 0x30, 0x37);
    context.set_visuals(visuals);
}
