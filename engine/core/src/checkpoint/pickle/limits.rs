//! Limits on what reading a pickle may cost.

/// Limit on the values of a pickle.
pub(super) const MAX_NODES: usize = 4_000_000;
/// Limit on the length of a class name or storage key in bytes, since these are copied.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// Result of a step; the error is one line.
pub(super) type Step<T = ()> = Result<T, String>;
