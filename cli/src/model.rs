//! The model that `transcribe` runs: the built-in one, a published one, or one of the two by content.

mod choice;

use std::path::Path;

use anyhow::{Context, Result};
use hitscribe_engine::Note;
use hitscribe_engine::audio::mono::read_mono;
use hitscribe_engine::audio::resample::Resampler;
use hitscribe_engine::audio::spectral::{FrontEndKind, SAMPLE_RATE_HZ};
use hitscribe_engine::audio::{downmix, mono};
use hitscribe_engine::decode::source::{Sensitivity, Source};
use hitscribe_engine::decode::{LoadOptions, TokenOptions, Transcriber};
use hitscribe_engine::device::{DeviceChoice, select};
use hitscribe_engine::model::catalogue::Store;
use hitscribe_engine::stream::{Engine, Parts, Transcription, transcribe_file, transcribe_samples};

/// Confidence from which a pitched note is sure.
const SURE_CONFIDENCE: f32 = 0.7;

/// Share of sure pitched notes from which a recording is taken for more than drums. Measured: up to .04 on
/// recordings of drums, .2 and more with other instruments.
const FEWEST_SURE: f64 = 0.1;

/// How a published model is used.
#[derive(Clone, clap::Args)]
pub struct PublishedArgs {
    /// Use this checkpoint of MT3, MR-MT3 or YourMT3 (a file, or a name from `hitscribe models list`)
    /// instead of the built-in model; `auto` uses the built-in one for what sounds like drums, one from
    /// the list for all else, and says which and why
    #[arg(long, value_name = "FILE|NAME|auto", conflicts_with = "weights")]
    pub model: Option<String>,
    /// What the recording can contain: mix, drums, kick, bass, keys, guitar, strings, brass, reed, pipe,
    /// synth, voice, programs:0-7 or drums:36,38, joined by +; nothing else is transcribed. Without it
    /// everything is, and with the built-in model pitched notes are left out where there are hardly any beside
    /// the drums. That model does not tell instruments apart: its pitched notes get the usual program of the
    /// source, a piano's in a mix
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
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
    /// The built-in model.
    Builtin {
        /// The engine with it.
        engine: Box<Engine>,
        /// What the recording can contain, if that was said.
        source: Option<Source>,
    },
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
    fn builtin(args: &PublishedArgs, weights: Option<&Path>, device: DeviceChoice) -> Result<Self> {
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
        Ok(Self::Builtin {
            engine: Box::new(engine),
            source: args.source.clone(),
        })
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
            Self::Builtin { engine, .. } => engine.model_name(),
            Self::Published { name, .. } => name,
        }
    }

    /// Where it computes.
    pub fn device(&self) -> String {
        match self {
            Self::Builtin { engine, .. } => engine.selected().device.to_string(),
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
            Self::Builtin { engine, source } => {
                let parts = parts(source.as_ref());
                let heard = transcribe_file(engine, input, parts, sensitivity, on_progress)?;
                Ok(plausible(source.as_ref(), heard))
            }
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
            Self::Builtin { engine, source } => {
                let parts = parts(source.as_ref());
                let heard = transcribe_samples(
                    engine,
                    samples,
                    channel_count,
                    rate_hz,
                    parts,
                    sensitivity,
                )?;
                Ok(plausible(source.as_ref(), heard))
            }
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

fn parts(source: Option<&Source>) -> Parts {
    source.map_or(Parts::ALL, Parts::from)
}

/// Without what cannot be on a recording of the source. Where no source was named and hardly any pitched
/// note is sure, they are what drums ring like.
fn plausible(source: Option<&Source>, mut heard: Transcription) -> Transcription {
    let drums = heard.notes.iter().filter(|note| note.is_drum).count() as f64;
    let is_sure = |note: &&Note| !note.is_drum && note.confidence >= SURE_CONFIDENCE;
    let sure = heard.notes.iter().filter(is_sure).count() as f64;
    let are_strays = sure < FEWEST_SURE * (sure + drums);
    heard.notes.retain(|note| match source {
        Some(source) => !note.is_drum || source.allows_drum(note.pitch),
        None => note.is_drum || !are_strays,
    });
    heard
}

fn published(
    transcriber: &Transcriber,
    source: &Source,
    recording: mono::Recording,
    sensitivity: f32,
    mut on_progress: impl FnMut(f64),
) -> Result<Transcription> {
    let options = TokenOptions {
        source: source.clone(),
        sensitivity: Sensitivity::of_shares(sensitivity, |_| 0.0),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(drums: usize, pitched: usize, confidence: f32) -> Transcription {
        let note = |is_drum: bool, confidence: f32| Note {
            onset_seconds: 0.0,
            offset_seconds: 0.1,
            pitch: 36,
            velocity: 100,
            program: 0,
            is_drum,
            confidence,
        };
        let mut notes = vec![note(true, 0.9); drums];
        notes.resize(drums + pitched, note(false, confidence));
        Transcription {
            notes,
            sample_rate_hz: 44_100,
            duration_seconds: 1.0,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn drums_that_ring_are_drums_unless_more_was_asked_for() {
        let count = |source: Option<&str>, heard| {
            let source = source.map(|text| text.parse::<Source>().unwrap());
            plausible(source.as_ref(), heard).notes.len()
        };
        assert_eq!(count(None, heard(100, 9, 0.9)), 100);
        assert_eq!(count(None, heard(100, 50, 0.65)), 100);
        assert_eq!(count(None, heard(100, 20, 0.9)), 120);
        assert_eq!(count(None, heard(0, 3, 0.65)), 3);
        assert_eq!(count(Some("mix"), heard(100, 9, 0.65)), 109);
        assert_eq!(count(Some("kick+mix"), heard(100, 9, 0.65)), 109);
        assert_eq!(count(Some("drums:38"), heard(100, 0, 0.9)), 0);
    }
}
