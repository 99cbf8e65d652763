//! The main states of the editor as texts and areas, compared with files: pixels differ between
//! machines, these do not. After a change that is meant, `HITSCRIBE_SNAPSHOTS=write` writes them.

use std::fmt::Write as _;
use std::path::PathBuf;

use egui::ViewportId;

use super::*;
use crate::params::choices::SourceChoice;

/// Largest difference in points.
const TOLERANCE: f32 = 2.0;
/// Smaller areas are not compared, as a share of the window.
const LEAST_AREA: f32 = 0.01;

/// A state of the editor.
pub(super) struct Scene {
    pub name: &'static str,
    pub params: HitscribeParams,
    pub status: PluginStatus,
    pub state: EditorState,
}

impl Scene {
    fn new(name: &'static str, params: HitscribeParams) -> Self {
        Self {
            name,
            params,
            status: PluginStatus::default(),
            state: EditorState::default(),
        }
    }

    fn page(name: &'static str, page: SidePage) -> Self {
        let mut scene = Self::new(name, params(200));
        scene.state.side.page = Some(page);
        scene.state.shown.class = Some(DrumClass::Snare);
        scene
    }

    /// Playing, with another source since, and with faults.
    fn playing() -> Self {
        let scene = Self::new("playing", params(200));
        let key = scene.params.latency_key();
        let config = ProcessConfig::new(48_000.0, 2, key, false).unwrap();
        let rate = &scene.status.sample_rate_bits;
        rate.store(48_000f32.to_bits(), Ordering::Relaxed);
        scene.status.set_delay(&config);
        scene.status.late_notes.store(3, Ordering::Relaxed);
        crate::params::own::set_for_test(&scene.params.source, SourceChoice::FullMix);
        scene.status.has_stalled.store(true, Ordering::Relaxed);
        scene.params.take.take().lock().passages[0].is_open = true;
        scene
    }
}

pub(super) fn scenes() -> Vec<Scene> {
    vec![
        Scene::new("empty", HitscribeParams::default()),
        Scene::new("take", params(200)),
        Scene::page("drums", SidePage::Drums),
        Scene::page("groove", SidePage::Groove),
        Scene::page("settings", SidePage::Settings),
        Scene::playing(),
    ]
}

/// A line of a snapshot: an area, and the text in it if it has one.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    area: [f32; 4],
    text: String,
}

impl Entry {
    fn new(area: Rect, text: &str) -> Self {
        let area = [area.min.x, area.min.y, area.width(), area.height()];
        Self {
            area: area.map(f32::round),
            // Rows that are wrapped end with a space.
            text: text.trim_end().to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(5, ' ');
        let mut number = || parts.next()?.parse::<f32>().ok();
        Some(Self {
            area: [number()?, number()?, number()?, number()?],
            text: parts.next().unwrap_or_default().to_owned(),
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        let mut pairs = self.area.iter().zip(other.area);
        self.text == other.text && pairs.all(|(a, b)| (a - b).abs() <= TOLERANCE)
    }
}

/// What is drawn after a few frames, which measure.
fn drawn(scene: &mut Scene, size: [f32; 2], scale: f32, is_light: bool) -> Vec<Entry> {
    let context = Context::default();
    style::apply(&context, is_light);
    let mut shapes = Vec::new();
    for _ in 0..3 {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(size[0], size[1]))),
            ..RawInput::default()
        };
        let viewport = input.viewports.entry(ViewportId::ROOT).or_default();
        viewport.native_pixels_per_point = Some(scale);
        shapes = frame_of(
            &context,
            input,
            &scene.params,
            &scene.status,
            &mut scene.state,
        );
    }
    let least = LEAST_AREA * size[0] * size[1];
    let areas = shapes.iter().filter_map(|shape| match &shape.shape {
        Shape::Rect(rect) => Some(rect.rect.intersect(shape.clip_rect)),
        _ => None,
    });
    let areas = areas.filter(|area| area.is_positive() && area.area() >= least);
    let areas = areas.map(|area| Entry::new(area, ""));
    let texts = texts(&shapes);
    areas
        .chain(texts.iter().map(|(text, area, _)| Entry::new(*area, text)))
        .collect()
}

fn file(name: &str) -> PathBuf {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/editor/layout/tests/snapshots"
    );
    PathBuf::from(folder).join(format!("{name}.txt"))
}

#[test]
fn the_main_states_look_as_they_did_in_both_looks_and_at_all_sizes() {
    let is_writing = std::env::var_os("HITSCRIBE_SNAPSHOTS").is_some_and(|value| value == "write");
    let sizes = [
        ("720x440", [720.0, 440.0], 1.0),
        ("1040x640", [1040.0, 640.0], 1.0),
        ("150-percent", [1040.0, 640.0], 1.5),
    ];
    let mut differences = String::new();
    for (size_name, size, scale) in sizes {
        for mut scene in scenes() {
            let name = format!("{}-{size_name}", scene.name);
            let dark = drawn(&mut scene, size, scale, false);
            let light = drawn(&mut scene, size, scale, true);
            let texts = |entries: &[Entry]| -> Vec<Entry> {
                let is_text = |entry: &&Entry| !entry.text.is_empty();
                entries.iter().filter(is_text).cloned().collect()
            };
            assert_eq!(texts(&dark), texts(&light), "{name}: the looks differ");
            if is_writing {
                let lines = dark.iter().map(|Entry { area, text }| {
                    let [x, y, width, height] = area;
                    format!("{x} {y} {width} {height} {text}")
                        .trim_end()
                        .to_owned()
                        + "\n"
                });
                std::fs::create_dir_all(file(&name).parent().unwrap()).unwrap();
                std::fs::write(file(&name), lines.collect::<String>()).unwrap();
                continue;
            }
            let before = std::fs::read_to_string(file(&name)).unwrap_or_default();
            let before: Vec<Entry> = before.lines().filter_map(Entry::parse).collect();
            let has = |list: &[Entry], entry: &Entry| list.iter().any(|other| other.is_like(entry));
            for gone in before.iter().filter(|entry| !has(&dark, entry)) {
                writeln!(differences, "{name}: gone {gone:?}").unwrap();
            }
            for new in dark.iter().filter(|entry| !has(&before, entry)) {
                writeln!(differences, "{name}: new {new:?}").unwrap();
            }
        }
    }
    assert!(
        differences.is_empty(),
        "after a change that is meant, set HITSCRIBE_SNAPSHOTS=write:\n{differences}"
    );
}
