//! Networks that run frame by frame: [`DrumNet`] and [`PitchNet`] with their built-in weights.
//!
//! Each layer keeps the frames of its input that later frames still need. So neither the cost of a
//! frame nor its outputs depend on how many frames run at once. A layer that looks `f` frames ahead
//! delays its outputs by `f` frames; the delays add up to [`FrameNet::delay_frames`].
//!
//! As in training, frames before the first and after the last are zeros *at the input of each
//! layer*, not silence at the input of the network. (The networks of format 2 have silence after the
//! last, which the front end adds.)

pub mod drums;
pub mod pitched;
pub mod weights_file;

mod gru;
mod layers;
mod network;
mod taps;

pub use drums::DrumNet;
pub use network::{FrameModel, FrameNet, FrameState, FrameStep};
pub use pitched::PitchNet;
