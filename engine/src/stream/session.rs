//! One engine for the whole process, one session for each source that listens.
//!
//! ```
//! use hitscribe_engine::device::DeviceChoice;
//! use hitscribe_engine::stream::{Engine, SessionConfig};
//!
//! let engine = Engine::builtin(DeviceChoice::Cpu)?;
//! let mut session = engine.session(&SessionConfig::new(44_100))?;
//! let mut notes = Vec::new();
//! for block in vec![0.0f32; 100_000].chunks(512) {
//!     session.push(block);
//!     while session.is_ready() {
//!         engine.run(&mut [&mut session])?;
//!     }
//!     session.take_notes(&mut notes);
//! }
//! session.finish();
//! while session.is_ready() {
//!     engine.run(&mut [&mut session])?;
//! }
//! session.take_notes(&mut notes);
//! # assert!(notes.is_empty());
//! # Ok::<(), hitscribe_engine::Error>(())
//! ```
//!
//! There are no threads in here and nothing waits: who drives decides where [`Engine::run`] runs.
//! Notes depend on the samples alone, not on how they are cut into blocks, not on when the engine
//! runs and, on the CPU, not on the other sessions: the frames of a passage are computed in steps on
//! a grid that starts with its first sample.

use std::sync::Arc;

use crate::audio::mel::{FeatureStream, FrontEnd};
use crate::audio::resample::Resampler;
use crate::device::{self, Device, DeviceChoice, Selected};
use crate::error::{Error, Result};
use crate::event::{DRUM_NOTE_SECONDS, PlacedNote};
use crate::model::builtin::{
    BUILTIN_WEIGHTS, BuiltinConfig, BuiltinModel, BuiltinState, BuiltinStep, BuiltinWeights,
};
use crate::note::pick::{MAX_SHIFT_FRAMES, Pick, PickRules, Picker};
use crate::note::velocity::{StrengthMeter, VelocityScale};

/// Frames of the model in one step unless asked otherwise: 2.048 s.
pub const HOP_FRAMES: usize = 256;

/// The shortest step: 0.256 s. Shorter ones only cost more.
pub const MIN_HOP_FRAMES: usize = 32;

/// Samples beyond this are cut off: far above any audio, far below what overflows.
const LOUDEST_SAMPLE: f32 = 1e6;

/// A model on a device, shared by all sessions. `Send` and `Sync`.
pub struct Engine {
    model: BuiltinModel,
    front_end: Arc<FrontEnd>,
    selected: Selected,
}

/// How a source is listened to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// Rate of the samples that will be pushed, 4 to 768 kHz.
    pub sample_rate_hz: u32,
    /// Frames of the model in one step, at least [`MIN_HOP_FRAMES`]: fewer answer sooner.
    pub hop_frames: usize,
    /// 0 (only certain hits) to 1 (every suspicion); 0.5 is what the model was tuned for.
    pub sensitivity: f32,
}

impl SessionConfig {
    /// The defaults at a sample rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hop_frames: HOP_FRAMES,
            sensitivity: 0.5,
        }
    }
}

/// One source from the start of a passage to its end. A new passage is a new session. `Send`.
pub struct Session {
    config: SessionConfig,
    resampler: Resampler,
    feature_stream: FeatureStream,
    state: BuiltinState,
    picker: Picker,
    meter: StrengthMeter,
    velocities: VelocityScale,
    /// Features that wait for the next step, `[frames, frame_len]`.
    features: Vec<f32>,
    frame_len: usize,
    /// Samples of the model's rate between two frames.
    frame_samples: usize,
    model_rate_hz: u32,
    future_frames: usize,
    latency_samples: u64,
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

impl Engine {
    /// The built-in model on the device that was asked for. With [`DeviceChoice::Auto`] a GPU that
    /// turns out not to work is left alone and [`Engine::selected`] says why.
    ///
    /// # Errors
    /// [`Error::Device`] when the device was asked for by name and does not work.
    pub fn builtin(choice: DeviceChoice) -> Result<Self> {
        Self::with_weights(BUILTIN_WEIGHTS, choice)
    }

