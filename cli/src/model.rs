//! The model that `transcribe` runs: the built-in one, a published one, or one of the two by content.

mod choice;

use std::path::Path;

use anyhow::{Context, Result};
use hitscribe::{Engine, Parts, Transcription, transcribe_file, transcribe_samples};
use hitscribe_core::audio::mono::{Recording, read_mono, to_mono};
use hitscribe_core::features::mt3_family::{FrontEndKind, SAMPLE_RATE_HZ};
use hitscribe_core::model_store::Store;
use hitscribe_core::{Error, Note};
use hitscribe_models::device::{Device, DeviceChoice, select};
use hitscribe_models::generate::allowed::{AllowedNotes, LogitBias};
use hitscribe_models::generate::{LoadOptions, TokenOptions, Transcriber};

use crate::help;

/// Confidence from which a pitched note is sure.
const SURE_CONFIDENCE: f32 = 0.7;

/// Share of sure pitched notes from which a recording is taken for more than drums. Measured: up to .04 on
/// recordings of drums, .2 and more with other instruments.
const FEWEST_SURE: f64 = 0.1;

/// How a published model is used.
#[derive(Clone, clap::Args)]
pub struct PublishedArgs {
    /// MT3, MR-MT3 or YourMT3 checkpoint to use, or `auto` to choose by content
    #[arg(long, value_name = "FILE|NAME|auto", conflicts_with = "weights", help_heading = help::MODEL)]
    pub model: Option<String>,
    /// What the audio contains, such as mix, drums, bass or guitar+voice
    #[arg(long, value_name = "SOURCE", value_parser = parse_source, help_heading = help::MODEL)]
    pub source: Option<AllowedNotes>,
    /// Features that --model gets [default: those of its training]
    #[arg(long, requires = "model", value_name = "NAME", help_heading = help::MODEL,
        value_parser = crate::debug::tensors::parse_front_end)]
    pub frontend: Option<FrontEndKind>,
}

pub use choice::{Heard, Models};

/// What is to be transcribed.
#[derive(Clone, Copy)]
pub enum Sound<'a> {
    /// The file that the input's name says.
    File,
    /// Samples that are in memory.
    Samples {
        /// Frame by frame, full scale at 1.
        interleaved: &'a [f32],
        /// Samples in a frame.
        channel_count: usize,
        /// Frames per second.
        rate_hz: u32,
    },
}

fn parse_source(text: &str) -> Result<AllowedNotes, String> {
    text.parse()
}

/// A loaded model.
pub enum Model {
    /// The built-in model.
    Builtin {
        /// The engine with it.
        engine: Box<Engine>,
        /// What the recording can contain, if that was said.
        source: Option<AllowedNotes>,
    },
    /// A checkpoint of the MT3 family.
    Published {
        /// As it was asked for.
        name: String,
        /// The network.
        transcriber: Box<Transcriber>,
        /// What the recording can contain.
        source: AllowedNotes,
    },
}

impl Model {
    /// Loads the built-in model, with the weights of a file if there is one. Where nobody named a device, on
    /// the CPU if the GPU fails.
    fn builtin(args: &PublishedArgs, weights: Option<&Path>, device: DeviceChoice) -> Result<Self> {
        let engine = match weights {
            None => Engine::builtin(device)?,
            Some(path) => {
                let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
                Engine::with_weights(&bytes, device).with_context(|| path.display().to_string())?
            }
        };
        let used = engine.selected();
        if let Some(reason) = &used.fallback_reason {
            // No GPU is no news, one that fails is.
            match select(device)?.device == used.device {
                true => log::debug!("on the CPU: {reason}"),
                false => tell_of_fallback(reason),
            }
        }
        Ok(Self::Builtin {
            engine: Box::new(engine),
            source: args.source.clone(),
        })
    }

