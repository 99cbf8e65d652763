//! The result of transcribing a recording.

use std::fmt;
use std::path::Path;

use hitscribe_core::error::Result;
use hitscribe_core::midi::{MidiSettings, midi_file, write_midi_file};
use hitscribe_core::note::{Note, PlacedNote};
use hitscribe_models::device::Device;

use crate::beats::{BeatGrid, TempoMapKind};
use crate::leakage;

/// The transcription of one recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcription {
    /// The notes by onset, then by pitch; times in seconds from the start of the recording. Where a
    /// leakage filter was asked for, as it left them.
    pub notes: Vec<Note>,
    /// Name of the model.
    pub model: String,
    /// Where the model ran.
    pub device: Device,
    /// Sample rate of the recording in Hz.
    pub sample_rate_hz: u32,
    /// Length of the recording.
    pub duration_seconds: f64,
    /// Problems that did not prevent the transcription.
    pub warnings: Vec<Warning>,
    /// What the leakage filter changed; none if there was no filter.
    pub leakage: Option<leakage::Report>,
}

/// A problem that did not prevent a transcription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The audio is complete, but its file or its samples have faults; in words.
    Audio(String),
    /// Part of the audio is missing or was damaged, so that notes may be missing; in words.
    IncompleteAudio(String),
    /// The pitched notes were left out, because hardly any was certain: that is how drums ring.
    /// Does not occur where a source was named.
    UncertainPitchedNotes {
        /// Pitched notes that were left out.
        pitched: usize,
        /// Drum hits, which stay.
        drums: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(text) | Self::IncompleteAudio(text) => f.write_str(text),
            Self::UncertainPitchedNotes { pitched, drums } => write!(
                f,
                "{pitched} pitched notes beside {drums} hits were left out; the source mix keeps them"
            ),
        }
    }
}

impl Transcription {
    /// The notes as a Standard MIDI File.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a tempo or meter that a MIDI file cannot have.
    pub fn midi(&self, settings: &MidiSettings) -> Result<Vec<u8>> {
        midi_file(&self.notes, settings)
    }

    /// Beats, bars and tempo, from the notes; none if they have no clear pulse.
    ///
    /// Computed on each call.
    pub fn beat_grid(&self) -> Option<BeatGrid> {
        BeatGrid::of(&self.notes, self.duration_seconds)
    }

    /// Writes the notes to a Standard MIDI File with the tempo, meter and bars of
    /// [`Transcription::beat_grid`], at 120 quarter notes per minute if there is none. The file is
    /// replaced atomically.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Io`] if the file cannot be written.
    pub fn write_midi(&self, path: impl AsRef<Path>) -> Result<()> {
        let settings = Self::midi_settings_of(&self.notes, self.duration_seconds)?;
        write_midi_file(path.as_ref(), &self.notes, &settings)
    }

    /// The settings of [`Transcription::write_midi`] for these notes of a recording of this length.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for beats that a MIDI file cannot have.
    pub fn midi_settings_of(notes: &[Note], duration_seconds: f64) -> Result<MidiSettings> {
        let grid = BeatGrid::of(notes, duration_seconds);
        let map = grid.map(|grid| grid.tempo_map(TempoMapKind::Auto));
        Ok(MidiSettings {
            tempo_map: map.transpose()?,
            length_seconds: Some(duration_seconds),
            ..MidiSettings::default()
        })
    }

    /// The notes in samples of the recording, in the same order.
    pub fn placed_notes(&self) -> Vec<PlacedNote> {
        let rate_hz = self.sample_rate_hz;
        let frames = (self.duration_seconds * f64::from(rate_hz)).round() as u64;
        let place = |note| {
            let note = PlacedNote::from_note(note, rate_hz);
            PlacedNote {
                onset_samples: note.onset_samples.min(frames.saturating_sub(1)),
                ..note
            }
        };
        self.notes.iter().map(place).collect()
    }

    pub(crate) fn filter_leakage(&mut self, settings: &leakage::Settings) {
        if settings.strategy != leakage::Strategy::Off {
            let verdicts = leakage::filter(&self.notes, settings);
            self.leakage = Some(leakage::Report::new(&self.notes, &verdicts));
            self.notes = leakage::apply(&self.notes, &verdicts);
        }
    }
}
