//! Tempo map and bar lines of a passage.

use crate::take::passage::Passage;
use crate::take::tempo::{Bar, MAX_BPM, MAX_TEMPO_CHANGES, MIN_BPM, TempoChange};

impl Passage {
    /// Quarter notes from the start of the passage to `offset_frames`.
    pub fn beats_at(&self, offset_frames: u64) -> f64 {
        let mut beats = 0.0;
        for (index, change) in self.tempo.iter().enumerate() {
            let next = self
                .tempo
                .get(index + 1)
                .map_or(u64::MAX, |next| next.offset_frames);
            let end = next.min(offset_frames);
            if end > change.offset_frames {
                let seconds = (end - change.offset_frames) as f64 / self.sample_rate_hz;
                beats += seconds * change.bpm / 60.0;
            }
            if next >= offset_frames {
                break;
            }
        }
        beats
    }

    /// Frames from the start of the passage to the position `beats` quarter notes after it; 0 for
    /// positions before it.
    pub fn offset_at_beats(&self, beats: f64) -> u64 {
        let before = |change: &TempoChange| self.beats_at(change.offset_frames) <= beats;
        let count = self.tempo.partition_point(before).max(1);
        let change = self.tempo.get(count - 1).copied().unwrap_or_default();
        let seconds = (beats - self.beats_at(change.offset_frames)) * 60.0 / change.bpm;
        change
            .offset_frames
            .saturating_add_signed((seconds * self.sample_rate_hz).round() as i64)
    }

    /// The bar at `offset_frames`.
    pub fn bar_at(&self, offset_frames: u64) -> Bar {
        let first = self.first_bar_of_meter(|from_frames, _| from_frames <= offset_frames);
        let beats = self.beats_at(offset_frames) - first.start_beats;
        first.after((beats / first.length_beats).floor().max(0.0))
    }

    /// The bar at `offset_frames`, or the next one if that begins at once: hosts start a little before
    /// a bar line when they compensate latency.
    pub fn bar_near(&self, offset_frames: u64) -> Bar {
        const SOON_SECONDS: f64 = 0.1;
        let soon_frames = (SOON_SECONDS * self.sample_rate_hz) as u64;
        self.bar_at(offset_frames.saturating_add(soon_frames))
    }

    /// Quarter notes from the start of the passage to the bar of this [`Bar::number`].
    pub fn bar_line_beats(&self, number: i64) -> f64 {
        let first = self.first_bar_of_meter(|_, bar| bar.number <= number);
        let bars = number.saturating_sub(first.number) as f64;
        first.after(bars).start_beats
    }

    /// The first bar of the last meter for which, and for all before it, `holds` is true; it gets
    /// the frame of the change and that bar.
    fn first_bar_of_meter(&self, holds: impl Fn(u64, &Bar) -> bool) -> Bar {
        let mut bar = self.first_bar();
        for change in self.tempo.iter().skip(1) {
            if change.bar_beats() == bar.length_beats {
                continue;
            }
            let next = self.bar_of_change(&bar, change);
            if !holds(change.offset_frames, &next) {
                break;
            }
            bar = next;
        }
        bar
    }

    /// The bar in which the passage starts: by the bar line that the host reported, else as if the
    /// meter had held since the start of the timeline.
    fn first_bar(&self) -> Bar {
        let length_beats = self.tempo.first().copied().unwrap_or_default().bar_beats();
        let bar = Bar {
            start_beats: 0.0,
            length_beats,
            number: 1,
        };
        let Some(passage_beats) = self.host_start_beats else {
            return bar;
        };
        let line_beats = self.host_bar.map_or(0.0, |host| host.start_beats);
        let number = self.host_bar.and_then(|host| host.number);
        // Lines that lie off the grid of the timeline's start mostly do so after a short first bar,
        // which counts as one.
        let counted = || (line_beats / length_beats - 0.01).ceil();
        let line = bar.after(number.map_or_else(counted, f64::from));
        Bar {
            start_beats: line_beats - passage_beats,
            ..line
        }
        .after(((passage_beats - line_beats) / length_beats).floor())
    }

