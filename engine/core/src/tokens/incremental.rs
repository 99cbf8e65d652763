//! Parsing a recording segment by segment, as a live session generates it.

use crate::note::Note;
use crate::tokens::mt3::{Mt3IncrementalParser, ParseRules};
use crate::tokens::segment::SegmentTokens;
use crate::tokens::yourmt3::YourMt3IncrementalParser;

/// Parses the token streams of one recording as its segments arrive, for either vocabulary.
///
/// Over a whole recording the notes are those of [`mt3::parse`](crate::tokens::mt3::parse) or
/// [`yourmt3::parse`](crate::tokens::yourmt3::parse).
pub enum IncrementalParser {
    /// MT3 and MR-MT3: one stream per segment.
    Mt3(Mt3IncrementalParser),
    /// YourMT3: one stream per channel and segment.
    YourMt3(YourMt3IncrementalParser),
}

impl IncrementalParser {
    /// A parser for MT3 and MR-MT3, before the first segment.
    ///
    /// A note that still sounds after `max_note_seconds` is emitted with that length, without
    /// waiting for its end.
    pub fn mt3(rules: ParseRules, max_note_seconds: f64) -> Self {
        Self::Mt3(Mt3IncrementalParser::new(rules, max_note_seconds))
    }

    /// A parser for YourMT3; `max_note_seconds` as in [`IncrementalParser::mt3`].
    pub fn yourmt3(max_note_seconds: f64) -> Self {
        Self::YourMt3(YourMt3IncrementalParser::new(max_note_seconds))
    }

    /// Parses the streams of the next segment. `next_seconds` is the start of the segment after it,
    /// `None` for the last one.
    pub fn push(&mut self, streams: &[SegmentTokens], next_seconds: Option<f64>) {
        match self {
            Self::Mt3(parser) => {
                if let Some(stream) = streams.first() {
                    parser.push(stream, next_seconds);
                }
            }
            Self::YourMt3(parser) => parser.push(streams, next_seconds),
        }
    }

    /// Ends all sounding notes: there are no more segments.
    pub fn finish(&mut self) {
        match self {
            Self::Mt3(parser) => parser.finish(),
            Self::YourMt3(parser) => parser.finish(),
        }
    }

    /// Time before which every onset has been emitted, in seconds from the start of the audio.
    pub fn settled_seconds(&self) -> f64 {
        match self {
            Self::Mt3(parser) => parser.settled_seconds(),
            Self::YourMt3(parser) => parser.settled_seconds(),
        }
    }

    /// Returns the notes since the last call: new notes, and, with their final length, notes that
    /// were emitted earlier at `max_note_seconds`.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        match self {
            Self::Mt3(parser) => parser.take(),
            Self::YourMt3(parser) => parser.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hitscribe_testing::random::Random;

    use super::*;
    use crate::tokens::vocabulary::{EOS_ID, Event, Vocabulary};
    use crate::tokens::{mt3, yourmt3};

    const SEGMENT_SECONDS: f64 = 2.048;

    /// Plausible streams with few keys and programs, so that notes overlap, and some invalid
    /// tokens.
    fn streams(vocabulary: Vocabulary, random: &mut Random, segments: usize) -> Vec<SegmentTokens> {
        let stream = |index: usize, random: &mut Random| {
            let mut ids = Vec::new();
            let event = |random: &mut Random| match random.below(9) {
                0 => Event::Program(random.below(2) as u8),
                1 | 2 => Event::Velocity(random.below(2) as u8),
                3 => Event::Drum(36 + random.below(2) as u8),
                _ => Event::Pitch(60 + random.below(3) as u8),
            };
            for _ in 0..random.below(6) {
                ids.push(vocabulary.id(event(random)));
            }
            if random.below(8) > 0 {
                ids.push(vocabulary.id(Event::Tie));
            }
            let mut steps = 0;
            while steps < 206 && random.below(30) > 0 {
                steps += random.below(25);
                ids.push(vocabulary.id(Event::Shift(steps as i32)));
                for _ in 0..random.below(4) {
                    ids.push(vocabulary.id(event(random)));
                }
            }
            if vocabulary == Vocabulary::YOURMT3 {
                ids.push(EOS_ID);
            }
            SegmentTokens::certain(index as f64 * SEGMENT_SECONDS, ids)
        };
        (0..segments).map(|index| stream(index, random)).collect()
    }

