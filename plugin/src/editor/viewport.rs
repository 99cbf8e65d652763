//! The visible range of a passage and the selected range.

use std::ops::Range;

/// Shortest and longest visible range, in seconds.
const SPAN_SECONDS: Range<f64> = 0.5..1800.0;
/// Initial visible range.
const FIRST_SPAN_SECONDS: f64 = 8.0;
/// A shorter selection counts as a click.
const SHORTEST_SELECTION_SECONDS: f64 = 0.01;

/// The visible range and the selected range, in seconds from the start of the passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewport {
    span_seconds: f64,
    /// The right edge; none to follow the end of the passage.
    right_seconds: Option<f64>,
    /// Start and end of the selection, in the order of the drag.
    selected: Option<(f64, f64)>,
}

impl Default for Viewport {
    fn default() -> Self {
        Self {
            span_seconds: FIRST_SPAN_SECONDS,
            right_seconds: None,
            selected: None,
        }
    }
}

impl Viewport {
    /// The visible range of a passage of this length.
    pub fn window(&self, length_seconds: f64) -> Range<f64> {
        let right = self.right_seconds.unwrap_or(length_seconds);
        right - self.span_seconds..right
    }

    /// Whether the view follows the end of the passage.
    pub fn follows(&self) -> bool {
        self.right_seconds.is_none()
    }

    /// Follows the end of the passage from now on.
    pub fn follow(&mut self) {
        self.right_seconds = None;
    }

    /// Scrolls by `seconds`. At the end of the passage the view follows again.
    pub fn scroll(&mut self, seconds: f64, length_seconds: f64) {
        let right = self.right_seconds.unwrap_or(length_seconds) + seconds;
        let first = self.span_seconds.min(length_seconds);
        self.right_seconds = (right < length_seconds).then_some(right.max(first));
    }

    /// Scrolls a time into view, unless it is visible.
    pub fn reveal(&mut self, at_seconds: f64, length_seconds: f64) {
        let window = self.window(length_seconds);
        if !window.contains(&at_seconds) {
            let middle = (window.start + window.end) / 2.0;
            self.scroll(at_seconds - middle, length_seconds);
        }
    }

    /// Zooms in by `factor` around a time, which keeps its position unless the view is at the end
    /// of the passage.
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

    /// Starts a selection.
    pub fn select_from(&mut self, at_seconds: f64) {
        self.selected = Some((at_seconds, at_seconds));
    }

    /// Moves the end of the selection.
    pub fn select_to(&mut self, at_seconds: f64) {
        if let Some((_, end)) = &mut self.selected {
            *end = at_seconds;
        }
    }

    /// From now on, [`Viewport::select_to`] moves the edge that is nearer to this time.
    pub fn grab_edge(&mut self, at_seconds: f64) {
        if let Some((start, end)) = &mut self.selected
            && (*start - at_seconds).abs() < (*end - at_seconds).abs()
        {
            std::mem::swap(start, end);
        }
    }

    /// Clears the selection.
    pub fn deselect(&mut self) {
        self.selected = None;
    }

    /// The selected range in seconds.
    pub fn selection(&self) -> Option<Range<f64>> {
        let (from, to) = self.selected?;
        let range = from.min(to).max(0.0)..from.max(to);
        (range.end - range.start >= SHORTEST_SELECTION_SECONDS).then_some(range)
    }

    /// The selected range in frames.
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
    fn the_view_follows_until_scrolled_and_again_at_the_end() {
        let mut viewport = Viewport::default();
        assert_eq!(viewport.window(20.0), 12.0..20.0);
        viewport.scroll(-5.0, 20.0);
        assert_eq!(viewport.window(99.0), 7.0..15.0);
        viewport.scroll(-99.0, 20.0);
        assert_eq!(viewport.window(20.0), 0.0..8.0);
        viewport.scroll(99.0, 20.0);
        assert!(viewport.follows());
    }

    #[test]
    fn zooming_keeps_the_time_under_the_pointer() {
        let mut viewport = Viewport::default();
        viewport.scroll(-5.0, 20.0);
        viewport.zoom(2.0, 9.0, 20.0);
        assert_eq!(viewport.window(20.0), 8.0..12.0);
        viewport.zoom(1e9, 9.0, 20.0);
        let window = viewport.window(20.0);
        assert!((window.end - window.start - 0.5).abs() < 1e-9);
        viewport.show_all(20.0);
        assert_eq!(viewport.window(20.0), 0.0..20.0);
    }

    #[test]
    fn a_selection_is_sorted_and_a_click_selects_nothing() {
        let mut viewport = Viewport::default();
        viewport.select_from(3.0);
        assert_eq!(viewport.selection(), None);
        viewport.select_to(1.0);
        assert_eq!(viewport.selected_frames(1000.0), Some(1000..3000));
        viewport.grab_edge(2.9);
        viewport.select_to(4.0);
        assert_eq!(viewport.selection(), Some(1.0..4.0));
        viewport.grab_edge(1.2);
        viewport.select_to(2.0);
        assert_eq!(viewport.selection(), Some(2.0..4.0));
        viewport.deselect();
        assert_eq!(viewport.selection(), None);
    }
}
