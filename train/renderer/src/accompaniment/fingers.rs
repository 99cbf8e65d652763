//! What fingers and picks do to strings between the notes of a player: touches before a pluck, and
//! slides over frets. They sound, but are no notes; SoundFonts do not have them.

use rand::Rng;

use crate::accompaniment::excerpt::PoolNote;
use crate::dsp::{chance, uniform};

/// Seconds before a note without another onset, in which it may be touched or slid to.
const FREE_SECONDS: f32 = 0.12;

/// The notes, in order of time, with short ones between them that are not to be labelled.
pub(super) fn with_fingers(rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<PoolNote> {
    let share = |rng: &mut _, most| match chance(rng, 0.5) {
        true => uniform(rng, 0.0, most),
        false => 0.0,
    };
    let (touches, slides) = (share(rng, 0.35), share(rng, 0.25));
    let mut played = Vec::with_capacity(notes.len());
    let mut before = f32::NEG_INFINITY;
    for note in notes {
        if note.onset - before.max(0.0) > FREE_SECONDS {
            if chance(rng, touches) {
                played.push(touch(rng, note));
            } else if chance(rng, slides) {
                slide(rng, note, &mut played);
            }
        }
        before = note.onset;
        played.push(*note);
    }
    played.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    played
}

/// A pick or finger stops the string before it plucks it.
fn touch(rng: &mut impl Rng, note: &PoolNote) -> PoolNote {
    let onset = note.onset - uniform(rng, 0.05, 0.1);
    PoolNote {
        onset,
        offset: onset + uniform(rng, 0.015, 0.04),
        velocity: softer(note, uniform(rng, 0.25, 0.65)),
        ..*note
    }
}

/// A finger comes from one or two frets below or above.
fn slide(rng: &mut impl Rng, note: &PoolNote, played: &mut Vec<PoolNote>) {
    let (frets, is_up) = (rng.random_range(1..=2u8), chance(rng, 0.6));
    let step = uniform(rng, 0.025, 0.05);
    for fret in 1..=frets {
        let key = match is_up {
            true => note.key.saturating_sub(fret),
            false => note.key.saturating_add(fret).min(127),
        };
        let onset = note.onset - step * f32::from(fret);
        played.push(PoolNote {
            onset,
            offset: onset + step,
            key,
            velocity: softer(note, uniform(rng, 0.4, 0.8)),
            ..*note
        });
    }
}

fn softer(note: &PoolNote, share: f32) -> u8 {
    ((f32::from(note.velocity) * share) as u8).max(1)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn short_soft_sounds_come_before_notes_and_leave_them_as_they_are() {
        let notes: Vec<PoolNote> = (0..40u8)
            .map(|index| PoolNote {
                onset: f32::from(index) * 0.25,
                offset: f32::from(index) * 0.25 + 0.2,
                key: 50 + index % 7,
                velocity: 90,
                program: 25,
            })
            .collect();
        let (mut most, mut least) = (0, usize::MAX);
        for seed in 0..30 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let played = with_fingers(&mut rng, &notes);
            assert!(played.is_sorted_by(|a, b| a.onset <= b.onset));
            let is_note = |n: &&PoolNote| n.velocity == 90;
            assert_eq!(played.iter().filter(is_note).count(), notes.len());
            for sound in played.iter().filter(|n| !is_note(n)) {
                assert!(sound.offset - sound.onset < 0.051 && sound.velocity < 75);
                let next = notes.iter().find(|n| n.onset > sound.onset).unwrap();
                assert!(next.onset - sound.onset < FREE_SECONDS);
                assert!(next.key.abs_diff(sound.key) <= 2);
            }
            most = most.max(played.len());
            least = least.min(played.len());
        }
        assert!(
            least == notes.len() && most > notes.len() + 5,
            "{least} {most}"
        );
    }
}
