//! What the voices of one invented kit have in common.

/// What makes one kit sound like itself.
pub(super) struct Character {
    /// Analogue machine rather than skin and bronze.
    pub(super) machine: bool,
    pub(super) tuning: f32,
    pub(super) damping: f32,
    pub(super) drive: f32,
    pub(super) metal: f32,
}
