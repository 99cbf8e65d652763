//! Single segments of sources that are still being heard.

use std::path::Path;

use crate::generate::allowed::{AllowedNotes, LogitBias};
use crate::generate::family::{Family, SegmentTask, batch, first_memory_ids, memory_ids_after};
use crate::generate::greedy::Sequence;
use crate::generate::token_model::{Runner, Transcriber, plain};
use crate::mt3_family::{mt3 as mt3_model, yourmt3 as yourmt3_model};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::{Features, FrontEnd, FrontEndKind};
use hitscribe_core::note::Note;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::incremental::RunningNotes;
use hitscribe_core::tokens::mt3::decode;
use hitscribe_core::tokens::mt3::decode::DecodePath;
use hitscribe_core::tokens::vocabulary::SPECIAL_IDS;

/// A segment that is to be decoded.
#[derive(Clone, Debug)]
pub struct SegmentJob {
    /// Mono, at the rate of the model: a whole segment, or what is left when the recording ends.
    pub samples: Vec<f32>,
    /// Whether the recording ends with it.
    pub is_last: bool,
    /// What can be in the signal.
    pub source: AllowedNotes,
    /// Bias of classes.
    pub sensitivity: LogitBias,
    /// What the segment before has left in the model's memory; see [`SegmentForm::memory_ids`].
    pub memory_ids: Vec<i32>,
}

/// What needs to be known of a model to cut audio for it and to put its tokens together. Cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentForm {
    /// Which system it is.
    pub family: Family,
    /// Samples of a segment at [`hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ`].
    pub segment_samples: usize,
    front_end: FrontEndKind,
    has_memory: bool,
}

impl SegmentForm {
    /// Whether a segment can only be decoded after the one before.
    pub fn has_memory(&self) -> bool {
        self.has_memory
    }

    /// What a segment leaves in the memory for the next; what the first finds there without one.
    pub fn memory_ids(&self, before: Option<&[Sequence]>) -> Vec<i32> {
        let sequence = before.and_then(|channels| channels.first());
        sequence.map_or_else(first_memory_ids, memory_ids_after)
    }

    /// The token streams of a segment, from what was decoded of its channels.
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
        // Magenta and MR-MT3 give a segment up that never ends; the adapters keep it.
        let keeps_unended = matches!(
            self.front_end,
            FrontEndKind::MrMt3 | FrontEndKind::Mt3Pytorch
        );
        let ids = |sequence: &Sequence| {
            let indices = match sequence.ended || keeps_unended {
                true => decode::codec_indices(&sequence.ids),
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

    /// How MT3's tokens become notes.
    pub(super) fn decode_path(&self) -> DecodePath {
        match self.front_end {
            FrontEndKind::MrMt3 => DecodePath::MrMt3,
            _ => DecodePath::Mt3,
        }
    }

    /// What puts the segments of a source together. Notes that sound for `longest_seconds` are given out
    /// before they end.
    pub fn running_notes(&self, longest_seconds: f64) -> RunningNotes {
        match self.family {
            Family::YourMt3 => RunningNotes::yourmt3(longest_seconds),
            Family::Mt3 | Family::MrMt3 => RunningNotes::mt3(self.decode_path(), longest_seconds),
        }
    }

    /// A note of the model by the rules of [`Note`].
    pub fn note(&self, note: &Note) -> Note {
        plain(note)
    }
}

impl Transcriber {
    /// What is needed to cut audio for this model.
    pub fn form(&self) -> SegmentForm {
        let has_memory = match &self.runner {
            Runner::Cpu(network) => network.has_memory(),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, _) => network.has_memory(),
        };
        SegmentForm {
            family: self.family,
            segment_samples: self.front_end.segment_samples(),
            front_end: self.front_end.kind(),
            has_memory,
        }
    }

    /// Decodes segments of any sources as one batch: `[job][channel]`. A last segment in which there is
    /// no frame has no channels. `keep_going` is asked before each id; after `false` the result is
    /// worth nothing.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails; the model must be dropped then.
    pub fn decode_segments(
        &self,
        jobs: &[&SegmentJob],
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Vec<Vec<Sequence>>> {
        let mut features = Features {
            frames: self.front_end.frames(),
            bands: self.front_end.bands(),
            ..Features::default()
        };
        let mut tasks = Vec::with_capacity(jobs.len());
        let mut has_task = Vec::with_capacity(jobs.len());
        for job in jobs {
            let is_there = append_features(&self.front_end, job, &mut features.values);
            has_task.push(is_there);
            if is_there {
                tasks.push(SegmentTask {
                    source: &job.source,
                    sensitivity: &job.sensitivity,
                    memory_ids: &job.memory_ids,
                });
            }
        }
        let mut decoded = match &self.runner {
            _ if tasks.is_empty() => Vec::new(),
            Runner::Cpu(network) => {
                let features = batch(&features, 0, tasks.len(), &Default::default());
                network.decode(features, &tasks, None, keep_going)
            }
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, index) => {
                crate::device::guarded(&self.device().to_string(), || {
                    let device = crate::device::cuda_device(*index);
                    let features = batch(&features, 0, tasks.len(), &device);
                    network.decode(features, &tasks, None, keep_going)
                })?
            }
        }
        .into_iter();
        let of_job = |is_there: &bool| match is_there {
            true => decoded.next().unwrap_or_default(),
            false => Vec::new(),
        };
        Ok(has_task.iter().map(of_job).collect())
    }
}

/// Appends the features of a segment; false if a last one is too short to have any.
fn append_features(front_end: &FrontEnd, job: &SegmentJob, out: &mut Vec<f32>) -> bool {
    if !job.is_last {
        front_end.segment(&job.samples, front_end.frames(), out);
        return true;
    }
    let rest = front_end.features(&job.samples);
    out.extend(rest.values);
    rest.starts_seconds.len() == 1
}

/// Which system a checkpoint belongs to, without loading it.
///
/// # Errors
/// [`hitscribe_core::Error::Io`] and [`hitscribe_core::Error::Model`] for files that cannot be read or are of no such system.
pub fn family_of(path: &Path) -> Result<Family> {
    let checkpoint = Checkpoint::open(path)?;
    if let Some(prefix) = mt3_model::prefix_of(&checkpoint) {
        let memory = format!("{prefix}segmem_encoder.block.0.layer.0.layer_norm.weight");
        Ok(match checkpoint.contains(&memory) {
            true => Family::MrMt3,
            false => Family::Mt3,
        })
    } else if yourmt3_model::prefix_of(&checkpoint).is_some() {
        Ok(Family::YourMt3)
    } else {
        Err(super::family::unknown_family(&checkpoint))
    }
}
