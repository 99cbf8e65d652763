//! One source from the start of a passage to its end.

use crate::builtin::BuiltinModels;
use crate::drums::candidate::Sensitivity;
use crate::pipeline::Pipelines;
use crate::pipeline::drums::DrumPipeline;
use crate::pipeline::pitched::PitchedPipeline;
use crate::pipeline::tokens;
use crate::pipeline::tokens::{SegmentRequest, TokenPipeline};
use crate::session_config::SessionConfig;
use hitscribe_core::audio::cleaned;
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::FrontEndConfig;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::frame::drums::DrumConfig;
use hitscribe_models::frame::pitched::PitchConfig;
use hitscribe_models::generate::SegmentForm;
use hitscribe_models::generate::allowed::AllowedNotes;

/// See [`Session::latency_samples`].
pub(crate) fn latency_samples(
    drums: &DrumConfig,
    pitched: &PitchConfig,
    resampler: &Resampler,
    config: &SessionConfig,
) -> u64 {
    let of_drums = DrumPipeline::latency_samples(drums, config.hop_frames);
    let model_samples = match config.parts.pitched_program {
        None => of_drums,
        Some(_) => of_drums.max(PitchedPipeline::latency_samples(pitched, config)),
    } as u64;
    let model_rate_hz = u64::from(drums.front_end.sample_rate_hz);
    (model_samples * u64::from(config.sample_rate_hz)).div_ceil(model_rate_hz)
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
    pipelines: Pipelines,
    latency_samples: u64,
    /// Silence before the first sample, so that the frames lie on the timeline's grid.
    lead_in_samples: u64,
    is_finished: bool,
    samples_in: u64,
    bad_samples: u64,
    resampled: Vec<f32>,
}

impl Session {
    pub(crate) fn new(engine: &BuiltinModels, config: &SessionConfig) -> Result<Self> {
        let (drums, pitched) = (engine.drums.config(), engine.pitched.config());
        let resampler = Resampler::new(config.sample_rate_hz, drums.front_end.sample_rate_hz)?;
        let new_drums = || DrumPipeline::new(&engine.drums, config);
        let new_pitched = |program| PitchedPipeline::new(&engine.pitched, config, program);
        // The grid of the pitched model, whose frames are longer, is one of the drum model, too.
        let front_end = match config.parts.pitched_program {
            None => &drums.front_end,
            Some(_) => &pitched.front_end,
        };
        let grid_samples = grid_samples(front_end, config.sample_rate_hz) as i64;
        let lead_in_samples = config.timeline_samples.rem_euclid(grid_samples) as u64;
        let mut session = Self {
            config: *config,
            latency_samples: latency_samples(drums, pitched, &resampler, config),
            resampler,
            pipelines: Pipelines::Frames {
                drums: config.parts.drums.then(new_drums).transpose()?,
                pitched: config.parts.pitched_program.map(new_pitched).transpose()?,
            },
            lead_in_samples,
            is_finished: false,
            samples_in: 0,
            bad_samples: 0,
            resampled: Vec::new(),
        };
        session.begin();
        Ok(session)
    }

    /// A session for a model of the MT3 family, which need not be loaded yet. Of the settings hop and
    /// parts do not matter.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a sample rate that is out of range.
    pub fn imported(config: &SessionConfig, source: impl Into<AllowedNotes>) -> Result<Self> {
        let resampler = tokens::resampler(config)?;
        /// Hosts may say anything; nobody's timeline is longer.
        const LONGEST_TIMELINE_SAMPLES: i64 = 1 << 48;
        let rate_hz = i64::from(config.sample_rate_hz);
        let grid_samples = tokens::grid_samples(config.sample_rate_hz) as i64;
        let timeline_samples = config
            .timeline_samples
            .clamp(-LONGEST_TIMELINE_SAMPLES, LONGEST_TIMELINE_SAMPLES);
        let lead_in_samples = timeline_samples.rem_euclid(grid_samples);
        // Whole, because the lead-in begins on the grid.
        let grids = (timeline_samples - lead_in_samples) / grid_samples;
        let model_rate_hz = i64::from(SAMPLE_RATE_HZ);
        let origin_samples = grids * (grid_samples * model_rate_hz / rate_hz);
        let mut session = Self {
            config: *config,
            latency_samples: tokens::latency_samples(&resampler, config),
            resampler,
            pipelines: Pipelines::Tokens(TokenPipeline::new(config, source.into(), origin_samples)),
            lead_in_samples: lead_in_samples as u64,
            is_finished: false,
            samples_in: 0,
            bad_samples: 0,
            resampled: Vec::new(),
        };
        session.begin();
        Ok(session)
    }

