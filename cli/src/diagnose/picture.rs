//! The picture of `hitscribe diagnose`: a spectrogram with the pitched notes, and a lane for each
//! drum.

use anyhow::{Context as _, Result, anyhow};
use hitscribe::leakage::Verdict;
use hitscribe_core::{DrumClass, Note};
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::spectrogram::{HIGHEST_HZ, LOWEST_HZ, levels};
use crate::recording::Recording;

/// What the picture shows.
pub const LEGEND: &str = "spectrogram.png: green boxes are kept pitched notes, red boxes removed \
                          ones, orange boxes notes that became drum notes; below, a lane for each \
                          drum, with bars as high as the velocity";

/// Pixels of the layout.
const HEADER: u32 = 84;
const SPECTROGRAM: u32 = 600;
const LANE: u32 = 24;
const LEFT: u32 = 150;
const RIGHT: u32 = 24;
const TIME_AXIS: u32 = 46;
const GAP: u32 = 10;
const LINE: i32 = 24;

const COLUMNS_PER_SECOND: f64 = 80.0;
/// What the header needs.
const MINIMUM_COLUMNS: f64 = 1000.0;
/// Longer recordings get fewer columns per second.
const MAXIMUM_COLUMNS: f64 = 8000.0;
/// Pixels from one time label to the next.
const TIME_LABEL_PIXELS: f64 = 100.0;
const FREQUENCY_LABELS_HZ: [f64; 10] = [
    20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0,
];

const BACKGROUND: RGBColor = RGBColor(16, 16, 22);
const LANE_BACKGROUND: RGBColor = RGBColor(30, 30, 40);
const TEXT: RGBColor = RGBColor(225, 225, 230);
const GRID: RGBAColor = RGBAColor(225, 225, 230, 0.2);

/// The font: embedded, because a system may have none.
const FONT: &str = "sans-serif";

/// Kinds of notes, in the order of the legend.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Drum,
    Pitched,
    Removed,
    MadeDrum,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Drum, Self::Pitched, Self::Removed, Self::MadeDrum];

    fn of(note: &Note, verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Keep if note.is_drum => Self::Drum,
            Verdict::Keep => Self::Pitched,
            Verdict::Remove(_) => Self::Removed,
            Verdict::Remap { .. } => Self::MadeDrum,
        }
    }

    const fn color(self) -> RGBColor {
        match self {
            Self::Drum => RGBColor(120, 200, 255),
            Self::Pitched => RGBColor(80, 255, 120),
            Self::Removed => RGBColor(255, 70, 70),
            Self::MadeDrum => RGBColor(255, 170, 40),
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Drum => "drum hits (height: velocity)",
            Self::Pitched => "pitched notes",
            Self::Removed => "removed by the filter",
            Self::MadeDrum => "made drum notes",
        }
    }
}

/// A note as it is drawn.
struct Drawn<'a> {
    kind: Kind,
    note: &'a Note,
    /// Lane and velocity of the drum hit, if it is one in the end.
    hit: Option<(usize, u8)>,
}

/// The picture as a PNG file. `about` says where the notes come from.
pub fn draw(
    recording: &Recording,
    title: &str,
    about: &str,
    notes: &[Note],
    verdicts: &[Verdict],
) -> Result<Vec<u8>> {
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| anyhow!("the embedded font is damaged"))?;
    let lanes = lanes(notes, verdicts);
    let drawn = drawn(notes, verdicts, &lanes);
    let seconds = recording.duration_seconds().max(0.01);
    let columns = (seconds * COLUMNS_PER_SECOND)
        .clamp(MINIMUM_COLUMNS, MAXIMUM_COLUMNS)
        .round();
    let width = LEFT + columns as u32 + RIGHT;
    let height = HEADER + SPECTROGRAM + GAP + lanes.len() as u32 * LANE + TIME_AXIS;
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        root.fill(&BACKGROUND)?;
        let (header, body) = root.split_vertically(HEADER);
        draw_header(&header, title, about, &drawn)?;
        let pixels_per_second = columns / seconds;
        if lanes.is_empty() {
            draw_spectrogram(&body, recording, seconds, true, &drawn)?;
        } else {
            let (upper, lower) = body.split_vertically(SPECTROGRAM + GAP);
            draw_spectrogram(&upper, recording, seconds, false, &drawn)?;
            draw_lanes(&lower, &lanes, seconds, pixels_per_second, &drawn)?;
        }
        root.present()?;
    }
    png_file(&pixels, width, height).context("PNG")
}

