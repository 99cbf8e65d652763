//! A loaded model of either kind, and how it transcribes a recording.

use std::ops::ControlFlow;

use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::audio::{sanitize, sanitize_warning};
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_models::device::Device;
use hitscribe_models::generate::allowed::AllowedNotes;
use hitscribe_models::generate::{TokenOptions, allowed::LogitBias};

use crate::audio_input::{Input, MonoBlocks};
use crate::builtin::BuiltinModels;
use crate::imported::ImportedModel;
use crate::plausibility::remove_implausible;
use crate::request::{AudioBlock, Callbacks, Candidates, Progress, Request};
use crate::session::Session;
use crate::session_config::{Parts, RECORDING_HOP_FRAMES, SessionConfig};
use crate::transcription::{Transcription, Warning};

/// Largest magnitude of a recording that may have no notes because it is quiet (-50 dBFS).
const QUIET_PEAK: f32 = 0.003_16;

pub(crate) enum Model {
    Builtin(Box<BuiltinModels>),
    Imported {
        name: String,
        model: Box<ImportedModel>,
    },
}

impl Model {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Builtin(models) => models.model_name(),
            Self::Imported { name, .. } => name,
        }
    }

    pub(crate) fn device(&self) -> Device {
        match self {
            Self::Builtin(models) => models.selected().device,
            Self::Imported { model, .. } => model.device(),
        }
    }

    /// Begins a session for a stream. Without a source the parts of `config` hold.
    pub(crate) fn session(
        &self,
        config: &SessionConfig,
        source: Option<&AllowedNotes>,
    ) -> Result<Session> {
        let parts = source.map_or(config.parts, Parts::from);
        match self {
            Self::Builtin(models) => models.session(&SessionConfig { parts, ..*config }),
            Self::Imported { model, .. } => {
                let allowed = source.cloned().unwrap_or_else(|| parts.into());
                model.session(config, allowed)
            }
        }
    }

    /// Runs everything that the session is ready for.
    pub(crate) fn run(&self, session: &mut Session) -> Result<()> {
        match self {
            Self::Builtin(models) => while models.run(&mut [&mut *session])? > 0 {},
            Self::Imported { model, .. } => while model.run(&mut [&mut *session])? > 0 {},
        }
        Ok(())
    }

    /// Transcribes a whole recording.
    pub(crate) fn transcribe(
        &self,
        input: Input<'_>,
        request: &Request,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Transcription> {
        let mut transcription = match self {
            Self::Builtin(models) => self.frame_by_frame(models, input.open()?, request, callbacks),
            Self::Imported { model, .. } => {
                self.by_segments(model, input.open()?, request, callbacks)
            }
        }?;
        transcription.filter_leakage(&request.leakage);
        Ok(transcription)
    }

    fn frame_by_frame(
        &self,
        models: &BuiltinModels,
        mut blocks: MonoBlocks<'_>,
        request: &Request,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Transcription> {
        let sample_rate_hz = blocks.sample_rate_hz();
        let source = request.source.as_ref();
        let mut session = models.session(&SessionConfig {
            parts: source.map_or(Parts::ALL, Parts::from),
            sensitivity: request.sensitivity,
            // Notes need not be out before they end.
            longest_note_seconds: f64::INFINITY,
            hop_frames: RECORDING_HOP_FRAMES,
            averages_networks: !request.is_live,
            keeps_candidates: callbacks.on_candidates.is_some(),
            ..SessionConfig::new(sample_rate_hz)
        })?;
        let length_seconds = blocks.declared_seconds();
        while let Some(samples) = blocks.next_block()? {
            callbacks.audio(AudioBlock {
                samples,
                sample_rate_hz,
                start_samples: session.pushed_samples(),
            });
            session.push(samples);
            self.run(&mut session)?;
            let progress = Progress {
                done_seconds: session.pushed_samples() as f64 / f64::from(sample_rate_hz),
                length_seconds,
            };
            go_on(callbacks.progress(progress))?;
        }
        session.finish();
        self.run(&mut session)?;
        let (mut placed, mut candidates) = (Vec::new(), Vec::new());
        session.take_notes(&mut placed);
        session.take_candidates(&mut candidates);
        if let Some(rules) = session.rules() {
            callbacks.candidates(Candidates {
                rules,
                candidates: &candidates,
            });
        }
        placed.sort_by_key(|note| (note.onset_samples, note.pitch));
        let mut notes: Vec<_> = placed
            .into_iter()
            .map(|note| note.to_note(sample_rate_hz))
            .collect();
        let mut warnings = audio_warnings(&blocks, session.bad_samples(), !notes.is_empty());
        warnings.extend(remove_implausible(source, &mut notes));
        Ok(Transcription {
            notes,
            model: self.name().to_owned(),
            device: self.device(),
            sample_rate_hz,
            duration_seconds: session.pushed_samples() as f64 / f64::from(sample_rate_hz),
            warnings,
            leakage: None,
        })
    }

    fn by_segments(
        &self,
        model: &ImportedModel,
        mut blocks: MonoBlocks<'_>,
        request: &Request,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Transcription> {
        let sample_rate_hz = blocks.sample_rate_hz();
        let mut resampler = Resampler::new(sample_rate_hz, SAMPLE_RATE_HZ)?;
        let (mut resampled, mut frame_count, mut bad_samples) = (Vec::new(), 0, 0);
        while let Some(samples) = blocks.next_block()? {
            callbacks.audio(AudioBlock {
                samples,
                sample_rate_hz,
                start_samples: frame_count,
            });
            frame_count += samples.len() as u64;
            let (clean, bad) = sanitize(samples);
            bad_samples += bad as u64;
            resampler.push(&clean, &mut resampled);
        }
        resampler.finish(&mut resampled);
        let duration_seconds = frame_count as f64 / f64::from(sample_rate_hz);
        let sensitivity = request.sensitivity;
        let options = TokenOptions {
            source: request.source.clone().unwrap_or_default(),
            sensitivity: LogitBias::from_sensitivity(sensitivity.overall, |class| {
                sensitivity.by_class[class.index()]
            }),
            ..TokenOptions::default()
        };
        let mut flow = ControlFlow::Continue(());
        let decoded = model.transcribe(&resampled, &options, |share| {
            flow = callbacks.progress(Progress {
                done_seconds: share * duration_seconds,
                length_seconds: Some(duration_seconds),
            });
            flow.is_continue()
        })?;
        go_on(flow)?;
        Ok(Transcription {
            warnings: audio_warnings(&blocks, bad_samples, !decoded.notes.is_empty()),
            notes: decoded.notes,
            model: self.name().to_owned(),
            device: self.device(),
            sample_rate_hz,
            duration_seconds,
            leakage: None,
        })
    }
}

fn go_on(flow: ControlFlow<()>) -> Result<()> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

fn audio_warnings(blocks: &MonoBlocks<'_>, bad_samples: u64, has_notes: bool) -> Vec<Warning> {
    let mut warnings = blocks.warnings();
    warnings.extend(sanitize_warning(bad_samples).map(Warning::Audio));
    let peak = blocks.peak();
    if peak == 0.0 {
        warnings.push(Warning::Audio("is silent".to_owned()));
    } else if !has_notes && peak < QUIET_PEAK {
        let peak_db = 20.0 * peak.log10();
        warnings.push(Warning::Audio(format!(
            "is very quiet (peak at {peak_db:.0} dBFS) and no notes were found"
        )));
    }
    warnings
}
