//! The verdict on a single note.

use hitscribe_core::Note;

use crate::leakage::auto::{AutoRule, InstrumentCounts, auto_rule, is_chromatic};
use crate::leakage::evidence::Context;
use crate::leakage::strategy::{Settings, Strategy};
use crate::leakage::verdict::{Reason, Verdict};

/// The verdict on a note where `rule` applies.
pub(super) fn auto_verdict(note: &Note, rule: Option<AutoRule>) -> Verdict {
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

/// The 47 keys of General MIDI's percussion map.
const PERCUSSION_KEYS: std::ops::RangeInclusive<u8> = 35..=81;

/// The 21 keys of a drum kit: two kicks, side stick, two snares, six toms, three hats, seven
/// cymbals.
const KIT_KEYS: [u8; 21] = [
    35, 36, 37, 38, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 55, 57, 59,
];

/// The percussion key for a pitched key: the same if General MIDI has a sound there, else kick or
/// closed hat.
fn percussion_key(pitch: u8) -> u8 {
    if PERCUSSION_KEYS.contains(&pitch) {
        pitch
    } else if pitch < *PERCUSSION_KEYS.start() {
        36
    } else {
        42
    }
}

/// Windows with fewer notes are not judged.
const MINIMUM_NOTES: usize = 4;

/// The verdict on one note of a running window. `window` is in order and contains the note.
pub(super) fn judge(note: &Note, window: &[Note], settings: &Settings) -> Verdict {
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
            // There is no drum at the same time: removed, the hit would be lost.
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
        Strategy::RemapChromatic if is_chromatic(note) => Verdict::Remap {
            key: percussion_key(note.pitch),
            reason: Reason::ChromaticPercussion,
        },
        _ => Verdict::Keep,
    }
}