/// Class, or key where there is no class, of each lane, from the bottom up.
fn lanes(notes: &[Note], verdicts: &[Verdict]) -> Vec<Lane> {
    let hits = notes.iter().zip(verdicts).filter_map(|(n, v)| v.apply(n));
    let mut lanes: Vec<Lane> = hits.filter_map(|note| Lane::of(&note)).collect();
    lanes.sort_unstable();
    lanes.dedup();
    lanes
}

/// A drum. Classes come first, in their own order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Class(DrumClass),
    Key(u8),
}

impl Lane {
    fn of(note: &Note) -> Option<Self> {
        let of_key = |key| DrumClass::from_gm_note(key).map_or(Self::Key(key), Self::Class);
        note.is_drum.then(|| of_key(note.pitch))
    }

    fn name(self) -> String {
        match self {
            Self::Class(class) => class.label().to_owned(),
            Self::Key(key) => format!("Key {key}"),
        }
    }
}

fn drawn<'a>(notes: &'a [Note], verdicts: &[Verdict], lanes: &[Lane]) -> Vec<Drawn<'a>> {
    let one = |(note, verdict): (&'a Note, &Verdict)| {
        let result = verdict.apply(note);
        let lane = result.as_ref().and_then(Lane::of);
        let lane = lane.and_then(|lane| lanes.binary_search(&lane).ok());
        Drawn {
            kind: Kind::of(note, verdict),
            note,
            hit: lane.zip(result.map(|note| note.velocity)),
        }
    };
    notes.iter().zip(verdicts).map(one).collect()
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Title, origin of the notes, the legend with the number of notes of each kind, and the name of
/// the frequency axis.
fn draw_header(area: &Area, title: &str, about: &str, drawn: &[Drawn]) -> Result<()> {
    let left = LEFT as i32;
    let style = |size: u32| (FONT, size).into_font().color(&TEXT);
    area.draw(&Text::new(title, (left, 8), style(22)))?;
    area.draw(&Text::new(about, (left, 8 + LINE + 4), style(15)))?;
    let (mut x, y) = (left, 8 + 2 * LINE + 6);
    let right_aligned = style(15).pos(Pos::new(HPos::Right, VPos::Top));
    area.draw(&Text::new("Frequency (Hz)", (left - 8, y), right_aligned))?;
    for kind in Kind::ALL {
        let count = drawn.iter().filter(|note| note.kind == kind).count();
        if count == 0 {
            continue;
        }
        let box_style = match kind {
            Kind::Drum => kind.color().filled(),
            _ => kind.color().stroke_width(1),
        };
        area.draw(&Rectangle::new([(x, y + 1), (x + 18, y + 12)], box_style))?;
        let text = format!("{count} {}", kind.label());
        let (text_width, _) = area.estimate_text_size(&text, &style(15))?;
        area.draw(&Text::new(text, (x + 26, y), style(15)))?;
        x += 26 + text_width as i32 + 30;
    }
    // The scale of the colours.
    area.draw(&Text::new("-80 dB", (x, y), style(15)))?;
    x += 56;
    for step in 0..120 {
        let color = heat(step as f32 / 119.0);
        let color = RGBColor(color[0], color[1], color[2]).filled();
        let corners = [(x + step, y + 1), (x + step + 1, y + 12)];
        area.draw(&Rectangle::new(corners, color))?;
    }
    area.draw(&Text::new("0 dB (loudest)", (x + 130, y), style(15)))?;
    Ok(())
}

fn draw_spectrogram(
    area: &Area,
    recording: &Recording,
    seconds: f64,
    has_time_axis: bool,
    drawn: &[Drawn],
) -> Result<()> {
    let frequencies = (LOWEST_HZ..HIGHEST_HZ)
        .log_scale()
        .with_key_points(FREQUENCY_LABELS_HZ.to_vec());
    let mut builder = ChartBuilder::on(area);
    builder.margin_right(RIGHT).y_label_area_size(LEFT);
    if has_time_axis {
        builder.x_label_area_size(TIME_AXIS);
    } else {
        builder.margin_bottom(GAP);
    }
    let mut chart = builder.build_cartesian_2d(0.0..seconds, frequencies)?;
    let (columns, rows) = chart.plotting_area().dim_in_pixel();
    let colors: Vec<u8> = levels(recording, columns as usize, rows as usize)?
        .into_iter()
        .flat_map(heat)
        .collect();
    let image = BitMapElement::with_owned_buffer((0.0, HIGHEST_HZ), (columns, rows), colors)
        .context("the spectrogram has the wrong size")?;
    chart.plotting_area().draw(&image)?;
    let mut mesh = chart.configure_mesh();
    style_mesh(&mut mesh, columns);
    mesh.y_label_formatter(&|hz| format!("{hz:.0}")).draw()?;
    for Drawn { kind, note, .. } in drawn.iter().filter(|drawn| !drawn.note.is_drum) {
        let key = f64::from(note.pitch);
        let corners = [
            (note.onset_seconds, hz_of_key(key + 0.5)),
            (note.offset_seconds, hz_of_key(key - 0.5)),
        ];
        let outline = Rectangle::new(corners, kind.color().stroke_width(1));
        chart.plotting_area().draw(&outline)?;
    }
    Ok(())
}

