//! Places in a passage as the editor shows them: bars and beats of the host, otherwise seconds.

use std::ops::Range;

use hitscribe_live::take::{Passage, TempoChange};

/// Largest number of lines across the lanes.
const MAX_LINES: f64 = 16.0;
/// Largest number of beats across the lanes.
const MAX_BEATS: f64 = 80.0;

/// A time as the editor shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DisplayTime {
    /// Bar and beat on the host's timeline, both 1-based.
    Bar(i64, f64),
    /// Seconds from the start of the passage.
    Seconds(f64),
}

impl std::fmt::Display for DisplayTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            // A beat that was snapped to needs no fraction.
            Self::Bar(bar, beat) if (beat - beat.round()).abs() < 0.005 => {
                write!(f, "{bar}.{beat:.0}")
            }
            Self::Bar(bar, beat) => write!(f, "{bar}.{beat:.2}"),
            Self::Seconds(seconds) => write!(f, "{seconds:.2} s"),
        }
    }
}

/// Label of a time in a passage, also for file names.
pub fn start_label(passage: &Passage, offset_frames: u64) -> String {
    match passage.host_start_beats {
        Some(_) => format!("bar {}", passage.bar_near(offset_frames).number),
        None => "take".to_owned(),
    }
}

/// Lines at bars, or at seconds if the host reports no tempo.
pub fn lines(passage: &Passage, window: &Range<f64>) -> Vec<(f64, String)> {
    let rate = passage.sample_rate_hz;
    let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
    if passage.host_start_beats.is_none() {
        let step = ((window.end - window.start) / MAX_LINES).max(1.0).ceil();
        let first = (window.start.max(0.0) / step).ceil();
        return (0..=MAX_LINES as usize)
            .map(|index| (first + index as f64) * step)
            .take_while(|seconds| *seconds < window.end)
            .map(|seconds| (seconds, format!("{seconds:.0} s")))
            .collect();
    }
    /// Keeps a line at the very edge.
    const ROUNDING_BEATS: f64 = 1e-6;
    let (from, to) = (frames(window.start), frames(window.end));
    let visible = passage.beats_at(from) - ROUNDING_BEATS..passage.beats_at(to);
    let (first, last) = (passage.bar_at(from).number, passage.bar_at(to).number);
    let step = ((last - first) as f64 / MAX_LINES).max(1.0).ceil() as i64;
    // Counted from bar 1, so that the lines do not change while the window moves.
    let first = first + (1 - first).rem_euclid(step);
    (first..=last)
        .step_by(step as usize)
        .map(|number| (number, passage.bar_line_beats(number)))
        .filter(|(_, beats)| visible.contains(beats))
        .map(|(number, beats)| {
            let offset = passage.offset_at_beats(beats);
            (offset as f64 / rate, number.to_string())
        })
        .collect()
}

/// Times of the beats of the meter, if they are not too many.
pub fn beats(passage: &Passage, window: &Range<f64>) -> Vec<f64> {
    let rate = passage.sample_rate_hz;
    let frames = |seconds: f64| (seconds * rate).max(0.0) as u64;
    if passage.host_start_beats.is_none() {
        return Vec::new();
    }
    let (first, last) = (
        passage.bar_at(frames(window.start)).number,
        passage.bar_at(frames(window.end)).number,
    );
    let bars = last.saturating_sub(first).saturating_add(1);
    let change = tempo_at(passage, frames(window.start));
    if bars as f64 * f64::from(change.beats_per_bar.max(1)) > MAX_BEATS {
        return Vec::new();
    }
    let in_bar = |number: i64| {
        let start = passage.bar_line_beats(number);
        let change = tempo_at(passage, passage.offset_at_beats(start.max(0.0)));
        let beat_quarters = 4.0 / f64::from(change.beat_unit.max(1));
        (1..change.beats_per_bar).map(move |beat| start + f64::from(beat) * beat_quarters)
    };
    (first..=last)
        .flat_map(in_bar)
        .map(|beats| passage.offset_at_beats(beats) as f64 / rate)
        .filter(|seconds| window.contains(seconds))
        .collect()
}

