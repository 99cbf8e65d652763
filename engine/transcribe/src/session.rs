//! One source from the start of a passage to its end.

use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::audio::sanitize;
use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::frame::drums::{DrumConfig, DrumNet};
use hitscribe_models::frame::pitched::{PitchConfig, PitchNet};
use hitscribe_models::frame::weights_file::NetworkConfig as _;
use hitscribe_models::generate::SegmentForm;
use hitscribe_models::generate::allowed::AllowedNotes;

use crate::lead_in::{LeadIn, edge_samples, grid_samples};
use crate::pipeline::Pipelines;
use crate::pipeline::drums::DrumPipeline;
use crate::pipeline::pitched::PitchedPipeline;
use crate::pipeline::tokens;
use crate::pipeline::tokens::{SegmentRequest, TokenPipeline};
use crate::session_config::SessionConfig;
use hitscribe_picking::drums::candidate::{Candidate, Sensitivity};
use hitscribe_picking::drums::selection::Rules;

/// Onsets this long after the end of a passage belong to its last sample; what is found later is the
/// end of the sound itself.
const MAX_LATE_SECONDS: f64 = 0.003;

/// See [`Session::latency_samples`].
pub(crate) fn latency_samples(
    drums: &DrumConfig,
    second_drums: Option<&DrumConfig>,
    pitched: &PitchConfig,
    resampler: &Resampler,
    config: &SessionConfig,
) -> u64 {
    let of_drums = DrumPipeline::latency_samples(drums, second_drums, config.hop_frames);
    let model_samples = match config.parts.pitched_program {
        None => of_drums,
        Some(_) => of_drums.max(PitchedPipeline::latency_samples(pitched, config)),
    } as u64;
    let model_rate_hz = u64::from(drums.front_end().sample_rate_hz);
    (model_samples * u64::from(config.sample_rate_hz)).div_ceil(model_rate_hz)
        + resampler.lookahead_samples() as u64
        + 1
}

/// One source from the start of a passage to its end. A new passage needs a new session. `Send`.
pub struct Session {
    config: SessionConfig,
    resampler: Resampler,
    pipelines: Pipelines,
    latency_samples: u64,
    /// What the models get before the first sample ([`LeadIn`]). It aligns the frames with the grid
    /// of the timeline.
    lead_in_samples: u64,
    /// Silence after the last sample.
    lead_out_samples: u64,
    /// As long as all samples were 0, which the built-in models do not get: notes do not depend on
    /// how much silence a host plays before the music.
    lead: Option<LeadIn>,
    skipped_samples: u64,
    /// What is settled because it is silence.
    silent_samples: u64,
    is_finished: bool,
    pushed_samples: u64,
    bad_samples: u64,
    resampled: Vec<f32>,
}

impl Session {
    /// A session for the built-in models.
    pub(crate) fn builtin(
        drum_net: &DrumNet,
        second_drum_net: Option<&DrumNet>,
        pitch_net: &PitchNet,
        config: &SessionConfig,
    ) -> Result<Self> {
        let (drums, pitched) = (drum_net.config(), pitch_net.config());
        let resampler = Resampler::new(config.sample_rate_hz, drums.front_end().sample_rate_hz)?;
        let second = second_drum_net;
        let new_drums = || DrumPipeline::new(drum_net, second, config).map(Box::new);
        let new_pitched = |program| PitchedPipeline::new(pitch_net, config, program).map(Box::new);
        // One of the two is a multiple of the other.
        let drum_step = drums.step_frames() * drums.front_end().hop_samples;
        let step_samples = match config.parts.pitched_program {
            None => drum_step,
            Some(_) => drum_step.max(pitched.step_frames() * pitched.front_end().hop_samples),
        };
        let model_rate_hz = drums.front_end().sample_rate_hz;
        let grid_samples = grid_samples(step_samples, model_rate_hz, config.sample_rate_hz);
        let edge_samples = edge_samples(drums, pitched, config);
        let mut session = Self {
            config: *config,
            latency_samples: latency_samples(
                drums,
                second.map(DrumNet::config),
                pitched,
                &resampler,
                config,
            ),
            resampler,
            pipelines: Pipelines::Frames {
                drums: config.parts.drums.then(new_drums).transpose()?,
                pitched: config.parts.pitched_program.map(new_pitched).transpose()?,
            },
            lead_in_samples: 0,
            lead_out_samples: edge_samples,
            lead: Some(LeadIn::new(config, edge_samples, grid_samples)),
            skipped_samples: 0,
            silent_samples: 0,
            is_finished: false,
            pushed_samples: 0,
            bad_samples: 0,
            resampled: Vec::new(),
        };
        session.set_sensitivity(config.sensitivity);
        Ok(session)
    }

