//! Quantization of exported notes.

use nice_plug::prelude::*;

/// Grid that notes snap to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// No quantization.
    #[id = "off"]
    #[name = "Off"]
    Off,
    /// Quarters.
    #[id = "4"]
    #[name = "1/4"]
    Quarter,
    /// Eighths.
    #[id = "8"]
    #[name = "1/8"]
    Eighth,
    /// Three in a quarter.
    #[id = "8t"]
    #[name = "1/8 triplet"]
    EighthTriplet,
    /// Sixteenths.
    #[id = "16"]
    #[name = "1/16"]
    Sixteenth,
    /// Six in a quarter.
    #[id = "16t"]
    #[name = "1/16 triplet"]
    SixteenthTriplet,
    /// Thirty-seconds.
    #[id = "32"]
    #[name = "1/32"]
    ThirtySecond,
}

impl Grid {
    /// Steps of the grid in a quarter note; none if it is off.
    pub fn steps_per_quarter(self) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Quarter => Some(1.0),
            Self::Eighth => Some(2.0),
            Self::EighthTriplet => Some(3.0),
            Self::Sixteenth => Some(4.0),
            Self::SixteenthTriplet => Some(6.0),
            Self::ThirtySecond => Some(8.0),
        }
    }
}

/// How notes are quantized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantize {
    /// Grid that notes snap to.
    pub grid: Grid,
    /// From 0, which leaves notes unchanged, to 1, which moves them onto the grid.
    pub strength: f64,
    /// Position of every second step within its pair: 0.5 is straight, 2/3 is triplet swing.
    pub swing: f64,
}

impl Quantize {
    /// No quantization.
    pub const OFF: Self = Self {
        grid: Grid::Off,
        strength: 1.0,
        swing: 0.5,
    };

    /// The quantized position of a note, in quarter notes from a bar line.
    pub fn apply(&self, beats: f64) -> f64 {
        let Some(steps) = self.grid.steps_per_quarter() else {
            return beats;
        };
        let pair_beats = 2.0 / steps;
        let pair = (beats / pair_beats).floor();
        let candidates = [0.0, self.swing.clamp(0.5, 0.75), 1.0];
        let nearest = candidates
            .map(|share| (pair + share) * pair_beats)
            .into_iter()
            .min_by(|a, b| (a - beats).abs().total_cmp(&(b - beats).abs()))
            .unwrap_or(beats);
        beats + self.strength.clamp(0.0, 1.0) * (nearest - beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_move_to_the_nearest_step() {
        let sixteenths = Quantize {
            grid: Grid::Sixteenth,
            ..Quantize::OFF
        };
        assert_eq!(
            [0.1, 0.13, 1.9, 3.26].map(|b| sixteenths.apply(b)),
            [0.0, 0.25, 2.0, 3.25]
        );
        let half = Quantize {
            strength: 0.5,
            ..sixteenths
        };
        assert_eq!(half.apply(0.125 + 0.0625), 0.21875);
        assert_eq!(Quantize::OFF.apply(0.3), 0.3);
        let triplets = Quantize {
            grid: Grid::EighthTriplet,
            ..Quantize::OFF
        };
        assert!((triplets.apply(0.7) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn swing_moves_every_second_step() {
        let swung = Quantize {
            grid: Grid::Eighth,
            swing: 2.0 / 3.0,
            ..Quantize::OFF
        };
        assert!((swung.apply(0.6) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!([0.1, 0.9, 1.2].map(|b| swung.apply(b)), [0.0, 1.0, 1.0]);
    }
}
