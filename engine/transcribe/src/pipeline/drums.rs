//! The drum pipeline of one source: network, peak picking, onset, openness, selection.

use std::collections::VecDeque;

use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

use crate::pipeline::frames::{FramePipeline, FrameStream, whole_hop_frames};
use crate::session_config::SessionConfig;
use hitscribe_picking::drums::band_levels::{BandLevels, STEPS_PER_SECOND};
use hitscribe_picking::drums::candidate::{
    Candidate, KEPT_BELOW_LOGITS, Measured, PlacedPeak, Sensitivity,
};
use hitscribe_picking::drums::hihat_openness;
use hitscribe_picking::drums::hihat_openness::openness;
use hitscribe_picking::drums::joint_picking::JointPicker;
use hitscribe_picking::drums::loudness_gate::MAX_BONUS;
use hitscribe_picking::drums::onset_refinement;
use hitscribe_picking::drums::onset_refinement::{
    MAX_MOVE_SECONDS, MAX_STROKE_SECONDS, refined_onset, stroke_start,
};
use hitscribe_picking::drums::peak_picking::{MAX_SHIFT_FRAMES, PeakPicker, PickRules};
use hitscribe_picking::drums::selection::{Rules, Selection};
use hitscribe_picking::drums::velocity;
use hitscribe_picking::drums::velocity::{band_db, peak_db};

/// Most frames by which an onset is earlier than the frame that it was picked from.
fn reach_frames(model: &DrumConfig) -> f64 {
    let front_end = model.front_end();
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    match model {
        DrumConfig::Independent(_) => {
            MAX_SHIFT_FRAMES + (MAX_MOVE_SECONDS + MAX_STROKE_SECONDS) * frames_per_second
        }
        DrumConfig::Joint(model) => f64::from(model.picking.most_shift_frames),
    }
}

/// From the outputs of a network to candidates.
enum Picker {
    Independent(Box<PeakPicker>),
    Joint(Box<JointPicker>),
}

impl Picker {
    fn new(model: &DrumConfig, second: Option<&DrumConfig>) -> Self {
        match (model, second) {
            (DrumConfig::Independent(model), _) => {
                let rules = PickRules::default();
                Self::Independent(Box::new(PeakPicker::new(&model.thresholds, rules)))
            }
            (DrumConfig::Joint(model), Some(DrumConfig::Independent(second))) => {
                Self::Joint(Box::new(JointPicker::averaging(model, second)))
            }
            (DrumConfig::Joint(model), _) => Self::Joint(Box::new(JointPicker::new(model))),
        }
    }

    /// Frames after a frame that must be known before its peaks are.
    fn lookahead_frames(model: &DrumConfig) -> usize {
        match model {
            DrumConfig::Independent(_) => PickRules::default().lookahead_frames(),
            DrumConfig::Joint(model) => JointPicker::lookahead_frames(&model.picking),
        }
    }

    /// Keeps what can be a hit at this sensitivity, and at least what is `kept_logits` below the
    /// calibrated thresholds.
    fn set_floors(&mut self, sensitivity: &Sensitivity, kept_logits: f32) {
        let reach = |class| sensitivity.reach_logits(class).max(kept_logits);
        match self {
            // Its loudness gate can add to a peak.
            Self::Independent(picker) => {
                picker.set_floors(|class| -(reach(Some(class)) + MAX_BONUS));
            }
            Self::Joint(picker) => picker.set_floors(|class| -reach(class)),
        }
    }

    fn next_frame(&self) -> u64 {
        match self {
            Self::Independent(picker) => picker.next_frame(),
            Self::Joint(picker) => picker.next_frame(),
        }
    }

    /// Takes the outputs of a frame, and those of the second network.
    fn push(&mut self, outputs: &[f32], second: &[f32], peaks: &mut Vec<PlacedPeak>) {
        match self {
            Self::Independent(picker) => picker.push(outputs, peaks),
            Self::Joint(picker) => picker.push_both(outputs, second, peaks),
        }
    }

