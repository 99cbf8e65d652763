use std::sync::atomic::Ordering;
use std::time::Instant;

use egui::{Context, Pos2, RawInput, Rect, Shape, vec2};
use hitscribe_core::DrumClass;
use hitscribe_live::take::Passage;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};

use super::*;
use crate::editor::side_panel::{self, SidePage};
use crate::editor::style;
use crate::params::window_shape::MIN_SIZE;
use crate::process::config::ProcessConfig;
use crate::status::PluginStatus;

mod accessible;
mod parameter_menu;
#[cfg(target_os = "linux")]
mod screen_reader;
mod settings;
mod snapshots;

/// A passage with so many candidates, ten a second, of which about half are hits at 50 %.
fn params(candidates: u64) -> HitscribeParams {
    let params = HitscribeParams::default();
    let mut passage = Passage::new(48_000.0);
    passage.was_playing = true;
    passage.host_start_beats = Some(0.0);
    passage.length_frames = candidates * 4_800;
    let mut state = 3u32;
    let candidates: Vec<_> = (0..candidates)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let class = [DrumClass::Kick, DrumClass::Snare, DrumClass::ClosedHat];
            Candidate {
                peak: Peak {
                    class: Some(class[index as usize % 3]),
                    frame: index * 12,
                    confidence: 0.5,
                    excess: (state >> 8) as f32 / 16e6 * 8.0 - 4.0,
                    velocity: None,
                    claim: Claim::Rivals,
                },
                onset_samples: index * 4_800,
                measured: Measured {
                    band_db: -30.0,
                    peak_db: -12.0,
                    openness: None,
                },
            }
        })
        .collect();
    passage.add_candidates(&candidates, candidates.len() / 2);
    params.take.take().lock().add_passage(passage);
    params
}

/// The shapes of a frame of this size in points.
fn frame(
    context: &Context,
    params: &HitscribeParams,
    state: &mut EditorState,
    size: [f32; 2],
) -> Vec<egui::epaint::ClippedShape> {
    let input = RawInput {
        screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(size[0], size[1]))),
        ..RawInput::default()
    };
    frame_of(context, input, params, &PluginStatus::default(), state)
}

fn frame_of(
    context: &Context,
    input: RawInput,
    params: &HitscribeParams,
    status: &PluginStatus,
    state: &mut EditorState,
) -> Vec<egui::epaint::ClippedShape> {
    std::mem::take(&mut output_of(context, input, params, status, state).shapes)
}

fn output_of(
    context: &Context,
    input: RawInput,
    params: &HitscribeParams,
    status: &PluginStatus,
    state: &mut EditorState,
) -> egui::FullOutput {
    let preview = Arc::new(Preview::default());
    let mut output = context.run_ui(input, |ui| {
        let view = View::new(params, status, &mut state.shown);
        draw(ui, params, &view, None, &preview, state);
    });
    output.textures_delta.clear();
    output
}

/// The lines of text of a frame, the visible parts of their areas, and whether a side is cut off.
fn texts(shapes: &[egui::epaint::ClippedShape]) -> Vec<(String, Rect, bool)> {
    let mut texts = Vec::new();
    for shape in shapes {
        let Shape::Text(text) = &shape.shape else {
            continue;
        };
        for row in text.galley.rows.iter().filter(|row| !row.glyphs.is_empty()) {
            let area = row
                .rect_without_leading_space()
                .translate(text.pos.to_vec2());
            let visible = area.intersect(shape.clip_rect);
            if visible.is_positive() {
                let is_cut = visible.width() < area.width() - 1.0;
                texts.push((row.text(), visible, is_cut));
            }
        }
    }
    texts
}

