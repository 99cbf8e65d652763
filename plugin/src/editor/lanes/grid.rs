//! Areas and scales of the lanes.

use egui::{Pos2, Rect, vec2};
use hitscribe_core::DrumClass;

use crate::editor::view::{NoteView, View};

const LABEL_WIDTH: f32 = 140.0;
const WAVE_HEIGHT: f32 = 56.0;
/// Height of the axis below the lanes.
pub const AXIS_HEIGHT: f32 = 16.0;
/// Height of the line that stands for unused lanes.
const FOLD_HEIGHT: f32 = 18.0;
/// Largest height of a lane.
const MAX_LANE_HEIGHT: f32 = 56.0;
/// Fraction of the height for the piano roll, if there are pitched notes.
const ROLL_SHARE: f32 = 0.38;
/// A hit can be grabbed this many pixels from its stem.
const GRAB_PIXELS: f32 = 5.0;
/// Width of a stem.
const STEM_WIDTH: f32 = 4.0;

/// Areas and scales of the drawing.
pub struct LaneGrid {
    /// Everything.
    pub area: Rect,
    /// The waveform.
    pub wave: Rect,
    /// The lanes.
    pub rows: Rect,
    /// The piano roll.
    pub roll: Option<Rect>,
    /// The line that folds unused lanes, and their number.
    pub fold: Option<(Rect, usize)>,
    /// The lanes from top to bottom.
    pub classes: Vec<DrumClass>,
    /// Height of a lane.
    pub row_height: f32,
    /// Lowest and highest key of the visible pitched notes.
    pub keys: (u8, u8),
    /// Time at the left edge of the lanes.
    start_seconds: f64,
    /// Scale of time.
    pub pixels_per_second: f32,
}

impl LaneGrid {
    /// The areas within `area`, with the lanes that are in use or all.
    pub fn new(
        area: Rect,
        view: &View,
        lanes: &[bool; DrumClass::ALL.len()],
        shows_unused: bool,
    ) -> Self {
        let left = area.left() + LABEL_WIDTH;
        let wave = Rect::from_min_max(
            Pos2::new(left, area.top()),
            Pos2::new(area.right(), area.top() + WAVE_HEIGHT),
        );
        let bottom = area.bottom() - AXIS_HEIGHT;
        let pitched = view.notes().iter().filter(|note| !note.is_drum);
        let keys = pitched.fold((127, 0), |(low, high), note| {
            (note.key.min(low), note.key.max(high))
        });
        let has_roll = keys.0 <= keys.1;
        let is_used = |class: &DrumClass| lanes[class.index()];
        let used = DrumClass::ALL.iter().filter(|class| is_used(class)).count();
        let unused = DrumClass::ALL.len() - used;
        let is_foldable = used > 0 && unused > 0;
        let classes: Vec<DrumClass> = DrumClass::ALL
            .into_iter()
            .filter(|class| !is_foldable || shows_unused || is_used(class))
            .collect();
        let fold_height = if is_foldable { FOLD_HEIGHT } else { 0.0 };
        let height = bottom - wave.bottom() - fold_height;
        let roll_height = if has_roll { height * ROLL_SHARE } else { 0.0 };
        let row_height = (height - roll_height) / classes.len() as f32;
        let row_height = row_height.min(MAX_LANE_HEIGHT);
        let rows_bottom = wave.bottom() + row_height * classes.len() as f32;
        let rows = Rect::from_min_max(
            Pos2::new(left, wave.bottom()),
            Pos2::new(area.right(), rows_bottom),
        );
        let fold = Rect::from_min_size(
            Pos2::new(area.left(), rows_bottom),
            vec2(area.width(), fold_height),
        );
        let roll_top = Pos2::new(left, bottom - roll_height);
        let roll = Rect::from_min_max(roll_top, Pos2::new(area.right(), bottom));
        let span_seconds = (view.window.end - view.window.start).max(0.01);
        Self {
            area,
            wave,
            rows,
            roll: has_roll.then_some(roll),
            fold: is_foldable.then_some((fold, unused)),
            classes,
            row_height,
            keys,
            start_seconds: view.window.start,
            pixels_per_second: wave.width() / span_seconds as f32,
        }
    }

