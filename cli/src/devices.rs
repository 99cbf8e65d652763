//! The command `devices`: what there is to compute on, and why something is not used.

use anyhow::Result;
use hitscribe::DeviceChoice;
use hitscribe_models::device::{search, select};

use crate::output::outln;

/// List the devices that models can run on
#[derive(clap::Args)]
pub struct Args {
    /// Show each step of the search and what it found, and try the device that auto takes
    #[arg(long)]
    explain: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let found = search();
    for device in &found.devices {
        outln!("{device}");
    }
    if !args.explain {
        return Ok(());
    }
    outln!();
    for step in &found.steps {
        match &step.outcome {
            Ok(outcome) => outln!("{}: {outcome}", step.subject),
            Err(reason) => outln!("{}: no: {reason}", step.subject),
        }
    }
    let auto = select(&DeviceChoice::Auto)?;
    match auto.fallback_reason {
        None => outln!("auto, imported models: {}", auto.device),
        Some(reason) => outln!("auto, imported models: {}: {reason}", auto.device),
    }
    outln!("auto, built-in networks: cpu");
    Ok(())
}