    /// The same with other weights for the built-in network, such as a fine-tuned copy.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] as for [`Engine::builtin`].
    pub fn with_weights(bytes: &[u8], choice: DeviceChoice) -> Result<Self> {
        let selected = device::select(choice)?;
        let (model, selected) = match try_out(bytes, selected.device) {
            Ok(model) => (model, selected),
            Err(Error::Device { reason, .. }) if choice == DeviceChoice::Auto => {
                let fallback_reason = Some(reason);
                (
                    try_out(bytes, Device::Cpu)?,
                    Selected {
                        device: Device::Cpu,
                        fallback_reason,
                    },
                )
            }
            Err(error) => return Err(error),
        };
        let front_end = Arc::new(FrontEnd::new(model.config().front_end.clone()));
        Ok(Self {
            model,
            front_end,
            selected,
        })
    }

    /// The device that is in use.
    pub fn selected(&self) -> &Selected {
        &self.selected
    }

    /// Name of the model, for people.
    pub fn model_name(&self) -> &'static str {
        "Built-in drums"
    }

    /// Begins a passage.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate or hop that is out of range, [`Error::Device`].
    pub fn session(&self, config: &SessionConfig) -> Result<Session> {
        if config.hop_frames < MIN_HOP_FRAMES {
            return Err(Error::Setting {
                name: "hop",
                value: format!("{} frames", config.hop_frames),
                reason: format!("must be at least {MIN_HOP_FRAMES}"),
            });
        }
        let model = self.model.config();
        let front_end = &model.front_end;
        let resampler = Resampler::new(config.sample_rate_hz, front_end.sample_rate_hz)?;
        let rules = PickRules::default();
        let latency_samples = latency_samples(model, &rules, &resampler, config);
        let mut picker = Picker::new(&model.thresholds, rules);
        picker.set_sensitivity(config.sensitivity);
        Ok(Session {
            config: *config,
            resampler,
            feature_stream: FeatureStream::new(Arc::clone(&self.front_end)),
            state: self.model.new_state()?,
            picker,
            meter: StrengthMeter::new(front_end.sample_rate_hz),
            velocities: VelocityScale::default(),
            features: Vec::new(),
            frame_len: front_end.frame_len(),
            frame_samples: front_end.hop_samples,
            model_rate_hz: front_end.sample_rate_hz,
            future_frames: model.future_frames(),
            latency_samples,
            frames_run: 0,
            total_frames: None,
            samples_in: 0,
            bad_samples: 0,
            notes: Vec::new(),
            resampled: Vec::new(),
            picks: Vec::new(),
        })
    }

    /// Runs one step of every session that is ready, as one batch for each hop size, and returns how
    /// many there were. Call it again while any of them is still ready.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the engine and all of its sessions are to be dropped then.
    pub fn run(&self, sessions: &mut [&mut Session]) -> Result<usize> {
        let mut ready: Vec<&mut Session> = sessions
            .iter_mut()
            .map(|s| &mut **s)
            .filter(|s| s.is_ready())
            .collect();
        let count = ready.len();
        ready.sort_by_key(|s| s.config.hop_frames);
        for batch in ready.chunk_by_mut(|a, b| a.config.hop_frames == b.config.hop_frames) {
            let mut steps: Vec<BuiltinStep<'_>> = batch.iter_mut().map(|s| s.step()).collect();
            let outputs = self.model.run(&mut steps)?;
            for (session, outputs) in batch.iter_mut().zip(outputs) {
                session.receive(&outputs);
            }
        }
        Ok(count)
    }
}

/// [`Session::latency_samples`] of sessions of the built-in model, for who needs to know before the
/// engine is loaded.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn builtin_latency_samples(config: &SessionConfig) -> Result<u64> {
    let model = BuiltinWeights::parse(BUILTIN_WEIGHTS)?.config;
    let resampler = Resampler::new(config.sample_rate_hz, model.front_end.sample_rate_hz)?;
    Ok(latency_samples(
        &model,
        &PickRules::default(),
        &resampler,
        config,
    ))
}

/// From a hit to the last sample that must be in: up to one frame of shift, the frames that decide
/// whether it is a peak, the model's context, the rest of the step, the front end.
fn latency_samples(
    model: &BuiltinConfig,
    rules: &PickRules,
    resampler: &Resampler,
    config: &SessionConfig,
) -> u64 {
    let front_end = &model.front_end;
    let frames = MAX_SHIFT_FRAMES.ceil() as usize
        + rules.lookahead_frames()
        + model.future_frames()
        + config.hop_frames;
    let model_samples = (frames * front_end.hop_samples + front_end.lookahead_samples()) as u64;
    (model_samples * u64::from(config.sample_rate_hz)).div_ceil(u64::from(front_end.sample_rate_hz))
        + resampler.lookahead_samples() as u64
        + 1
}