    /// Horizontal position of a time.
    pub fn x(&self, seconds: f64) -> f32 {
        self.wave.left() + (seconds - self.start_seconds) as f32 * self.pixels_per_second
    }

    /// Time at a horizontal position.
    pub fn seconds(&self, x: f32) -> f64 {
        self.start_seconds + f64::from((x - self.wave.left()) / self.pixels_per_second)
    }

    /// Whether a position is right of the names.
    pub fn is_on_lanes(&self, at: Pos2) -> bool {
        at.x >= self.wave.left() && !self.is_fold(at)
    }

    /// Whether a position is on the line that folds unused lanes.
    pub fn is_fold(&self, at: Pos2) -> bool {
        self.fold.is_some_and(|(fold, _)| fold.contains(at))
    }

    /// Top of the lane of a class, if it is shown.
    pub fn lane_top(&self, class: DrumClass) -> Option<f32> {
        let lane = self.classes.iter().position(|other| *other == class)?;
        Some(self.rows.top() + self.row_height * lane as f32)
    }

    /// The lane at a position.
    pub fn class_at(&self, at: Pos2) -> Option<DrumClass> {
        if at.y < self.rows.top() {
            return None;
        }
        let lane = ((at.y - self.rows.top()) / self.row_height) as usize;
        self.classes.get(lane).copied()
    }

    /// The drum whose name is at a position.
    pub fn class_of_label(&self, at: Pos2) -> Option<DrumClass> {
        self.class_at(at).filter(|_| at.x < self.wave.left())
    }

    /// The shape of a note at a time; none if its lane is not shown.
    pub fn shape(&self, note: &NoteView, seconds: f64) -> Option<Rect> {
        let x = self.x(seconds);
        let strength = f32::from(note.velocity) / 127.0;
        match (note.class, self.roll) {
            (Some(class), _) => {
                let height = self.row_height * (0.25 + 0.65 * strength);
                let bottom = self.lane_top(class)? + self.row_height - self.row_height * 0.05;
                let size = vec2(STEM_WIDTH, height);
                Some(Rect::from_min_size(Pos2::new(x, bottom - height), size))
            }
            (None, Some(roll)) if !note.is_drum => {
                let (low, high) = self.keys;
                let keys = f32::from(high.saturating_sub(low)) + 1.0;
                let key_height = (roll.height() - 6.0) / keys;
                let above = f32::from(high.saturating_sub(note.key));
                let top = roll.top() + 3.0 + above * key_height;
                let width = (note.length_seconds as f32 * self.pixels_per_second).max(3.0);
                let size = vec2(width, key_height.clamp(2.0, 8.0));
                Some(Rect::from_min_size(Pos2::new(x, top), size))
            }
            _ => None,
        }
    }

    /// The note at a position: in a lane the nearest one, whatever its velocity.
    pub fn note_at<'a>(&self, view: &'a View, at: Pos2) -> Option<&'a NoteView> {
        if !self.is_on_lanes(at) {
            return None;
        }
        let lane = self.class_at(at);
        let distance = |note: &NoteView| -> Option<f32> {
            let shape = self.shape(note, note.at_seconds)?;
            let is_here = match note.class {
                Some(class) => lane == Some(class),
                None => shape.y_range().expand(1.0).contains(at.y),
            };
            let distance = (shape.left() - at.x).max(at.x - shape.right()).max(0.0);
            (is_here && distance <= GRAB_PIXELS).then_some(distance)
        };
        view.notes()
            .iter()
            .filter_map(|note| Some((note, distance(note)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(note, _)| note)
    }
}
