//! Candidates and edits of a passage as bytes.
//!
//! The rules (0 independent, 1 joint with reach and slack, an f32), the number of recorded hits,
//! then counted lists. Of each candidate: difference of its frame, a byte (class, 31 for none, 32
//! with openness, 64 with a group, 128 a stroke of the group), where flagged the group and, unless a
//! stroke, its strokes (f32), difference of its onset (zigzag), confidence, excess, band and peak
//! level (f32) and where flagged the openness. Of each change: onset, key, a byte of flags (1 drum,
//! 2 set, else deleted), and where set the note. Of each added note: the note: onset, length, key,
//! velocity, program, and whether it is a drum.

use hitscribe::Source;
use hitscribe_core::DrumClass;
use hitscribe_core::note::MAX_OPENNESS;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};
use hitscribe_picking::drums::selection::Rules;

use super::{Reader, Writer};
use crate::take::MAX_CANDIDATES;
use crate::take::edits::{Change, EditedNote, MAX_EDITS, RecordedKey};
use crate::take::passage::{CONFIDENCE_STEPS, Passage};

const NO_CLASS: u8 = 31;
const OPENNESS: u8 = 32;
const GROUP: u8 = 64;
const STROKE: u8 = 128;
/// In the byte of the group: the network's velocity follows.
const VELOCITY: u8 = 128;
const DRUM: u8 = 1;
const SET: u8 = 2;

/// In the order of their codes.
const SOURCES: [Source; 12] = [
    Source::DrumBus,
    Source::Kick,
    Source::Snare,
    Source::Toms,
    Source::Hats,
    Source::Overheads,
    Source::Cymbals,
    Source::Percussion,
    Source::Bass,
    Source::Guitar,
    Source::Keys,
    Source::FullMix,
];

pub(super) fn source_code(source: Source) -> u8 {
    let code = SOURCES.iter().position(|other| *other == source);
    code.unwrap_or(0) as u8
}

pub(super) fn source_of_code(code: u8) -> Option<Source> {
    SOURCES.get(usize::from(code)).copied()
}

pub(super) fn has_any(passage: &Passage) -> bool {
    !passage.candidates.is_empty() || !passage.edits.is_empty() || passage.recorded_hits > 0
}

pub(super) fn write(out: &mut Writer, passage: &Passage) {
    match passage.rules {
        Rules::Independent => out.0.push(0),
        Rules::Joint {
            reach_frames,
            slack,
        } => {
            out.0.push(1);
            out.number(reach_frames);
            out.0.extend(slack.to_le_bytes());
        }
    }
    out.number(passage.recorded_hits);
    out.number(passage.candidates.len() as u64);
    let (mut frame, mut onset) = (0, 0);
    for candidate in &passage.candidates {
        let peak = &candidate.peak;
        out.number(peak.frame.wrapping_sub(frame));
        frame = peak.frame;
        let class = peak.class.map_or(NO_CLASS, |class| class.index() as u8);
        let openness = candidate.measured.openness;
        let claim = match peak.claim {
            Claim::Rivals => 0,
            Claim::Class { .. } => GROUP,
            Claim::Stroke { .. } => GROUP | STROKE,
        };
        let velocity = peak.velocity.map_or(0, |_| VELOCITY);
        out.0
            .push(class | claim | if openness.is_some() { OPENNESS } else { 0 });
        match peak.claim {
            Claim::Rivals => {}
            Claim::Class { group, strokes } => {
                out.0.push(group | velocity);
                out.0.extend(strokes.to_le_bytes());
            }
            Claim::Stroke { group } => out.0.push(group | velocity),
        }
        out.signed(candidate.onset_samples.wrapping_sub(onset) as i64);
        onset = candidate.onset_samples;
        out.0
            .push((peak.confidence * CONFIDENCE_STEPS).round() as u8);
        for value in [
            peak.excess,
            candidate.measured.band_db,
            candidate.measured.peak_db,
        ] {
            out.0.extend(value.to_le_bytes());
        }
        out.0.extend(openness);
        if velocity != 0 && peak.claim != Claim::Rivals {
            out.0.extend(peak.velocity);
        }
    }
    let edits = &passage.edits;
    out.number(edits.changed.len() as u64);
    for (key, change) in &edits.changed {
        out.number(key.onset_samples);
        let set = matches!(change, Change::Set(_));
        let flags = if key.is_drum { DRUM } else { 0 } | if set { SET } else { 0 };
        out.0.extend([key.pitch, flags]);
        if let Change::Set(note) = change {
            write_note(out, note);
        }
    }
    out.number(edits.added.len() as u64);
    for note in edits.added.values() {
        write_note(out, note);
    }
}