/// Loads a model and, on a GPU, runs it once: only then is it known to work.
fn try_out(bytes: &[u8], device: Device) -> Result<BuiltinModel> {
    let model = BuiltinModel::load(bytes, device)?;
    if device != Device::Cpu {
        let features = vec![0.0; MIN_HOP_FRAMES * model.config().front_end.frame_len()];
        let mut state = model.new_state()?;
        model.run(&mut [BuiltinStep {
            state: &mut state,
            features: &features,
            total_frames: None,
        }])?;
    }
    Ok(model)
}

impl Session {
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
    pub fn set_sensitivity(&mut self, sensitivity: f32) {
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
        self.resampled.clear();
        if bad == 0 {
            self.resampler.push(samples, &mut self.resampled);
        } else {
            self.bad_samples += bad as u64;
            let clean = |x: &f32| match x {
                x if x.is_finite() => x.clamp(-LOUDEST_SAMPLE, LOUDEST_SAMPLE),
                _ => 0.0,
            };
            let clean: Vec<f32> = samples.iter().map(clean).collect();
            self.resampler.push(&clean, &mut self.resampled);
        }
        self.hear();
    }

    /// Ends the passage. What was pushed last comes out as the engine runs on.
    pub fn finish(&mut self) {
        if self.total_frames.is_none() {
            self.resampled.clear();
            self.resampler.finish(&mut self.resampled);
            self.hear();
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
        let frames = self.picker.next_frame() as f64 - MAX_SHIFT_FRAMES;
        (frames.max(0.0) * self.samples_per_frame()) as u64
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
    /// the model's frames; onsets may be out of order by up to two frames (16 ms).
    pub fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    /// Passes on what has been resampled.
    fn hear(&mut self) {
        self.meter.push(&self.resampled);
        self.feature_stream
            .push(&self.resampled, &mut self.features);
    }

    /// Samples of the source between two frames of the model.
    fn samples_per_frame(&self) -> f64 {
        self.frame_samples as f64 * f64::from(self.config.sample_rate_hz)
            / f64::from(self.model_rate_hz)
    }

    /// The features of the next step; after the end zeros, which the model does not look at.
    fn step(&mut self) -> BuiltinStep<'_> {
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
    fn receive(&mut self, outputs: &[f32]) {
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
            // All that the strength looks at is in: the model's context reaches further.
            let onset_seconds = pick.position_frames * frame_seconds;
            let strength_db = self.meter.strength_db(pick.class, onset_seconds);
            let onset = (pick.position_frames * self.samples_per_frame()).round() as u64;
            self.notes.push(PlacedNote {
                onset_samples: onset.min(last_sample),
                length_samples: length.round().max(1.0) as u64,
                pitch: pick.class.gm_note(),
                velocity: self.velocities.velocity(strength_db),
                program: 0,
                is_drum: true,
                confidence: pick.confidence,
            });
        }
        let settled_frames = self.picker.next_frame() as f64 - MAX_SHIFT_FRAMES;
        self.meter.forget_before(settled_frames * frame_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shared_between_threads<T: Send + Sync>() {}
    const fn moved_between_threads<T: Send>() {}
    const _: () = shared_between_threads::<Engine>();
    const _: () = moved_between_threads::<Session>();

    /// Clicks of decaying noise.
    fn clicks(rate_hz: u32, seconds: f64) -> Vec<f32> {
        let mut state = 1u32;
        let mut age = 0.0f32;
        (0..(f64::from(rate_hz) * seconds) as usize)
            .map(|n| {
                if n % (rate_hz as usize / 4) == rate_hz as usize / 10 {
                    age = 0.0;
                }
                age += 1.0 / rate_hz as f32;
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.5 * (-age * 40.0).exp()
            })
            .collect()
    }

    fn engine() -> Engine {
        Engine::builtin(DeviceChoice::Cpu).unwrap()
    }

    fn drain(engine: &Engine, session: &mut Session, notes: &mut Vec<PlacedNote>) {
        while session.is_ready() {
            engine.run(&mut [session]).unwrap();
        }
        session.take_notes(notes);
    }

    fn transcribe(
        engine: &Engine,
        config: &SessionConfig,
        audio: &[f32],
        blocks: &[usize],
    ) -> Vec<PlacedNote> {
        let mut session = engine.session(config).unwrap();
        let (mut notes, mut rest) = (Vec::new(), audio);
        for block in blocks.iter().cycle() {
            let (now, later) = rest.split_at((*block).min(rest.len()));
            session.push(now);
            drain(engine, &mut session, &mut notes);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        session.finish();
        drain(engine, &mut session, &mut notes);
        assert!(session.is_complete());
        notes
    }

    #[test]
    fn notes_do_not_depend_on_block_sizes_or_other_sessions() {
        let engine = engine();
        let audio = clicks(44_100, 7.3);
        let config = SessionConfig {
            sensitivity: 0.9,
            ..SessionConfig::new(44_100)
        };
        let whole = transcribe(&engine, &config, &audio, &[audio.len()]);
        assert!(!whole.is_empty());
        for blocks in [&[32][..], &[8192], &[1, 7, 1000, 333], &[441]] {
            assert_eq!(
                transcribe(&engine, &config, &audio, blocks),
                whole,
                "{blocks:?}"
            );
        }
        let live = SessionConfig {
            hop_frames: MIN_HOP_FRAMES,
            ..config
        };
        let (mut a, mut b) = (
            engine.session(&config).unwrap(),
            engine.session(&live).unwrap(),
        );
        let (mut notes_a, mut notes_b) = (Vec::new(), Vec::new());
        for block in audio.chunks(4096) {
            a.push(block);
            b.push(block);
            while engine.run(&mut [&mut b, &mut a]).unwrap() > 0 {}
            a.take_notes(&mut notes_a);
            b.take_notes(&mut notes_b);
        }
        a.finish();
        b.finish();
        drain(&engine, &mut a, &mut notes_a);
        drain(&engine, &mut b, &mut notes_b);
        assert_eq!(notes_a, whole);
        assert_eq!(notes_b.len(), whole.len());
    }

    #[test]
    fn every_note_is_out_after_the_latency() {
        let engine = engine();
        for (rate_hz, hop_frames) in [(44_100, MIN_HOP_FRAMES), (48_000, 64), (32_000, HOP_FRAMES)]
        {
            let config = SessionConfig {
                hop_frames,
                sensitivity: 0.9,
                ..SessionConfig::new(rate_hz)
            };
            let audio = clicks(rate_hz, 6.0);
            let all = transcribe(&engine, &config, &audio, &[audio.len()]);
            let mut session = engine.session(&config).unwrap();
            let mut notes = Vec::new();
            for block in audio.chunks(97) {
                session.push(block);
                drain(&engine, &mut session, &mut notes);
                let pushed = session.pushed_samples();
                let due = (pushed - 1).checked_sub(session.latency_samples());
                for note in all
                    .iter()
                    .filter(|n| due.is_some_and(|due| n.onset_samples <= due))
                {
                    assert!(notes.contains(note), "{note:?} after {pushed} samples");
                }
                let settled = session.settled_samples();
                for note in all.iter().filter(|n| n.onset_samples < settled) {
                    assert!(notes.contains(note), "{note:?} is not settled at {settled}");
                }
                assert!(due.is_none_or(|due| settled > due));
            }
        }
    }

    #[test]
    fn empty_short_and_broken_audio_is_no_problem() {
        let engine = engine();
        let config = SessionConfig::new(48_000);
        for length in [0, 1, 255, 5_000] {
            transcribe(&engine, &config, &vec![0.1; length], &[64]);
        }
        let mut session = engine.session(&config).unwrap();
        session.push(&[f32::NAN, f32::INFINITY, 1e30, 0.5]);
        session.push(&clicks(48_000, 3.0));
        session.finish();
        drain(&engine, &mut session, &mut Vec::new());
        assert_eq!(session.bad_samples(), 3);
        assert!(engine.session(&SessionConfig::new(0)).is_err());
        assert!(
            engine
                .session(&SessionConfig {
                    hop_frames: 1,
                    ..config
                })
                .is_err()
        );
    }
}
