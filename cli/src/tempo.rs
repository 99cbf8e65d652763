//! The tempo of a MIDI file: found or given.

use anyhow::{Context, Result, bail};
use hitscribe::beats::{BeatGrid, TempoMapKind};
use hitscribe::midi::MidiSettings;
use hitscribe::{Note, Transcription};
use serde::Serialize;

use crate::{help, values};

/// Options for tempo, meter and grid.
#[derive(clap::Args)]
pub struct TempoArgs {
    /// `auto`, or quarter notes per minute
    #[arg(long, default_value = "auto", value_name = "BPM|auto", value_parser = parse_tempo,
        help_heading = help::MIDI)]
    tempo: Tempo,
    /// Beats in a bar and their note value [default: found, or 4/4 with --tempo BPM]
    #[arg(long, value_name = "N/M", value_parser = parse_meter, help_heading = help::MIDI)]
    time_signature: Option<(u8, u8)>,
    /// Tempo changes that are written: auto, constant, follow or off
    #[arg(long, value_enum, default_value_t, value_name = "MAP", help_heading = help::MIDI)]
    tempo_map: MapKind,
    /// Move onsets to a grid, such as 1/16 or 1/8t (triplets)
    #[arg(long, value_name = "1/N", value_parser = parse_grid, help_heading = help::MIDI)]
    quantize: Option<Grid>,
    /// How far --quantize moves onsets, in percent
    #[arg(long, default_value_t = 100.0, value_name = "0..100", value_parser = parse_percent,
        requires = "quantize", help_heading = help::MIDI)]
    strength: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tempo {
    Auto,
    Bpm(f64),
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum MapKind {
    #[default]
    Auto,
    Constant,
    Follow,
    Off,
}

/// Steps of a grid in a quarter note.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    steps_per_quarter: f64,
}

fn parse_tempo(text: &str) -> Result<Tempo> {
    match text {
        "auto" => Ok(Tempo::Auto),
        bpm => Ok(Tempo::Bpm(values::tempo(bpm)?)),
    }
}

fn parse_meter(text: &str) -> Result<(u8, u8)> {
    let (beats, unit) = text.split_once('/').context("must be like 4/4 or 6/8")?;
    let (beats, unit): (u8, u8) = (beats.parse()?, unit.parse()?);
    if beats > 0 && unit.is_power_of_two() {
        Ok((beats, unit))
    } else {
        bail!("must be beats over a power of two, like 4/4 or 6/8")
    }
}

fn parse_grid(text: &str) -> Result<Grid> {
    let plain = text.trim_end_matches(['t', 'T']);
    let value = plain
        .strip_prefix("1/")
        .and_then(|value| value.parse::<u8>().ok());
    let Some(value) = value.filter(|v| v.is_power_of_two() && *v <= 64) else {
        bail!("must be 1/4, 1/8, 1/16, 1/32 or 1/64, with a t for triplets");
    };
    let triplet = if plain == text { 1.0 } else { 1.5 };
    Ok(Grid {
        steps_per_quarter: f64::from(value) / 4.0 * triplet,
    })
}

fn parse_percent(text: &str) -> Result<f64> {
    let value: f64 = text.parse()?;
    if (0.0..=100.0).contains(&value) {
        Ok(value)
    } else {
        bail!("must be between 0 and 100")
    }
}

/// The tempo of a recording.
pub struct Found {
    grid: Option<BeatGrid>,
    is_given: bool,
}

/// The tempo in JSON.
#[derive(Serialize)]
pub struct JsonTempo {
    bpm: f64,
    constant: bool,
    meter: (u8, u8),
    confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    swing: Option<f64>,
}

impl TempoArgs {
    /// Finds the tempo of a recording, unless it is given.
    pub fn find(&self, transcription: &Transcription) -> Result<Found> {
        let seconds = transcription.duration_seconds;
        Ok(match self.tempo {
            Tempo::Bpm(bpm) => Found {
                grid: Some(BeatGrid::fixed(bpm, self.meter(), seconds)?),
                is_given: true,
            },
            Tempo::Auto => Found {
                grid: transcription
                    .beat_grid()
                    .map(|grid| match self.time_signature {
                        Some(meter) => grid.with_meter(meter),
                        None => grid,
                    }),
                is_given: false,
            },
        })
    }

    fn meter(&self) -> (u8, u8) {
        self.time_signature.unwrap_or((4, 4))
    }

    /// The notes, moved to the grid if that was asked for.
    pub fn quantized(&self, notes: &[Note], found: &Found) -> Result<Vec<Note>> {
        match (self.quantize, &found.grid) {
            (None, _) => Ok(notes.to_vec()),
            (Some(_), None) => bail!("no clear pulse to quantize to: set --tempo"),
            (Some(grid), Some(beats)) => {
                Ok(beats.quantized(notes, grid.steps_per_quarter, self.strength / 100.0))
            }
        }
    }

    /// How a MIDI file is written.
    pub fn midi_settings(&self, found: &Found, duration_seconds: f64) -> Result<MidiSettings> {
        let kind = match self.tempo_map {
            MapKind::Auto => TempoMapKind::Auto,
            MapKind::Constant => TempoMapKind::Constant,
            MapKind::Follow => TempoMapKind::Follow,
            MapKind::Off => TempoMapKind::Off,
        };
        let grid = found.grid.as_ref().filter(|_| !found.is_given);
        let given = match self.tempo {
            Tempo::Bpm(bpm) => bpm,
            Tempo::Auto => MidiSettings::default().tempo_bpm,
        };
        Ok(MidiSettings {
            tempo_bpm: given,
            meter: self.meter(),
            tempo_map: grid.map(|grid| grid.tempo_map(kind)).transpose()?,
            length_seconds: Some(duration_seconds),
            ..MidiSettings::default()
        })
    }
}

impl Found {
    /// One line on what was found.
    pub fn summary(&self) -> String {
        match &self.grid {
            None => "no clear pulse, written at 120 BPM".to_owned(),
            Some(grid) => {
                let about = if grid.is_constant { "" } else { "about " };
                let (beats, unit) = grid.meter;
                format!("{about}{:.2} BPM, {beats}/{unit}", grid.bpm)
            }
        }
    }

    /// Tempo, beats and downbeats for JSON; none if the tempo was given or there is none.
    pub fn json(&self) -> (Option<JsonTempo>, Vec<f64>, Vec<f64>) {
        let Some(grid) = self.grid.as_ref().filter(|_| !self.is_given) else {
            return Default::default();
        };
        let rounded = |times: Vec<f64>| times.iter().map(|t| (t * 1e6).round() / 1e6).collect();
        let tempo = JsonTempo {
            bpm: (grid.bpm * 1e4).round() / 1e4,
            constant: grid.is_constant,
            meter: grid.meter,
            confidence: (grid.confidence * 1e3).round() / 1e3,
            swing: grid.swing.map(|share| (share * 1e3).round() / 1e3),
        };
        (
            Some(tempo),
            rounded(grid.beats()),
            rounded(grid.downbeats()),
        )
    }
}
