//! The drum pipeline of one source: network, peak picking, loudness gate, onset, velocity,
//! openness.

use hitscribe_core::error::Result;
use hitscribe_core::note::{DRUM_NOTE_SECONDS, PlacedNote};
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

use crate::pipeline::frames::{FramePipeline, FrameStream, whole_hop_frames};
use crate::session_config::{MIN_HOP_FRAMES, SessionConfig};
use hitscribe_picking::drums::band_levels::{BandLevels, STEPS_PER_SECOND};
use hitscribe_picking::drums::candidate::{Candidate, Sensitivity};
use hitscribe_picking::drums::hihat_openness;
use hitscribe_picking::drums::hihat_openness::openness;
use hitscribe_picking::drums::joint_picking::JointPicker;
use hitscribe_picking::drums::loudness_gate::LoudnessGate;
use hitscribe_picking::drums::onset_refinement;
use hitscribe_picking::drums::onset_refinement::{
    MAX_MOVE_SECONDS, MAX_STROKE_SECONDS, refined_onset, stroke_start,
};
use hitscribe_picking::drums::peak_picking::{MAX_SHIFT_FRAMES, PeakPicker, PickRules};
use hitscribe_picking::drums::velocity::{StrengthMeter, VelocityScale, band_db};

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

/// From the outputs of a network to candidates, and what else decides about these.
enum Picking {
    Independent(Box<PeakPicker>, LoudnessGate),
    Joint(JointPicker),
}

impl Picking {
    fn new(model: &DrumConfig) -> Self {
        match model {
            DrumConfig::Independent(model) => Self::Independent(
                Box::new(PeakPicker::new(&model.thresholds, PickRules::default())),
                LoudnessGate::default(),
            ),
            DrumConfig::Joint(model) => Self::Joint(JointPicker::new(model)),
        }
    }

    /// Frames after a frame that must be known before its hits are decided.
    fn lookahead_frames(model: &DrumConfig) -> usize {
        match model {
            DrumConfig::Independent(_) => PickRules::default().lookahead_frames(),
            DrumConfig::Joint(model) => JointPicker::lookahead_frames(&model.picking),
        }
    }

    fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        match self {
            Self::Independent(picker, _) => picker.set_sensitivity(sensitivity),
            Self::Joint(picker) => picker.set_sensitivity(sensitivity),
        }
    }

    fn next_frame(&self) -> u64 {
        match self {
            Self::Independent(picker, _) => picker.next_frame(),
            Self::Joint(picker) => picker.next_frame(),
        }
    }

    fn push(&mut self, outputs: &[f32], hits: &mut Vec<Candidate>) {
        match self {
            Self::Independent(picker, _) => picker.push(outputs, hits),
            Self::Joint(picker) => picker.push(outputs, hits),
        }
    }

    fn finish(&mut self, hits: &mut Vec<Candidate>) {
        match self {
            Self::Independent(picker, _) => picker.finish(hits),
            Self::Joint(picker) => picker.finish(hits),
        }
    }

    /// Whether a candidate with this level in its band is a hit. To be asked in order.
    fn is_hit(&mut self, candidate: &Candidate, level_db: f64) -> bool {
        match self {
            Self::Independent(_, gate) => gate.is_hit(candidate, level_db),
            Self::Joint(_) => true,
        }
    }
}

pub(crate) struct DrumPipeline {
    stream: FrameStream,
    picking: Picking,
    levels: BandLevels,
    meter: StrengthMeter,
    velocities: VelocityScale,
    reach_frames: f64,
    sample_rate_hz: f64,
    notes: Vec<PlacedNote>,
}

impl DrumPipeline {
    pub(crate) fn new(network: &DrumNet, config: &SessionConfig) -> Result<Self> {
        let model = network.config();
        Ok(Self {
            stream: FrameStream::new(network.frames(), config.hop_frames)?,
            picking: Picking::new(model),
            levels: BandLevels::new(model.front_end().sample_rate_hz),
            meter: StrengthMeter::default(),
            velocities: VelocityScale::default(),
            reach_frames: reach_frames(model),
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
        })
    }

    /// Latency in samples of the model's rate: onset shift, peak look-ahead, model look-ahead, hop
    /// and front-end look-ahead.
    pub(crate) fn latency_samples(model: &DrumConfig, hop_frames: usize) -> usize {
        let frames = reach_frames(model).ceil() as usize
            + Picking::lookahead_frames(model)
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
        self.picking.set_sensitivity(sensitivity);
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.levels.push(samples);
        self.stream.push(samples);
    }

    /// Every note with an onset before this time has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let frames = self.picking.next_frame() as f64 - self.reach_frames;
        frames.max(0.0) * self.stream.frame_seconds()
    }

    pub(crate) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    fn place(&mut self, candidate: &Candidate) {
        // These levels are known: the model's look-ahead reaches further.
        let estimate_seconds = candidate.position_frames * self.stream.frame_seconds();
        let onset_seconds = refined_onset(&self.levels, candidate.class, estimate_seconds);
        let level_db = band_db(&self.levels, candidate.class, onset_seconds);
        if !self.picking.is_hit(candidate, level_db) {
            return;
        }
        let strength_db = self
            .meter
            .strength_db(&self.levels, candidate.class, onset_seconds);
        let length = self.sample_rate_hz * DRUM_NOTE_SECONDS;
        // The joint network places the stroke itself.
        let start_seconds = match self.picking {
            Picking::Independent(..) => stroke_start(&self.levels, candidate.class, onset_seconds),
            Picking::Joint(_) => onset_seconds,
        };
        self.notes.push(PlacedNote {
            onset_samples: (start_seconds * self.sample_rate_hz).round() as u64,
            length_samples: length.round().max(1.0) as u64,
            pitch: candidate.class.gm_note(),
            velocity: self.velocities.velocity(strength_db),
            program: 0,
            is_drum: true,
            openness: openness(&self.levels, candidate.class, onset_seconds),
            confidence: candidate.confidence,
        });
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
        let mut candidates = Vec::new();
        for frame in self.stream.receive(outputs) {
            self.picking.push(frame, &mut candidates);
        }
        if self.stream.is_complete() {
            self.picking.finish(&mut candidates);
        }
        for candidate in &candidates {
            self.place(candidate);
        }
        let settled_frames = self.picking.next_frame() as f64 - self.reach_frames;
        let settled_step =
            settled_frames * self.stream.frame_seconds() * f64::from(STEPS_PER_SECOND);
        let needed_steps = onset_refinement::PAST_STEPS
            .max(StrengthMeter::PAST_STEPS)
            .max(hihat_openness::PAST_STEPS);
        self.levels.drop_before(settled_step as i64 - needed_steps);
    }
}
