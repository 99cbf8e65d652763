//! A token model of the MT3 family: sound in, notes out, on one device.

use std::any::Any;
use std::cell::Cell;
use std::path::Path;

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::{Features, FrontEnd, FrontEndKind};
use hitscribe_core::note::Note;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3;
use hitscribe_core::tokens::yourmt3::{self, Faults};

use crate::compact::Precision;
use crate::device::Device;
use crate::generate::allowed::{AllowedNotes, LogitBias};
use crate::generate::erased::{self, TokenNetwork};
use crate::generate::family::Family;
use crate::generate::greedy::Sequence;
use crate::generate::network::{SegmentTask, TokenOptions};
use crate::generate::segment::{SegmentForm, SegmentJob, append_features, plain};
use crate::generate::trace::{NamedTensor, TraceRequest};
use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::load::LoadReport;

/// Ids that [`TokenModel::warm_up`] decodes: kernels differ by whether the number of ids so far is
/// a multiple of small powers of two.
const WARM_UP_STEPS: usize = 16;

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions<'a> {
    /// A configuration file; `None` for the checkpoint's own configuration, or one beside it.
    pub config: Option<&'a Path>,
    /// Hyperparameters that override those of any file.
    pub hyperparameters: Hyperparameters,
    /// The front end; `None` for the one that the checkpoint names, else that of its family's
    /// published weights.
    pub front_end: Option<FrontEndKind>,
    /// In how many bits the device computes.
    pub precision: Precision,
}

/// The transcription of a recording by a token model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenTranscription {
    /// Notes by onset, with the model's programs; drums have program 0.
    pub notes: Vec<Note>,
    /// The notes as the reference implementation lists them: its order, programs and velocities.
    pub reference_notes: Vec<Note>,
    /// Start of each segment in seconds.
    pub starts_seconds: Vec<f64>,
    /// Decoded tokens, `[segment][channel]`.
    pub sequences: Vec<Vec<Sequence>>,
    /// MT3: tokens that are invalid where they are.
    pub invalid_events: usize,
    /// MT3: tokens after the start of the next segment.
    pub dropped_events: usize,
    /// YourMT3: faults in the tokens and how often each occurred.
    pub faults: Faults,
}

/// A model of the MT3 family on one device. `Send` and `Sync`: threads may share it.
pub struct TokenModel {
    network: Box<dyn TokenNetwork>,
    front_end: FrontEnd,
    device: Device,
}

impl TokenModel {
    /// Loads a checkpoint. Its family and sizes follow from its tensors.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for files that cannot be read or do not fit,
    /// [`Error::Device`] when the GPU fails.
    pub fn load(
        path: &Path,
        options: &LoadOptions<'_>,
        device: Device,
    ) -> Result<(Self, LoadReport)> {
        let checkpoint = Checkpoint::open(path)?;
        let hyperparameters = options
            .hyperparameters
            .clone()
            .or(Hyperparameters::find(&checkpoint, options.config)?);
        let (network, report) =
            erased::load(&checkpoint, &hyperparameters, options.precision, device)?;
        let family = network.family();
        let kind = options
            .front_end
            .or(hyperparameters.front_end)
            .unwrap_or(family.front_end());
        if !family.takes(kind) {
            return Err(Error::Model {
                model: path.display().to_string(),
                reason: format!(
                    "{} cannot use the front end {kind}: leave it out",
                    family.name()
                ),
            });
        }
        let front_end = FrontEnd::new(kind, network.bands());
        Ok((
            Self {
                network,
                front_end,
                device,
            },
            report,
        ))
    }

    /// The model's family.
    pub fn family(&self) -> Family {
        self.network.family()
    }

    /// From sound to the model's features.
    pub fn front_end(&self) -> &FrontEnd {
        &self.front_end
    }

    /// The device that the model is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How the model cuts audio into segments and its tokens form notes.
    pub fn form(&self) -> SegmentForm {
        SegmentForm {
            family: self.family(),
            segment_samples: self.front_end.segment_samples(),
            front_end: self.front_end.kind(),
            memory: self.network.memory(),
        }
    }

    /// Most segments that are decoded as one batch, unless [`TokenOptions`] set it.
    pub fn batch_segments(&self) -> usize {
        self.network.usual_batch(self.front_end.frames())
    }

