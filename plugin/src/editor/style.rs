//! Colours and shapes of the editor, dark and light.

use egui::{Color32, CornerRadius, FontDefinitions, FontFamily, Stroke, Ui, Visuals};
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
    line: Color32::from_rgb(0x45, 0x4c, 0x57),
    text: Color32::from_rgb(0xd8, 0xdc, 0xe2),
    faint: Color32::from_rgb(0x98, 0xa1, 0xad),
    wave: Color32::from_rgb(0x7e, 0x8b, 0x9c),
    accent: Color32::from_rgb(0x4f, 0xd1, 0xc0),
    selected: Color32::from_rgb(0x1d, 0x5f, 0x58),
    alarm: Color32::from_rgb(0xff, 0x7a, 0x76),
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
    line: Color32::from_rgb(0xb9, 0xc0, 0xc9),
    text: Color32::from_rgb(0x21, 0x25, 0x2b),
    faint: Color32::from_rgb(0x52, 0x5b, 0x67),
    wave: Color32::from_rgb(0x6f, 0x7c, 0x8d),
    accent: Color32::from_rgb(0x0b, 0x6f, 0x66),
    selected: Color32::from_rgb(0xa9, 0xe5, 0xdd),
    alarm: Color32::from_rgb(0xb3, 0x20, 0x1d),
    kit: [
        Color32::from_rgb(0xa8, 0x5f, 0x00),
        Color32::from_rgb(0xc0, 0x3a, 0x31),
        Color32::from_rgb(0x6d, 0x42, 0xc7),
        Color32::from_rgb(0x1d, 0x77, 0x47),
        Color32::from_rgb(0x17, 0x6f, 0xa6),
        Color32::from_rgb(0x79, 0x68, 0x0d),
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
    context.set_fonts(fonts());
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

/// The default fonts; triangles and other signs that the font of the text lacks are from the
/// monospaced one.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let signs = fonts.families.get(&FontFamily::Monospace).cloned();
    let text = fonts.families.entry(FontFamily::Proportional).or_default();
    for font in signs.unwrap_or_default() {
        if !text.contains(&font) {
            text.push(font);
        }
    }
    fonts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.
    fn luminance(color: Color32) -> f64 {
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            match value <= 0.03928 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(color.r()) + 0.7152 * channel(color.g()) + 0.0722 * channel(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_marks_stand_out_in_both_looks() {
        for palette in [&DARK, &LIGHT] {
            let backgrounds = [palette.background, palette.panel, palette.lane];
            for background in backgrounds {
                for text in [palette.text, palette.faint, palette.accent, palette.alarm] {
                    assert!(
                        contrast(text, background) >= 4.5,
                        "{text:?} on {background:?}"
                    );
                }
                for mark in palette.kit.iter().chain([&palette.wave]) {
                    assert!(
                        contrast(*mark, background) >= 3.0,
                        "{mark:?} on {background:?}"
                    );
                }
                assert!(contrast(palette.line, background) >= 1.5);
            }
            assert!(contrast(palette.text, palette.selected) >= 4.5);
            assert!(contrast(palette.accent, palette.button) >= 4.5);
            assert!(!palette.kit.contains(&palette.accent));
        }
    }
}
