//! The beats of a recording as data, and what follows from them.

use hitscribe_core::error::Result;
use hitscribe_core::midi::TempoMap;
use hitscribe_core::note::Note;

use super::bars::{position, time};
use super::estimate::{Estimate, estimate};
use super::hit::{Onset, hits};

/// Least confidence of a grid.
const LEAST_CONFIDENCE: f64 = 0.2;
/// Gain per hit at which a grid is as likely right as wrong, and its width. Random hits reach -2.
const EVEN_GAIN: f64 = -1.8;
const GAIN_WIDTH: f64 = 0.2;
/// A first downbeat this near to the start of the recording is at the start.
const START_SECONDS: f64 = 0.008;
/// Fewest off-beat eighth notes that show swing.
const FEWEST_SWUNG: usize = 8;

/// The beats of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct BeatGrid {
    /// Tempo in quarter notes per minute; of a grid that follows changes the median.
    pub bpm: f64,
    /// Whether one tempo explains all hits.
    pub is_constant: bool,
    /// Beats per bar and note value: 6/8 has two beats of three eighth notes.
    pub meter: (u8, u8),
    /// From 0 to 1: how much more regular the hits are than random ones.
    pub confidence: f64,
    /// Place of the second of two swung eighth notes, as a share of the beat: 0.5 is straight,
    /// 0.67 a triplet. None: not swung.
    pub swing: Option<f64>,
    /// Times of beats in seconds, ascending, from before the start of the recording to after its
    /// end.
    times: Vec<f64>,
    /// Index of a beat that begins a bar.
    downbeat: usize,
    duration_seconds: f64,
}

/// How a MIDI file gets the tempo of a [`BeatGrid`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TempoMapKind {
    /// One tempo where it explains the hits, otherwise a tempo for each beat.
    #[default]
    Auto,
    /// One tempo; bars begin at the first downbeat.
    Constant,
    /// A tempo for each beat.
    Follow,
    /// One tempo; bars begin with the file.
    Off,
}

impl BeatGrid {
    /// The beats of notes in a recording of `duration_seconds`; none if they have no clear pulse.
    ///
    /// The same notes give the same grid.
    pub fn of(notes: &[Note], duration_seconds: f64) -> Option<Self> {
        let onsets: Vec<Onset> = notes
            .iter()
            .map(|note| Onset {
                seconds: note.onset_seconds,
                pitch: note.pitch,
                velocity: note.velocity,
                is_drum: note.is_drum,
            })
            .collect();
        let hits = hits(&onsets);
        let found = estimate(&hits, duration_seconds)?;
        let confidence = 1.0 / (1.0 + ((EVEN_GAIN - found.gain) / GAIN_WIDTH).exp());
        if confidence < LEAST_CONFIDENCE {
            return None;
        }
        let swing = swing(&found.beats, hits.iter().map(|hit| hit.seconds));
        Some(Self::new(found, confidence, swing, duration_seconds))
    }

    fn new(found: Estimate, confidence: f64, swing: Option<f64>, duration_seconds: f64) -> Self {
        let meter = match (found.is_compound, found.beats_per_bar) {
            (true, beats) => (3 * beats as u8, 8),
            (false, beats) => (beats as u8, 4),
        };
        let quarters = if found.is_compound { 1.5 } else { 1.0 };
        let period = match found.line {
            Some(line) => line.period_seconds,
            None => median_period(&found.beats),
        };
        Self {
            bpm: 60.0 * quarters / period,
            is_constant: found.line.is_some(),
            meter,
            confidence,
            swing: swing.filter(|_| !found.is_compound),
            times: found.beats,
            downbeat: found.first_downbeat,
            duration_seconds,
        }
    }

    /// A grid of one tempo, in quarter notes per minute, whose first bar begins with the recording.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a tempo or meter that a MIDI file cannot have.
    pub fn fixed(bpm: f64, meter: (u8, u8), duration_seconds: f64) -> Result<Self> {
        TempoMap::constant(bpm, meter)?;
        let period = 60.0 / bpm * 4.0 / f64::from(meter.1);
        let count = (duration_seconds / period).ceil() as usize + 2;
        Ok(Self {
            bpm,
            is_constant: true,
            // Beats are those that the meter names.
            meter,
            confidence: 1.0,
            swing: None,
            times: (0..count).map(|beat| beat as f64 * period).collect(),
            downbeat: 0,
            duration_seconds,
        })
    }

