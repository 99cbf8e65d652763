//! Colours and shapes of the editor, dark and light.

use egui::{Color32, CornerRadius, Stroke, Ui, Visuals};
use hitscribe_core::DrumClass;

/// The colours of one look.
#[derive(Debug, PartialEq)]
pub struct Palette {
    /// Window background.
    pub background: Color32,
    /// Panel background.
    pub panel: Color32,
    /// Background of text fields and sliders.
    pub well: Color32,
    /// Button background.
    pub button: Color32,
    /// Background of every other lane.
    pub lane: Color32,
    /// Lane and bar lines.
    pub line: Color32,
    /// Text.
    pub text: Color32,
    /// Secondary text.
    pub faint: Color32,
    /// The waveform.
    pub wave: Color32,
    /// Accent.
    pub accent: Color32,
    /// Selection background.
    pub selected: Color32,
    /// Errors and warnings.
    pub alarm: Color32,
    /// Kick, snares, toms, hi-hats, cymbals, percussion.
    pub kit: [Color32; 6],
}

const DARK: Palette = Palette {
    background: Color32::from_rgb(0x17, 0x19, 0x1d),
    panel: Color32::from_rgb(0x1f, 0x22, 0x27),
    well: Color32::from_rgb(0x12, 0x14, 0x17),
    button: Color32::from_rgb(0x2b, 0x30, 0x37),
    lane: Color32::from_rgb(0x23, 0x27, 0x2d),
    line: Color32::from_rgb(0x30, 0x35, 0x3d),
    text: Color32::from_rgb(0xd8, 0xdc, 0xe2),
    faint: Color32::from_rgb(0x8b, 0x93, 0x9f),
    wave: Color32::from_rgb(0x5a, 0x66, 0x76),
    accent: Color32::from_rgb(0xf2, 0xa5, 0x41),
    selected: Color32::from_rgb(0x8a, 0x5c, 0x1c),
    alarm: Color32::from_rgb(0xf2, 0x5f, 0x5c),
    kit: [
        Color32::from_rgb(0xf2, 0xa5, 0x41),
        Color32::from_rgb(0xf2, 0x74, 0x6b),
        Color32::from_rgb(0xb0, 0x8c, 0xf0),
        Color32::from_rgb(0x62, 0xc3, 0x8d),
        Color32::from_rgb(0x58, 0xb4, 0xe8),
        Color32::from_rgb(0xd3, 0xc0, 0x5c),
    ],
};

const LIGHT: Palette = Palette {
    background: Color32::from_rgb(0xf2, 0xf3, 0xf5),
    panel: Color32::from_rgb(0xfc, 0xfc, 0xfd),
    well: Color32::from_rgb(0xff, 0xff, 0xff),
    button: Color32::from_rgb(0xdf, 0xe2, 0xe7),
    lane: Color32::from_rgb(0xed, 0xef, 0xf2),
    line: Color32::from_rgb(0xd2, 0xd6, 0xdc),
    text: Color32::from_rgb(0x21, 0x25, 0x2b),
    faint: Color32::from_rgb(0x5c, 0x65, 0x72),
    wave: Color32::from_rgb(0x8d, 0x99, 0xa9),
    accent: Color32::from_rgb(0xa8, 0x5f, 0x00),
    selected: Color32::from_rgb(0xff, 0xd9, 0x9c),
    alarm: Color32::from_rgb(0xc2, 0x26, 0x23),
    kit: [
        Color32::from_rgb(0xc9, 0x76, 0x06),
        Color32::from_rgb(0xcf, 0x43, 0x39),
        Color32::from_rgb(0x75, 0x4a, 0xcf),
        Color32::from_rgb(0x23, 0x8a, 0x53),
        Color32::from_rgb(0x1b, 0x7c, 0xb8),
        Color32::from_rgb(0x8f, 0x7b, 0x10),
    ],
};

impl Palette {
    /// Colour of a class: one hue per part of the kit.
    pub fn class(&self, class: DrumClass) -> Color32 {
        use DrumClass::*;
        let part = match class {
            Kick => 0,
            Snare | SideStick | Clap => 1,
            HighTom | MidTom | LowTom | FloorTom => 2,
            ClosedHat | PedalHat | OpenHat => 3,
            Crash | Ride | RideBell | China | Splash => 4,
            Cowbell | Tambourine | Shaker => 5,
        };
        self.kit[part]
    }
}

/// The colours of the current look.
pub fn palette(ui: &Ui) -> &'static Palette {
    if ui.visuals().dark_mode {
        &DARK
    } else {
        &LIGHT
    }
}

/// Applies a look to a context.
pub fn apply(context: &egui::Context, is_light: bool) {
    let (palette, mut visuals) = if is_light {
        (&LIGHT, Visuals::light())
    } else {
        (&DARK, Visuals::dark())
    };
    visuals.panel_fill = palette.background;
    visuals.window_fill = palette.panel;
    visuals.extreme_bg_color = palette.well;
    visuals.override_text_color = Some(palette.text);
    visuals.selection.bg_fill = palette.selected;
    visuals.selection.stroke = Stroke::new(1.0, palette.accent);
    visuals.hyperlink_color = palette.accent;
    for widget in [
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = CornerRadius::same(4);
    }
    visuals.widgets.inactive.bg_fill = palette.line;
    visuals.widgets.inactive.weak_bg_fill = palette.button;
    context.set_visuals(visuals);
}
