//! Parts of the command that others use: the headless plugin host.

pub mod host;
