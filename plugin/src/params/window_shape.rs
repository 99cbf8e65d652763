//! Size and zoom of the editor's window, a field of the state.

use serde::{Deserialize, Serialize};

/// Smallest size of the content in points.
pub const MIN_SIZE: [f32; 2] = [720.0, 440.0];
/// Initial size of the content in points.
pub const SIZE: [f32; 2] = [1040.0, 640.0];
/// Largest size of the content in points: a saved state may hold any number.
const MAX_SIZE: [f32; 2] = [8192.0, 8192.0];
/// Zoom that the user can choose, in percent.
pub const ZOOM_PERCENT: [u16; 6] = [75, 100, 125, 150, 175, 200];

/// Size and zoom of the window, saved with the project.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowShape {
    width: f32,
    height: f32,
    zoom_percent: u16,
}

impl Default for WindowShape {
    fn default() -> Self {
        Self {
            width: SIZE[0],
            height: SIZE[1],
            zoom_percent: 100,
        }
    }
}

impl WindowShape {
    /// Size of the content in points.
    pub fn content(&self) -> [f32; 2] {
        let limited = |value: f32, axis: usize| match value.is_nan() {
            true => SIZE[axis],
            false => value.clamp(MIN_SIZE[axis], MAX_SIZE[axis]),
        };
        [limited(self.width, 0), limited(self.height, 1)]
    }

    /// Sets the size of the content in points.
    pub fn set_content(&mut self, [width, height]: [f32; 2]) {
        (self.width, self.height) = (width, height);
        [self.width, self.height] = self.content();
    }

    /// Magnification of the content, on top of the host's.
    pub fn zoom(&self) -> f32 {
        let [first, .., last] = ZOOM_PERCENT;
        f32::from(self.zoom_percent.clamp(first, last)) / 100.0
    }

    /// Sets the magnification in percent.
    pub fn set_zoom_percent(&mut self, percent: u16) {
        self.zoom_percent = percent;
    }

    /// Size of the window in the host's points.
    pub fn window(&self) -> [f32; 2] {
        self.content().map(|length| length * self.zoom())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_shapes_are_limited_and_older_states_have_none() {
        let text = r#"{"width": 1e30, "height": -3, "zoom_percent": 9999, "more": 1}"#;
        let shape: WindowShape = serde_json::from_str(text).unwrap();
        assert_eq!(shape.content(), [8192.0, 440.0]);
        assert_eq!(shape.zoom(), 2.0);
        let missing: WindowShape = serde_json::from_str("{}").unwrap();
        assert_eq!(missing, WindowShape::default());
    }
}
