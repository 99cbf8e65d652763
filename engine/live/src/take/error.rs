//! Errors of saved takes.

/// Why bytes are not a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The take was saved by a newer version.
    #[error(
        "the saved take has format {found}, this version reads up to {newest}: update Hitscribe"
    )]
    TooNew {
        /// Format of the take.
        found: u64,
        /// The newest format that can be read.
        newest: u64,
    },
    /// The bytes are not a take, or damaged.
    #[error("the saved take is damaged at byte {at_byte}")]
    Damaged {
        /// Where reading stopped.
        at_byte: usize,
    },
}