    fn finish(&mut self, peaks: &mut Vec<PlacedPeak>) {
        match self {
            Self::Independent(picker) => picker.finish(peaks),
            Self::Joint(picker) => picker.finish(peaks),
        }
    }
}

/// The rules by which hits are selected from the candidates of a network.
pub(crate) fn rules(model: &DrumConfig) -> Rules {
    match model {
        DrumConfig::Independent(_) => Rules::Independent,
        DrumConfig::Joint(model) => Rules::Joint {
            reach_frames: model.picking.reach_frames as u64,
            slack: model.picking.slack,
        },
    }
}

/// One network on the source.
pub(crate) struct NetworkStream {
    stream: FrameStream,
    /// Outputs of the frames that have not been picked from.
    outputs: VecDeque<Vec<f32>>,
}

impl FramePipeline for NetworkStream {
    fn stream(&self) -> &FrameStream {
        &self.stream
    }

    fn stream_mut(&mut self) -> &mut FrameStream {
        &mut self.stream
    }

    fn receive(&mut self, outputs: &[f32]) {
        let frames = self.stream.receive(outputs);
        self.outputs.extend(frames.into_iter().map(<[f32]>::to_vec));
    }
}

pub(crate) struct DrumPipeline {
    first: NetworkStream,
    /// Its outputs come later, because it looks further ahead.
    second: Option<NetworkStream>,
    is_complete: bool,
    picker: Picker,
    selection: Selection,
    levels: BandLevels,
    reach_frames: f64,
    sample_rate_hz: f64,
    notes: Vec<PlacedNote>,
    /// Whether candidates are kept.
    keeps_candidates: bool,
    candidates: Vec<Candidate>,
}

impl DrumPipeline {
    /// With a second network the mean of both decides.
    pub(crate) fn new(
        network: &DrumNet,
        second: Option<&DrumNet>,
        config: &SessionConfig,
    ) -> Result<Self> {
        let model = network.config();
        let new_stream = |network: &DrumNet| -> Result<NetworkStream> {
            Ok(NetworkStream {
                stream: FrameStream::new(network.frames(), config.hop_frames)?,
                outputs: VecDeque::new(),
            })
        };
        Ok(Self {
            first: new_stream(network)?,
            second: second.map(new_stream).transpose()?,
            is_complete: false,
            picker: Picker::new(model, second.map(DrumNet::config)),
            selection: Selection::new(rules(model)),
            levels: BandLevels::new(model.front_end().sample_rate_hz),
            reach_frames: reach_frames(model),
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
            keeps_candidates: config.keeps_candidates,
            candidates: Vec::new(),
        })
    }

    /// Latency in samples of the model's rate: onset shift, look-ahead of picking and selection,
    /// and of the networks the model look-ahead, hop and front-end look-ahead.
    pub(crate) fn latency_samples(
        model: &DrumConfig,
        second: Option<&DrumConfig>,
        hop_frames: usize,
    ) -> usize {
        let hop_samples = model.front_end().hop_samples;
        // The frame that completes a step is one of the step.
        let of_network = |model: &DrumConfig| {
            let frames = model.delay_frames() + whole_hop_frames(hop_frames, model.step_frames());
            (frames - 1) * hop_samples + model.front_end().lookahead_samples()
        };
        let of_picking = Picker::lookahead_frames(model) + rules(model).reach_frames() as usize;
        (reach_frames(model) * hop_samples as f64).ceil() as usize
            + of_picking * hop_samples
            + of_network(model).max(second.map_or(0, of_network))
    }

    /// Whether there is a step to run.
    pub(crate) fn is_ready(&self) -> bool {
        let second = self.second.as_ref();
        self.first.stream.is_ready() || second.is_some_and(|second| second.stream.is_ready())
    }