    /// The same beats in bars of another meter, from the same first downbeat on.
    pub fn with_meter(mut self, meter: (u8, u8)) -> Self {
        let first = self.inside().find(|&(index, _)| self.begins_bar(index));
        self.downbeat = first.map_or(0, |(index, _)| index);
        let quarters = self.quarters_per_beat();
        self.meter = meter;
        // The beats stay where they are; only what they are called changes.
        self.bpm *= self.quarters_per_beat() / quarters;
        self
    }

    /// Times of the beats within the recording, in seconds.
    pub fn beats(&self) -> Vec<f64> {
        self.inside().map(|(_, seconds)| seconds).collect()
    }

    /// Times of the beats within the recording that begin bars, in seconds.
    pub fn downbeats(&self) -> Vec<f64> {
        let first = |&(index, _): &(usize, f64)| self.begins_bar(index);
        self.inside()
            .filter(first)
            .map(|(_, seconds)| seconds)
            .collect()
    }

    fn inside(&self) -> impl Iterator<Item = (usize, f64)> {
        let range = -START_SECONDS..self.duration_seconds;
        let times = self.times.iter().map(|seconds| seconds.max(0.0));
        self.times
            .iter()
            .zip(times)
            .enumerate()
            .filter(move |(_, (raw, _))| range.contains(*raw))
            .map(|(index, (_, seconds))| (index, seconds))
    }

    fn begins_bar(&self, beat: usize) -> bool {
        let bar = self.beats_per_bar();
        (beat + bar - self.downbeat % bar).is_multiple_of(bar)
    }

    /// A beat of 6/8 is three eighth notes long, unless the meter was given.
    fn is_compound(&self) -> bool {
        let quarter = 60.0 / self.bpm;
        self.meter.1 == 8 && median_period(&self.times) > 1.2 * quarter
    }

    fn beats_per_bar(&self) -> usize {
        let beats = usize::from(self.meter.0);
        if self.is_compound() { beats / 3 } else { beats }
    }

    fn quarters_per_beat(&self) -> f64 {
        let unit = 4.0 / f64::from(self.meter.1);
        if self.is_compound() { 3.0 * unit } else { unit }
    }

    /// The tempo map of a MIDI file that begins with the recording.
    ///
    /// Bar lines are on downbeats: what comes before the first is a shorter bar. A part of a beat
    /// at the very start becomes a beat of another tempo, or a bar of less than a beat.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a tempo that a MIDI file cannot have.
    pub fn tempo_map(&self, kind: TempoMapKind) -> Result<TempoMap> {
        let follow = match kind {
            TempoMapKind::Off => return TempoMap::constant(self.bpm, self.meter),
            TempoMapKind::Auto => !self.is_constant,
            TempoMapKind::Constant => false,
            TempoMapKind::Follow => true,
        };
        let beats: Vec<(usize, f64)> = self.inside().collect();
        let Some(first_bar) = beats.iter().position(|&(index, _)| self.begins_bar(index)) else {
            return TempoMap::constant(self.bpm, self.meter);
        };
        let unit = self.quarters_per_beat();
        let start = beats[first_bar].1;
        let mut points = vec![(0.0, 0.0)];
        let mut meters = Vec::new();
        let mut quarters = 0.0;
        if start > START_SECONDS {
            quarters = self.lead_in(&beats[..=first_bar], &mut points, &mut meters);
        }
        if meters.first().is_none_or(|&(_, meter)| meter != self.meter) {
            meters.push((quarters, self.meter));
        }
        let after = &beats[first_bar + 1..];
        let last = after
            .last()
            .copied()
            .filter(|_| !follow && !self.is_constant);
        match last {
            // The mean tempo of a recording without a constant one.
            Some((_, seconds)) => points.push((seconds, quarters + unit * after.len() as f64)),
            None if follow => points.extend(
                after
                    .iter()
                    .enumerate()
                    .map(|(i, beat)| (beat.1, quarters + unit * (i + 1) as f64)),
            ),
            // Far away, so that the tempo is as exact as a file can store it.
            None => points.push((
                start + 60.0 / self.bpm * unit * 64.0,
                quarters + unit * 64.0,
            )),
        }
        if start <= START_SECONDS && points.len() > 1 && !follow {
            // The grid of a loop begins with the file.
            points[1].0 -= start;
        }
        if points.len() < 2 {
            return TempoMap::constant(self.bpm, self.meter);
        }
        TempoMap::through(&points, &meters)
    }

