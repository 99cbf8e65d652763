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
    preview: Arc<Preview>,
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
                velocity: None,
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
            preview: Arc::default(),
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
        let grid = LaneGrid::new(area, &view, &used, self.state.shown.folds);
        self.seconds += 0.05;
        let input = RawInput {
            screen_rect: Some(area),
            time: Some(self.seconds),
            events: [vec![Event::ModifiersChanged(modifiers)], events(&grid)].concat(),
            ..RawInput::default()
        };
        let (params, state) = (&self.params, &mut self.state);
        let preview = &self.preview;
        let mut output = self.context.run_ui(input, |ui| {
            editing::handle_keys(ui, params, &view, state);
            lanes(ui, params, &view, preview, state);
        });
        output.textures_delta.clear();
        view
    }

    /// The position of a time in a lane.
    fn at(grid: &LaneGrid, class: DrumClass, seconds: f64) -> Pos2 {
        let top = grid.lane_top(class).expect("the lane is shown");
        Pos2::new(grid.x(seconds) + 2.0, top + grid.row_height * 0.6)
    }

    /// Presses, moves and releases in lanes; the drag ends at `to` if that is given.
    fn mouse(
        &mut self,
        modifiers: Modifiers,
        from: (DrumClass, f64),
        to: Option<(DrumClass, f64)>,
    ) {
        let at = |(class, seconds): (DrumClass, f64)| {
            move |grid: &LaneGrid| Self::at(grid, class, seconds)
        };
        match to {
            None => self.pointer(modifiers, at(from), None),
            Some(to) => self.pointer(modifiers, at(from), Some(&at(to))),
        }
    }

    /// Presses, moves and releases; the drag ends at `to` if that is given.
    fn pointer(
        &mut self,
        modifiers: Modifiers,
        from: impl Fn(&LaneGrid) -> Pos2,
        to: Option<&dyn Fn(&LaneGrid) -> Pos2>,
    ) {
        let button = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers,
        };
        let moved = |pos| vec![Event::PointerMoved(pos)];
        self.frame(modifiers, |grid| moved(from(grid)));
        self.frame(modifiers, |grid| vec![button(from(grid), true)]);
        if let Some(to) = to {
            for part in [0.3, 0.7, 1.0] {
                self.frame(modifiers, |grid| {
                    let (a, b) = (from(grid), to(grid));
                    moved(a + (b - a) * part)
                });
            }
        }
        self.frame(modifiers, |grid| {
            vec![button(to.map_or_else(|| from(grid), |to| to(grid)), false)]
        });
        self.frame(modifiers, |_| Vec::new());
    }

    /// Until the next click is no double click.
    fn wait(&mut self) {
        self.seconds += 1.0;
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
    let selected = |lanes: &Lanes| lanes.state.shown.viewport.selection().expect("a selection");
    let is_near = |range: std::ops::Range<f64>, start: f64, end: f64| {
        assert!(
            (range.start - start).abs() < 0.02 && (range.end - end).abs() < 0.02,
            "{range:?}"
        );
    };
    lanes.mouse(Modifiers::ALT, (Kick, 0.1), Some((Kick, 0.8)));
    is_near(selected(&lanes), 0.1, 0.8);
    // To sixteenths, and again by one of its edges.
    lanes.mouse(Modifiers::NONE, (Kick, 0.9), Some((Kick, 0.1)));
    is_near(selected(&lanes), 0.125, 0.875);
    lanes.mouse(Modifiers::NONE, (Kick, 0.869), Some((Kick, 0.74)));
    is_near(selected(&lanes), 0.125, 0.75);
    lanes.key(Modifiers::NONE, Key::Backspace);
    assert_eq!(lanes.sent(), [(1_000, Snare)]);
    let deleted = |view: &View| view.all_notes.iter().any(|n| n.fate == Fate::Deleted);
    let view = lanes.frame(Modifiers::NONE, |_| Vec::new());
    assert!(deleted(&view), "its place is shown");
    lanes.key(Modifiers::COMMAND, Key::Z);
    assert_eq!(lanes.sent().len(), 2);
}

#[test]
fn a_name_chooses_its_drum_and_has_a_button_and_a_threshold() {
    let mut lanes = Lanes::new();
    let name = |grid: &LaneGrid, x: f32, share: f32| {
        let row = grid.row(Snare).expect("the lane is shown");
        Pos2::new(row.left() + x, row.top() + row.height() * share)
    };
    lanes.pointer(Modifiers::NONE, |grid| name(grid, 40.0, 0.3), None);
    assert_eq!(lanes.state.shown.class, Some(Snare));
    lanes.wait();
    lanes.pointer(Modifiers::NONE, |grid| name(grid, 147.0, 0.4), None);
    assert!(!lanes.params.note_map.class(Snare).on);
    assert_eq!(lanes.sent(), [(500, Kick)], "the lanes show what is sent");
    lanes.wait();
    lanes.pointer(Modifiers::NONE, |grid| name(grid, 147.0, 0.4), None);
    assert_eq!(lanes.sent().len(), 2);
    // The threshold; a double click resets it.
    let handle = |grid: &LaneGrid, x: f32| {
        let at = name(grid, x, 0.0);
        Pos2::new(at.x, grid.row(Snare).unwrap().bottom() - 8.0)
    };
    let middle = 19.0 + (164.0 - 48.0) / 2.0;
    lanes.pointer(
        Modifiers::NONE,
        |grid| handle(grid, middle),
        Some(&|grid: &LaneGrid| handle(grid, 400.0)),
    );
    assert_eq!(lanes.params.note_map.class(Snare).sensitivity_percent, 50);
    assert_eq!(lanes.sent().len(), 3, "the doubtful hit is one now");
    lanes.wait();
    for _ in 0..2 {
        lanes.pointer(Modifiers::NONE, |grid| handle(grid, middle), None);
    }
    assert_eq!(lanes.params.note_map.class(Snare).sensitivity_percent, 0);
}

#[test]
fn the_velocity_lane_sets_velocities() {
    let mut lanes = Lanes::new();
    let bar = |grid: &LaneGrid, y: f32| {
        let lane = grid.velocity.expect("the lane is open");
        Pos2::new(grid.x(1.0) + 2.0, lane.bottom() - lane.height() * y)
    };
    lanes.pointer(
        Modifiers::NONE,
        |grid| bar(grid, 0.5),
        Some(&|grid: &LaneGrid| bar(grid, 0.25)),
    );
    let view = lanes.frame(Modifiers::NONE, |_| Vec::new());
    let snare = view
        .all_notes
        .iter()
        .find(|note| note.class == Some(Snare))
        .unwrap();
    assert!((31..=33).contains(&snare.velocity), "{}", snare.velocity);
    assert!(snare.is_edited);
    lanes.wait();
    lanes.pointer(Modifiers::NONE, |grid| grid.velocity_fold.center(), None);
    assert!(lanes.state.shown.folds.hides_velocity);
}