    /// The bar with which a new meter starts, by a bar of the meter before it.
    fn bar_of_change(&self, bar: &Bar, change: &TempoChange) -> Bar {
        /// Hosts report a new meter with the block that contains its bar line.
        const BLOCK_BEATS: f64 = 0.25;
        let beats = self.beats_at(change.offset_frames);
        let bars = (beats - bar.start_beats) / bar.length_beats;
        let nearest = bar.after(bars.round());
        let start = if (beats - nearest.start_beats).abs() < BLOCK_BEATS {
            nearest
        } else {
            Bar {
                start_beats: beats,
                ..bar.after(bars.ceil())
            }
        };
        Bar {
            length_beats: change.bar_beats(),
            ..start
        }
    }

    /// Adds a tempo or meter from its offset on, if it is a change. A full list is thinned first.
    pub fn change_tempo(&mut self, change: TempoChange) {
        if !(MIN_BPM..=MAX_BPM).contains(&change.bpm) {
            return;
        }
        match self.tempo.last_mut() {
            Some(last) if last.offset_frames >= change.offset_frames => {
                *last = TempoChange {
                    offset_frames: last.offset_frames,
                    ..change
                };
            }
            Some(last) if (last.bpm, last.meter()) == (change.bpm, change.meter()) => {}
            _ => {
                if self.tempo.len() >= MAX_TEMPO_CHANGES {
                    self.thin_tempo(change.offset_frames);
                }
                // Still full if every change is a change of meter.
                if self.tempo.len() < MAX_TEMPO_CHANGES {
                    self.tempo.push(change);
                }
            }
        }
    }

