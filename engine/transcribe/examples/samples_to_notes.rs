//! Samples in memory to notes: renders a demo groove in stereo and prints what is played when.
//! `cargo run --release -p hitscribe --example samples_to_notes`
#![allow(clippy::print_stdout)]

use hitscribe::audio::demo_kit;
use hitscribe::{DrumClass, Source, Transcriber};

fn main() -> Result<(), hitscribe::Error> {
    let (samples, _) = demo_kit::groove();
    let transcriber = Transcriber::builtin()?;
    let song = transcriber.options().source(Source::DrumBus).samples(
        &samples,
        2,
        demo_kit::DEMO_SAMPLE_RATE_HZ,
    )?;
    for note in &song.notes {
        let drum = DrumClass::from_gm_note(note.pitch).map_or("?", DrumClass::label);
        let (seconds, velocity) = (note.onset_seconds, note.velocity);
        println!("{seconds:7.3} s  {drum:<14} velocity {velocity}");
    }
    Ok(())
}
