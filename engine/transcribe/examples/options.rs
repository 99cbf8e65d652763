//! Every option: another model, sensitivity, a leakage filter, progress on one line, and an end
//! after a minute of audio. `cargo run --release -p hitscribe --example options -- song.flac
//! [MODEL]`, where MODEL is a checkpoint of the MT3 family, a name of the model store, or `auto`
#![allow(clippy::print_stdout)]

use std::ops::ControlFlow;

use hitscribe::leakage::Strategy;
use hitscribe::{AllowedNotes, DeviceChoice, Error, Transcriber};

const LONGEST_SECONDS: f64 = 60.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let audio = arguments.next().ok_or("name an audio file")?;
    let builder = Transcriber::builder().device(DeviceChoice::Auto);
    let transcriber = match arguments.next() {
        Some(model) => builder.open(model)?,
        None => builder.builtin()?,
    };
    let drums_and_bass: AllowedNotes = "drums+bass".parse()?;
    let outcome = transcriber
        .options()
        .source(drums_and_bass)
        .sensitivity(0.6)
        .leakage(Strategy::Smart)
        .on_notice(|notice| eprintln!("{notice}"))
        .on_progress(|progress| {
            eprint!("\r{:.1} s", progress.done_seconds);
            match progress.done_seconds < LONGEST_SECONDS {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })
        .file(audio);
    eprintln!();
    let song = match outcome {
        Err(Error::Cancelled) => return Err("longer than a minute".into()),
        outcome => outcome?,
    };
    for warning in &song.warnings {
        eprintln!("warning: {warning}");
    }
    println!(
        "{} notes by {} on {}",
        song.notes.len(),
        song.model,
        song.device
    );
    if let Some(report) = &song.leakage {
        println!("leakage: {report}");
    }
    Ok(())
}
