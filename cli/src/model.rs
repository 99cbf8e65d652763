//! The model that `transcribe` runs: the built-in one, a published one, or one of the two by content.

mod choice;

use std::path::Path;

use anyhow::{Context, Result};
use hitscribe_engine::DrumClass;
use hitscribe_engine::audio::mono::read_mono;
use hitscribe_engine::audio::resample::Resampler;
use hitscribe_engine::audio::spectral::{FrontEndKind, SAMPLE_RATE_HZ};
use hitscribe_engine::audio::{downmix, mono};
use hitscribe_engine::decode::source::{Sensitivity, Source};
use hitscribe_engine::decode::{LoadOptions, TokenOptions, Transcriber};
use hitscribe_engine::device::{DeviceChoice, select};
use hitscribe_engine::model::catalogue::Store;
use hitscribe_engine::stream::{Engine, Transcription, transcribe_file, transcribe_samples};

/// Nats that full sensitivity adds to the logits of notes, and none takes away.
const SENSITIVITY_RANGE_NATS: f32 = 4.0;

/// How a published model is used.
#[derive(Clone, clap::Args)]
pub struct PublishedArgs {
    /// Use this checkpoint of MT3, MR-MT3 or YourMT3 (a file, or a name from `hitscribe models list`)
    /// instead of the built-in model; `auto` uses the built-in one for what sounds like drums, one from
    /// the list for all else, and says which and why
    #[arg(long, value_name = "FILE|NAME|auto", conflicts_with = "weights")]
    pub model: Option<String>,
    /// What the recording can contain: mix, drums, kick, bass, keys, guitar, strings, brass, reed, pipe,
    /// synth, voice, programs:0-7 or drums:36,38, joined by +; nothing else is transcribed
    #[arg(long, requires = "model", value_name = "SOURCE", value_parser = parse_source)]
    pub source: Option<Source>,
    /// Features for the model [default: those it was trained with]: mt3, mt3-pytorch (as the MT3-PyTorch
    /// adapter computes them), mr-mt3, mr-mt3-normalised or yourmt3
    #[arg(long, requires = "model", value_name = "NAME", value_parser = super::debug_tensors::parse_front_end)]
    pub frontend: Option<FrontEndKind>,
}

pub use choice::Models;

fn parse_source(text: &str) -> Result<Source, String> {
    text.parse()
}

/// A loaded model.
pub enum Model {
    /// The built-in drum model.
    Builtin(Engine),
    /// A checkpoint of the MT3 family.
    Published {
        /// As it was asked for.
        name: String,
        /// The network.
        transcriber: Box<Transcriber>,
        /// What the recording can contain.
        source: Source,
    },
}

impl Model {
    /// Loads the built-in model, with the weights of a file if there is one.
    fn builtin(weights: Option<&Path>, device: DeviceChoice) -> Result<Self> {
        let engine = match weights {
            None => Engine::builtin(device)?,
            Some(path) => {
                let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
                Engine::with_weights(&bytes, device).with_context(|| path.display().to_string())?
            }
        };
        if let Some(reason) = &engine.selected().fallback_reason {
            log::debug!("on the CPU: {reason}");
        }
        Ok(Self::Builtin(engine))
    }

    /// Loads the checkpoint `name`, used as `args` say.
    fn published(name: &str, args: &PublishedArgs, device: DeviceChoice) -> Result<Self> {
        let path = Store::of_user()?.find(name)?;
        let options = LoadOptions {
            front_end: args.frontend,
            ..LoadOptions::default()
        };
        let (transcriber, report) = Transcriber::load(&path, &options, select(device)?.device)?;
        if !report.unused.is_empty() {
            log::warn!(
                "{name}: {} tensors were not used: {}",
                report.unused.len(),
                report.unused.join(", ")
            );
        }
        Ok(Self::Published {
            name: name.to_owned(),
            transcriber: Box::new(transcriber),
            source: args.source.clone().unwrap_or_default(),
        })
    }

    /// Name of the model.
    pub fn name(&self) -> &str {
        match self {
            Self::Builtin(engine) => engine.model_name(),
            Self::Published { name, .. } => name,
        }
    }

    /// Where it computes.
    pub fn device(&self) -> String {
        match self {
            Self::Builtin(engine) => engine.selected().device.to_string(),
            Self::Published { transcriber, .. } => transcriber.device().to_string(),
        }
    }

    /// Transcribes a file. `on_progress` is given the seconds done and, if known, the length.
    pub fn transcribe_file(
        &self,
        input: &Path,
        sensitivity: f32,
        mut on_progress: impl FnMut(f64, Option<f64>),
    ) -> Result<Transcription> {
        match self {
            Self::Builtin(engine) => Ok(transcribe_file(engine, input, sensitivity, on_progress)?),
            Self::Published {
                transcriber,
                source,
                ..
            } => {
                let recording = read_mono(input, SAMPLE_RATE_HZ)?;
                let length = recording.duration_seconds;
                published(transcriber, source, recording, sensitivity, |share| {
                    on_progress(share * length, Some(length))
                })
            }
        }
    }

    /// Transcribes interleaved samples.
    pub fn transcribe_samples(
        &self,
        samples: &[f32],
        channel_count: usize,
        rate_hz: u32,
        sensitivity: f32,
    ) -> Result<Transcription> {
        match self {
            Self::Builtin(engine) => Ok(transcribe_samples(
                engine,
                samples,
                channel_count,
                rate_hz,
                sensitivity,
            )?),
            Self::Published {
                transcriber,
                source,
                ..
            } => {
                let mut own = Vec::new();
                downmix(samples, channel_count, &mut own);
                let mut recording = mono::Recording {
                    file_rate_hz: rate_hz,
                    duration_seconds: own.len() as f64 / f64::from(rate_hz),
                    ..mono::Recording::default()
                };
                let mut resampler = Resampler::new(rate_hz, SAMPLE_RATE_HZ)?;
                resampler.push(&own, &mut recording.samples);
                resampler.finish(&mut recording.samples);
                published(transcriber, source, recording, sensitivity, |_| ())
            }
        }
    }
}

fn published(
    transcriber: &Transcriber,
    source: &Source,
    recording: mono::Recording,
    sensitivity: f32,
    mut on_progress: impl FnMut(f64),
) -> Result<Transcription> {
    let bias = (sensitivity - 0.5) * 2.0 * SENSITIVITY_RANGE_NATS;
    let sensitivity = match bias {
        0.0 => Sensitivity::default(),
        _ => Sensitivity {
            drums: DrumClass::ALL.map(|class| (class, bias)).to_vec(),
            pitched: bias,
        },
    };
    let options = TokenOptions {
        source: source.clone(),
        sensitivity,
        ..TokenOptions::default()
    };
    let heard = transcriber.transcribe(&recording.samples, &options, |share| {
        on_progress(share);
        true
    })?;
    Ok(Transcription {
        notes: heard.notes,
        sample_rate_hz: recording.file_rate_hz,
        duration_seconds: recording.duration_seconds,
        warnings: recording.warning.into_iter().collect(),
    })
}
