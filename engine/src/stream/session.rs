//! One source from the start of a passage to its end.

use std::sync::Arc;

use super::engine::SessionConfig;
use crate::audio::mel::{FeatureStream, FrontEnd, FrontEndConfig};
use crate::audio::resample::Resampler;
use crate::error::Result;
use crate::event::{DRUM_NOTE_SECONDS, PlacedNote};
use crate::model::builtin::{BuiltinConfig, BuiltinModel, BuiltinState, BuiltinStep};
use crate::note::levels::{BandLevels, STEPS_PER_SECOND};
use crate::note::pick::{MAX_SHIFT_FRAMES, Pick, PickRules, Picker, Sensitivity};
use crate::note::refine::{self, MAX_MOVE_SECONDS, refined_onset};
use crate::note::velocity::{StrengthMeter, VelocityScale};

/// Samples beyond this are cut off: far above any audio, far below what overflows.
const LOUDEST_SAMPLE: f32 = 1e6;

/// Farthest that an onset lies from the frame that it was found in, in frames of the model.
fn reach_frames(front_end: &FrontEndConfig) -> f64 {
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    MAX_SHIFT_FRAMES + MAX_MOVE_SECONDS * frames_per_second
}

/// From a hit to the last sample that must be in: its way to its frame, the frames that decide whether
/// it is a peak, the model's context, the rest of the step, the front end.
pub(super) fn latency_samples(
    model: &BuiltinConfig,
    resampler: &Resampler,
    config: &SessionConfig,
) -> u64 {
    let front_end = &model.front_end;
    let frames = reach_frames(front_end).ceil() as usize
        + PickRules::default().lookahead_frames()
        + model.future_frames()
        + config.hop_frames;
    let model_samples = (frames * front_end.hop_samples + front_end.lookahead_samples()) as u64;
    (model_samples * u64::from(config.sample_rate_hz)).div_ceil(u64::from(front_end.sample_rate_hz))
        + resampler.lookahead_samples() as u64
        + 1
}

/// The shortest time after which frames begin on whole samples of the source again, in its samples.
fn grid_samples(front_end: &FrontEndConfig, sample_rate_hz: u32) -> u64 {
    let frame = front_end.hop_samples as u64 * u64::from(sample_rate_hz);
    let model_rate = u64::from(front_end.sample_rate_hz);
    (1..=model_rate)
        .map(|frames| frames * frame)
        .find(|samples| samples.is_multiple_of(model_rate))
        .map_or(1, |samples| samples / model_rate)
}

/// One source from the start of a passage to its end. A new passage is a new session. `Send`.
pub struct Session {
    config: SessionConfig,
    resampler: Resampler,
    feature_stream: FeatureStream,
    state: BuiltinState,
    picker: Picker,
    levels: BandLevels,
    meter: StrengthMeter,
    velocities: VelocityScale,
    /// Features that wait for the next step, `[frames, frame_len]`.
    features: Vec<f32>,
    frame_len: usize,
    /// Samples of the model's rate between two frames.
    frame_samples: usize,
    model_rate_hz: u32,
    future_frames: usize,
    reach_frames: f64,
    latency_samples: u64,
    /// Silence before the first sample, so that the frames lie on the timeline's grid.
    lead_in_samples: u64,
    /// Frames that the model has been given.
    frames_run: u64,
    /// Frames of the passage, once it is over.
    total_frames: Option<u64>,
    samples_in: u64,
    bad_samples: u64,
    notes: Vec<PlacedNote>,
    resampled: Vec<f32>,
    picks: Vec<Pick>,
}

