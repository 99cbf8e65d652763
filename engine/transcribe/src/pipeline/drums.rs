//! Drums of one source.

use crate::drums::band_levels::{BandLevels, STEPS_PER_SECOND};
use crate::drums::candidate::{Pick, Sensitivity};
use crate::drums::hihat_openness;
use crate::drums::hihat_openness::openness;
use crate::drums::loudness_gate::LoudnessJudge;
use crate::drums::onset_refinement;
use crate::drums::onset_refinement::{MAX_MOVE_SECONDS, refined_onset};
use crate::drums::peak_picking::{MAX_SHIFT_FRAMES, PickRules, Picker};
use crate::drums::velocity::{StrengthMeter, VelocityScale, band_db};
use crate::pipeline::frames::{FramePipeline, FrameStream};
use crate::session_config::SessionConfig;
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::FrontEndConfig;
use hitscribe_core::note::{DRUM_NOTE_SECONDS, PlacedNote};
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

/// Farthest that an onset lies from the frame that it was found in, in frames of the model.
fn reach_frames(front_end: &FrontEndConfig) -> f64 {
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    MAX_SHIFT_FRAMES + MAX_MOVE_SECONDS * frames_per_second
}

pub(crate) struct DrumPipeline {
    stream: FrameStream,
    picker: Picker,
    levels: BandLevels,
    judge: LoudnessJudge,
    meter: StrengthMeter,
    velocities: VelocityScale,
    reach_frames: f64,
    sample_rate_hz: f64,
    notes: Vec<PlacedNote>,
}

impl DrumPipeline {
    pub(crate) fn new(net: &DrumNet, config: &SessionConfig) -> Result<Self> {
        let model = net.config();
        Ok(Self {
            stream: FrameStream::new(net.frames(), config.hop_frames)?,
            picker: Picker::new(&model.thresholds, PickRules::default()),
            levels: BandLevels::new(model.front_end.sample_rate_hz),
            judge: LoudnessJudge::default(),
            meter: StrengthMeter::default(),
            velocities: VelocityScale::default(),
            reach_frames: reach_frames(&model.front_end),
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
        })
    }

    /// Samples of the model's rate from a hit to the last one that must be in: its way to its frame, the
    /// frames that decide whether it is a peak, the model's context, the rest of the step, the front end.
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

    /// Every note with an onset before this time is out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        let frames = self.picker.next_frame() as f64 - self.reach_frames;
        frames.max(0.0) * self.stream.frame_seconds()
    }

    pub(crate) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    fn place(&mut self, pick: &Pick) {
        // All that is looked at is in: the model's context reaches further.
        let estimate_seconds = pick.position_frames * self.stream.frame_seconds();
        let onset_seconds = refined_onset(&self.levels, pick.class, estimate_seconds);
        let level_db = band_db(&self.levels, pick.class, onset_seconds);
        if !self.judge.is_hit(pick, level_db) {
            return;
        }
        let strength_db = self
            .meter
            .strength_db(&self.levels, pick.class, onset_seconds);
        let length = self.sample_rate_hz * DRUM_NOTE_SECONDS;
        self.notes.push(PlacedNote {
            onset_samples: (onset_seconds * self.sample_rate_hz).round() as u64,
            length_samples: length.round().max(1.0) as u64,
            pitch: pick.class.gm_note(),
            velocity: self.velocities.velocity(strength_db),
            program: 0,
            is_drum: true,
            openness: openness(&self.levels, pick.class, onset_seconds),
            confidence: pick.confidence,
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
        let mut picks = Vec::new();
        for frame in self.stream.receive(outputs) {
            self.picker.push(frame, &mut picks);
        }
        if self.stream.is_complete() {
            self.picker.finish(&mut picks);
        }
        for pick in &picks {
            self.place(pick);
        }
        let settled_frames = self.picker.next_frame() as f64 - self.reach_frames;
        let settled_step =
            settled_frames * self.stream.frame_seconds() * f64::from(STEPS_PER_SECOND);
        let needed_steps = onset_refinement::PAST_STEPS
            .max(StrengthMeter::PAST_STEPS)
            .max(hihat_openness::PAST_STEPS);
        self.levels
            .forget_before(settled_step as i64 - needed_steps);
    }
}