    /// Loads the checkpoint `name`, used as `args` say. Where nobody named a device, on the CPU if the GPU
    /// fails.
    fn published(name: &str, args: &PublishedArgs, device: DeviceChoice) -> Result<Self> {
        let path = Store::of_user()?.find(name)?;
        let options = LoadOptions {
            front_end: args.frontend,
            ..LoadOptions::default()
        };
        let load = |device| Transcriber::load(&path, &options, device);
        let (transcriber, report) = match load(select(device)?.device) {
            Err(Error::Device { reason, .. }) if device == DeviceChoice::Auto => {
                tell_of_fallback(&reason);
                load(Device::Cpu)?
            }
            loaded => loaded?,
        };
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
    pub fn device(&self) -> Device {
        match self {
            Self::Builtin { engine, .. } => engine.selected().device,
            Self::Published { transcriber, .. } => *transcriber.device(),
        }
    }

    /// Transcribes what goes by the name `input`. `on_progress` is given the seconds done and, if known, the
    /// length.
    fn transcribe(
        &self,
        input: &Path,
        sound: Sound<'_>,
        sensitivity: f32,
        on_progress: &mut dyn FnMut(f64, Option<f64>),
    ) -> Result<Transcription> {
        match self {
            Self::Builtin { engine, source } => {
                let parts = parts(source.as_ref());
                let heard = match sound {
                    Sound::File => transcribe_file(engine, input, parts, sensitivity, on_progress)?,
                    Sound::Samples {
                        interleaved,
                        channel_count,
                        rate_hz,
                    } => transcribe_samples(
                        engine,
                        interleaved,
                        channel_count,
                        rate_hz,
                        parts,
                        sensitivity,
                    )?,
                };
                Ok(plausible(source.as_ref(), heard))
            }
            Self::Published {
                transcriber,
                source,
                ..
            } => {
                let recording = match sound {
                    Sound::File => read_mono(input, SAMPLE_RATE_HZ)?,
                    Sound::Samples {
                        interleaved,
                        channel_count,
                        rate_hz,
                    } => to_mono(interleaved, channel_count, rate_hz, SAMPLE_RATE_HZ)?,
                };
                let length = recording.duration_seconds;
                published(transcriber, source, recording, sensitivity, |share| {
                    on_progress(share * length, Some(length))
                })
            }
        }
    }
}

/// Says that the CPU takes over from a GPU that nobody asked for by name.
fn tell_of_fallback(reason: &str) {
    crate::tell(&format!(
        "the GPU failed ({reason}); from here on the CPU computes"
    ));
}

fn parts(source: Option<&AllowedNotes>) -> Parts {
    source.map_or(Parts::ALL, Parts::from)
}

/// Without what cannot be on a recording of the source. Where no source was named and hardly any pitched
/// note is sure, they are what drums ring like, and a warning says that they were left out.
fn plausible(source: Option<&AllowedNotes>, mut heard: Transcription) -> Transcription {
    if let Some(source) = source {
        let is_possible = |note: &Note| !note.is_drum || source.allows_drum(note.pitch);
        heard.notes.retain(is_possible);
        return heard;
    }
    let count = |test: &dyn Fn(&Note) -> bool| heard.notes.iter().filter(|note| test(note)).count();
    let drums = count(&|note| note.is_drum);
    let pitched = heard.notes.len() - drums;
    let sure = count(&|note| !note.is_drum && note.confidence >= SURE_CONFIDENCE);
    if pitched > 0 && (sure as f64) < FEWEST_SURE * (sure + drums) as f64 {
        heard.notes.retain(|note| note.is_drum);
        heard.warnings.push(format!(
            "{pitched} pitched notes beside {drums} hits were left out: --source mix keeps them"
        ));
    }
    heard
}

fn published(
    transcriber: &Transcriber,
    source: &AllowedNotes,
    recording: Recording,
    sensitivity: f32,
    mut on_progress: impl FnMut(f64),
) -> Result<Transcription> {
    let options = TokenOptions {
        source: source.clone(),
        sensitivity: LogitBias::of_shares(sensitivity, |_| 0.0),
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
        warnings: recording.warnings,
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
            openness: None,
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
            let source = source.map(|text| text.parse::<AllowedNotes>().unwrap());
            let kept = plausible(source.as_ref(), heard);
            (kept.notes.len(), kept.warnings.len())
        };
        assert_eq!(count(None, heard(100, 9, 0.9)), (100, 1));
        assert_eq!(count(None, heard(100, 50, 0.65)), (100, 1));
        assert_eq!(count(None, heard(100, 20, 0.9)), (120, 0));
        assert_eq!(count(None, heard(100, 0, 0.9)), (100, 0));
        assert_eq!(count(None, heard(0, 3, 0.65)), (3, 0));
        assert_eq!(count(Some("mix"), heard(100, 9, 0.65)), (109, 0));
        assert_eq!(count(Some("kick+mix"), heard(100, 9, 0.65)), (109, 0));
        assert_eq!(count(Some("drums:38"), heard(100, 0, 0.9)), (0, 0));
    }

    #[test]
    fn what_is_left_out_is_said() {
        assert_eq!(
            plausible(None, heard(100, 9, 0.9)).warnings,
            ["9 pitched notes beside 100 hits were left out: --source mix keeps them"]
        );
    }
}
