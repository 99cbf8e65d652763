//! Pitched notes of one source.

use super::engine::SessionConfig;
use super::reader::{Ear, Loaded, Reader};
use crate::error::Result;
use crate::event::PlacedNote;
use crate::model::pitched::{Pitched, PitchedConfig};
use crate::model::weights_file::NetworkConfig;
use crate::note::pick::Sensitivity;
use crate::note::pick_keys::{KeyPick, KeyPicker, KeyRules, MAX_KEY_SHIFT_FRAMES};

/// Frames of the pitched model in one of its steps, for so many frames of the drum model, whose frames
/// are half as long.
fn own_hop_frames(hop_frames: usize) -> usize {
    hop_frames.div_ceil(2)
}

pub(super) struct PitchedEar {
    reader: Reader<Pitched>,
    picker: KeyPicker,
    lowest_key: u8,
    program: u8,
    sample_rate_hz: f64,
    notes: Vec<PlacedNote>,
}

impl PitchedEar {
    pub(super) fn new(
        loaded: &Loaded<Pitched>,
        config: &SessionConfig,
        program: u8,
    ) -> Result<Self> {
        let model = loaded.model.config();
        Ok(Self {
            reader: Reader::new(loaded, own_hop_frames(config.hop_frames))?,
            picker: KeyPicker::new(model.keys, rules(model, config)),
            lowest_key: model.lowest_key,
            program,
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
        })
    }

    /// Samples of the model's rate from an onset to the last one that must be in until the note is out:
    /// as for drums, and then the longest that a note lasts.
    pub(super) fn latency_samples(model: &PitchedConfig, config: &SessionConfig) -> usize {
        let rules = rules(model, config);
        let frames = MAX_KEY_SHIFT_FRAMES.ceil() as usize
            + rules.longest_frames as usize
            + rules.reach_frames
            + model.future_frames()
            + own_hop_frames(config.hop_frames);
        frames * model.front_end.hop_samples + model.front_end.lookahead_samples()
    }

    pub(super) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.picker.set_sensitivity(sensitivity.overall);
    }

    /// Takes the next samples, at the rate of the model.
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.reader.push(samples);
    }

    /// Every note with an onset before this time is out.
    pub(super) fn settled_seconds(&self) -> f64 {
        self.picker.settled_frames() * self.reader.frame_seconds()
    }

    pub(super) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    fn place(&mut self, pick: &KeyPick) {
        let samples_per_frame = self.reader.frame_seconds() * self.sample_rate_hz;
        let length = (pick.end_frames - pick.onset_frames) * samples_per_frame;
        self.notes.push(PlacedNote {
            onset_samples: (pick.onset_frames * samples_per_frame).round() as u64,
            length_samples: length.round().max(1.0) as u64,
            pitch: (self.lowest_key + pick.key as u8).min(127),
            velocity: (pick.velocity * 127.0).round().clamp(1.0, 127.0) as u8,
            program: self.program,
            is_drum: false,
            openness: None,
            confidence: pick.confidence,
        });
    }
}

fn rules(model: &PitchedConfig, config: &SessionConfig) -> KeyRules {
    let front_end = &model.front_end;
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    let longest = (config.longest_note_seconds.max(0.0) * frames_per_second).round();
    KeyRules::new(
        model.onset_threshold,
        model.sounding_threshold,
        (longest as u64).clamp(1, 1_000_000),
    )
}

impl Ear<Pitched> for PitchedEar {
    fn reader(&self) -> &Reader<Pitched> {
        &self.reader
    }

    fn reader_mut(&mut self) -> &mut Reader<Pitched> {
        &mut self.reader
    }

    fn receive(&mut self, outputs: &[f32]) {
        let mut picks = Vec::new();
        for frame in self.reader.receive(outputs) {
            self.picker.push(frame, &mut picks);
        }
        if self.reader.is_complete() {
            self.picker.finish(&mut picks);
        }
        for pick in &picks {
            self.place(pick);
        }
    }
}