#[test]
fn no_text_overlaps_or_leaves_the_window_at_any_size_in_either_look() {
    let params = params(200);
    for is_light in [false, true] {
        for size in [MIN_SIZE, [960.0, 620.0], [1040.0, 640.0], [1600.0, 900.0]] {
            let context = Context::default();
            style::apply(&context, is_light);
            let mut state = EditorState::default();
            // The first frames measure.
            let mut shapes = Vec::new();
            for _ in 0..3 {
                shapes = frame(&context, &params, &mut state, size);
            }
            let texts = texts(&shapes);
            assert!(texts.len() > 20, "{} texts", texts.len());
            for expected in ["Snare", "Undo", "Drag MIDI", "Sensitivity"] {
                assert!(
                    texts.iter().any(|(text, ..)| text == expected),
                    "{expected}"
                );
            }
            for (index, (text, area, _)) in texts.iter().enumerate() {
                let font = egui::FontId::default();
                let is_drawn = context.fonts_mut(|fonts| fonts.has_glyphs(&font, text));
                assert!(is_drawn, "no glyph for a character of {text:?}");
                let is_inside = area.right() <= size[0] + 0.5 && area.bottom() <= size[1] + 0.5;
                assert!(is_inside, "{size:?}: {text:?} at {area:?}");
                for (other, other_area, _) in &texts[..index] {
                    let common = area.intersect(*other_area);
                    let overlaps =
                        common.is_positive() && common.width().min(common.height()) > 2.0;
                    assert!(!overlaps, "{size:?}: {text:?} over {other:?} at {common:?}");
                }
            }
        }
    }
}

#[test]
fn pages_at_the_side_fit_and_an_empty_take_shows_three_ways_to_begin() {
    let text_of = |params: &HitscribeParams, state: &mut EditorState, size: [f32; 2]| {
        let context = Context::default();
        style::apply(&context, false);
        let mut shapes = Vec::new();
        for _ in 0..3 {
            shapes = frame(&context, params, state, size);
        }
        texts(&shapes)
    };
    let with_take = params(200);
    for size in [MIN_SIZE, [1040.0, 640.0]] {
        for page in SidePage::ALL {
            let mut state = EditorState::default();
            state.side.page = Some(page);
            let texts = text_of(&with_take, &mut state, size);
            // The end of a page may need to be scrolled to.
            let [first, last] = match page {
                SidePage::Drums => ["Note map", "Floor tom"],
                SidePage::Groove => ["Velocity", "Ignore grace notes"],
                SidePage::Settings => ["Update interval", "Device"],
            };
            let last = Some(last).filter(|_| size != MIN_SIZE);
            for expected in [first, "Undo", "Sensitivity"].into_iter().chain(last) {
                assert!(
                    texts.iter().any(|(text, ..)| text == expected),
                    "{size:?}: {expected}"
                );
            }
            for (text, area, is_cut) in &texts {
                let fits = area.right() <= size[0] + 0.5;
                let is_in_page = area.center().x > size[0] - side_panel::WIDTH;
                assert!(
                    fits && !(is_in_page && *is_cut),
                    "{size:?}: {text:?} at {area:?}"
                );
            }
        }
        let mut state = EditorState::default();
        let texts = text_of(&HitscribeParams::default(), &mut state, size);
        for expected in ["Play the track", "Open audio…", "Transcribe the demo"] {
            assert!(
                texts.iter().any(|(text, ..)| text == expected),
                "{size:?}: {expected}"
            );
        }
    }
}

#[test]
fn the_sensitivity_acts_on_ten_thousand_candidates_at_once() {
    let params = params(10_000);
    let context = Context::default();
    let mut state = EditorState::default();
    state.shown.viewport.show_all(1_000.0);
    let size = [1040.0, 640.0];
    frame(&context, &params, &mut state, size);
    let (mut times, mut counts) = (Vec::new(), Vec::new());
    for step in 0..40 {
        crate::params::own::set_for_test(&params.sensitivity, step as f32 / 40.0);
        let began = Instant::now();
        let shapes = frame(&context, &params, &mut state, size);
        let tessellated = context.tessellate(shapes, 1.0);
        times.push(began.elapsed());
        assert!(!tessellated.is_empty());
        let view = View::new(&params, &PluginStatus::default(), &mut state.shown);
        counts.push(view.shown_notes);
    }
    times.sort_unstable();
    eprintln!(
        "frames: median {:?}, fastest {:?}, slowest {:?}",
        times[times.len() / 2],
        times[0],
        times[39]
    );
    assert!(
        counts.is_sorted() && counts[39] > counts[0] + 1_000,
        "{counts:?}"
    );
}
