//! Exported notes on the grid, as far as the user wants them there.

use nice_plug::prelude::*;

/// Steps that notes are drawn to.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Notes stay where they were played.
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
    fn steps_per_quarter(self) -> Option<f64> {
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

/// How notes are drawn to the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantize {
    /// The steps.
    pub grid: Grid,
    /// 0 leaves notes alone, 1 puts them onto the grid.
    pub strength: f64,
    /// Where the second step of each pair lies in it: 0.5 is straight, 2/3 a triplet.
    pub swing: f64,
}

impl Quantize {
    /// Notes stay where they were played.
    pub const OFF: Self = Self {
        grid: Grid::Off,
        strength: 1.0,
        swing: 0.5,
    };

    /// Where a note at `beats` quarters from a bar line goes.
    pub fn place(&self, beats: f64) -> f64 {
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
    fn notes_are_drawn_to_the_nearest_step() {
        let sixteenths = Quantize {
            grid: Grid::Sixteenth,
            ..Quantize::OFF
        };
        assert_eq!(
            [0.1, 0.13, 1.9, 3.26].map(|b| sixteenths.place(b)),
            [0.0, 0.25, 2.0, 3.25]
        );
        let half = Quantize {
            strength: 0.5,
            ..sixteenths
        };
        assert_eq!(half.place(0.125 + 0.0625), 0.21875);
        assert_eq!(Quantize::OFF.place(0.3), 0.3);
        let triplets = Quantize {
            grid: Grid::EighthTriplet,
            ..Quantize::OFF
        };
        assert!((triplets.place(0.7) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn swing_moves_every_second_step() {
        let swung = Quantize {
            grid: Grid::Eighth,
            swing: 2.0 / 3.0,
            ..Quantize::OFF
        };
        assert!((swung.place(0.6) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!([0.1, 0.9, 1.2].map(|b| swung.place(b)), [0.0, 1.0, 1.0]);
    }
}