    /// A session for a model of the MT3 family, which need not be loaded yet
    /// ([`Session::model_ready`]), with the notes that the source can contain. Hop and parts of
    /// `config` are not used.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a sample rate that is out of range.
    pub fn imported(config: &SessionConfig, source: impl Into<AllowedNotes>) -> Result<Self> {
        let resampler = tokens::resampler(config)?;
        /// Limit for positions from hosts.
        const LONGEST_TIMELINE_SAMPLES: i64 = 1 << 48;
        let rate_hz = i64::from(config.sample_rate_hz);
        let grid_samples = tokens::grid_samples(config.sample_rate_hz) as i64;
        let timeline_samples = config
            .timeline_samples
            .clamp(-LONGEST_TIMELINE_SAMPLES, LONGEST_TIMELINE_SAMPLES);
        let lead_in_samples = timeline_samples.rem_euclid(grid_samples);
        // A whole number, because the lead-in begins on the grid.
        let grids = (timeline_samples - lead_in_samples) / grid_samples;
        let model_rate_hz = i64::from(SAMPLE_RATE_HZ);
        let origin_samples = grids * (grid_samples * model_rate_hz / rate_hz);
        let mut session = Self {
            config: *config,
            latency_samples: tokens::latency_samples(&resampler, config),
            resampler,
            pipelines: Pipelines::Tokens(Box::new(TokenPipeline::new(
                config,
                source.into(),
                origin_samples,
            ))),
            lead_in_samples: lead_in_samples as u64,
            lead_out_samples: 0,
            lead: None,
            skipped_samples: 0,
            silent_samples: 0,
            is_finished: false,
            pushed_samples: 0,
            bad_samples: 0,
            resampled: Vec::new(),
        };
        session.set_sensitivity(config.sensitivity);
        session.process(&vec![0.0; lead_in_samples as usize]);
        Ok(session)
    }

    /// The configuration.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    /// Latency in samples at the session's rate, constant for a configuration: once a sample at
    /// position `p` and this many after it have been pushed, and the models have run until nothing
    /// was ready, every note with an onset at or before `p` has been given out.
    ///
    /// For the built-in models it is the sum of hop, look-ahead of model and front end, look-ahead
    /// of peak picking, and the resampler; for an imported model of segment, longest note and
    /// resampler. Time for computing is not included.
    pub fn latency_samples(&self) -> u64 {
        self.latency_samples
    }

