//! Single segments of live sources.

use hitscribe_core::features::mt3_family::{FrontEnd, FrontEndKind};
use hitscribe_core::note::Note;
use hitscribe_core::tokens::IncrementalParser;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{self, ParseRules};
use hitscribe_core::tokens::vocabulary::SPECIAL_IDS;

use crate::generate::allowed::{AllowedNotes, LogitBias};
use crate::generate::family::Family;
use crate::generate::greedy::Sequence;
use crate::generate::network::memory_ids_after;
use crate::mt3_family::hyperparameters::MemoryVariant;
use crate::mt3_family::mt3::first_memory_ids;

/// A segment to decode.
#[derive(Clone, Debug)]
pub struct SegmentJob {
    /// Mono samples at the model's rate, full scale at 1: a whole segment, or the rest of the
    /// recording.
    pub samples: Vec<f32>,
    /// Whether it is the last of the recording.
    pub is_last: bool,
    /// The notes that the signal can contain.
    pub source: AllowedNotes,
    /// Sensitivity by class.
    pub sensitivity: LogitBias,
    /// The model's memory of the previous segment; see [`SegmentForm::memory_ids`].
    pub memory_ids: Vec<i32>,
}

/// How a model cuts audio into segments and its tokens form notes. `Copy`, for threads without the
/// model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentForm {
    /// The model's family.
    pub family: Family,
    /// Samples of a segment at [`hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ`].
    pub segment_samples: usize,
    pub(super) front_end: FrontEndKind,
    pub(super) memory: Option<MemoryVariant>,
}

impl SegmentForm {
    /// Whether a segment can only be decoded after the previous one.
    pub fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// The memory for the segment after `previous` (its channels), or for the first segment.
    pub fn memory_ids(&self, previous: Option<&[Sequence]>) -> Vec<i32> {
        let sequence = previous.and_then(|channels| channels.first());
        sequence.map_or_else(|| first_memory_ids(self.memory), memory_ids_after)
    }

    /// The tokens of a segment, one stream for each of its decoded channels.
    pub fn tokens(&self, start_seconds: f64, channels: &[Sequence]) -> Vec<SegmentTokens> {
        let stream = |sequence: &Sequence, ids: Vec<i32>| SegmentTokens {
            start_seconds,
            ids,
            probabilities: sequence.probabilities.clone(),
        };
        if self.family == Family::YourMt3 {
            let streams = channels.iter();
            return streams
                .map(|sequence| stream(sequence, sequence.ids.clone()))
                .collect();
        }
        // Magenta and MR-MT3 drop a segment without EOS; the adapters keep it.
        let keeps_unended = matches!(
            self.front_end,
            FrontEndKind::MrMt3 | FrontEndKind::Mt3Pytorch
        );
        let ids = |sequence: &Sequence| {
            let indices = match sequence.ended || keeps_unended {
                true => mt3::codec_indices(&sequence.ids),
                false => Vec::new(),
            };
            indices
                .into_iter()
                .map(|index| index + SPECIAL_IDS)
                .collect()
        };
        let first = channels.first().into_iter();
        first
            .map(|sequence| stream(sequence, ids(sequence)))
            .collect()
    }

    /// How the tokens of MT3 and MR-MT3 become notes.
    pub(super) fn parse_rules(&self) -> ParseRules {
        match self.front_end {
            FrontEndKind::MrMt3 => ParseRules::MrMt3,
            _ => ParseRules::Mt3,
        }
    }

    /// The incremental decoder from a source's segments to notes. A note that lasts
    /// `longest_seconds` is emitted before it ends.
    pub fn incremental_parser(&self, longest_seconds: f64) -> IncrementalParser {
        match self.family {
            Family::YourMt3 => IncrementalParser::yourmt3(longest_seconds),
            Family::Mt3 | Family::MrMt3 => {
                IncrementalParser::mt3(self.parse_rules(), longest_seconds)
            }
        }
    }

    /// A note of the model with the fields as [`Note`] defines them: velocity 1 to 127, drums with
    /// program 0.
    pub fn note(&self, note: &Note) -> Note {
        plain(note)
    }
}

/// Appends the features of a segment. Returns false if a last segment is too short for a frame.
pub(super) fn append_features(front_end: &FrontEnd, job: &SegmentJob, out: &mut Vec<f32>) -> bool {
    if !job.is_last {
        front_end.segment(&job.samples, front_end.frames(), out);
        return true;
    }
    let rest = front_end.features(&job.samples);
    out.extend(rest.values);
    rest.starts_seconds.len() == 1
}

/// A note with the fields as [`Note`] defines them.
pub(super) fn plain(note: &Note) -> Note {
    Note {
        velocity: note.velocity.clamp(1, 127),
        program: if note.is_drum { 0 } else { note.program },
        ..*note
    }
}
