//! Standard MIDI files of the bank: their notes in seconds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

/// A note of a MIDI file with times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct MidiNote {
    /// Start in seconds.
    pub onset: f64,
    /// End in seconds.
    pub offset: f64,
    /// Channel 0..=15; 9 is drums.
    pub channel: u8,
    /// General MIDI program of the channel at that time.
    pub program: u8,
    /// Key 0..=127.
    pub key: u8,
    /// Velocity 1..=127.
    pub velocity: u8,
}

/// All notes of a standard MIDI file, tempo changes applied, sorted by onset.
///
/// # Errors
/// When the bytes are no MIDI file or use SMPTE time.
pub fn midi_notes(bytes: &[u8]) -> Result<Vec<MidiNote>> {
    let smf = Smf::parse(bytes).context("not a MIDI file")?;
    let Timing::Metrical(ppq) = smf.header.timing else {
        anyhow::bail!("SMPTE time is not used in this bank")
    };
    let ppq = f64::from(ppq.as_int());
    let mut events: Vec<(u64, usize, TrackEventKind)> = Vec::new();
    for (track_index, track) in smf.tracks.iter().enumerate() {
        let mut tick = 0u64;
        for event in track {
            tick += u64::from(event.delta.as_int());
            events.push((tick, track_index, event.kind));
        }
    }
    events.sort_by_key(|(tick, track, _)| (*tick, *track));
    let (mut tempo, mut seconds, mut last_tick) = (0.5, 0.0, 0u64);
    let mut programs = [0u8; 16];
    let mut open: Vec<MidiNote> = Vec::new();
    let mut notes = Vec::new();
    for (tick, _, kind) in events {
        seconds += (tick - last_tick) as f64 / ppq * tempo;
        last_tick = tick;
        match kind {
            TrackEventKind::Meta(MetaMessage::Tempo(us)) => tempo = f64::from(us.as_int()) * 1e-6,
            TrackEventKind::Midi { channel, message } => {
                let channel = channel.as_int();
                let (key, velocity) = match message {
                    MidiMessage::ProgramChange { program } => {
                        programs[usize::from(channel)] = program.as_int();
                        continue;
                    }
                    MidiMessage::NoteOn { key, vel } => (key.as_int(), vel.as_int()),
                    MidiMessage::NoteOff { key, .. } => (key.as_int(), 0),
                    _ => continue,
                };
                if let Some(index) = open
                    .iter()
                    .position(|n| n.channel == channel && n.key == key)
                {
                    let mut note = open.swap_remove(index);
                    note.offset = seconds;
                    notes.push(note);
                }
                if velocity > 0 {
                    let program = programs[usize::from(channel)];
                    open.push(MidiNote {
                        onset: seconds,
                        offset: seconds,
                        channel,
                        program,
                        key,
                        velocity,
                    });
                }
            }
            _ => {}
        }
    }
    notes.extend(open);
    notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    Ok(notes)
}

/// Files of the MIDI archive whose name starts with `prefix`, in order of name.
///
/// # Errors
/// When the archive cannot be read.
pub fn midi_files(archive: &Path, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let context = || format!("reading {}", archive.display());
    let mut zip =
        zip::ZipArchive::new(File::open(archive).with_context(context)?).with_context(context)?;
    let mut names: Vec<String> = zip
        .file_names()
        .filter(|n| n.starts_with(prefix) && n.ends_with(".mid"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let mut bytes = Vec::new();
            zip.by_name(&name)
                .with_context(context)?
                .read_to_end(&mut bytes)
                .with_context(context)?;
            Ok((name, bytes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Format 0, 480 ticks per quarter: one note, then half the tempo, then another.
    fn small_file() -> Vec<u8> {
        let track: &[u8] = &[
            0x00, 0xC1, 33, // channel 2: finger bass
            0x00, 0x91, 40, 100, // note on
            0x83, 0x60, 0x81, 40, 0, // 480 ticks later: off
            0x00, 0xFF, 0x51, 0x03, 0x0F, 0x42, 0x40, // 1,000,000 us per quarter
            0x83, 0x60, 0x99, 38, 90, // a quarter later: a snare that never ends
            0x00, 0xFF, 0x2F, 0x00,
        ];
        let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk".to_vec();
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(track);
        bytes
    }

    #[test]
    fn notes_follow_tempo_and_program_changes() {
        let notes = midi_notes(&small_file()).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!(
            (
                notes[0].program,
                notes[0].key,
                notes[0].onset,
                notes[0].offset
            ),
            (33, 40, 0.0, 0.5)
        );
        assert_eq!(
            (notes[1].channel, notes[1].key, notes[1].onset),
            (9, 38, 1.5)
        );
        assert!(midi_notes(b"not a MIDI file").is_err());
    }
}
