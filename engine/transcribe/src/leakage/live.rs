//! The leakage filter of a live source.

use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;

use crate::builtin::builtin_latency_samples;
use crate::leakage::running::{RunningFilter, Window};
use crate::leakage::strategy::{Settings, Strategy};
use crate::leakage::verdict::Verdict;
use crate::session_config::SessionConfig;
use crate::source::Source;

/// A verdict depends on the passage before the note and on the drums that begin with it.
const WINDOW: Window = Window {
    behind_seconds: 8.0,
    ahead_seconds: 0.03,
};

/// On a track with only drums a verdict needs nothing but the note.
const WINDOW_OF_DRUMS: Window = Window {
    ahead_seconds: 0.0,
    ..WINDOW
};

/// Latency of a live session of the built-in models in samples:
/// [`Session::latency_samples`](crate::Session::latency_samples) and, with pitched notes, the delay
/// of the leakage filter.
///
/// # Errors
/// [`hitscribe_core::Error::Setting`] for a sample rate that is out of range.
pub fn live_latency_samples(config: &SessionConfig) -> Result<u64> {
    let delay_samples = match config.parts.pitched_program {
        None => 0,
        Some(_) => delay_samples(config.sample_rate_hz),
    };
    Ok(builtin_latency_samples(config)? + delay_samples)
}

/// Delay of [`LiveFilter`] in samples, unless there are only drums.
pub fn delay_samples(sample_rate_hz: u32) -> u64 {
    (WINDOW.ahead_seconds * f64::from(sample_rate_hz)).ceil() as u64
}

/// Judges the notes of a live source. Positions are those of the stream, so that one session may
/// replace another within a passage.
///
/// On a track with only drums every pitched note is leakage. In a mix each is judged by its
/// evidence ([`Strategy::Smart`]), and real parts stay.
pub struct LiveFilter {
    filter: RunningFilter,
    sample_rate_hz: u32,
}

impl LiveFilter {
    /// A filter before the first note of a source.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            filter: RunningFilter::new(Settings::default(), WINDOW),
            sample_rate_hz,
        }
    }

    /// Takes notes of `source` in any order. Passes those with a final verdict to `out`, by onset,
    /// with whether they are leakage. Returns the position up to which all notes have been passed.
    ///
    /// Every note with an onset before `settled_samples` has been pushed. `passage_ends` makes all
    /// verdicts final; a new passage can begin.
    pub fn push(
        &mut self,
        notes: &[PlacedNote],
        settled_samples: u64,
        passage_ends: bool,
        source: Source,
        mut out: impl FnMut(PlacedNote, bool),
    ) -> u64 {
        let (strategy, window) = match source.is_drums_only() {
            true => (Strategy::DrumsOnly, WINDOW_OF_DRUMS),
            false => (Strategy::Smart, WINDOW),
        };
        self.filter.set_settings(strategy.into());
        self.filter.set_window(window);
        let rate_hz = self.sample_rate_hz;
        let notes: Vec<_> = notes.iter().map(|note| note.to_note(rate_hz)).collect();
        let settled_seconds = settled_samples as f64 / f64::from(rate_hz);
        let mut judged = self.filter.push(&notes, settled_seconds);
        if passage_ends {
            judged.append(&mut self.filter.finish());
        }
        for judged in judged {
            // A note that would become a drum has no drum beside it: removed, the hit would be
            // lost.
            let is_leakage = matches!(judged.verdict, Verdict::Remove(_));
            out(PlacedNote::from_note(&judged.note, rate_hz), is_leakage);
        }
        if passage_ends || source.is_drums_only() {
            settled_samples
        } else {
            settled_samples.saturating_sub(delay_samples(rate_hz))
        }
    }
}

