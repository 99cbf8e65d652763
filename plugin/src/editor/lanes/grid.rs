//! Areas and scales of the lanes.

use egui::{Pos2, Rect, vec2};
use hitscribe_core::DrumClass;

use crate::editor::resolved::{Fate, NoteView};
use crate::editor::view::View;

/// Width of the names.
pub const LABEL_WIDTH: f32 = 164.0;
const RULER_HEIGHT: f32 = 18.0;
const WAVE_HEIGHT: f32 = 44.0;
/// Height of the lines that fold unused lanes and the velocity lane.
const FOLD_HEIGHT: f32 = 18.0;
/// Height of the velocity lane.
const VELOCITY_HEIGHT: f32 = 72.0;
/// The velocity lane is folded if less height than this is left for the drums.
const LEAST_ROWS_HEIGHT: f32 = 130.0;
/// Largest height of a lane.
const MAX_LANE_HEIGHT: f32 = 56.0;
/// Fraction of the height for the piano roll, if there are pitched notes.
const ROLL_SHARE: f32 = 0.38;
/// A hit can be grabbed this many pixels from its stem.
const GRAB_PIXELS: f32 = 5.0;
/// Width of a stem.
const STEM_WIDTH: f32 = 4.0;

/// What of the lanes is folded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Folds {
    /// Whether lanes without notes are shown.
    pub shows_unused: bool,
    /// Whether the velocity lane is hidden.
    pub hides_velocity: bool,
}

