//! The drum pipeline of one source: network, peak picking, loudness gate, onset, velocity,
//! openness.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use hitscribe_core::note::{DRUM_NOTE_SECONDS, PlacedNote};
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

use crate::drums::band_levels::{BandLevels, STEPS_PER_SECOND};
use crate::drums::candidate::{Candidate, Sensitivity};
use crate::drums::hihat_openness;
use crate::drums::hihat_openness::openness;
use crate::drums::loudness_gate::LoudnessGate;
use crate::drums::onset_refinement;
use crate::drums::onset_refinement::{MAX_MOVE_SECONDS, refined_onset};
use crate::drums::peak_picking::{MAX_SHIFT_FRAMES, PeakPicker, PickRules};
use crate::drums::velocity::{StrengthMeter, VelocityScale, band_db};
use crate::pipeline::frames::{FramePipeline, FrameStream};
use crate::session_config::SessionConfig;

/// Largest distance between an onset and the frame it was picked from, in frames of the model.
fn reach_frames(front_end: &LogBandsConfig) -> f64 {
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    MAX_SHIFT_FRAMES + MAX_MOVE_SECONDS * frames_per_second
}

pub(crate) struct DrumPipeline {
    stream: FrameStream,
    picker: PeakPicker,
    levels: BandLevels,
    gate: LoudnessGate,
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
            picker: PeakPicker::new(&model.thresholds, PickRules::default()),
            levels: BandLevels::new(model.front_end.sample_rate_hz),
            gate: LoudnessGate::default(),
            meter: StrengthMeter::default(),
            velocities: VelocityScale::default(),
            reach_frames: reach_frames(&model.front_end),
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
        })
    }

    /// Latency in samples of the model's rate: onset shift, peak look-ahead, model look-ahead, hop
    /// and front-end look-ahead.
    pub(crate) fn latency_samples(model: &DrumConfig, hop_frames: usize) -> usize {
        let frames = reach_frames(&model.front_end).ceil() as usize
            + PickRules::default().lookahead_frames()
            + model.future_frames()
            + hop_frames;
        frames * model.front_end.hop_samples + model.front_end.lookahead_samples()
    }

    pub(crate) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.picker.set_sensitivity(sensitivity);
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.levels.push(samples);
        self.stream.push(samples);
    }

    /// Every note with an onset before this time has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let frames = self.picker.next_frame() as f64 - self.reach_frames;
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
        if !self.gate.is_hit(candidate, level_db) {
            return;
        }
        let strength_db = self
            .meter
            .strength_db(&self.levels, candidate.class, onset_seconds);
        let length = self.sample_rate_hz * DRUM_NOTE_SECONDS;
        self.notes.push(PlacedNote {
            onset_samples: (onset_seconds * self.sample_rate_hz).round() as u64,
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
            self.picker.push(frame, &mut candidates);
        }
        if self.stream.is_complete() {
            self.picker.finish(&mut candidates);
        }
        for candidate in &candidates {
            self.place(candidate);
        }
        let settled_frames = self.picker.next_frame() as f64 - self.reach_frames;
        let settled_step =
            settled_frames * self.stream.frame_seconds() * f64::from(STEPS_PER_SECOND);
        let needed_steps = onset_refinement::PAST_STEPS
            .max(StrengthMeter::PAST_STEPS)
            .max(hihat_openness::PAST_STEPS);
        self.levels.drop_before(settled_step as i64 - needed_steps);
    }
}