    /// Sets the sensitivity for everything that is not decided yet.
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.pipelines.set_sensitivity(sensitivity);
    }

    /// Takes the next samples of the source, full scale at 1, downmixed to one channel (see
    /// [`hitscribe_core::audio::downmix`]). Samples that are not finite count as silence. Ignored
    /// after [`Session::finish`].
    pub fn push(&mut self, samples: &[f32]) {
        if self.is_finished {
            return;
        }
        self.pushed_samples += samples.len() as u64;
        let (clean, bad) = sanitize(samples);
        self.bad_samples += bad as u64;
        let start = self.skip_silence(&clean);
        self.process(&clean[start..]);
    }

    /// Leaves digital silence at the start out. The number of samples that are dealt with.
    fn skip_silence(&mut self, samples: &[f32]) -> usize {
        if self.lead.is_none() {
            return 0;
        }
        let sound = samples.iter().position(|x| *x != 0.0);
        let silent = sound.unwrap_or(samples.len());
        self.skipped_samples += silent as u64;
        match sound {
            Some(_) => self.begin_sound(),
            None => {
                self.silent_samples = self.pushed_samples.saturating_sub(self.latency_samples);
            }
        }
        silent
    }

    fn begin_sound(&mut self) {
        if let Some(lead) = self.lead.take() {
            let samples = lead.samples(self.skipped_samples);
            self.lead_in_samples = samples.len() as u64;
            self.process(&samples);
        }
    }

    /// Ends the passage. Its last notes are given out after the models have run.
    pub fn finish(&mut self) {
        if self.is_finished {
            return;
        }
        self.is_finished = true;
        self.begin_sound();
        self.process(&vec![0.0; self.lead_out_samples as usize]);
        self.resampled.clear();
        self.resampler.finish(&mut self.resampled);
        self.pipelines.push(&self.resampled);
        self.pipelines.finish();
    }

    /// Whether a step of the built-in models is ready to run; see [`crate::BuiltinModels::run`].
    pub fn is_ready(&self) -> bool {
        self.pipelines.is_ready()
    }

    /// Whether the passage has ended and all of its notes have been given out.
    pub fn is_complete(&self) -> bool {
        self.is_finished && self.pipelines.is_complete()
    }

    /// Every note with an onset before this position, in samples from the start of the passage, has
    /// been given out or waits in [`Session::take_notes`].
    pub fn settled_samples(&self) -> u64 {
        if self.is_complete() {
            return u64::MAX;
        }
        if self.lead.is_some() {
            return self.silent_samples;
        }
        let seconds = self.pipelines.settled_seconds();
        let samples = (seconds * f64::from(self.config.sample_rate_hz)) as u64;
        let settled = (samples + self.skipped_samples).saturating_sub(self.lead_in_samples);
        settled.max(self.silent_samples)
    }

    /// Connects a model of the MT3 family that has been loaded since the session began.
    pub fn model_ready(&mut self, form: SegmentForm) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.model_ready(form);
        }
    }

    /// Gives the model of the MT3 family up: the rest of the passage has no notes.
    pub fn model_lost(&mut self) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.model_lost();
        }
    }

    /// Segments that the model of the MT3 family can decode now, of which each is returned once;
    /// none for the built-in models.
    pub fn requests(&mut self) -> Vec<SegmentRequest> {
        match &mut self.pipelines {
            Pipelines::Tokens(tokens) => tokens.requests(),
            Pipelines::Frames { .. } => Vec::new(),
        }
    }

    /// Takes the answers to [`Session::requests`] that have arrived.
    pub fn receive(&mut self) {
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.receive();
        }
    }

    /// Whether so much audio waits for the model that no more should be pushed for now.
    pub fn is_backed_up(&self) -> bool {
        match &self.pipelines {
            Pipelines::Tokens(tokens) => tokens.is_backed_up(),
            Pipelines::Frames { .. } => false,
        }
    }

    pub(crate) fn drum_pipeline(&mut self) -> Option<&mut DrumPipeline> {
        match &mut self.pipelines {
            Pipelines::Frames { drums, .. } => drums.as_deref_mut(),
            Pipelines::Tokens(_) => None,
        }
    }

    pub(crate) fn pitched_pipeline(&mut self) -> Option<&mut PitchedPipeline> {
        match &mut self.pipelines {
            Pipelines::Frames { pitched, .. } => pitched.as_deref_mut(),
            Pipelines::Tokens(_) => None,
        }
    }

    /// Samples that have been pushed.
    pub fn pushed_samples(&self) -> u64 {
        self.pushed_samples
    }

    /// Samples that were not finite or far too large, and were replaced.
    pub fn bad_samples(&self) -> u64 {
        self.bad_samples
    }

    /// Appends the notes since the last call to `notes`, in samples from the start of the passage.
    /// Drum hits may be out of order by up to 48 ms; pitched notes come when they end.
    pub fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        let first = notes.len();
        self.pipelines.take_notes(notes);
        self.limit_onsets(notes, first);
    }

    /// Appends notes of an imported model that were given out before they ended, and have ended
    /// since the last call, with their true length.
    pub fn take_ended_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        let first = notes.len();
        if let Pipelines::Tokens(tokens) = &mut self.pipelines {
            tokens.take_ended(notes);
        }
        self.limit_onsets(notes, first);
    }

    /// Appends the candidates of the built-in drum network since the last call, in samples from the
    /// start of the passage and in order of their frames; none unless the configuration says so.
    pub fn take_candidates(&mut self, candidates: &mut Vec<Candidate>) {
        let mut new = Vec::new();
        if let Some(drums) = self.drum_pipeline() {
            drums.take_candidates(&mut new);
        }
        candidates.extend(new.into_iter().map(|mut candidate| {
            let limited = self.limited_onset(candidate.onset_samples);
            if limited.is_none() {
                // Never written, but it may be why one before the end is not.
                candidate.peak.class = None;
            }
            candidate.onset_samples = limited.unwrap_or(self.pushed_samples.saturating_sub(1));
            candidate
        }));
    }

    /// The rules that select hits among the candidates; none without the built-in drum network.
    pub fn rules(&self) -> Option<Rules> {
        match &self.pipelines {
            Pipelines::Frames { drums, .. } => drums.as_ref().map(|drums| drums.rules()),
            Pipelines::Tokens(_) => None,
        }
    }

    /// Moves the onsets of the notes from the index `first` on into the passage, and drops those
    /// after its end.
    fn limit_onsets(&self, notes: &mut Vec<PlacedNote>, first: usize) {
        let mut kept = first;
        for index in first..notes.len() {
            if let Some(onset_samples) = self.limited_onset(notes[index].onset_samples) {
                notes[kept] = PlacedNote {
                    onset_samples,
                    ..notes[index]
                };
                kept += 1;
            }
        }
        notes.truncate(kept);
    }

    /// An onset in the samples of the pipelines as one in the passage; none after its end.
    fn limited_onset(&self, onset_samples: u64) -> Option<u64> {
        let last_sample = self.pushed_samples.saturating_sub(1);
        let late = MAX_LATE_SECONDS * f64::from(self.config.sample_rate_hz);
        let end = match self.is_finished && self.lead_out_samples > 0 {
            true => self.pushed_samples + late as u64,
            false => u64::MAX,
        };
        let onset = (onset_samples + self.skipped_samples).saturating_sub(self.lead_in_samples);
        (onset < end).then_some(onset.min(last_sample))
    }

    fn process(&mut self, samples: &[f32]) {
        self.resampled.clear();
        self.resampler.push(samples, &mut self.resampled);
        self.pipelines.push(&self.resampled);
    }
}

#[cfg(test)]
mod tests;
