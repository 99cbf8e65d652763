//! Filters against instrument leakage: drum hits that a model wrote down as pitched notes.
//!
//! A filter gives a [`Verdict`] for every raw note and changes nothing: the raw notes stay with the caller, so a
//! toggle is instant and what was taken away can be shown. No filter ever touches a drum note.
//!
//! - [`filter`] judges a whole file at once. With [`Strategy::Auto`] it is the automatic filter of the MT3-PyTorch
//!   adapter (mt3-infer), rule for rule, including that it deletes every pitched note of many real mixes.
//! - [`RunningFilter`] judges on a running window, for live use: bounded memory, verdicts that are final after a
//!   stated delay and do not depend on how the notes arrive. There a real mix keeps its pitched notes.

mod auto;
mod evidence;
pub mod live;
mod running;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use auto::{AutoRule, InstrumentCounts, auto_rule};
pub use evidence::Evidence;
pub use running::{Judged, RunningFilter, Window};

use evidence::Context;
use hitscribe_core::Note;

/// How leaked notes are told from real ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Nothing is filtered.
    #[default]
    Off,
    /// The three rules of the MT3-PyTorch adapter on the shares of drums, bass and chromatic percussion.
    Auto,
    /// Only drums stay.
    DrumsOnly,
    /// Each pitched note by its own evidence: drum onsets at the same time, length, repeated keys, dynamics, isolation.
    Smart,
    /// Pitched notes on one of the 21 keys of the drum kit among the 47 percussion keys of General MIDI go.
    Pitch,
    /// Pitched notes below a probability go.
    Confidence,
    /// Notes of chromatic percussion (programs 8 to 15) become drums.
    RemapChromatic,
}

impl Strategy {
    /// Every strategy in the order of menus.
    pub const ALL: [Self; 7] = [
        Self::Off,
        Self::Auto,
        Self::DrumsOnly,
        Self::Smart,
        Self::Pitch,
        Self::Confidence,
        Self::RemapChromatic,
    ];

    /// Stable name for command lines, files and parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::DrumsOnly => "drums-only",
            Self::Smart => "smart",
            Self::Pitch => "pitch",
            Self::Confidence => "confidence",
            Self::RemapChromatic => "remap-chromatic",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|s| s.name()).collect();
                format!("no leakage filter {name:?}; there are {}", names.join(", "))
            })
    }
}

/// A strategy with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// How to judge.
    pub strategy: Strategy,
    /// [`Strategy::Confidence`] removes pitched notes with a probability below this, 0..=1.
    pub minimum_confidence: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strategy: Strategy::Off,
            minimum_confidence: 0.5,
        }
    }
}

impl From<Strategy> for Settings {
    fn from(strategy: Strategy) -> Self {
        Self {
            strategy,
            ..Self::default()
        }
    }
}

/// Why a note is not passed on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule of the automatic filter applies to the file or window.
    Auto(AutoRule),
    /// Only drums were asked for.
    NotADrum,
    /// Its key is one of the drum kit's.
    KitKey,
    /// The model's probability for it is below the threshold.
    LowConfidence,
    /// It belongs to chromatic percussion.
    ChromaticPercussion,
    /// The evidence says it is a hit.
    Evidence(Evidence),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto(rule) => rule.fmt(f),
            Self::NotADrum => f.write_str("not a drum"),
            Self::KitKey => f.write_str("a key of the drum kit"),
            Self::LowConfidence => f.write_str("confidence below the threshold"),
            Self::ChromaticPercussion => f.write_str("chromatic percussion"),
            Self::Evidence(evidence) => evidence.fmt(f),
        }
    }
}

/// What happens to a raw note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It is taken away.
    Remove(Reason),
    /// It becomes a drum note.
    Remap {
        /// Percussion key of the drum note.
        key: u8,
        /// Why.
        reason: Reason,
    },
}

impl Verdict {
    /// The note as it is passed on, if it is.
    pub fn apply(self, note: &Note) -> Option<Note> {
        match self {
            Self::Keep => Some(*note),
            Self::Remove(_) => None,
            Self::Remap { key, .. } => Some(Note {
                pitch: key,
                is_drum: true,
                program: 0,
                ..*note
            }),
        }
    }
}

/// The raw notes through their verdicts.
pub fn apply(notes: &[Note], verdicts: &[Verdict]) -> Vec<Note> {
    notes
        .iter()
        .zip(verdicts)
        .filter_map(|(note, verdict)| verdict.apply(note))
        .collect()
}

/// Verdicts on a whole file, one for each note.
///
/// [`Strategy::Auto`] looks at all notes at once, as the reference does; the other strategies judge each note within
/// the default [`Window`] around it, exactly as [`RunningFilter`] does.
pub fn filter(notes: &[Note], settings: &Settings) -> Vec<Verdict> {
    if settings.strategy == Strategy::Auto {
        let rule = auto_rule(&InstrumentCounts::of(notes));
        return notes.iter().map(|note| auto_verdict(note, rule)).collect();
    }
    filter_running(notes, settings, Window::default())
}

