//! The drum pipeline of one source: network, peak picking, onset, openness, selection.

use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

use crate::pipeline::frames::{FramePipeline, FrameStream, whole_hop_frames};
use crate::session_config::{MIN_HOP_FRAMES, SessionConfig};
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

/// Largest distance between an onset and the frame it was picked from, in frames of the model.
fn reach_frames(model: &DrumConfig) -> f64 {
    let (shift_frames, stroke_seconds) = match model {
        DrumConfig::Independent(_) => (MAX_SHIFT_FRAMES, MAX_STROKE_SECONDS),
        DrumConfig::Joint(joint) => (f64::from(joint.picking.most_shift_frames), 0.0),
    };
    let front_end = model.front_end();
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    shift_frames + (MAX_MOVE_SECONDS + stroke_seconds) * frames_per_second
}

/// From the outputs of a network to candidates.
enum Picker {
    Independent(Box<PeakPicker>),
    Joint(Box<JointPicker>),
}

impl Picker {
    fn new(model: &DrumConfig) -> Self {
        match model {
            DrumConfig::Independent(model) => {
                let rules = PickRules::default();
                Self::Independent(Box::new(PeakPicker::new(&model.thresholds, rules)))
            }
            DrumConfig::Joint(model) => Self::Joint(Box::new(JointPicker::new(model))),
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
        let reach = |class| sensitivity.reach_logits(class) + MAX_BONUS;
        let floor = |class| -reach(class).max(kept_logits);
        match self {
            Self::Independent(picker) => picker.set_floors(|class| floor(Some(class))),
            Self::Joint(picker) => picker.set_floors(floor),
        }
    }

    fn next_frame(&self) -> u64 {
        match self {
            Self::Independent(picker) => picker.next_frame(),
            Self::Joint(picker) => picker.next_frame(),
        }
    }

    fn push(&mut self, outputs: &[f32], peaks: &mut Vec<PlacedPeak>) {
        match self {
            Self::Independent(picker) => picker.push(outputs, peaks),
            Self::Joint(picker) => picker.push(outputs, peaks),
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

pub(crate) struct DrumPipeline {
    stream: FrameStream,
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
    pub(crate) fn new(network: &DrumNet, config: &SessionConfig) -> Result<Self> {
        let model = network.config();
        Ok(Self {
            stream: FrameStream::new(network.frames(), config.hop_frames)?,
            picker: Picker::new(model),
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
    /// model look-ahead, hop and front-end look-ahead.
    pub(crate) fn latency_samples(model: &DrumConfig, hop_frames: usize) -> usize {
        let frames = reach_frames(model).ceil() as usize
            + Picker::lookahead_frames(model)
            + rules(model).reach_frames() as usize
            + model.delay_frames()
            + whole_hop_frames(hop_frames, model.step_frames());
        frames * model.front_end().hop_samples + model.front_end().lookahead_samples()
    }

    /// The shortest step that is worth its cost.
    pub(crate) fn least_hop_frames(model: &DrumConfig) -> usize {
        match model {
            DrumConfig::Independent(_) => MIN_HOP_FRAMES,
            DrumConfig::Joint(_) => model.step_frames(),
        }
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
        self.stream.push(samples);
    }

    /// Every note with an onset before this time has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let frames = self.selection.next_frame() as f64 - self.reach_frames;
        frames.max(0.0) * self.stream.frame_seconds()
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

    /// Decides the peaks of which the surroundings are known.
    fn select(&mut self) {
        let (known, is_end) = (self.picker.next_frame(), self.stream.is_complete());
        while let Some(standing) = self.selection.next(known, is_end) {
            let PlacedPeak {
                peak,
                position_frames,
            } = standing.placed;
            // These levels are known: the model's look-ahead reaches further.
            let estimate_seconds = position_frames * self.stream.frame_seconds();
            let (start_seconds, measured) = match peak.class {
                Some(class) => {
                    let onset = refined_onset(&self.levels, class, estimate_seconds);
                    let measured = Measured {
                        band_db: band_db(&self.levels, class, onset) as f32,
                        peak_db: peak_db(&self.levels, onset) as f32,
                        openness: openness(&self.levels, class, onset),
                    };
                    // The joint network places the stroke itself.
                    let start = match self.picker {
                        Picker::Independent(_) => stroke_start(&self.levels, class, onset),
                        Picker::Joint(_) => onset,
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

impl FramePipeline for DrumPipeline {
    fn stream(&self) -> &FrameStream {
        &self.stream
    }

    fn stream_mut(&mut self) -> &mut FrameStream {
        &mut self.stream
    }

    fn receive(&mut self, outputs: &[f32]) {
        let mut peaks = Vec::new();
        for frame in self.stream.receive(outputs) {
            self.picker.push(frame, &mut peaks);
        }
        if self.stream.is_complete() {
            self.picker.finish(&mut peaks);
        }
        for peak in peaks {
            self.selection.push(peak);
        }
        self.select();
        let settled_frames = self.selection.next_frame() as f64 - self.reach_frames;
        let settled_step =
            settled_frames * self.stream.frame_seconds() * f64::from(STEPS_PER_SECOND);
        let needed_steps = onset_refinement::PAST_STEPS
            .max(velocity::PAST_STEPS)
            .max(hihat_openness::PAST_STEPS);
        self.levels.drop_before(settled_step as i64 - needed_steps);
    }
}
