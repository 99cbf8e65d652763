//! Token models of the MT3 family: greedy decoding with masks and confidences.

pub mod allowed;

mod erased;
mod family;
pub(crate) mod greedy;
pub(crate) mod greedy_on_device;
mod network;
mod segment;
mod timing;
pub(crate) mod token_mask;
mod token_model;
mod trace;

pub use allowed::{AllowedNotes, LogitBias};
pub use family::{Family, family_of};
pub use greedy::Sequence;
pub use network::TokenOptions;
pub use segment::{SegmentForm, SegmentJob};
pub use token_model::{EncodedSegment, LoadOptions, TokenModel, TokenTranscription};
pub use trace::{NamedTensor, NamedValues, TraceRequest};