    /// The notes, segment by segment. Asserts that no onset comes before a settled time.
    fn run(
        mut parser: IncrementalParser,
        channels: &[Vec<SegmentTokens>],
    ) -> (Vec<Note>, Vec<Note>) {
        let (mut notes, mut late) = (Vec::new(), Vec::new());
        let segments = channels[0].len();
        let mut take = |parser: &mut IncrementalParser, settled: f64| {
            let (new, ended) = parser.take();
            assert!(new.iter().all(|note| note.onset_seconds >= settled));
            notes.extend(new);
            late.extend(ended);
            parser.settled_seconds()
        };
        let mut settled = 0.0;
        for index in 0..segments {
            let streams: Vec<_> = channels.iter().map(|all| all[index].clone()).collect();
            let next = (index + 1 < segments).then(|| (index + 1) as f64 * SEGMENT_SECONDS);
            parser.push(&streams, next);
            settled = take(&mut parser, settled);
        }
        parser.finish();
        take(&mut parser, settled);
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
    fn incremental_parsing_gives_the_notes_of_the_whole() {
        let mut random = Random(1);
        let mut count = 0;
        for round in 0..300 {
            let segments = 1 + random.below(12) as usize;
            let one = streams(Vocabulary::MT3, &mut random, segments);
            for rules in [ParseRules::Mt3, ParseRules::MrMt3] {
                let whole = mt3::parse(&one, rules).notes;
                let (notes, late) = run(
                    IncrementalParser::mt3(rules, f64::INFINITY),
                    std::slice::from_ref(&one),
                );
                assert_eq!(notes, whole, "round {round}");
                assert!(late.is_empty());
            }
            let channels: Vec<_> = (0..3)
                .map(|_| streams(Vocabulary::YOURMT3, &mut random, segments))
                .collect();
            let whole = yourmt3::parse(&channels).notes;
            let (notes, _) = run(IncrementalParser::yourmt3(f64::INFINITY), &channels);
            count += whole.len();
            assert_eq!(sorted(notes), sorted(whole), "round {round}");
        }
        assert!(count > 5_000, "{count} notes are too few");
    }

    #[test]
    fn long_notes_are_emitted_in_time_and_get_their_final_length() {
        const MAX_NOTE_SECONDS: f64 = 2.0;
        let mut random = Random(2);
        let mut lengthened = 0;
        for _ in 0..100 {
            let one = streams(Vocabulary::MT3, &mut random, 10);
            let whole = mt3::parse(&one, ParseRules::Mt3).notes;
            let cut = IncrementalParser::mt3(ParseRules::Mt3, MAX_NOTE_SECONDS);
            let (mut notes, late) = run(cut, std::slice::from_ref(&one));
            for ended in &late {
                let is_it = |note: &&mut Note| {
                    let seconds = note.offset_seconds - note.onset_seconds;
                    (note.onset_seconds, note.pitch, note.program)
                        == (ended.onset_seconds, ended.pitch, ended.program)
                        && (seconds - MAX_NOTE_SECONDS).abs() < 1e-9
                };
                let note = notes.iter_mut().find(is_it).expect("emitted earlier");
                note.offset_seconds = ended.offset_seconds;
            }
            lengthened += late.len();
            assert_eq!(sorted(notes), sorted(whole));

            let mut parser = IncrementalParser::mt3(ParseRules::Mt3, MAX_NOTE_SECONDS);
            for (index, stream) in one.iter().enumerate() {
                let next = (index + 1) as f64 * SEGMENT_SECONDS;
                parser.push(std::slice::from_ref(stream), Some(next));
                assert!(parser.settled_seconds() > next - MAX_NOTE_SECONDS - 0.011);
            }
        }
        assert!(lengthened > 10, "{lengthened} long notes are too few");
    }
}