impl Session {
    pub(super) fn new(
        model: &BuiltinModel,
        front_end: Arc<FrontEnd>,
        config: &SessionConfig,
    ) -> Result<Self> {
        let state = model.new_state()?;
        let model = model.config();
        let of_front_end = &model.front_end;
        let resampler = Resampler::new(config.sample_rate_hz, of_front_end.sample_rate_hz)?;
        let mut picker = Picker::new(&model.thresholds, PickRules::default());
        picker.set_sensitivity(config.sensitivity);
        let grid_samples = grid_samples(of_front_end, config.sample_rate_hz) as i64;
        let lead_in_samples = config.timeline_samples.rem_euclid(grid_samples) as u64;
        let mut session = Self {
            config: *config,
            latency_samples: latency_samples(model, &resampler, config),
            resampler,
            feature_stream: FeatureStream::new(front_end),
            state,
            picker,
            levels: BandLevels::new(of_front_end.sample_rate_hz),
            meter: StrengthMeter::default(),
            velocities: VelocityScale::default(),
            features: Vec::new(),
            frame_len: of_front_end.frame_len(),
            frame_samples: of_front_end.hop_samples,
            model_rate_hz: of_front_end.sample_rate_hz,
            future_frames: model.future_frames(),
            reach_frames: reach_frames(of_front_end),
            lead_in_samples,
            frames_run: 0,
            total_frames: None,
            samples_in: 0,
            bad_samples: 0,
            notes: Vec::new(),
            resampled: Vec::new(),
            picks: Vec::new(),
        };
        session.hear(&vec![0.0; lead_in_samples as usize]);
        Ok(session)
    }

    /// The settings that the session was begun with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// After a sample at position `p` and this many further samples have been pushed, and the engine
    /// has run until nothing was ready, every note with an onset at or before `p` is out. In samples
    /// at the session's rate; constant for a sample rate and a hop.
    ///
    /// It is the hop, the context that the model and the front end need after a hit, the frames that
    /// decide whether a frame is a peak, and the resampler's block and filter. Not part of it: the time
    /// that [`Engine::run`] takes.
    pub fn latency_samples(&self) -> u64 {
        self.latency_samples
    }

