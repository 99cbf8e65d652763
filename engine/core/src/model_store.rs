//! The catalogue of published checkpoints, and the local store of imported models.
//!
//! Nothing here uses the network. The catalogue only lists addresses; the caller downloads.

mod hash;
mod known;
mod names;
mod store;

pub use hash::sha256_of_file;
pub use known::{KNOWN_MODELS, KnownModel, known_by_hash, known_by_name};
pub use names::RESERVED_NAME;
pub use store::{Integrity, Store, StoredModel, Transfer};