    fn begin(&mut self) {
        self.set_sensitivity(self.config.sensitivity);
        self.process(&vec![0.0; self.lead_in_samples as usize]);
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
    /// decide whether a frame is a peak, and the resampler's block and filter; with a published model the
    /// segment, the longest note and the resampler. Not part of it: the time that computing takes.
    pub fn latency_samples(&self) -> u64 {
        self.latency_samples
    }

    /// Sets the sensitivity for everything that is not decided yet; see [`SessionConfig`].
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.pipelines.set_sensitivity(sensitivity);
    }

    /// Takes the next samples of the source, downmixed to one channel (see [`hitscribe_core::audio::downmix`]).
    /// Values that are no numbers count as silence. Ignored after [`Session::finish`].
    pub fn push(&mut self, samples: &[f32]) {
        if self.is_finished {
            return;
        }
        self.samples_in += samples.len() as u64;
        let (clean, bad) = cleaned(samples);
        self.bad_samples += bad as u64;
        self.process(&clean);
    }

    /// Ends the passage. What was pushed last comes out as the engine runs on.
    pub fn finish(&mut self) {
        if self.is_finished {
            return;
        }
        self.is_finished = true;
        self.resampled.clear();
        self.resampler.finish(&mut self.resampled);
        self.pipelines.push(&self.resampled);
        self.pipelines.finish();
    }

    /// Whether [`BuiltinModels::run`] has something to do here.
    pub fn is_ready(&self) -> bool {
        self.pipelines.is_ready()
    }

    /// Whether the passage has ended and all of its notes are out.
    pub fn is_complete(&self) -> bool {
        self.is_finished && self.pipelines.is_complete()
    }

    /// Every note with an onset before this position is out (or still waits in
    /// [`Session::take_notes`]). In samples from the start of the passage.
    pub fn settled_samples(&self) -> u64 {
        if self.is_complete() {
            return u64::MAX;
        }
        let seconds = self.pipelines.settled_seconds();
        let samples = (seconds * f64::from(self.config.sample_rate_hz)) as u64;
        samples.saturating_sub(self.lead_in_samples)
    }

    /// The model of the MT3 family that this session was begun for is loaded.
    pub fn model_ready(&mut self, form: SegmentForm) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.model_ready(form);
        }
    }

    /// The model cannot be used: the rest of the passage has no notes.
    pub fn model_lost(&mut self) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.model_lost();
        }
    }

    /// Segments that a model of the MT3 family can decode now; none for the built-in models.
    pub fn requests(&mut self) -> Vec<SegmentRequest> {
        match &mut self.pipelines {
            Pipelines::Tokens(tokens) => tokens.requests(),
            Pipelines::Frames { .. } => Vec::new(),
        }
    }

    /// Takes over the answers to [`Session::requests`] that have arrived.
    pub fn receive(&mut self) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.receive();
        }
    }

    /// Whether so much audio waits for a model that no more should be pushed for now.
    pub fn is_backed_up(&self) -> bool {
        match &self.pipelines {
            Pipelines::Tokens(tokens) => tokens.is_backed_up(),
            Pipelines::Frames { .. } => false,
        }
    }

    pub(crate) fn drum_pipeline(&mut self) -> Option<&mut DrumPipeline> {
        match &mut self.pipelines {
            Pipelines::Frames { drums, .. } => drums.as_mut(),
            Pipelines::Tokens(_) => None,
        }
    }

    pub(crate) fn pitched_pipeline(&mut self) -> Option<&mut PitchedPipeline> {
        match &mut self.pipelines {
            Pipelines::Frames { pitched, .. } => pitched.as_mut(),
            Pipelines::Tokens(_) => None,
        }
    }

    /// Samples that have been pushed.
    pub fn pushed_samples(&self) -> u64 {
        self.samples_in
    }

    /// Samples that were no numbers or absurdly large, and were replaced.
    pub fn bad_samples(&self) -> u64 {
        self.bad_samples
    }

    /// Moves the notes that have come out since the last call to the end of `notes`. Drums come in the
    /// order of the model's frames, with onsets out of order by up to 28 ms; pitched notes come when they
    /// end.
    pub fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        let first = notes.len();
        self.pipelines.take_notes(notes);
        self.place(&mut notes[first..]);
    }

    /// Moves notes of a published model that came out before they ended, and have ended since the last
    /// call, to the end of `notes`, now with their true length.
    pub fn take_ended_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        let first = notes.len();
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.take_ended(notes);
        }
        self.place(&mut notes[first..]);
    }

    /// Whatever the models say, nothing lies before the start or after the end.
    fn place(&self, notes: &mut [PlacedNote]) {
        let last_sample = self.samples_in.saturating_sub(1);
        for note in notes {
            let onset = note.onset_samples.saturating_sub(self.lead_in_samples);
            note.onset_samples = onset.min(last_sample);
        }
    }

    fn process(&mut self, samples: &[f32]) {
        self.resampled.clear();
        self.resampler.push(samples, &mut self.resampled);
        self.pipelines.push(&self.resampled);
    }
}

#[cfg(test)]
mod tests;
