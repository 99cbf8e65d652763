//! Rings, the engine thread, sessions.
