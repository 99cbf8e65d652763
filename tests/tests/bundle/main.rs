//! The built bundle in a real host.

mod common;
mod control;
mod life;
mod render;
mod start;
mod state;
