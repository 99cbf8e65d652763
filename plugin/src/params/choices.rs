//! Values of the parameters that are a choice from a list.

use hitscribe::{MIN_HOP_FRAMES, Source};
use nice_plug::prelude::*;
use serde::{Deserialize, Serialize};

/// The instrument or microphone on the track.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChoice {
    /// A mix of the whole kit.
    #[id = "drum_bus"]
    #[name = "Drum bus"]
    DrumBus,
    /// A kick microphone.
    #[id = "kick"]
    #[name = "Kick"]
    Kick,
    /// A snare microphone.
    #[id = "snare"]
    #[name = "Snare"]
    Snare,
    /// Tom microphones.
    #[id = "toms"]
    #[name = "Toms"]
    Toms,
    /// Hi-hat microphone.
    #[id = "hats"]
    #[name = "Hi-hat"]
    Hats,
    /// Overhead or room microphones.
    #[id = "overheads"]
    #[name = "Overheads"]
    Overheads,
    /// Cymbal microphones.
    #[id = "cymbals"]
    #[name = "Cymbals"]
    Cymbals,
    /// Hand percussion.
    #[id = "percussion"]
    #[name = "Percussion"]
    Percussion,
    /// Bass only.
    #[id = "bass"]
    #[name = "Bass"]
    Bass,
    /// Guitar only.
    #[id = "guitar"]
    #[name = "Guitar"]
    Guitar,
    /// Keyboards only.
    #[id = "keys"]
    #[name = "Keys"]
    Keys,
    /// Drums with other instruments.
    #[id = "full_mix"]
    #[name = "Full mix"]
    FullMix,
}

impl SourceChoice {
    /// The corresponding source of the engine.
    pub fn source(self) -> Source {
        match self {
            Self::DrumBus => Source::DrumBus,
            Self::Kick => Source::Kick,
            Self::Snare => Source::Snare,
            Self::Toms => Source::Toms,
            Self::Hats => Source::Hats,
            Self::Overheads => Source::Overheads,
            Self::Cymbals => Source::Cymbals,
            Self::Percussion => Source::Percussion,
            Self::Bass => Source::Bass,
            Self::Guitar => Source::Guitar,
            Self::Keys => Source::Keys,
            Self::FullMix => Source::FullMix,
        }
    }
}

/// Whose tempo an opened recording gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportTempo {
    /// The host's last tempo; the recording's own if the host has not played yet.
    #[default]
    Host,
    /// The tempo, meter and bar lines that are found in the recording.
    Recording,
}

/// How the delay between audio and MIDI is handled.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyMode {
    /// The audio is untouched, MIDI follows after a constant delay.
    #[id = "direct"]
    #[name = "Direct (MIDI later)"]
    Direct,
    /// The audio is delayed by the same time, which is reported to the host as latency.
    #[id = "aligned"]
    #[name = "Aligned (audio waits)"]
    Aligned,
}

/// The device that runs the models.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceParam {
    /// For imported models a GPU if one is usable, otherwise the CPU.
    #[id = "auto"]
    #[name = "Auto"]
    Auto,
    /// The CPU.
    #[id = "cpu"]
    #[name = "CPU"]
    Cpu,
    /// The GPU that the state names beside this, or the best.
    #[id = "gpu"]
    #[name = "GPU"]
    Gpu,
}

/// Time between two engine runs: a shorter one means a shorter delay and more CPU time.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// 32 ms.
    #[id = "32ms"]
    #[name = "32 ms"]
    Ms32,
    /// 64 ms.
    #[id = "64ms"]
    #[name = "64 ms"]
    Ms64,
    /// 128 ms.
    #[id = "128ms"]
    #[name = "128 ms"]
    Ms128,
    /// 256 ms.
    #[id = "256ms"]
    #[name = "256 ms"]
    Ms256,
    /// 512 ms.
    #[id = "512ms"]
    #[name = "512 ms"]
    Ms512,
    /// 1024 ms.
    #[id = "1024ms"]
    #[name = "1024 ms"]
    Ms1024,
    /// 2048 ms.
    #[id = "2048ms"]
    #[name = "2048 ms"]
    Ms2048,
}

impl Hop {
    /// The time in model frames of 8 ms.
    pub const fn frames(self) -> usize {
        match self {
            Self::Ms32 => MIN_HOP_FRAMES,
            Self::Ms64 => 2 * MIN_HOP_FRAMES,
            Self::Ms128 => 4 * MIN_HOP_FRAMES,
            Self::Ms256 => 8 * MIN_HOP_FRAMES,
            Self::Ms512 => 16 * MIN_HOP_FRAMES,
            Self::Ms1024 => 32 * MIN_HOP_FRAMES,
            Self::Ms2048 => 64 * MIN_HOP_FRAMES,
        }
    }

    /// The time in seconds.
    pub const fn seconds(self) -> f64 {
        self.frames() as f64 * 0.008
    }
}
