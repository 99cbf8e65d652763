//! Token streams of the MT3 family: parsing them into notes, and encoding notes.
//!
//! [`mt3`] covers MT3, MT3-PyTorch and MR-MT3, [`yourmt3`] covers YourMT3. Parsing accepts any ids,
//! since a network may emit any sequence: invalid tokens are counted and never cause an error.

mod incremental;
pub mod mt3;
mod overlap;
mod segment;
pub mod vocabulary;
pub mod yourmt3;

pub use incremental::IncrementalParser;
pub use segment::SegmentTokens;
