//! Tempo and meters over the time of a MIDI file.

use crate::error::{Error, Result};
use crate::midi::write::{TEMPO_RANGE_BPM, TICKS_PER_QUARTER};

/// Tempo and meters of a file, with the times of its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct TempoMap {
    /// In order, the first at tick 0.
    pieces: Vec<Piece>,
    /// Tick, beats per bar and note value of a beat; the first at tick 0.
    meters: Vec<(u32, (u8, u8))>,
}

/// A stretch of one tempo.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    tick: u32,
    seconds: f64,
    micros_per_quarter: u32,
}

/// A stretch of one tempo and one meter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// Where it begins, in seconds.
    pub start_seconds: f64,
    /// Quarter notes per minute.
    pub tempo_bpm: f64,
    /// Beats per bar and the note value of a beat.
    pub meter: (u8, u8),
}

impl Piece {
    fn ticks_per_second(&self) -> f64 {
        f64::from(TICKS_PER_QUARTER) * 1e6 / f64::from(self.micros_per_quarter)
    }
}

impl TempoMap {
    /// One tempo, in quarter notes per minute, and one meter.
    ///
    /// # Errors
    /// [`Error::Setting`] for a tempo outside [`TEMPO_RANGE_BPM`], and for a meter without beats or
    /// whose note value is no power of two.
    pub fn constant(tempo_bpm: f64, meter: (u8, u8)) -> Result<Self> {
        let micros_per_quarter = micros(tempo_bpm)?;
        check_meter(meter)?;
        let piece = Piece {
            tick: 0,
            seconds: 0.0,
            micros_per_quarter,
        };
        Ok(Self {
            pieces: vec![piece],
            meters: vec![(0, meter)],
        })
    }

    /// A tempo that passes through `points`, each a time in seconds and a place in quarter notes,
    /// both ascending from (0, 0); at least two. After the last the tempo stays. `meters` are
    /// places in quarter notes, where a bar begins, and the meter from there on.
    ///
    /// A file stores tempos in whole microseconds: points are met within a microsecond per quarter
    /// note, and rounding does not add up.
    ///
    /// # Errors
    /// [`Error::Setting`] as for [`TempoMap::constant`], and for points that do not ascend.
    pub fn through(points: &[(f64, f64)], meters: &[(f64, (u8, u8))]) -> Result<Self> {
        let tick = |quarters: f64| (quarters * f64::from(TICKS_PER_QUARTER)).round() as u32;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut now = (0.0, 0);
        for pair in points.windows(2) {
            let (from, to) = (tick(pair[0].1), tick(pair[1].1));
            if to <= from || from != now.1 {
                let reason = "points must be at least a tick apart, from 0 on";
                return Err(setting("tempo map", format!("{pair:?}"), reason));
            }
            let quarters = f64::from(to - from) / f64::from(TICKS_PER_QUARTER);
            let micros_per_quarter = micros(60.0 * quarters / (pair[1].0 - now.0))?;
            if pieces
                .last()
                .is_none_or(|p| p.micros_per_quarter != micros_per_quarter)
            {
                pieces.push(Piece {
                    tick: from,
                    seconds: now.0,
                    micros_per_quarter,
                });
            }
            now = (now.0 + quarters * f64::from(micros_per_quarter) / 1e6, to);
        }
        for (_, meter) in meters {
            check_meter(*meter)?;
        }
        if pieces.is_empty() || meters.first().is_none_or(|first| first.0 != 0.0) {
            let reason = "needs two points, and a meter from 0 on";
            return Err(setting(
                "tempo map",
                format!("{} points", points.len()),
                reason,
            ));
        }
        Ok(Self {
            pieces,
            meters: meters
                .iter()
                .map(|&(at, meter)| (tick(at), meter))
                .collect(),
        })
    }

    /// The place of a time in ticks, not rounded.
    pub fn ticks(&self, seconds: f64) -> f64 {
        let after = self
            .pieces
            .partition_point(|piece| piece.seconds <= seconds);
        let piece = self.pieces[after.saturating_sub(1)];
        f64::from(piece.tick) + (seconds - piece.seconds) * piece.ticks_per_second()
    }

    /// The time of a tick in seconds.
    pub fn seconds(&self, tick: u32) -> f64 {
        let after = self.pieces.partition_point(|piece| piece.tick <= tick);
        let piece = self.pieces[after.saturating_sub(1)];
        piece.seconds + f64::from(tick - piece.tick) / piece.ticks_per_second()
    }

