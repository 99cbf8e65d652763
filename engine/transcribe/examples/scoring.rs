//! Scores of a transcription against a reference: of a demo groove, or of your audio and MIDI
//! files. `cargo run --release -p hitscribe --example scoring [-- song.wav reference.mid]`
#![allow(clippy::print_stdout)]

use hitscribe::audio::demo_kit;
use hitscribe::midi::read_notes;
use hitscribe::{Note, Source, Transcriber};
use hitscribe_metrics::{DrumTrack, Grouping, Hit, score_drums};

fn main() -> Result<(), hitscribe::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let transcriber = Transcriber::builtin()?;
    let mut options = transcriber.options().source(Source::DrumBus);
    let (estimate, reference) = match &arguments[..] {
        [audio, midi, ..] => (options.file(audio)?, read_notes(midi.as_ref())?),
        _ => {
            let (samples, notes) = demo_kit::groove();
            let song = options.samples(&samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?;
            (song, notes)
        }
    };
    let hits = |notes: &[Note]| notes.iter().filter(|n| n.is_drum).map(Hit::from).collect();
    let scores = score_drums(&[DrumTrack {
        name: "song".to_owned(),
        reference: hits(&reference),
        estimate: hits(&estimate.notes),
    }]);
    if let Some(five) = scores.get(Grouping::Five, "50ms") {
        for (class, scored) in &five.classes {
            let (scores, counts) = (scored.scores, scored.counts);
            println!(
                "{class}: F {:.3}, {} of {} hits",
                scores.f1, counts.matched, counts.reference
            );
        }
        println!("all: F {:.3}", five.micro.scores.f1);
    }
    if let Some(median) = scores.timing_ms.all.median {
        println!("median timing error {median:.1} ms");
    }
    Ok(())
}
