//! Front end of the built-in networks: log band powers, computed as a stream.
//!
//! The training code has the same front end in `train/hitscribe_train/common/front_end.py`. Frame `t` is
//! centred on sample `t * hop_samples`; the audio is silent before its start and after its end.
//! Each frame depends only on its own samples, so features do not depend on the block sizes.

mod config;
mod loudest;
mod mean;
mod spectrum;
mod stream;

pub use config::{BandScale, Follower, LogBandsConfig, LoudestReference, MeanReference, Reference};
pub use spectrum::LogBands;
pub use stream::FeatureStream;
