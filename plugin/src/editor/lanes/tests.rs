use egui::{Context, Event, Key, Modifiers, PointerButton, RawInput, Rect, vec2};
use hitscribe_core::note::{Note, PlacedNote};
use hitscribe_live::MarkedNote;
use hitscribe_live::take::Passage;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};

use super::*;
use crate::status::PluginStatus;

/// The lanes in a window, and their user.
struct Lanes {
    context: Context,
    params: HitscribeParams,
    state: EditorState,
    seconds: f64,
}

impl Lanes {
    /// A kick at 0.5 s, a snare at 1 s and a doubtful snare at 1.5 s, at 120 beats a minute.
    fn new() -> Self {
        let params = HitscribeParams::default();
        let mut passage = Passage::new(48_000.0);
        passage.was_playing = true;
        passage.host_start_beats = Some(0.0);
        passage.length_frames = 4 * 48_000;
        for (class, at) in [(DrumClass::Kick, 0.5), (DrumClass::Snare, 1.0)] {
            passage.insert(MarkedNote {
                note: PlacedNote::from_note(&Note::drum(class, at, 90, 0.9), 48_000),
                is_leakage: false,
            });
        }
        let doubtful = Candidate {
            peak: Peak {
                class: Some(DrumClass::Snare),
                frame: 187,
                confidence: 0.2,
                excess: -2.0,
                claim: Claim::Rivals,
            },
            onset_samples: 72_000,
            measured: Measured {
                band_db: -20.0,
                peak_db: -12.0,
                openness: None,
            },
        };
        passage.add_candidates(&[doubtful], 0);
        params.take.take().lock().add_passage(passage);
        let mut state = EditorState::default();
        state.shown.viewport.show_all(4.0);
        Self {
            context: Context::default(),
            params,
            state,
            seconds: 0.0,
        }
    }

    /// Draws a frame after these events; `at` gets the lanes and gives the pointer's position.
    fn frame(
        &mut self,
        modifiers: Modifiers,
        events: impl FnOnce(&LaneGrid) -> Vec<Event>,
    ) -> View {
        let area = Rect::from_min_size(Pos2::ZERO, vec2(1_000.0, 500.0));
        let view = View::new(
            &self.params,
            &PluginStatus::default(),
            &mut self.state.shown,
        );
        self.state.editing.follow(view.passage_id);
        let used = self.state.editing.lanes(&view);
        let grid = LaneGrid::new(area, &view, &used, self.state.shown.shows_unused);
        self.seconds += 0.05;
        let input = RawInput {
            screen_rect: Some(area),
            time: Some(self.seconds),
            events: [vec![Event::ModifiersChanged(modifiers)], events(&grid)].concat(),
            ..RawInput::default()
        };
        let (params, state) = (&self.params, &mut self.state);
        let mut output = self.context.run_ui(input, |ui| {
            editing::handle_keys(ui, params, &view, state);
            lanes(ui, params, &view, state);
        });
        output.textures_delta.clear();
        view
    }

    /// The position of a time in a lane.
    fn at(grid: &LaneGrid, class: DrumClass, seconds: f64) -> Pos2 {
        let top = grid.lane_top(class).expect("the lane is shown");
        Pos2::new(grid.x(seconds) + 2.0, top + grid.row_height * 0.6)
    }

    /// Presses, moves and releases; the drag ends at `to` if that is given.
    fn mouse(
        &mut self,
        modifiers: Modifiers,
        from: (DrumClass, f64),
        to: Option<(DrumClass, f64)>,
    ) {
        let button = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers,
        };
        let moved = |pos| vec![Event::PointerMoved(pos)];
        self.frame(modifiers, |grid| moved(Self::at(grid, from.0, from.1)));
        self.frame(modifiers, |grid| {
            vec![button(Self::at(grid, from.0, from.1), true)]
        });
        let end = to.unwrap_or(from);
        if to.is_some() {
            for part in [0.3, 0.7, 1.0] {
                self.frame(modifiers, |grid| {
                    let (a, b) = (Self::at(grid, from.0, from.1), Self::at(grid, end.0, end.1));
                    moved(a + (b - a) * part)
                });
            }
        }
        self.frame(modifiers, |grid| {
            vec![button(Self::at(grid, end.0, end.1), false)]
        });
        self.frame(modifiers, |_| Vec::new());
    }

    fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.frame(modifiers, |_| {
            vec![Event::Key {
                key,
                physical_key: None,
                pressed: true,
                repeat: false,
                modifiers,
            }]
        });
    }

    /// Milliseconds and drum of what is sent.
    fn sent(&mut self) -> Vec<(u64, DrumClass)> {
        let view = self.frame(Modifiers::NONE, |_| Vec::new());
        let sent = view.all_notes.iter().filter(|note| note.fate == Fate::Sent);
        sent.map(|note| (note.note.onset_samples / 48, note.class.unwrap()))
            .collect()
    }
}

use DrumClass::{Kick, Snare};

#[test]
fn the_mouse_accepts_moves_deletes_and_adds_hits() {
    let mut lanes = Lanes::new();
    assert_eq!(lanes.sent(), [(500, Kick), (1_000, Snare)]);
    // A click on the hollow hit.
    lanes.mouse(Modifiers::NONE, (Snare, 1.5), None);
    assert_eq!(lanes.sent(), [(500, Kick), (1_000, Snare), (1_500, Snare)]);
    // A drag to the side snaps to a sixteenth, with Alt it does not.
    lanes.mouse(Modifiers::NONE, (Snare, 1.0), Some((Snare, 1.23)));
    assert_eq!(lanes.sent(), [(500, Kick), (1_250, Snare), (1_500, Snare)]);
    lanes.mouse(Modifiers::ALT, (Snare, 1.25), Some((Snare, 1.30)));
    let moved = lanes.sent()[1].0;
    assert!((1_290..=1_310).contains(&moved), "{moved} ms");
    // Onto another lane.
    lanes.mouse(Modifiers::NONE, (Kick, 0.5), Some((Snare, 0.5)));
    assert_eq!(lanes.sent()[0], (500, Snare));
    lanes.key(Modifiers::NONE, Key::Num1);
    assert_eq!(lanes.sent()[0], (500, Kick));
    lanes.key(Modifiers::NONE, Key::Delete);
    assert_eq!(lanes.sent().len(), 2);
    // A double click beside hits.
    lanes.mouse(Modifiers::NONE, (Kick, 3.0), None);
    lanes.mouse(Modifiers::NONE, (Kick, 3.0), None);
    assert_eq!(lanes.sent().last(), Some(&(3_000, Kick)));
    for _ in 0..7 {
        lanes.key(Modifiers::COMMAND, Key::Z);
    }
    assert_eq!(lanes.sent(), [(500, Kick), (1_000, Snare)]);
}

#[test]
fn a_drag_beside_hits_selects_and_the_selection_is_deleted() {
    let mut lanes = Lanes::new();
    lanes.mouse(Modifiers::NONE, (Kick, 0.1), Some((Kick, 0.8)));
    let selection = lanes.state.shown.viewport.selection().expect("a selection");
    assert!((selection.start - 0.1).abs() < 0.02 && (selection.end - 0.8).abs() < 0.02);
    lanes.key(Modifiers::NONE, Key::Backspace);
    assert_eq!(lanes.sent(), [(1_000, Snare)]);
    let deleted = |view: &View| view.all_notes.iter().any(|n| n.fate == Fate::Deleted);
    let view = lanes.frame(Modifiers::NONE, |_| Vec::new());
    assert!(deleted(&view), "its place is shown");
    lanes.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(lanes.sent().len(), 2);
}