    /// Decodes a moment of silence, so that a GPU compiles its kernels before there is sound to
    /// wait for it. Does nothing on the CPU.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the model must be dropped then.
    pub fn warm_up(&self) -> Result<()> {
        if self.device == Device::Cpu {
            return Ok(());
        }
        // With a mask, as most sources have one, and all channels of the model.
        let source = AllowedNotes::programs(0..127);
        let silence = SegmentJob {
            samples: vec![0.0; self.front_end.segment_samples()],
            is_last: false,
            source,
            sensitivity: LogitBias::default(),
            memory_ids: self.form().memory_ids(None),
        };
        let steps = Cell::new(0);
        let keep_going = || steps.replace(steps.get() + 1) < WARM_UP_STEPS;
        self.decode_segments(&[&silence], &keep_going).map(drop)
    }

    /// Transcribes a recording: mono samples at 16 kHz, full scale at 1. `on_progress` gets the
    /// share done, 0 to 1; `false` stops, and the transcription ends there.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the model must be dropped then.
    pub fn transcribe(
        &self,
        samples: &[f32],
        options: &TokenOptions,
        mut on_progress: impl FnMut(f64) -> bool,
    ) -> Result<TokenTranscription> {
        let features = self.front_end.features(samples);
        let total = features.segments().max(1) as f64;
        let mut on_segments = |segments: usize| on_progress(segments as f64 / total);
        let sequences = self.device.guard(|| {
            self.network
                .decode_all(&features, options, &mut on_segments)
        })?;
        Ok(self.notes(features.starts_seconds, sequences))
    }

    /// Decodes segments of any sources as one batch: `[job][channel]`. A last segment too short for
    /// a frame has no channels. `keep_going` is called before each id; `false` stops, and the
    /// sequences are incomplete then.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the model must be dropped then.
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
        let mut has_frames = Vec::with_capacity(jobs.len());
        for job in jobs {
            let appended = append_features(&self.front_end, job, &mut features.values);
            has_frames.push(appended);
            if appended {
                tasks.push(SegmentTask {
                    source: &job.source,
                    sensitivity: &job.sensitivity,
                    memory_ids: &job.memory_ids,
                });
            }
        }
        let decoded = match tasks.is_empty() {
            true => Vec::new(),
            false => self
                .device
                .guard(|| self.network.decode(&features, &tasks, keep_going))?,
        };
        let mut decoded = decoded.into_iter();
        let of_job = |has_frames: bool| match has_frames {
            true => decoded.next().unwrap_or_default(),
            false => Vec::new(),
        };
        Ok(has_frames.into_iter().map(of_job).collect())
    }

    /// Features, hidden states, logits and tokens, to compare with another implementation.
    ///
    /// # Errors
    /// [`Error::Model`] if the request does not fit the model, [`Error::Device`] when the GPU
    /// fails.
    pub fn trace(&self, features: &Features, request: &TraceRequest) -> Result<Vec<NamedTensor>> {
        self.device
            .guard(|| self.network.trace(features, request))?
    }

    /// Runs the encoder on the first segment and waits for it: for benchmarks.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails.
    pub fn encode(&self, features: &Features) -> Result<EncodedSegment> {
        let contexts = self.device.guard(|| self.network.encode(features))?;
        Ok(EncodedSegment(contexts))
    }

    /// Decodes `steps` ids of each of `copies` copies of a segment, whether or not the sequences
    /// end: for benchmarks.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails.
    pub fn decode_steps(
        &self,
        segment: &EncodedSegment,
        copies: usize,
        steps: usize,
    ) -> Result<()> {
        self.device
            .guard(|| self.network.decode_steps(&*segment.0, copies, steps))
    }

    /// Turns decoded sequences, `[segment][channel]`, into notes. A segment may have fewer channels
    /// than the model, or none: it adds nothing to the others.
    pub fn notes(
        &self,
        starts_seconds: Vec<f64>,
        sequences: Vec<Vec<Sequence>>,
    ) -> TokenTranscription {
        let mut out = TokenTranscription {
            starts_seconds,
            sequences,
            ..TokenTranscription::default()
        };
        let form = self.form();
        let segments: Vec<Vec<SegmentTokens>> = out
            .starts_seconds
            .iter()
            .zip(&out.sequences)
            .map(|(start, channels)| form.tokens(*start, channels))
            .collect();
        match form.family {
            Family::Mt3 | Family::MrMt3 => {
                let segments: Vec<SegmentTokens> = segments.into_iter().flatten().collect();
                let decoded = mt3::parse(&segments, form.parse_rules());
                out.reference_notes = decoded.notes;
                out.invalid_events = decoded.invalid_events;
                out.dropped_events = decoded.dropped_events;
            }
            Family::YourMt3 => {
                let decoded = yourmt3::parse(&channel_streams(segments));
                out.reference_notes = decoded.notes;
                out.faults = decoded.faults;
            }
        }
        out.notes = out.reference_notes.iter().map(plain).collect();
        out.notes.sort_by(|a, b| {
            let key = |note: &Note| (note.is_drum, note.program, note.pitch);
            a.onset_seconds
                .total_cmp(&b.onset_seconds)
                .then_with(|| key(a).cmp(&key(b)))
        });
        out
    }
}