    /// Stretches of one tempo and one meter, in order, the first from 0 s on.
    pub fn sections(&self) -> Vec<Section> {
        let tempos = self.pieces.iter().map(|piece| piece.tick);
        let mut starts: Vec<u32> = tempos.chain(self.meters.iter().map(|m| m.0)).collect();
        starts.sort_unstable();
        starts.dedup();
        let section = |&tick: &u32| {
            let piece = self.pieces.partition_point(|piece| piece.tick <= tick);
            let meter = self.meters.partition_point(|meter| meter.0 <= tick);
            let micros = self.pieces[piece.saturating_sub(1)].micros_per_quarter;
            Section {
                start_seconds: self.seconds(tick),
                tempo_bpm: 60e6 / f64::from(micros),
                meter: self.meters[meter.saturating_sub(1)].1,
            }
        };
        starts.iter().map(section).collect()
    }

    /// Ticks at which the tempo changes, with the microseconds per quarter note from there on.
    pub fn tempos(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pieces
            .iter()
            .map(|piece| (piece.tick, piece.micros_per_quarter))
    }

    /// Ticks at which the meter changes, with beats per bar and the note value of a beat.
    pub fn meters(&self) -> impl Iterator<Item = (u32, (u8, u8))> {
        self.meters.iter().copied()
    }
}

/// Microseconds per quarter note, rounded as a file stores them: ticks are computed from this.
fn micros(tempo_bpm: f64) -> Result<u32> {
    if TEMPO_RANGE_BPM.contains(&tempo_bpm) {
        return Ok((60e6 / tempo_bpm).round() as u32);
    }
    let (low, high) = (TEMPO_RANGE_BPM.start(), TEMPO_RANGE_BPM.end());
    let reason = format!("must be between {low} and {high}");
    Err(setting("tempo", tempo_bpm.to_string(), reason))
}

fn check_meter((beats, unit): (u8, u8)) -> Result<()> {
    if beats > 0 && unit.is_power_of_two() {
        return Ok(());
    }
    let reason = "must be beats over a power of two, such as 4/4 or 6/8";
    Err(setting("time signature", format!("{beats}/{unit}"), reason))
}

fn setting(name: &'static str, value: String, reason: impl Into<String>) -> Error {
    Error::Setting {
        name,
        value,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_meets_its_points_over_hours() {
        // A period that no whole number of microseconds has, with a wave in it.
        let time = |i: usize| i as f64 * 0.467_289_7 + 0.01 * (i as f64 * 0.7).sin();
        let points: Vec<(f64, f64)> = (0..20_000).map(|i| (time(i), i as f64)).collect();
        let map = TempoMap::through(&points, &[(0.0, (4, 4))]).unwrap();
        for &(seconds, quarters) in &points {
            assert!((map.ticks(seconds) - 960.0 * quarters).abs() < 0.01);
        }
        assert_eq!(map.tempos().next().unwrap().0, 0);
    }

    #[test]
    fn after_the_last_point_the_tempo_stays() {
        let map = TempoMap::through(
            &[(0.0, 0.0), (1.0, 1.0), (1.5, 2.0)],
            &[(0.0, (1, 4)), (1.0, (3, 4))],
        )
        .unwrap();
        assert_eq!(
            map.tempos().collect::<Vec<_>>(),
            [(0, 1_000_000), (960, 500_000)]
        );
        assert_eq!(
            map.meters().collect::<Vec<_>>(),
            [(0, (1, 4)), (960, (3, 4))]
        );
        assert!((map.ticks(3.5) - 960.0 * 6.0).abs() < 1e-6);
        assert!((map.seconds(960 * 6) - 3.5).abs() < 1e-9);
        let section = |start_seconds, tempo_bpm, meter| Section {
            start_seconds,
            tempo_bpm,
            meter,
        };
        assert_eq!(
            map.sections(),
            [section(0.0, 60.0, (1, 4)), section(1.0, 120.0, (3, 4))]
        );
    }

    #[test]
    fn impossible_maps_are_errors() {
        let meters = [(0.0, (4, 4))];
        for points in [
            &[(0.0, 0.0)][..],
            &[(0.0, 0.0), (1.0, 0.0)],
            &[(0.0, 0.0), (0.0, 1.0)],
        ] {
            assert!(TempoMap::through(points, &meters).is_err());
        }
        assert!(TempoMap::through(&[(0.0, 0.0), (1.0, 1.0)], &[]).is_err());
        assert!(TempoMap::constant(f64::NAN, (4, 4)).is_err());
        assert!(TempoMap::constant(120.0, (4, 3)).is_err());
    }
}