    /// Adds the points and the meter of what comes before the first bar; its length in quarters.
    fn lead_in(
        &self,
        beats: &[(usize, f64)],
        points: &mut Vec<(f64, f64)>,
        meters: &mut Vec<(f64, (u8, u8))>,
    ) -> f64 {
        let unit = self.quarters_per_beat();
        let period = 60.0 / self.bpm * unit;
        let mut times: Vec<f64> = beats.iter().map(|beat| beat.1).collect();
        let share = times[0] / period;
        if times.len() == 1 && share < 0.5 {
            let start = times[0];
            let fractions = [(0.5, 8), (0.25, 16), (0.125, 32)];
            let off = |quarters: f64| (start * self.bpm / 60.0 / quarters).ln().abs();
            let nearest = fractions
                .into_iter()
                .min_by(|a, b| off(a.0).total_cmp(&off(b.0)));
            let (quarters, value) = nearest.unwrap_or((0.125, 32));
            points.push((start, quarters));
            meters.push((0.0, (1, value)));
            return quarters;
        }
        if times.len() > 1 && share < 0.5 {
            // A slower first beat rather than a very fast one.
            times.remove(0);
        }
        let mut quarters = 0.0;
        for seconds in &times {
            quarters += unit;
            points.push((*seconds, quarters));
        }
        let count = times.len() as u8 * if self.is_compound() { 3 } else { 1 };
        meters.push((0.0, (count, self.meter.1)));
        quarters
    }

    /// The notes with onsets moved towards a grid of `steps_per_beat` by `strength`, 0 to 1.
    /// Notes keep their lengths. None moves before the start of the recording.
    pub fn quantized(&self, notes: &[Note], steps_per_quarter: f64, strength: f64) -> Vec<Note> {
        let steps = steps_per_quarter * self.quarters_per_beat();
        let mut moved: Vec<Note> = notes
            .iter()
            .map(|note| {
                let place = position(&self.times, note.onset_seconds);
                let target = (place * steps).round() / steps;
                let onset = time(&self.times, place + strength * (target - place)).max(0.0);
                Note {
                    onset_seconds: onset,
                    offset_seconds: note.offset_seconds + onset - note.onset_seconds,
                    ..*note
                }
            })
            .collect();
        moved.sort_by(|a, b| {
            a.onset_seconds
                .total_cmp(&b.onset_seconds)
                .then(a.pitch.cmp(&b.pitch))
        });
        moved
    }
}

fn median_period(beats: &[f64]) -> f64 {
    let span = 4.min(beats.len() - 1);
    let mut periods: Vec<f64> = beats
        .windows(span + 1)
        .map(|w| (w[span] - w[0]) / span as f64)
        .collect();
    periods.sort_by(f64::total_cmp);
    periods[periods.len() / 2]
}

/// Where off-beat eighth notes are, if they are later than straight ones.
fn swing(beats: &[f64], hits: impl Iterator<Item = f64>) -> Option<f64> {
    let mut places: Vec<f64> = hits
        .map(|seconds| position(beats, seconds).rem_euclid(1.0))
        .collect();
    places.retain(|place| (0.42..0.9).contains(place));
    let count = |from: f64, to: f64| places.iter().filter(|p| (from..to).contains(*p)).count();
    // Sixteenth notes at three quarters of a beat are no swing.
    let (straight, swung, sixteenth) = (count(0.42, 0.55), count(0.56, 0.71), count(0.72, 0.8));
    if swung < FEWEST_SWUNG || swung < 3 * (straight + sixteenth) {
        return None;
    }
    places.retain(|place| (0.56..0.71).contains(place));
    places.sort_by(f64::total_cmp);
    Some(places[places.len() / 2])
}