fn draw_lanes(
    area: &Area,
    lanes: &[Lane],
    seconds: f64,
    pixels_per_second: f64,
    drawn: &[Drawn],
) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(RIGHT)
        .y_label_area_size(LEFT)
        .x_label_area_size(TIME_AXIS)
        .build_cartesian_2d(0.0..seconds, 0.0..lanes.len() as f64)?;
    let label_style = (FONT, 14).into_font().color(&TEXT);
    let right_aligned = label_style.pos(Pos::new(HPos::Right, VPos::Center));
    for (index, lane) in lanes.iter().enumerate() {
        if index % 2 == 0 {
            let corners = [(0.0, index as f64), (seconds, index as f64 + 1.0)];
            let background = Rectangle::new(corners, LANE_BACKGROUND.filled());
            chart.plotting_area().draw(&background)?;
        }
        let hits = drawn.iter().filter_map(|drawn| drawn.hit);
        let count = hits.filter(|(lane, _)| *lane == index).count();
        let text = format!("{} ({count})", lane.name());
        let middle = ((lanes.len() - index) as u32 * LANE - LANE / 2) as i32;
        let place = (LEFT as i32 - 8, middle);
        area.draw(&Text::new(text, place, right_aligned.clone()))?;
    }
    let (columns, _) = chart.plotting_area().dim_in_pixel();
    let mut mesh = chart.configure_mesh();
    style_mesh(&mut mesh, columns);
    mesh.disable_y_mesh().y_labels(0).draw()?;
    let hit_seconds = 2.0 / pixels_per_second;
    for Drawn { kind, note, hit } in drawn {
        if let Some((lane, velocity)) = hit {
            let bottom = *lane as f64 + 0.08;
            let height = 0.1 + 0.74 * f64::from(*velocity) / 127.0;
            let corners = [
                (note.onset_seconds, bottom),
                (note.onset_seconds + hit_seconds, bottom + height),
            ];
            let bar = Rectangle::new(corners, kind.color().filled());
            chart.plotting_area().draw(&bar)?;
        }
    }
    Ok(())
}

/// Grid and time axis of a chart that is `columns` pixels wide.
fn style_mesh<Y: Ranged, DB: DrawingBackend>(
    mesh: &mut MeshStyle<'_, '_, RangedCoordf64, Y, DB>,
    columns: u32,
) {
    mesh.axis_style(TEXT)
        .label_style((FONT, 14).into_font().color(&TEXT))
        .axis_desc_style((FONT, 16).into_font().color(&TEXT))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_labels(time_labels(columns))
        .x_label_formatter(&time_label)
        .x_desc("Time (s)");
}

fn hz_of_key(key: f64) -> f64 {
    440.0 * ((key - 69.0) / 12.0).exp2()
}

/// How many labels the time axis has room for.
fn time_labels(columns: u32) -> usize {
    (f64::from(columns) / TIME_LABEL_PIXELS) as usize
}

fn time_label(seconds: &f64) -> String {
    let tenths = (seconds * 10.0).round();
    match tenths % 10.0 == 0.0 {
        true => format!("{:.0}", tenths / 10.0),
        false => format!("{:.1}", tenths / 10.0),
    }
}

fn png_file(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// From black over violet and orange to white, for levels from 0 to 1.
fn heat(level: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 8.0],
        [60.0, 15.0, 95.0],
        [150.0, 45.0, 95.0],
        [235.0, 125.0, 50.0],
        [255.0, 250.0, 220.0],
    ];
    let at = level.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    let part = at - below as f32;
    let mix = |c: usize| (STOPS[below][c] + (STOPS[below + 1][c] - STOPS[below][c]) * part) as u8;
    [mix(0), mix(1), mix(2)]
}
