//! An audio file to a MIDI file beside it:
//! `cargo run --release -p hitscribe --example file_to_midi -- song.wav`
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use hitscribe::Transcriber;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let audio: PathBuf = std::env::args_os()
        .nth(1)
        .ok_or("name an audio file")?
        .into();
    let midi = audio.with_extension("mid");
    let song = Transcriber::builtin()?.file(&audio)?;
    song.write_midi(&midi)?;
    println!("{} notes in {}", song.notes.len(), midi.display());
    Ok(())
}
