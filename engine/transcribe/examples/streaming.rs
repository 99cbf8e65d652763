//! A stream that is transcribed while it comes in: blocks of 512 samples of a demo groove, as from
//! a sound card, and each hit as soon as it is certain. `cargo run --release -p hitscribe --example
//! streaming`
#![allow(clippy::print_stdout)]

use hitscribe::audio::{demo_kit, downmix};
use hitscribe::{MIN_HOP_FRAMES, SessionConfig, Transcriber};

fn main() -> Result<(), hitscribe::Error> {
    let (stereo, _) = demo_kit::groove();
    let mut mono = Vec::new();
    downmix(&stereo, 2, &mut mono);

    let rate_hz = demo_kit::DEMO_SAMPLE_RATE_HZ;
    let transcriber = Transcriber::builtin()?;
    let mut session = transcriber.session(SessionConfig {
        // Shorter steps of the model: notes come sooner, at more cost.
        hop_frames: MIN_HOP_FRAMES,
        ..SessionConfig::new(rate_hz)
    })?;
    let seconds = |samples: u64| samples as f64 / f64::from(rate_hz);
    println!("latency {:.3} s", seconds(session.latency_samples()));

    let mut pushed_samples = 0;
    for block in mono.chunks(512) {
        session.push(block);
        session.run()?;
        pushed_samples += block.len() as u64;
        for note in session.take_notes() {
            println!(
                "at {:6.3} s: key {} was struck at {:6.3} s",
                seconds(pushed_samples),
                note.pitch,
                seconds(note.onset_samples)
            );
        }
    }
    session.finish();
    session.run()?;
    println!("{} hits after the end", session.take_notes().len());
    Ok(())
}
