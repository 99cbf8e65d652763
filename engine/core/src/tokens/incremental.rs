//! Notes of either vocabulary, segment by segment while they come in.

use crate::note::Note;
use crate::tokens::SegmentTokens;
use crate::tokens::mt3::decode;
use crate::tokens::mt3::decode::DecodePath;
use crate::tokens::yourmt3::incremental;

/// Puts the token streams of one recording together as they come in.
pub enum RunningNotes {
    /// MT3's and MR-MT3's: one stream.
    Mt3(decode::RunningNotes),
    /// YourMT3's: one for each channel.
    YourMt3(incremental::RunningNotes),
}

impl RunningNotes {
    /// MT3's, before the first segment. Notes that sound for `longest_seconds` are given out with that
    /// length before they end.
    pub fn mt3(path: DecodePath, longest_seconds: f64) -> Self {
        Self::Mt3(decode::RunningNotes::new(path, longest_seconds))
    }

    /// YourMT3's, likewise.
    pub fn yourmt3(longest_seconds: f64) -> Self {
        Self::YourMt3(incremental::RunningNotes::new(longest_seconds))
    }

    /// Takes the streams of the next segment, and where the one after it starts; none for the last.
    pub fn push(&mut self, streams: &[SegmentTokens], next_seconds: Option<f64>) {
        match self {
            Self::Mt3(notes) => {
                if let Some(stream) = streams.first() {
                    notes.push(stream, next_seconds);
                }
            }
            Self::YourMt3(notes) => notes.push(streams, next_seconds),
        }
    }

    /// Ends what sounds: there are no more segments.
    pub fn finish(&mut self) {
        match self {
            Self::Mt3(notes) => notes.finish(),
            Self::YourMt3(notes) => notes.finish(),
        }
    }

    /// Every note that begins before this is out. In seconds, as the starts of the segments.
    pub fn settled_seconds(&self) -> f64 {
        match self {
            Self::Mt3(notes) => notes.settled_seconds(),
            Self::YourMt3(notes) => notes.settled_seconds(),
        }
    }

    /// Takes what has come out: notes, and notes that came out before they ended, as they were.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        match self {
            Self::Mt3(notes) => notes.take(),
            Self::YourMt3(notes) => notes.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::mt3::decode;
    use crate::tokens::vocabulary::{EOS_ID, Event, Vocabulary};
    use crate::tokens::yourmt3::notes;

    const SEGMENT_SECONDS: f64 = 2.048;