    /// Sets the sensitivity for everything that is not decided yet; see [`SessionConfig`].
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.picker.set_sensitivity(sensitivity);
    }

    /// Takes the next samples of the source, downmixed to one channel (see [`crate::audio::downmix`]).
    /// Values that are no numbers count as silence. Ignored after [`Session::finish`].
    pub fn push(&mut self, samples: &[f32]) {
        if self.total_frames.is_some() {
            return;
        }
        self.samples_in += samples.len() as u64;
        let is_bad = |x: &f32| x.is_nan() || x.abs() > LOUDEST_SAMPLE;
        let bad = samples.iter().filter(|x| is_bad(x)).count();
        if bad == 0 {
            self.hear(samples);
        } else {
            self.bad_samples += bad as u64;
            let clean = |x: &f32| match x {
                x if x.is_finite() => x.clamp(-LOUDEST_SAMPLE, LOUDEST_SAMPLE),
                _ => 0.0,
            };
            let clean: Vec<f32> = samples.iter().map(clean).collect();
            self.hear(&clean);
        }
    }

    /// Ends the passage. What was pushed last comes out as the engine runs on.
    pub fn finish(&mut self) {
        if self.total_frames.is_none() {
            self.resampled.clear();
            self.resampler.finish(&mut self.resampled);
            self.pass_on();
            self.total_frames = Some(self.feature_stream.finish(&mut self.features));
        }
    }

    /// Whether [`Engine::run`] has something to do here.
    pub fn is_ready(&self) -> bool {
        match self.total_frames {
            None => self.features.len() >= self.config.hop_frames * self.frame_len,
            Some(_) => !self.is_complete(),
        }
    }

    /// Whether the passage has ended and all of its notes are out.
    pub fn is_complete(&self) -> bool {
        self.total_frames
            .is_some_and(|total| total == 0 || self.frames_run >= total + self.future_frames as u64)
    }

    /// Every note with an onset before this position is out (or still waits in
    /// [`Session::take_notes`]). In samples from the start of the passage.
    pub fn settled_samples(&self) -> u64 {
        if self.is_complete() {
            return u64::MAX;
        }
        let frames = self.picker.next_frame() as f64 - self.reach_frames;
        ((frames.max(0.0) * self.samples_per_frame()) as u64).saturating_sub(self.lead_in_samples)
    }

    /// Samples that have been pushed.
    pub fn pushed_samples(&self) -> u64 {
        self.samples_in
    }

    /// Samples that were no numbers or absurdly large, and were replaced.
    pub fn bad_samples(&self) -> u64 {
        self.bad_samples
    }

    /// Moves the notes that have come out since the last call to the end of `notes`, in the order of
    /// the model's frames; onsets may be out of order by up to 28 ms.
    pub fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    fn hear(&mut self, samples: &[f32]) {
        self.resampled.clear();
        self.resampler.push(samples, &mut self.resampled);
        self.pass_on();
    }

    /// Passes on what has been resampled.
    fn pass_on(&mut self) {
        self.levels.push(&self.resampled);
        self.feature_stream
            .push(&self.resampled, &mut self.features);
    }

    /// Samples of the source between two frames of the model.
    fn samples_per_frame(&self) -> f64 {
        self.frame_samples as f64 * f64::from(self.config.sample_rate_hz)
            / f64::from(self.model_rate_hz)
    }

    /// The features of the next step; after the end zeros, which the model does not look at.
    pub(super) fn step(&mut self) -> BuiltinStep<'_> {
        let len = self.config.hop_frames * self.frame_len;
        if self.features.len() < len {
            self.features.resize(len, 0.0);
        }
        BuiltinStep {
            state: &mut self.state,
            features: &self.features[..len],
            total_frames: self.total_frames,
        }
    }

    /// Turns the outputs of a step into notes.
    pub(super) fn receive(&mut self, outputs: &[f32]) {
        let hop = self.config.hop_frames;
        self.features.drain(..hop * self.frame_len);
        let first = self.frames_run as i64 - self.future_frames as i64;
        self.frames_run += hop as u64;
        let end = self.total_frames.map_or(i64::MAX, |n| n as i64);
        self.picks.clear();
        for (index, frame) in outputs.chunks(outputs.len() / hop).enumerate() {
            if (0..end).contains(&(first + index as i64)) {
                self.picker.push(frame, &mut self.picks);
            }
        }
        if self.is_complete() {
            self.picker.finish(&mut self.picks);
        }
        let length = f64::from(self.config.sample_rate_hz) * DRUM_NOTE_SECONDS;
        let last_sample = self.samples_in.saturating_sub(1);
        let frame_seconds = self.frame_samples as f64 / f64::from(self.model_rate_hz);
        for pick in &self.picks {
            // All that is looked at is in: the model's context reaches further.
            let estimate_seconds = pick.position_frames * frame_seconds;
            let onset_seconds = refined_onset(&self.levels, pick.class, estimate_seconds);
            let strength_db = self
                .meter
                .strength_db(&self.levels, pick.class, onset_seconds);
            let onset = onset_seconds * f64::from(self.config.sample_rate_hz);
            let onset_samples = (onset.round() as u64).saturating_sub(self.lead_in_samples);
            self.notes.push(PlacedNote {
                onset_samples: onset_samples.min(last_sample),
                length_samples: length.round().max(1.0) as u64,
                pitch: pick.class.gm_note(),
                velocity: self.velocities.velocity(strength_db),
                program: 0,
                is_drum: true,
                confidence: pick.confidence,
            });
        }
        let settled_frames = self.picker.next_frame() as f64 - self.reach_frames;
        let settled_step = settled_frames * frame_seconds * f64::from(STEPS_PER_SECOND);
        let needed_steps = refine::PAST_STEPS.max(StrengthMeter::PAST_STEPS);
        self.levels
            .forget_before(settled_step as i64 - needed_steps);
    }
}

#[cfg(test)]
mod tests;
