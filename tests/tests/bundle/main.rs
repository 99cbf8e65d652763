//! The built bundle in a real host.

mod common;
mod control;
mod life;
mod old_state;
mod render;
mod start;
mod state;