    /// Whether the passage has ended and all of its notes are decided.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(crate) fn first(&mut self) -> &mut NetworkStream {
        &mut self.first
    }

    pub(crate) fn second(&mut self) -> Option<&mut NetworkStream> {
        self.second.as_mut()
    }

    /// Ends the passage.
    pub(crate) fn finish(&mut self) {
        self.first.stream.finish();
        if let Some(second) = &mut self.second {
            second.stream.finish();
        }
        self.pick();
    }

    pub(crate) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        let sensitivity = sensitivity.limited();
        let kept_logits = match self.keeps_candidates {
            true => KEPT_BELOW_LOGITS,
            false => 0.0,
        };
        self.picker.set_floors(&sensitivity, kept_logits);
        self.selection.set_sensitivity(sensitivity);
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.levels.push(samples);
        self.first.stream.push(samples);
        if let Some(second) = &mut self.second {
            second.stream.push(samples);
        }
    }

    /// Every note with an onset before this time has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let frames = self.selection.next_frame() as f64 - self.reach_frames;
        frames.max(0.0) * self.first.stream.frame_seconds()
    }

    pub(crate) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    pub(crate) fn rules(&self) -> Rules {
        *self.selection.rules()
    }

    pub(crate) fn take_candidates(&mut self, candidates: &mut Vec<Candidate>) {
        candidates.append(&mut self.candidates);
    }

    /// Picks from the frames of which the outputs of all networks are known.
    pub(crate) fn pick(&mut self) {
        let mut peaks = Vec::new();
        let streams_end = |second: &NetworkStream| second.stream.is_complete();
        let is_end =
            self.first.stream.is_complete() && self.second.as_ref().is_none_or(streams_end);
        match &mut self.second {
            None => {
                for outputs in self.first.outputs.drain(..) {
                    self.picker.push(&outputs, &[], &mut peaks);
                }
            }
            Some(second) => {
                let known = self.first.outputs.len().min(second.outputs.len());
                let both = self
                    .first
                    .outputs
                    .drain(..known)
                    .zip(second.outputs.drain(..known));
                for (outputs, others) in both {
                    self.picker.push(&outputs, &others, &mut peaks);
                }
            }
        }
        if is_end {
            self.picker.finish(&mut peaks);
        }
        for peak in peaks {
            self.selection.push(peak);
        }
        self.select(is_end);
        self.is_complete = is_end;
        let settled_frames = self.selection.next_frame() as f64 - self.reach_frames;
        let settled_step =
            settled_frames * self.first.stream.frame_seconds() * f64::from(STEPS_PER_SECOND);
        let needed_steps = onset_refinement::PAST_STEPS
            .max(velocity::PAST_STEPS)
            .max(hihat_openness::PAST_STEPS);
        self.levels.drop_before(settled_step as i64 - needed_steps);
    }

    /// Decides the peaks of which the surroundings are known.
    fn select(&mut self, is_end: bool) {
        let known = self.picker.next_frame();
        while let Some(standing) = self.selection.next(known, is_end) {
            let PlacedPeak {
                peak,
                position_frames,
            } = standing.placed;
            // These levels are known: the model's look-ahead reaches further.
            let estimate_seconds = position_frames * self.first.stream.frame_seconds();
            let (start_seconds, measured) = match peak.class {
                Some(class) => {
                    let onset = refined_onset(&self.levels, class, estimate_seconds);
                    let measured = Measured {
                        band_db: band_db(&self.levels, class, onset) as f32,
                        peak_db: peak_db(&self.levels, onset) as f32,
                        openness: openness(&self.levels, class, onset),
                    };
                    // The joint network's estimate is more exact than the steepest rise of the
                    // band, which comes late in kicks: see train/EXPERIMENTS.md, row U.
                    let start = match self.picker {
                        Picker::Independent(_) => stroke_start(&self.levels, class, onset),
                        Picker::Joint(_) => estimate_seconds,
                    };
                    (start, measured)
                }
                None => (estimate_seconds, Measured::default()),
            };
            let candidate = Candidate {
                peak,
                onset_samples: (start_seconds * self.sample_rate_hz).round() as u64,
                measured,
            };
            let decision = self.selection.decide(&standing, &measured);
            self.notes
                .extend(candidate.note(&decision, self.sample_rate_hz));
            if self.keeps_candidates {
                self.candidates.push(candidate);
            }
        }
    }
}