/// The notes of a whole passage by onset, each with whether it is leakage, as in live use.
pub fn mark_leakage(
    notes: &[PlacedNote],
    sample_rate_hz: u32,
    source: Source,
) -> Vec<(PlacedNote, bool)> {
    let last_samples = notes.iter().map(|note| note.onset_samples).max();
    let mut judged = Vec::with_capacity(notes.len());
    LiveFilter::new(sample_rate_hz).push(
        notes,
        last_samples.map_or(0, |last| last + 1),
        true,
        source,
        |note, is_leakage| judged.push((note, is_leakage)),
    );
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leakage::running::filter_running;

    const RATE_HZ: u32 = 44_100;

    fn note(onset_seconds: f64, length_seconds: f64, pitch: u8, program: Option<u8>) -> PlacedNote {
        PlacedNote {
            onset_samples: (onset_seconds * f64::from(RATE_HZ)) as u64,
            length_samples: (length_seconds * f64::from(RATE_HZ)) as u64,
            pitch,
            velocity: 100,
            program: program.unwrap_or(0),
            is_drum: program.is_none(),
            openness: None,
            confidence: 0.9,
        }
    }

    /// Twelve seconds of a groove and a real bass part, with hits that leaked into a second bass.
    fn leaky_mix() -> Vec<PlacedNote> {
        let groove = (0..48).flat_map(|i| {
            let at = 0.25 * f64::from(i);
            let hit = note(at, 0.05, [36, 42, 38, 42][i as usize % 4], None);
            let leaked = note(at + 0.002, 0.05, 36, Some(38));
            [Some(hit), (i % 2 == 0).then_some(leaked)]
        });
        let bass = (0..17).map(|i| {
            note(
                0.1 + 0.7 * f64::from(i),
                0.6,
                33 + i as u8 * 5 % 12,
                Some(33),
            )
        });
        let mut notes: Vec<PlacedNote> = groove.flatten().chain(bass).collect();
        notes.sort_by_key(|note| note.onset_samples);
        notes
    }

    /// The verdicts when the engine runs every `hop_samples`.
    fn live(notes: &[PlacedNote], hop_samples: u64, source: Source) -> Vec<(PlacedNote, bool)> {
        let mut filter = LiveFilter::new(RATE_HZ);
        let mut out = Vec::new();
        let end = 13 * u64::from(RATE_HZ);
        let (mut rest, mut settled) = (notes, 0);
        while settled < end {
            settled += hop_samples;
            let split = rest.partition_point(|note| note.onset_samples < settled);
            let (now, later) = rest.split_at(split);
            rest = later;
            let before = out.len();
            let judged_until =
                filter.push(now, settled, settled >= end, source, |note, is_leakage| {
                    out.push((note, is_leakage));
                });
            let due = notes
                .iter()
                .filter(|note| note.onset_samples < judged_until)
                .count();
            assert!(out.len() >= due, "{} of {due} at {judged_until}", out.len());
            assert!(out[before..].is_sorted_by_key(|(note, _)| note.onset_samples));
        }
        out
    }

    #[test]
    fn live_verdicts_equal_those_of_the_whole_passage_for_any_hop() {
        let raw = leaky_mix();
        let in_seconds: Vec<_> = raw.iter().map(|note| note.to_note(RATE_HZ)).collect();
        let verdicts = filter_running(&in_seconds, &Strategy::Smart.into(), WINDOW);
        let mut expected: Vec<(PlacedNote, bool)> = raw
            .iter()
            .zip(&verdicts)
            .map(|(note, verdict)| (*note, matches!(verdict, Verdict::Remove(_))))
            .collect();
        let key = |(note, _): &(PlacedNote, bool)| (note.onset_samples, note.is_drum, note.pitch);
        expected.sort_by_key(key);
        for hop_samples in [500, 11_290, 90_317, 1 << 20] {
            let mut judged = live(&raw, hop_samples, Source::FullMix);
            judged.sort_by_key(key);
            assert_eq!(judged, expected, "hop {hop_samples}");
        }
        let leaked = |program| {
            let own = expected
                .iter()
                .filter(|(note, _)| note.program == program && !note.is_drum);
            let (all, leaked) = (
                own.clone().count(),
                own.filter(|(_, leaked)| *leaked).count(),
            );
            (all, leaked)
        };
        assert_eq!(leaked(33), (17, 0), "the real part stays");
        let (all, taken) = leaked(38);
        assert!(
            taken * 10 >= all * 8,
            "{taken} of {all} leaked notes are found"
        );
        assert!(
            expected
                .iter()
                .all(|(note, leaked)| !(note.is_drum && *leaked))
        );
    }

    #[test]
    fn on_a_drum_track_everything_pitched_is_leakage() {
        for (note, is_leakage) in live(&leaky_mix(), 11_290, Source::DrumBus) {
            assert_eq!(is_leakage, !note.is_drum);
        }
    }
}
