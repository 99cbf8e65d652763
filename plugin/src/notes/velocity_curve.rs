//! Maps measured velocities to output velocities.

/// Maps measured velocities to output velocities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VelocityCurve {
    /// Measured velocity that becomes `out_low`, as does everything below it; 1..=127.
    pub in_low: u8,
    /// Measured velocity that becomes `out_high`, as does everything above it; 1..=127.
    pub in_high: u8,
    /// Lowest output velocity; 1..=127.
    pub out_low: u8,
    /// Highest output velocity; 1..=127.
    pub out_high: u8,
    /// Curvature in percent, -100..=100: positive values raise the middle, negative ones lower it.
    pub bend_percent: i8,
}

impl Default for VelocityCurve {
    /// The identity.
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
    /// The output velocity, 1..=127. Real-time safe.
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

    /// The 5th and the 95th percentile of these velocities, if they differ.
    pub fn auto_range(mut velocities: Vec<u8>) -> Option<(u8, u8)> {
        velocities.sort_unstable();
        let at = |percent: usize| velocities.get((velocities.len().max(1) - 1) * percent / 100);
        Some((*at(5)?, *at(95)?)).filter(|(low, high)| low < high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn velocities_follow_the_curve() {
        let straight = VelocityCurve::default();
        assert!((1..=127).all(|velocity| straight.apply(velocity) == velocity));
        let stretched = VelocityCurve {
            in_low: 40,
            in_high: 100,
            out_low: 20,
            ..straight
        };
        assert_eq!(
            [0, 40, 100, 127].map(|v| stretched.apply(v)),
            [20, 20, 127, 127]
        );
        let raised = VelocityCurve {
            bend_percent: 50,
            ..straight
        };
        assert!(raised.apply(32) > 50 && raised.apply(127) == 127 && raised.apply(1) == 1);
        let flat = VelocityCurve {
            in_low: 90,
            in_high: 90,
            ..straight
        };
        assert_eq!([89, 90].map(|v| flat.apply(v)), [1, 127]);
        assert_eq!(
            VelocityCurve::auto_range((1..=100).collect()),
            Some((5, 95))
        );
        assert_eq!(VelocityCurve::auto_range(Vec::new()), None);
        assert_eq!(VelocityCurve::auto_range(vec![64; 9]), None);
    }
}
