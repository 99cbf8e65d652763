//! Which part of a passage the editor shows, and which part of it is selected.

use std::ops::Range;

/// Shortest and longest part that is shown, in seconds.
const SPAN_SECONDS: Range<f64> = 0.5..1800.0;
/// What is shown at first.
const FIRST_SPAN_SECONDS: f64 = 8.0;
/// A selection that is shorter than this is a click.
const SHORTEST_SELECTION_SECONDS: f64 = 0.01;

/// The part that is shown, in seconds from the start of the passage, and the selected part.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    span_seconds: f64,
    /// The right edge; none to follow the newest.
    right_seconds: Option<f64>,
    /// Where the selection was begun, and where it is now.
    selected: Option<(f64, f64)>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            span_seconds: FIRST_SPAN_SECONDS,
            right_seconds: None,
            selected: None,
        }
    }
}

impl Timeline {
    /// What is shown of a passage of this length.
    pub fn window(&self, length_seconds: f64) -> Range<f64> {
        let right = self.right_seconds.unwrap_or(length_seconds);
        right - self.span_seconds..right
    }

    /// Whether the newest is followed.
    pub fn follows(&self) -> bool {
        self.right_seconds.is_none()
    }

    /// Follows the newest from now on.
    pub fn follow(&mut self) {
        self.right_seconds = None;
    }

    /// Shows what lies `seconds` later. At the end of the passage it follows again.
    pub fn scroll(&mut self, seconds: f64, length_seconds: f64) {
        let right = self.right_seconds.unwrap_or(length_seconds) + seconds;
        let first = self.span_seconds.min(length_seconds);
        self.right_seconds = (right < length_seconds).then_some(right.max(first));
    }

    /// Shows `factor` times less around a place, which stays where it is while there is something to
    /// the right of the window.
    pub fn zoom(&mut self, factor: f64, at_seconds: f64, length_seconds: f64) {
        let before = self.window(length_seconds);
        let span = (self.span_seconds / factor).clamp(SPAN_SECONDS.start, SPAN_SECONDS.end);
        let share = (before.end - at_seconds) / self.span_seconds;
        self.span_seconds = span;
        if self.right_seconds.is_some() {
            self.right_seconds = Some(at_seconds + share * span);
            self.scroll(0.0, length_seconds);
        }
    }

    /// Shows the whole passage.
    pub fn show_all(&mut self, length_seconds: f64) {
        self.span_seconds = length_seconds.clamp(SPAN_SECONDS.start, SPAN_SECONDS.end);
        self.right_seconds = Some(length_seconds);
    }

    /// Begins a selection.
    pub fn select_from(&mut self, at_seconds: f64) {
        self.selected = Some((at_seconds, at_seconds));
    }

    /// Moves the end of the selection.
    pub fn select_to(&mut self, at_seconds: f64) {
        if let Some((_, end)) = &mut self.selected {
            *end = at_seconds;
        }
    }

    /// Selects nothing.
    pub fn deselect(&mut self) {
        self.selected = None;
    }

    /// The selected part in seconds.
    pub fn selection(&self) -> Option<Range<f64>> {
        let (from, to) = self.selected?;
        let range = from.min(to).max(0.0)..from.max(to);
        (range.end - range.start >= SHORTEST_SELECTION_SECONDS).then_some(range)
    }

    /// The selected part in frames.
    pub fn selected_frames(&self, sample_rate_hz: f64) -> Option<Range<u64>> {
        let frames = |seconds: f64| (seconds * sample_rate_hz) as u64;
        let seconds = self.selection()?;
        Some(frames(seconds.start)..frames(seconds.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_until_it_is_scrolled_and_again_at_the_end() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.window(20.0), 12.0..20.0);
        timeline.scroll(-5.0, 20.0);
        assert_eq!(timeline.window(99.0), 7.0..15.0);
        timeline.scroll(-99.0, 20.0);
        assert_eq!(timeline.window(20.0), 0.0..8.0);
        timeline.scroll(99.0, 20.0);
        assert!(timeline.follows());
    }

    #[test]
    fn zooming_keeps_the_place_under_the_pointer() {
        let mut timeline = Timeline::default();
        timeline.scroll(-5.0, 20.0);
        timeline.zoom(2.0, 9.0, 20.0);
        assert_eq!(timeline.window(20.0), 8.0..12.0);
        timeline.zoom(1e9, 9.0, 20.0);
        let window = timeline.window(20.0);
        assert!((window.end - window.start - 0.5).abs() < 1e-9);
        timeline.show_all(20.0);
        assert_eq!(timeline.window(20.0), 0.0..20.0);
    }

    #[test]
    fn a_selection_has_an_order_and_a_click_is_none() {
        let mut timeline = Timeline::default();
        timeline.select_from(3.0);
        assert_eq!(timeline.selection(), None);
        timeline.select_to(1.0);
        assert_eq!(timeline.selected_frames(1000.0), Some(1000..3000));
        timeline.deselect();
        assert_eq!(timeline.selection(), None);
    }
}
