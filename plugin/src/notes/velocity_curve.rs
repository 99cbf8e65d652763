//! From measured velocities to the velocities that are sent.

/// From the velocities that are measured to those that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VelocityCurve {
    /// What is sent as `out_low`, and everything softer; 1..=127.
    pub in_low: u8,
    /// What is sent as `out_high`, and everything louder; 1..=127.
    pub in_high: u8,
    /// 1..=127.
    pub out_low: u8,
    /// 1..=127.
    pub out_high: u8,
    /// -100..=100 %: above 0 lifts what lies between, below 0 lowers it.
    pub bend_percent: i8,
}

impl Default for VelocityCurve {
    /// Every velocity as it is.
    fn default() -> Self {
        Self {
            in_low: 1,
            in_high: 127,
            out_low: 1,
            out_high: 127,
            bend_percent: 0,
        }
    }
}

impl VelocityCurve {
    /// The velocity that is sent, 1..=127.
    pub fn apply(self, velocity: u8) -> u8 {
        let (low, high) = (f64::from(self.in_low), f64::from(self.in_high));
        let share = if high > low {
            ((f64::from(velocity) - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            f64::from(u8::from(velocity >= self.in_high))
        };
        let bent = share.powf((-f64::from(self.bend_percent) / 50.0).exp2());
        let (low, high) = (f64::from(self.out_low), f64::from(self.out_high));
        (low + bent * (high - low)).round().clamp(1.0, 127.0) as u8
    }

    /// The range that most of these velocities lie in: the 5th and the 95th of a hundred.
    pub fn learnt_range(mut velocities: Vec<u8>) -> Option<(u8, u8)> {
        velocities.sort_unstable();
        let at = |percent: usize| velocities.get((velocities.len().max(1) - 1) * percent / 100);
        Some((*at(5)?, *at(95)?)).filter(|(low, high)| low < high)
    }
}
