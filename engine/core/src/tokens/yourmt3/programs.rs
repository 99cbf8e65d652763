//! YourMT3's groups of programs and drum keys.

use crate::tokens::yourmt3::segment::{CHANNELS, DRUM_PROGRAM};

/// The channel 0..=12 of a program; `None` for a program without a channel.
pub fn channel_of_program(program: u8) -> Option<usize> {
    match program {
        0..=47 => Some(usize::from(program / 8)),
        // Ensembles share a channel with the strings.
        48..=95 => Some(usize::from(program / 8) - 1),
        100 | 101 => Some(CHANNELS - 2),
        DRUM_PROGRAM => Some(CHANNELS - 1),
        _ => None,
    }
}

/// The program that replaces `program` in training targets: that of its group.
pub fn training_program(program: u8) -> u8 {
    match program {
        0 | 1 | 3 | 6 | 7 => 0,
        2 | 4 | 5 => 2,
        8..=15 => 8,
        16..=23 => 16,
        24..=25 => 24,
        26..=28 => 26,
        29..=31 => 29,
        32 | 35 => 32,
        33 | 34 | 36..=39 => 33,
        44 | 45 | 48 | 49 => 48,
        50..=51 => 50,
        52..=54 => 52,
        56 | 59 => 56,
        61..=63 => 61,
        64..=65 => 64,
        72..=79 => 73,
        80..=87 => 80,
        88..=95 => 88,
        other => other,
    }
}

/// The percussion key that replaces `key` in training targets.
pub fn training_drum_key(key: u8) -> u8 {
    match key {
        35 => 36,
        2 => 37,
        40 => 38,
        44 | 22 => 42,
        26 => 46,
        57 => 49,
        other => other,
    }
}

/// The MIDI program that YourMT3 writes for a parsed program, and the name of its track.
pub fn output_program(program: u8) -> (u8, Option<&'static str>) {
    match program {
        0 | 1 | 3 | 6 | 7 => (0, Some("Acoustic Piano")),
        2 | 4 | 5 => (2, Some("Electric Piano")),
        8..=15 => (8, Some("Chromatic Percussion")),
        16..=23 => (16, Some("Organ")),
        24..=27 => (24, Some("Guitar (clean)")),
        28..=31 => (30, Some("Guitar (distortion)")),
        32..=39 => (33, Some("Bass")),
        40..=55 => (48, Some("Strings")),
        56..=63 => (56, Some("Brass")),
        64..=71 => (64, Some("Reed")),
        72..=79 => (72, Some("Pipe")),
        80..=87 => (80, Some("Synth Lead")),
        88..=95 => (88, Some("Synth Pad")),
        100 => (100, Some("Singing Voice")),
        101 => (101, Some("Singing Voice (chorus)")),
        other => (other, None),
    }
}
