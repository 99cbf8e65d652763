//! The pipeline for pitched notes of one source: network and note picking.

use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;
use hitscribe_models::frame::pitched::{PitchConfig, PitchNet};
use hitscribe_models::frame::weights_file::NetworkConfig;

use crate::pipeline::frames::{FramePipeline, FrameStream, whole_hop_frames};
use crate::session_config::{Programs, SessionConfig};
use hitscribe_picking::drums::candidate::Sensitivity;
use hitscribe_picking::pitched::note_picking::{NotePicker, PickedNote};

/// Frames of the pitched model in a step of `hop_frames` frames of the drum model, which are half
/// as long.
fn own_hop_frames(hop_frames: usize) -> usize {
    hop_frames.div_ceil(2)
}

pub(crate) struct PitchedPipeline {
    stream: FrameStream,
    picker: NotePicker,
    lowest_key: u8,
    /// Of notes without a family.
    program: u8,
    /// Of each family.
    programs: Vec<u8>,
    sample_rate_hz: f64,
    notes: Vec<PlacedNote>,
}

impl PitchedPipeline {
    pub(crate) fn new(network: &PitchNet, config: &SessionConfig, program: u8) -> Result<Self> {
        let model = network.config();
        let families = families(model, config.parts.programs);
        Ok(Self {
            stream: FrameStream::new(network.frames(), own_hop_frames(config.hop_frames))?,
            picker: NotePicker::new(model, longest_frames(model, config), &families),
            lowest_key: model.lowest_key,
            program,
            programs: model.families.iter().map(|f| f.program).collect(),
            sample_rate_hz: f64::from(config.sample_rate_hz),
            notes: Vec::new(),
        })
    }

    /// Latency in samples of the model's rate: onset shift, longest note, peak look-ahead, model
    /// look-ahead, hop and front-end look-ahead.
    pub(crate) fn latency_samples(model: &PitchConfig, config: &SessionConfig) -> usize {
        let front_end = &model.front_end;
        let frames = NotePicker::latency_frames(model, longest_frames(model, config))
            + model.delay_frames()
            + whole_hop_frames(own_hop_frames(config.hop_frames), model.step_frames());
        frames * front_end.hop_samples + front_end.lookahead_samples()
    }

    pub(crate) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.picker.set_sensitivity(sensitivity.overall);
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.stream.push(samples);
    }

    /// Every note with an onset before this time has been given out.
    pub(crate) fn settled_seconds(&self) -> f64 {
        self.picker.settled_frames() * self.stream.frame_seconds()
    }

    pub(crate) fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        notes.append(&mut self.notes);
    }

    fn place(&mut self, picked: &PickedNote) {
        let samples_per_frame = self.stream.frame_seconds() * self.sample_rate_hz;
        let length = (picked.end_frames - picked.onset_frames) * samples_per_frame;
        self.notes.push(PlacedNote {
            onset_samples: (picked.onset_frames * samples_per_frame).round() as u64,
            length_samples: length.round().max(1.0) as u64,
            pitch: (self.lowest_key + picked.key as u8).min(127),
            velocity: (picked.velocity * 127.0).round().clamp(1.0, 127.0) as u8,
            program: picked
                .family
                .and_then(|family| self.programs.get(family).copied())
                .unwrap_or(self.program),
            is_drum: false,
            openness: None,
            confidence: picked.confidence,
        });
    }
}

fn longest_frames(model: &PitchConfig, config: &SessionConfig) -> u64 {
    let front_end = &model.front_end;
    let frames_per_second = f64::from(front_end.sample_rate_hz) / front_end.hop_samples as f64;
    let longest = (config.longest_note_seconds.max(0.0) * frames_per_second).round();
    (longest as u64).clamp(1, 1_000_000)
}

/// The families whose program is possible; none if there is nothing to distinguish.
fn families(model: &PitchConfig, programs: Programs) -> Vec<usize> {
    let families = model.families.iter().enumerate();
    let possible = families.filter(|(_, family)| programs.contains(family.program));
    let possible: Vec<usize> = possible.map(|(index, _)| index).collect();
    if possible.len() < 2 {
        Vec::new()
    } else {
        possible
    }
}

impl FramePipeline for PitchedPipeline {
    fn stream(&self) -> &FrameStream {
        &self.stream
    }

    fn stream_mut(&mut self) -> &mut FrameStream {
        &mut self.stream
    }

    fn receive(&mut self, outputs: &[f32]) {
        let mut picked = Vec::new();
        for frame in self.stream.receive(outputs) {
            self.picker.push(frame, &mut picked);
        }
        if self.stream.is_complete() {
            self.picker.finish(&mut picked);
        }
        for note in &picked {
            self.place(note);
        }
    }
}
