//! The tests of the command, one program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "fetch")]
mod fetch_server;
mod scripted;
mod store_command;

mod auto_model;
mod batch;
mod diagnose;
mod eval;
#[cfg(feature = "fetch")]
mod fetch;
mod files;
mod leakage;
mod models;
mod mt3_family;
mod tempo;
mod transcribe;