/// Tempo and meter at a time; empty without a timeline.
pub fn tempo(passage: &Passage, offset_frames: u64) -> String {
    if passage.host_start_beats.is_none() {
        return String::new();
    }
    let change = tempo_at(passage, offset_frames);
    let (bpm, beats, unit) = (change.bpm, change.beats_per_bar, change.beat_unit);
    format!("{bpm:.1} BPM, {beats}/{unit}")
}

/// Tempo and meter at a time.
fn tempo_at(passage: &Passage, offset_frames: u64) -> TempoChange {
    let mut changes = passage.tempo.iter().rev();
    let change = changes.find(|change| change.offset_frames <= offset_frames);
    change.copied().unwrap_or_default()
}

/// Position of a note, as bar and beat on the host's timeline if it reports one.
pub fn display_time(passage: &Passage, offset_frames: u64) -> DisplayTime {
    if passage.host_start_beats.is_none() {
        return DisplayTime::Seconds(offset_frames as f64 / passage.sample_rate_hz);
    }
    let change = tempo_at(passage, offset_frames);
    let beat_quarters = 4.0 / f64::from(change.beat_unit.max(1));
    let bar = passage.bar_at(offset_frames);
    let beats = (passage.beats_at(offset_frames) - bar.start_beats).max(0.0) / beat_quarters;
    DisplayTime::Bar(bar.number, beats + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_live::take::HostBar;

    /// A bar of three beats, then bars of four from beats 3, 7 and 11. The passage starts at beat
    /// 8, at 120 quarter notes per minute, and has bars of three from beat 15 on, bar 5.
    fn passage() -> Passage {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(8.0);
        passage.host_bar = Some(HostBar {
            start_beats: 7.0,
            number: None,
        });
        passage.change_tempo(TempoChange {
            offset_frames: 7 * 24_000,
            beats_per_bar: 3,
            ..TempoChange::default()
        });
        passage
    }

    #[test]
    fn bars_follow_the_host_through_changes_of_the_meter() {
        let passage = passage();
        assert_eq!(start_label(&passage, 0), "bar 3");
        assert_eq!(start_label(&passage, 11 * 24_000), "bar 6");
        assert_eq!(display_time(&passage, 0), DisplayTime::Bar(3, 2.0));
        assert_eq!(display_time(&passage, 8 * 24_000), DisplayTime::Bar(5, 2.0));
        let text = |frames| display_time(&passage, frames).to_string();
        assert_eq!([text(8 * 24_000), text(12_000)], ["5.2", "3.2.50"]);
        let texts = |window| -> Vec<(f64, String)> { lines(&passage, &window) };
        let line = |seconds, text: &str| (seconds, text.to_owned());
        assert_eq!(
            texts(0.0..6.0),
            [line(1.5, "4"), line(3.5, "5"), line(5.0, "6")]
        );
        // At most MAX_LINES, counted from bar 1.
        let long = texts(0.0..60.0);
        assert!(long.len() <= MAX_LINES as usize + 1);
        assert!(long.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(texts(10.0..60.0).last(), long.last());
    }

    #[test]
    fn without_a_timeline_times_are_in_seconds() {
        let passage = Passage::new(48_000.0);
        assert_eq!(start_label(&passage, 0), "take");
        assert_eq!(display_time(&passage, 24_000), DisplayTime::Seconds(0.5));
        assert_eq!(display_time(&passage, 24_000).to_string(), "0.50 s");
        let line = |seconds, text: &str| (seconds, text.to_owned());
        let expected = [line(0.0, "0 s"), line(1.0, "1 s")];
        assert_eq!(lines(&passage, &(0.0..2.0)), expected);
    }
}