/// Areas and scales of the drawing.
pub struct LaneGrid {
    /// Everything.
    pub area: Rect,
    /// The ruler.
    pub ruler: Rect,
    /// The waveform.
    pub wave: Rect,
    /// The lanes.
    pub rows: Rect,
    /// The piano roll.
    pub roll: Option<Rect>,
    /// The velocity lane; none while it is folded.
    pub velocity: Option<Rect>,
    /// The line that folds the velocity lane.
    pub velocity_fold: Rect,
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
        folds: Folds,
    ) -> Self {
        let left = area.left() + LABEL_WIDTH;
        let right = area.right();
        let band = |top: f32, height: f32| {
            Rect::from_min_max(Pos2::new(left, top), Pos2::new(right, top + height))
        };
        let ruler = band(area.top(), RULER_HEIGHT);
        let wave = band(ruler.bottom(), WAVE_HEIGHT);
        let fits = area.height() - RULER_HEIGHT - WAVE_HEIGHT - VELOCITY_HEIGHT - FOLD_HEIGHT;
        let has_velocity = !folds.hides_velocity && fits >= LEAST_ROWS_HEIGHT;
        let velocity_height = if has_velocity { VELOCITY_HEIGHT } else { 0.0 };
        let bottom = area.bottom() - velocity_height - FOLD_HEIGHT;
        let velocity_fold = Rect::from_min_size(
            Pos2::new(area.left(), bottom),
            vec2(area.width(), FOLD_HEIGHT),
        );
        let velocity = band(velocity_fold.bottom(), velocity_height);
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
            .filter(|class| !is_foldable || folds.shows_unused || is_used(class))
            .collect();
        let fold_height = if is_foldable { FOLD_HEIGHT } else { 0.0 };
        let height = bottom - wave.bottom() - fold_height;
        let roll_height = if has_roll { height * ROLL_SHARE } else { 0.0 };
        let row_height = (height - roll_height) / classes.len() as f32;
        let row_height = row_height.min(MAX_LANE_HEIGHT);
        let rows = band(wave.bottom(), row_height * classes.len() as f32);
        let fold = Rect::from_min_size(
            Pos2::new(area.left(), rows.bottom()),
            vec2(area.width(), fold_height),
        );
        let roll = band(bottom - roll_height, roll_height);
        let span_seconds = (view.window.end - view.window.start).max(0.01);
        Self {
            area,
            ruler,
            wave,
            rows,
            roll: has_roll.then_some(roll),
            velocity: has_velocity.then_some(velocity),
            velocity_fold,
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

    /// Bottom of the lanes and the piano roll.
    pub fn bottom(&self) -> f32 {
        self.velocity_fold.top()
    }

    /// Whether a position is in the ruler, the waveform, a lane or the piano roll.
    pub fn is_on_lanes(&self, at: Pos2) -> bool {
        at.x >= self.wave.left() && at.y < self.bottom() && !self.is_fold(at)
    }

    /// Whether a position is in the velocity lane.
    pub fn is_on_velocity(&self, at: Pos2) -> bool {
        self.velocity.is_some_and(|lane| lane.contains(at))
    }

    /// Whether a position is on the line that folds unused lanes.
    pub fn is_fold(&self, at: Pos2) -> bool {
        self.fold.is_some_and(|(fold, _)| fold.contains(at))
    }

    /// The row of a class with its name, if it is shown.
    pub fn row(&self, class: DrumClass) -> Option<Rect> {
        let top = self.lane_top(class)?;
        Some(Rect::from_min_max(
            Pos2::new(self.area.left(), top),
            Pos2::new(self.area.right(), top + self.row_height),
        ))
    }

    /// Top of the lane of a class, if it is shown.
    pub fn lane_top(&self, class: DrumClass) -> Option<f32> {
        let lane = self.classes.iter().position(|other| *other == class)?;
        Some(self.rows.top() + self.row_height * lane as f32)
    }

    /// The lane at a position.
    pub fn class_at(&self, at: Pos2) -> Option<DrumClass> {
        if at.y < self.rows.top() || at.y >= self.bottom() {
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

    /// The bar of a note in the velocity lane; none while the lane is folded.
    pub fn velocity_bar(&self, note: &NoteView) -> Option<Rect> {
        let lane = self.velocity?;
        let height = lane.height() * f32::from(note.velocity) / 127.0;
        let left = Pos2::new(self.x(note.at_seconds), lane.bottom() - height);
        Some(Rect::from_min_size(left, vec2(STEM_WIDTH, height)))
    }

    /// The velocity at a height in the velocity lane.
    pub fn velocity_at(&self, y: f32) -> u8 {
        let share = self
            .velocity
            .map_or(0.0, |lane| (lane.bottom() - y) / lane.height());
        (share * 127.0).round().clamp(1.0, 127.0) as u8
    }

    /// The note at a position: in a lane the nearest one, whatever its velocity.
    pub fn note_at<'a>(&self, view: &'a View, at: Pos2) -> Option<&'a NoteView> {
        if !self.is_on_lanes(at) {
            return None;
        }
        let lane = self.class_at(at);
        self.nearest(view, at.x, |note| {
            let shape = self.shape(note, note.at_seconds)?;
            let is_here = match note.class {
                Some(class) => lane == Some(class),
                None => shape.y_range().expand(1.0).contains(at.y),
            };
            is_here.then_some(shape)
        })
    }

    /// The sent note of one drum, or of any, at a position in the velocity lane.
    pub fn velocity_note_at<'a>(
        &self,
        view: &'a View,
        only: Option<DrumClass>,
        at: Pos2,
    ) -> Option<&'a NoteView> {
        if !self.is_on_velocity(at) {
            return None;
        }
        self.nearest(view, at.x, |note| {
            let is_shown = note.fate == Fate::Sent && (only.is_none() || note.class == only);
            self.velocity_bar(note).filter(|_| is_shown)
        })
    }

    fn nearest<'a>(
        &self,
        view: &'a View,
        x: f32,
        shape: impl Fn(&NoteView) -> Option<Rect>,
    ) -> Option<&'a NoteView> {
        let distance = |note: &NoteView| -> Option<f32> {
            let shape = shape(note)?;
            let distance = (shape.left() - x).max(x - shape.right()).max(0.0);
            (distance <= GRAB_PIXELS).then_some(distance)
        };
        view.notes()
            .iter()
            .filter_map(|note| Some((note, distance(note)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(note, _)| note)
    }
}