fn write_note(out: &mut Writer, note: &EditedNote) {
    out.number(note.onset_samples);
    out.number(note.length_samples);
    let is_drum = u8::from(note.is_drum);
    out.0
        .extend([note.pitch, note.velocity, note.program, is_drum]);
}

pub(super) fn read(input: &mut Reader<'_>, passage: &mut Passage) -> Option<()> {
    passage.rules = match input.byte()? {
        0 => Rules::Independent,
        1 => Rules::Joint {
            reach_frames: input.number().filter(|reach| *reach <= 1_000)?,
            slack: input.short_float()?,
        },
        _ => return None,
    };
    passage.recorded_hits = input.number().filter(|hits| *hits <= u32::MAX.into())?;
    let count = input.count(MAX_CANDIDATES)?;
    let (mut frame, mut onset) = (0u64, 0u64);
    for _ in 0..count {
        frame = frame.checked_add(input.number()?)?;
        let code = input.byte()?;
        let class = match code & NO_CLASS {
            NO_CLASS => None,
            index => Some(*DrumClass::ALL.get(usize::from(index))?),
        };
        let group = match code & GROUP {
            0 => 0,
            _ => input.byte()?,
        };
        let (group, has_velocity) = (group & !VELOCITY, group & VELOCITY != 0);
        let claim = match code & (GROUP | STROKE) {
            0 => Claim::Rivals,
            GROUP => Claim::Class {
                group,
                strokes: input.short_float()?,
            },
            STROKE => return None,
            _ => Claim::Stroke { group },
        };
        onset = onset.checked_add_signed(input.signed()?)?;
        let confidence = f32::from(input.byte()?) / CONFIDENCE_STEPS;
        let excess = input.short_float()?;
        let (band_db, peak_db) = (input.short_float()?, input.short_float()?);
        let openness = match code & OPENNESS {
            0 => None,
            _ => Some(input.byte()?.min(MAX_OPENNESS)),
        };
        let velocity = match has_velocity {
            false => None,
            true => Some(input.byte()?),
        };
        passage.candidates.push(Candidate {
            peak: Peak {
                class,
                frame,
                confidence,
                excess,
                velocity,
                claim,
            },
            onset_samples: onset,
            measured: Measured {
                band_db,
                peak_db,
                openness,
            },
        });
    }
    let candidates = passage.candidates.len() as u64;
    passage.recorded_hits = passage.recorded_hits.min(candidates);
    for _ in 0..input.count(MAX_EDITS)? {
        let onset_samples = input.number()?;
        let (pitch, flags) = (input.byte()?, input.byte()?);
        let key = RecordedKey {
            onset_samples,
            pitch,
            is_drum: flags & DRUM != 0,
        };
        let change = match flags & SET {
            0 => Change::Deleted,
            _ => Change::Set(read_note(input)?),
        };
        passage.edits.changed.insert(key, change);
    }
    for _ in 0..input.count(MAX_EDITS)? {
        let note = read_note(input)?;
        passage.edits.add(note)?;
    }
    Some(())
}

fn read_note(input: &mut Reader<'_>) -> Option<EditedNote> {
    let (onset_samples, length_samples) = (input.number()?, input.number()?);
    let (pitch, velocity) = (input.byte()?, input.byte()?);
    let (program, is_drum) = (input.byte()?, input.byte()? != 0);
    let is_valid = pitch <= 127
        && (1..=127).contains(&velocity)
        && program <= 127
        && (1..=u64::from(u32::MAX)).contains(&length_samples)
        && onset_samples <= i64::MAX as u64;
    is_valid.then_some(EditedNote {
        onset_samples,
        length_samples,
        pitch,
        velocity,
        is_drum,
        program,
    })
}