    /// Merges changes of the same meter in pairs, up to `end_frames`, the position of the next one.
    /// What stays, and `end_frames`, keeps its position in beats.
    fn thin_tempo(&mut self, end_frames: u64) {
        let mut changes = std::mem::take(&mut self.tempo).into_iter().peekable();
        while let Some(first) = changes.next() {
            let second = changes.next_if(|second| second.meter() == first.meter());
            let end_frames = changes
                .peek()
                .map_or(end_frames, |change| change.offset_frames);
            self.tempo.push(match second {
                Some(second) => first.joined(second, end_frames),
                None => first,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::tempo::HostBar;

    #[test]
    fn beats_follow_the_tempo_map() {
        let mut passage = Passage::new(48_000.0);
        passage.change_tempo(TempoChange {
            bpm: 60.0,
            ..TempoChange::default()
        });
        passage.change_tempo(TempoChange {
            offset_frames: 96_000,
            bpm: 120.0,
            ..Default::default()
        });
        assert_eq!(passage.tempo.len(), 2);
        assert_eq!(passage.beats_at(0), 0.0);
        assert_eq!(passage.beats_at(48_000), 1.0);
        assert_eq!(passage.beats_at(96_000), 2.0);
        assert_eq!(passage.beats_at(144_000), 4.0);
        assert_eq!(
            [-1.0, 0.5, 2.0, 4.0].map(|b| passage.offset_at_beats(b)),
            [0, 24_000, 96_000, 144_000]
        );
    }

    #[test]
    fn repeated_and_invalid_tempos_are_ignored() {
        let mut passage = Passage::new(48_000.0);
        for (offset_frames, bpm) in [(10, 120.0), (20, f64::NAN), (30, 0.0), (40, 1e6)] {
            passage.change_tempo(TempoChange {
                offset_frames,
                bpm,
                ..TempoChange::default()
            });
        }
        assert_eq!(passage.tempo, [TempoChange::default()]);
    }

    #[test]
    fn a_long_tempo_ramp_is_thinned_without_moving_beats() {
        const STEP_FRAMES: u64 = 64;
        const WALTZ_AT: u64 = 3_001;
        let change = |index: u64| TempoChange {
            offset_frames: index * STEP_FRAMES,
            bpm: 60.0 + index as f64 / 100.0,
            beats_per_bar: if index < WALTZ_AT { 4 } else { 3 },
            beat_unit: 4,
        };
        let mut passage = Passage::new(48_000.0);
        let mut beats = vec![0.0];
        for index in 0..3 * MAX_TEMPO_CHANGES as u64 {
            passage.change_tempo(change(index));
            let minutes = STEP_FRAMES as f64 / passage.sample_rate_hz / 60.0;
            beats.push(beats[index as usize] + change(index).bpm * minutes);
        }
        assert!(passage.tempo.len() <= MAX_TEMPO_CHANGES);
        for kept in &passage.tempo {
            let expected = beats[(kept.offset_frames / STEP_FRAMES) as usize];
            assert!((passage.beats_at(kept.offset_frames) - expected).abs() < 1e-6);
        }
        // Between them the error is inaudible.
        for (index, expected) in beats.iter().enumerate().step_by(7) {
            let found = passage.beats_at(index as u64 * STEP_FRAMES);
            assert!((found - expected).abs() < 1e-3, "{found} for {expected}");
        }
        let meter = passage.tempo.iter().find(|kept| kept.beats_per_bar == 3);
        assert_eq!(
            meter.map(|kept| kept.offset_frames),
            Some(WALTZ_AT * STEP_FRAMES)
        );
    }

    #[test]
    fn the_bar_line_before_any_frame_is_found() {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(9.5);
        let bar = |passage: &Passage, frames| {
            let bar = passage.bar_at(frames);
            (bar.start_beats, bar.number)
        };
        // Bars of two seconds.
        assert_eq!(bar(&passage, 0), (-1.5, 3));
        assert_eq!(bar(&passage, 59_999), (-1.5, 3));
        assert_eq!(bar(&passage, 60_001), (2.5, 4));
        // A host that reports 6/8 a little late, with the block after the bar line.
        passage.change_tempo(TempoChange {
            offset_frames: 60_100,
            beats_per_bar: 6,
            beat_unit: 8,
            ..TempoChange::default()
        });
        assert_eq!(bar(&passage, 61_000), (2.5, 4));
        assert_eq!(bar(&passage, 60_000 + 73_000), (5.5, 5));
        for (number, beats) in [(3, -1.5), (4, 2.5), (5, 5.5), (7, 11.5)] {
            assert_eq!(passage.bar_line_beats(number), beats, "bar {number}");
        }
    }

    #[test]
    fn a_start_just_before_a_bar_line_is_in_its_bar() {
        let mut passage = Passage::new(48_000.0);
        for (beats, number) in [(-0.1, 1), (0.0, 1), (3.9, 2), (3.5, 1)] {
            passage.host_start_beats = Some(beats);
            assert_eq!(passage.bar_near(0).number, number, "{beats}");
        }
    }

    #[test]
    fn bars_follow_the_host_after_one_of_odd_length() {
        // A bar of three beats, then bars of four from the beats 3, 7 and 11.
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(8.0);
        let bar = |passage: &Passage, frames| {
            let bar = passage.bar_at(frames);
            (bar.start_beats, bar.number)
        };
        assert_eq!(bar(&passage, 0), (0.0, 3), "no bar line is known");
        for number in [None, Some(2)] {
            passage.host_bar = Some(HostBar {
                start_beats: 7.0,
                number,
            });
            assert_eq!(bar(&passage, 0), (-1.0, 3));
            assert_eq!(bar(&passage, 72_001), (3.0, 4));
        }
        // The host's number counts, and the line may lie after the start of the passage.
        passage.host_bar = Some(HostBar {
            start_beats: 11.0,
            number: Some(20),
        });
        assert_eq!(bar(&passage, 0), (-1.0, 20));
        assert_eq!(passage.bar_line_beats(21), 3.0);
    }

    #[test]
    fn extreme_positions_do_not_overflow() {
        let mut passage = Passage::new(48_000.0);
        for beats in [1e300, -1e300, f64::MAX] {
            passage.host_start_beats = Some(beats);
            passage.host_bar = Some(HostBar {
                start_beats: -beats,
                number: Some(i32::MAX),
            });
            passage.bar_at(u64::MAX);
            passage.bar_line_beats(i64::MIN);
        }
    }
}