/// The verdicts of [`RunningFilter`] on notes that are all there already, one for each note, in the order of `notes`.
pub fn filter_running(notes: &[Note], settings: &Settings, window: Window) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..notes.len()).collect();
    order.sort_by(|&a, &b| running::order(&notes[a], &notes[b]));
    let mut running = RunningFilter::new(*settings, window);
    let mut judged = running.push(notes, f64::INFINITY);
    judged.extend(running.finish());
    let mut verdicts = vec![Verdict::Keep; notes.len()];
    for (index, judged) in order.into_iter().zip(judged) {
        verdicts[index] = judged.verdict;
    }
    verdicts
}

fn auto_verdict(note: &Note, rule: Option<AutoRule>) -> Verdict {
    match rule {
        None => Verdict::Keep,
        Some(_) if note.is_drum => Verdict::Keep,
        Some(rule @ AutoRule::MostlyChromatic { .. }) => Verdict::Remap {
            key: note.pitch,
            reason: Reason::Auto(rule),
        },
        Some(rule) => Verdict::Remove(Reason::Auto(rule)),
    }
}

/// First and last key of General MIDI's percussion map: 47 keys.
const PERCUSSION_KEYS: std::ops::RangeInclusive<u8> = 35..=81;

/// The 21 keys of a drum kit: two kicks, side stick, two snares, six toms, three hats, seven cymbals.
const KIT_KEYS: [u8; 21] = [
    35, 36, 37, 38, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 55, 57, 59,
];

/// A percussion key for a pitched key: itself where General MIDI has a sound there, else kick or closed hat.
fn percussion_key(pitch: u8) -> u8 {
    if PERCUSSION_KEYS.contains(&pitch) {
        pitch
    } else if pitch < *PERCUSSION_KEYS.start() {
        36
    } else {
        42
    }
}

/// Fewer notes than this in a window prove nothing.
const MINIMUM_NOTES: usize = 4;

/// The verdict on one note of a running window. `window` is in order and contains `note`.
fn judge(note: &Note, window: &[Note], settings: &Settings) -> Verdict {
    if note.is_drum {
        return Verdict::Keep;
    }
    match settings.strategy {
        Strategy::Off => return Verdict::Keep,
        Strategy::DrumsOnly => return Verdict::Remove(Reason::NotADrum),
        Strategy::Confidence if note.confidence < settings.minimum_confidence => {
            return Verdict::Remove(Reason::LowConfidence);
        }
        Strategy::Confidence => return Verdict::Keep,
        _ if window.len() < MINIMUM_NOTES => return Verdict::Keep,
        _ => {}
    }
    let context = Context::new(window);
    if settings.strategy == Strategy::Smart {
        let evidence = context.evidence(note);
        return match evidence.is_leak() {
            false => Verdict::Keep,
            // Its hit would be lost: no drum stands where it stands.
            true if evidence.is_percussive && !evidence.is_with_drum => Verdict::Remap {
                key: percussion_key(note.pitch),
                reason: Reason::Evidence(evidence),
            },
            true => Verdict::Remove(Reason::Evidence(evidence)),
        };
    }
    if context.is_real_mix(window) {
        return Verdict::Keep;
    }
    match settings.strategy {
        Strategy::Auto => auto_verdict(note, auto_rule(&InstrumentCounts::of(window))),
        Strategy::Pitch if KIT_KEYS.contains(&note.pitch) => Verdict::Remove(Reason::KitKey),
        Strategy::RemapChromatic if auto::is_chromatic(note) => Verdict::Remap {
            key: percussion_key(note.pitch),
            reason: Reason::ChromaticPercussion,
        },
        _ => Verdict::Keep,
    }
}

/// How many notes of each kind a filter left, removed and changed, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Drum notes before the filter; all of them stay.
    pub drums: usize,
    /// Pitched notes before the filter.
    pub pitched: usize,
    /// Pitched notes that were removed.
    pub removed: usize,
    /// Pitched notes that became drums.
    pub remapped: usize,
    /// Reason in words, and how many notes it concerns, the most frequent first.
    pub reasons: Vec<(String, usize)>,
}

impl Report {
    /// Counts the verdicts on `notes`.
    pub fn new(notes: &[Note], verdicts: &[Verdict]) -> Self {
        let mut report = Self {
            drums: notes.iter().filter(|n| n.is_drum).count(),
            ..Self::default()
        };
        report.pitched = notes.len() - report.drums;
        for verdict in verdicts {
            let reason = match verdict {
                Verdict::Keep => continue,
                Verdict::Remove(reason) => {
                    report.removed += 1;
                    reason
                }
                Verdict::Remap { reason, .. } => {
                    report.remapped += 1;
                    reason
                }
            };
            let words = reason.to_string();
            match report.reasons.iter_mut().find(|(known, _)| *known == words) {
                Some((_, count)) => *count += 1,
                None => report.reasons.push((words, 1)),
            }
        }
        report
            .reasons
            .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{} drum notes, {} pitched notes, {} removed, {} made drums",
            self.drums, self.pitched, self.removed, self.remapped
        )?;
        self.reasons
            .iter()
            .try_for_each(|(reason, count)| write!(f, "; {count}: {reason}"))
    }
}
