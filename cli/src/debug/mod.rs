//! Intermediate values and tokens of imported models, for comparison with other implementations.

pub mod reference_json;
pub mod tensors;
pub mod tokens;
