//! `hitscribe bounce`: renders audio through a plugin, as a host does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe_core::atomic_file::{check_writable, write_atomically};
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::midi::{MidiSettings, write_midi_file};
use hitscribe_core::note::Note;
use hitscribe_host::{Host, Library, MidiMessage, NoteEvent, Transport};

use crate::{help, values};

/// Maximum time after the audio for notes that still sound, in seconds.
const LONGEST_TAIL_SECONDS: f64 = 30.0;

/// Render an audio file through a CLAP plugin without a DAW
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Audio file, mono or stereo
    input: PathBuf,
    /// CLAP plugin, such as target/bundles/Hitscribe.clap
    #[arg(long, value_name = "PATH")]
    plugin: PathBuf,
    /// MIDI file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// WAV file for the plugin's audio output, 32-bit float
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Block size
    #[arg(long, value_name = "FRAMES", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block: u32,
    /// Set a parameter, such as "Sensitivity=60 %"; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
    /// Tempo of the transport and the MIDI file
    #[arg(long, value_name = "BPM", default_value_t = 120.0, value_parser = values::tempo)]
    tempo: f64,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    crate::targets::check(&args.output, true)?;
    if let Some(path) = &args.audio {
        check_writable(path)?;
        if path.canonicalize().ok() == args.input.canonicalize().ok() && path.exists() {
            bail!("{}: the output would replace the input", path.display());
        }
    }
    let (channels, sample_rate_hz) = read(&args.input)?;
    // A bare name would be searched in the system's folders for libraries.
    let plugin = args.plugin.canonicalize();
    let plugin = plugin.with_context(|| format!("{}", args.plugin.display()))?;
    let library = Library::load(&plugin)?;
    let mut host = library.instance(channels.len())?;
    host.set_offline(true);
    // Hitscribe reports its latency in this mode. Other plugins have no such parameter.
    let _ = host.set("Latency mode", "Aligned (audio waits)");
    for (name, value) in &args.settings {
        host.set(name, value)?;
    }
    let rate = f64::from(sample_rate_hz);
    host.start(rate, args.block as usize)?;
    let latency_frames = host.latency_frames() as usize;
    let (audio, events) = render(&mut host, &channels, rate, latency_frames, args)
        .with_context(|| format!("{}", args.plugin.display()))?;
    let messages = host.take_messages();
    host.stop();
    let notes = paired(&events, &messages, latency_frames as u64, rate);
    let midi = MidiSettings {
        tempo_bpm: args.tempo,
        tempo_map: None,
        length_seconds: Some(channels[0].len() as f64 / rate),
        ..MidiSettings::default()
    };
    write_midi_file(&args.output, &notes, &midi)?;
    if let Some(path) = &args.audio {
        write_wav(path, &audio, sample_rate_hz)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<(Vec<Vec<f32>>, u32)> {
    let mut file = AudioFile::open(path)?;
    let count = file.channel_count();
    if count > 2 {
        bail!(
            "{}: has {count} channels; the plugin accepts one or two",
            path.display()
        );
    }
    let mut channels = vec![Vec::new(); count];
    while let Some(block) = file.next_block()? {
        for frame in block.chunks_exact(count) {
            for (channel, sample) in channels.iter_mut().zip(frame) {
                channel.push(*sample);
            }
        }
    }
    Ok((channels, file.sample_rate_hz()))
}

/// Renders all audio, then silence until the latency has passed and the last note has ended.
fn render(
    host: &mut Host,
    channels: &[Vec<f32>],
    rate: f64,
    latency_frames: usize,
    args: &Args,
) -> Result<(Vec<Vec<f32>>, Vec<NoteEvent>)> {
    let length = channels[0].len();
    let at_least = length + latency_frames;
    let at_most = at_least + (LONGEST_TAIL_SECONDS * rate) as usize;
    let mut audio: Vec<Vec<f32>> = vec![Vec::with_capacity(at_least); channels.len()];
    let mut events = Vec::new();
    let mut start = 0;
    loop {
        let is_sounding = events
            .iter()
            .filter(|event: &&NoteEvent| event.is_on)
            .count()
            * 2
            > events.len();
        if start >= at_most || (start >= at_least && !is_sounding) {
            break;
        }
        let end = start + args.block as usize;
        let mut block: Vec<Vec<f32>> = channels
            .iter()
            .map(|channel| {
                (start..end)
                    .map(|at| channel.get(at).copied().unwrap_or_default())
                    .collect()
            })
            .collect();
        let seconds = start as f64 / rate;
        let transport = Transport {
            playing: true,
            seconds,
            beats: seconds * args.tempo / 60.0,
            tempo_bpm: args.tempo,
            meter: (4, 4),
        };
        host.process(&mut block, Some(transport), &mut events)?;
        for (whole, block) in audio.iter_mut().zip(block) {
            whole.extend(block);
        }
        start = end;
    }
    for channel in &mut audio {
        channel.drain(..latency_frames);
        channel.truncate(length);
    }
    Ok((audio, events))
}

/// The MIDI program of a channel at a frame.
fn program_at(messages: &[MidiMessage], channel: u16, frame: u64) -> u8 {
    /// Status byte of a program change on the first channel.
    const PROGRAM_CHANGE: u16 = 0xc0;
    messages
        .iter()
        .rev()
        .filter(|message| message.frame <= frame)
        .find(|message| u16::from(message.bytes[0]) == PROGRAM_CHANGE | channel)
        .map_or(0, |message| message.bytes[1] & 127)
}

/// Pairs note-ons with note-offs, and converts frames to seconds of the audio file.
fn paired(
    events: &[NoteEvent],
    messages: &[MidiMessage],
    latency_frames: u64,
    rate: f64,
) -> Vec<Note> {
    let seconds = |frame: u64| frame.saturating_sub(latency_frames) as f64 / rate;
    let mut notes = Vec::new();
    for (index, event) in events.iter().enumerate().filter(|(_, event)| event.is_on) {
        let is_end = |other: &&NoteEvent| {
            !other.is_on && (other.channel, other.key) == (event.channel, event.key)
        };
        let end = events[index + 1..].iter().find(is_end).unwrap_or(event);
        notes.push(Note {
            onset_seconds: seconds(event.frame),
            offset_seconds: seconds(end.frame),
            pitch: event.key as u8 & 127,
            velocity: (event.velocity * 127.0).round().clamp(1.0, 127.0) as u8,
            program: program_at(messages, event.channel, event.frame),
            is_drum: event.channel == 9,
            openness: None,
            confidence: 1.0,
        });
    }
    notes
}

fn write_wav(path: &Path, channels: &[Vec<f32>], sample_rate_hz: u32) -> Result<()> {
    let spec = hound::WavSpec {
        channels: channels.len() as u16,
        sample_rate: sample_rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let named = || format!("{}", path.display());
    let mut bytes = Vec::new();
    let mut writer =
        hound::WavWriter::new(std::io::Cursor::new(&mut bytes), spec).with_context(named)?;
    for at in 0..channels[0].len() {
        for channel in channels {
            writer.write_sample(channel[at]).with_context(named)?;
        }
    }
    writer.finalize().with_context(named)?;
    Ok(write_atomically(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_the_program_of_its_channel_at_its_onset() {
        let change = |frame, channel: u8, program| MidiMessage {
            frame,
            bytes: [0xc0 | channel, program, 0],
        };
        let pedal = MidiMessage {
            frame: 70,
            bytes: [0xb1, 4, 9],
        };
        let messages = [change(10, 1, 33), change(60, 1, 5), pedal];
        let note = |frame, is_on, channel| NoteEvent {
            frame,
            is_on,
            channel,
            key: 40,
            velocity: 0.5,
        };
        let events = [
            note(10, true, 1),
            note(20, true, 2),
            note(50, false, 1),
            note(80, true, 1),
            note(90, false, 1),
            note(95, false, 2),
        ];
        let notes = paired(&events, &messages, 10, 10.0);
        let found: Vec<_> = notes.iter().map(|n| (n.onset_seconds, n.program)).collect();
        assert_eq!(found, [(0.0, 33), (1.0, 0), (7.0, 5)]);
        assert!((notes[0].offset_seconds - 4.0).abs() < 1e-9);
    }
}