    /// Numbers from 0 on that are always the same.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, count: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % count
        }
    }

    /// Streams that a network might say: few keys and programs, so that notes meet; some nonsense.
    fn streams(vocabulary: Vocabulary, dice: &mut Dice, segments: usize) -> Vec<SegmentTokens> {
        let stream = |index: usize, dice: &mut Dice| {
            let mut ids = Vec::new();
            let event = |dice: &mut Dice| match dice.below(9) {
                0 => Event::Program(dice.below(2) as u8),
                1 | 2 => Event::Velocity(dice.below(2) as u8),
                3 => Event::Drum(36 + dice.below(2) as u8),
                _ => Event::Pitch(60 + dice.below(3) as u8),
            };
            for _ in 0..dice.below(6) {
                ids.push(vocabulary.id(event(dice)));
            }
            if dice.below(8) > 0 {
                ids.push(vocabulary.id(Event::Tie));
            }
            let mut steps = 0;
            while steps < 206 && dice.below(30) > 0 {
                steps += dice.below(25);
                ids.push(vocabulary.id(Event::Shift(steps as i32)));
                for _ in 0..dice.below(4) {
                    ids.push(vocabulary.id(event(dice)));
                }
            }
            if vocabulary == Vocabulary::YOURMT3 {
                ids.push(EOS_ID);
            }
            SegmentTokens::certain(index as f64 * SEGMENT_SECONDS, ids)
        };
        (0..segments).map(|index| stream(index, dice)).collect()
    }

    /// What comes out segment by segment; asserts that what was settled stays so.
    fn run(mut running: RunningNotes, channels: &[Vec<SegmentTokens>]) -> (Vec<Note>, Vec<Note>) {
        let (mut notes, mut late) = (Vec::new(), Vec::new());
        let segments = channels[0].len();
        let mut take = |running: &mut RunningNotes, settled: f64| {
            let (new, ended) = running.take();
            assert!(new.iter().all(|note| note.onset_seconds >= settled));
            notes.extend(new);
            late.extend(ended);
            running.settled_seconds()
        };
        let mut settled = 0.0;
        for index in 0..segments {
            let streams: Vec<_> = channels.iter().map(|all| all[index].clone()).collect();
            let next = (index + 1 < segments).then(|| (index + 1) as f64 * SEGMENT_SECONDS);
            running.push(&streams, next);
            settled = take(&mut running, settled);
        }
        running.finish();
        take(&mut running, settled);
        (notes, late)
    }

    fn sorted(mut notes: Vec<Note>) -> Vec<Note> {
        let key = |n: &Note| (n.is_drum, n.program, n.pitch);
        notes.sort_by(|a, b| {
            let onsets = a.onset_seconds.total_cmp(&b.onset_seconds);
            let ends = a.offset_seconds.total_cmp(&b.offset_seconds);
            onsets.then(key(a).cmp(&key(b))).then(ends)
        });
        notes
    }

    #[test]
    fn segments_that_come_in_give_the_notes_of_the_whole() {
        let mut dice = Dice(1);
        let mut count = 0;
        for round in 0..300 {
            let segments = 1 + dice.below(12) as usize;
            let one = streams(Vocabulary::MT3, &mut dice, segments);
            for path in [DecodePath::Mt3, DecodePath::MrMt3] {
                let whole = decode::decode(&one, path).notes;
                let (notes, late) = run(
                    RunningNotes::mt3(path, f64::INFINITY),
                    std::slice::from_ref(&one),
                );
                assert_eq!(notes, whole, "round {round}");
                assert!(late.is_empty());
            }
            let channels: Vec<_> = (0..3)
                .map(|_| streams(Vocabulary::YOURMT3, &mut dice, segments))
                .collect();
            let whole = notes::decode(&channels).notes;
            let (notes, _) = run(RunningNotes::yourmt3(f64::INFINITY), &channels);
            count += whole.len();
            assert_eq!(sorted(notes), sorted(whole), "round {round}");
        }
        assert!(count > 5_000, "{count} notes prove little");
    }

    #[test]
    fn notes_that_are_cut_come_in_time_and_end_as_they_do() {
        const LONGEST_SECONDS: f64 = 2.0;
        let mut dice = Dice(2);
        let mut lengthened = 0;
        for _ in 0..100 {
            let one = streams(Vocabulary::MT3, &mut dice, 10);
            let whole = decode::decode(&one, DecodePath::Mt3).notes;
            let cut = RunningNotes::mt3(DecodePath::Mt3, LONGEST_SECONDS);
            let (mut notes, late) = run(cut, std::slice::from_ref(&one));
            for ended in &late {
                let is_it = |note: &&mut Note| {
                    let seconds = note.offset_seconds - note.onset_seconds;
                    (note.onset_seconds, note.pitch, note.program)
                        == (ended.onset_seconds, ended.pitch, ended.program)
                        && (seconds - LONGEST_SECONDS).abs() < 1e-9
                };
                let note = notes.iter_mut().find(is_it).expect("it came out before");
                note.offset_seconds = ended.offset_seconds;
            }
            lengthened += late.len();
            assert_eq!(sorted(notes), sorted(whole));

            let mut running = RunningNotes::mt3(DecodePath::Mt3, LONGEST_SECONDS);
            for (index, stream) in one.iter().enumerate() {
                let next = (index + 1) as f64 * SEGMENT_SECONDS;
                running.push(std::slice::from_ref(stream), Some(next));
                assert!(running.settled_seconds() > next - LONGEST_SECONDS - 0.011);
            }
        }
        assert!(lengthened > 10, "{lengthened} long notes prove little");
    }
}