/// Encoder output of one segment on the model's device.
pub struct EncodedSegment(Box<dyn Any>);

/// `[segment][channel]` to `[channel][segment]`, without the segments that a channel does not have,
/// and without the channels that were not decoded.
fn channel_streams(segments: Vec<Vec<SegmentTokens>>) -> Vec<Vec<SegmentTokens>> {
    let channels = segments.iter().map(Vec::len).max().unwrap_or(0);
    let mut streams = vec![Vec::with_capacity(segments.len()); channels];
    for segment in segments {
        for (stream, tokens) in streams.iter_mut().zip(segment) {
            stream.push(tokens);
        }
    }
    // A channel without tokens was not decoded: that is no fault of its segments.
    streams.retain(|stream| stream.iter().any(|segment| !segment.ids.is_empty()));
    streams
}

#[cfg(test)]
mod tests {
    use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};
    use hitscribe_core::tokens::yourmt3::CHANNELS;

    use super::*;
    use crate::mt3_family::hyperparameters::MemoryVariant;

    /// Stands in for a network of YourMT3, of which `notes` needs nothing but the family.
    struct NoNetwork;

    impl TokenNetwork for NoNetwork {
        fn family(&self) -> Family {
            Family::YourMt3
        }

        fn bands(&self) -> usize {
            0
        }

        fn usual_batch(&self, _: usize) -> usize {
            1
        }

        fn memory(&self) -> Option<MemoryVariant> {
            None
        }

        fn decode_all(
            &self,
            _: &Features,
            _: &TokenOptions,
            _: &mut dyn FnMut(usize) -> bool,
        ) -> Vec<Vec<Sequence>> {
            Vec::new()
        }

        fn decode(
            &self,
            _: &Features,
            _: &[SegmentTask<'_>],
            _: &dyn Fn() -> bool,
        ) -> Vec<Vec<Sequence>> {
            Vec::new()
        }

        fn trace(&self, _: &Features, _: &TraceRequest) -> Result<Vec<NamedTensor>> {
            Ok(Vec::new())
        }

        fn encode(&self, _: &Features) -> Box<dyn Any> {
            Box::new(())
        }

        fn decode_steps(&self, _: &dyn Any, _: usize, _: usize) {}
    }

    /// A segment with one drum hit in its last channel.
    fn hit(vocabulary: Vocabulary) -> Vec<Sequence> {
        let mut channels = vec![Sequence::default(); CHANNELS];
        let events = [
            Event::Tie,
            Event::Shift(10),
            Event::Velocity(1),
            Event::Drum(36),
        ];
        let ids = events.map(|event| vocabulary.id(event)).into_iter();
        channels[CHANNELS - 1] = Sequence {
            ids: ids.chain([EOS_ID]).collect(),
            ended: true,
            ..Sequence::default()
        };
        channels
    }

    #[test]
    fn segments_with_fewer_channels_are_segments_without_notes() {
        let model = TokenModel {
            network: Box::new(NoNetwork),
            front_end: FrontEnd::new(FrontEndKind::YourMt3, 0),
            device: Device::Cpu,
        };
        let hit = hit(Vocabulary::YOURMT3);
        let onsets = |segments: &[Vec<Sequence>]| -> Vec<f64> {
            let starts = (0..segments.len()).map(|n| 2.0 * n as f64).collect();
            let out = model.notes(starts, segments.to_vec());
            assert!(
                out.notes
                    .iter()
                    .all(|note| note.is_drum && note.pitch == 36)
            );
            assert!(out.faults.is_empty(), "{:?}", out.faults);
            out.notes.iter().map(|note| note.onset_seconds).collect()
        };
        let [none, few] = [Vec::new(), vec![Sequence::default(); 3]];
        let alone = onsets(std::slice::from_ref(&hit));
        assert_eq!(alone.len(), 1);
        // As `decode_segments` returns it if the last segment has no frame.
        assert_eq!(onsets(&[hit.clone(), none.clone()]), alone);
        let later = alone[0] + 2.0;
        assert_eq!(onsets(&[none, hit.clone(), few.clone()]), [later]);
        assert_eq!(onsets(&[few, hit]), [later]);
        assert!(onsets(&[]).is_empty());
    }
}
