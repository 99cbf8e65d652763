//! A frame-by-frame network on one source: samples to features, features to steps on a grid that
//! begins with the first sample.

use std::sync::Arc;

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::FeatureStream;
use hitscribe_models::frame::{FrameNet, FrameState, FrameStep};

/// The pipeline of one source with a frame-by-frame network.
pub(crate) trait FramePipeline {
    fn stream(&self) -> &FrameStream;

    fn stream_mut(&mut self) -> &mut FrameStream;

    /// Converts the outputs of a step to notes.
    fn receive(&mut self, outputs: &[f32]);
}

/// Runs a step of every pipeline that is ready, in one batch for each hop size.
pub(crate) fn run_ready(
    network: &FrameNet,
    mut pipelines: Vec<&mut impl FramePipeline>,
) -> Result<()> {
    pipelines.retain(|pipeline| pipeline.stream().is_ready());
    pipelines.sort_by_key(|pipeline| pipeline.stream().hop_frames);
    for batch in pipelines.chunk_by_mut(|a, b| a.stream().hop_frames == b.stream().hop_frames) {
        let steps = batch
            .iter_mut()
            .map(|pipeline| pipeline.stream_mut().step());
        let outputs = network.run(&mut steps.collect::<Vec<_>>())?;
        for (pipeline, outputs) in batch.iter_mut().zip(outputs) {
            pipeline.receive(&outputs);
        }
    }
    Ok(())
}

/// Frames in a step of about `hop_frames` frames of a network that takes multiples of `step_frames`.
pub(crate) fn whole_hop_frames(hop_frames: usize, step_frames: usize) -> usize {
    hop_frames.next_multiple_of(step_frames)
}

/// From the samples of a source to the network's outputs for each frame.
pub(crate) struct FrameStream {
    feature_stream: FeatureStream,
    state: FrameState,
    /// Features for the next steps, `[frames, frame_len]`.
    features: Vec<f32>,
    frame_len: usize,
    hop_frames: usize,
    delay_frames: usize,
    /// Frames of silence before the first, so that a recording begins as after a pause: whole steps
    /// that fill the network's memory, so that the hop size does not matter.
    silent_frames: u64,
    /// Frames that the network has processed, including the silence.
    frames_run: u64,
    /// Frames of the passage, once it has ended.
    total_frames: Option<u64>,
    frame_seconds: f64,
}

impl FrameStream {
    pub(crate) fn new(network: &FrameNet, hop_frames: usize) -> Result<Self> {
        let front_end = network.front_end().config();
        let hop_frames = whole_hop_frames(hop_frames, network.step_frames());
        let silent_frames = network.lead_in_frames().next_multiple_of(hop_frames);
        let silent_value = front_end.silent_value().unwrap_or_default();
        Ok(Self {
            feature_stream: FeatureStream::new(Arc::clone(network.front_end())),
            state: network.new_state()?,
            features: vec![silent_value; silent_frames * front_end.frame_len()],
            silent_frames: silent_frames as u64,
            frame_len: front_end.frame_len(),
            hop_frames,
            delay_frames: network.delay_frames(),
            frames_run: 0,
            total_frames: None,
            frame_seconds: front_end.hop_samples as f64 / f64::from(front_end.sample_rate_hz),
        })
    }

    /// Takes the next samples, at the rate of the model.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.feature_stream.push(samples, &mut self.features);
    }

    /// Ends the passage.
    pub(crate) fn finish(&mut self) {
        if self.total_frames.is_none() {
            self.total_frames = Some(self.feature_stream.finish(&mut self.features));
        }
    }

    /// Whether there is a step to run.
    pub(crate) fn is_ready(&self) -> bool {
        match self.total_frames {
            None => self.features.len() >= self.hop_frames * self.frame_len,
            Some(_) => !self.is_complete(),
        }
    }

    /// Whether the passage has ended and all of its frames are processed.
    pub(crate) fn is_complete(&self) -> bool {
        let behind = self.silent_frames + self.delay_frames as u64;
        self.total_frames
            .is_some_and(|total| total == 0 || self.frames_run >= total + behind)
    }

    /// Seconds from one frame to the next.
    pub(crate) fn frame_seconds(&self) -> f64 {
        self.frame_seconds
    }

    /// The features of the next step; zeros after the end, which the network ignores.
    fn step(&mut self) -> FrameStep<'_> {
        let len = self.hop_frames * self.frame_len;
        if self.features.len() < len {
            self.features.resize(len, 0.0);
        }
        FrameStep {
            state: &mut self.state,
            features: &self.features[..len],
            total_frames: self.total_frames.map(|total| total + self.silent_frames),
        }
    }

    /// Takes the outputs of a step and returns those of frames inside the passage.
    pub(crate) fn receive<'a>(&mut self, outputs: &'a [f32]) -> Vec<&'a [f32]> {
        let hop = self.hop_frames;
        self.features.drain(..hop * self.frame_len);
        let first = self.frames_run as i64 - (self.silent_frames as i64 + self.delay_frames as i64);
        self.frames_run += hop as u64;
        let end = self.total_frames.map_or(i64::MAX, |n| n as i64);
        let frames = outputs.chunks((outputs.len() / hop).max(1));
        (first..)
            .zip(frames)
            .filter(move |(frame, _)| (0..end).contains(frame))
            .map(|(_, outputs)| outputs)
            .collect()
    }
}
