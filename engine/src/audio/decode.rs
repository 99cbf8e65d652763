//! Audio files: WAV, AIFF, FLAC, MP3 and OGG Vorbis, read block by block.
//!
//! A file is never in memory as a whole. The silence that an encoder adds at the start and the end is
//! taken away where the file says how much it is. Nothing in a file can cause a panic or make this
//! module use unbounded memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::resample::SAMPLE_RATES_HZ;
use crate::error::{Error, Result};

/// Extensions of the files that can be read, in lower case.
pub const EXTENSIONS: [&str; 9] = [
    "wav", "wave", "aif", "aiff", "aifc", "flac", "mp3", "ogg", "oga",
];

/// Damaged packets in a row after which a file is given up.
const MAX_BAD_PACKETS: u64 = 1_000;

/// An open audio file.
pub struct AudioFile {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    sample_rate_hz: u32,
    channel_count: usize,
    declared_frames: Option<u64>,
    decoded_frames: u64,
    bad_packets: u64,
    /// Interleaved samples of the current block.
    block: Vec<f32>,
    /// Whether `block` has been read ahead and not been handed out yet.
    block_waits: bool,
    ended: bool,
}

impl AudioFile {
    /// Opens a file and decodes its first block.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Audio`] when it is no audio file that we know,
    /// damaged, or without any samples.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let broken = |reason: String| Error::Audio {
            path: path.to_owned(),
            reason,
        };
        let metadata = std::fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(broken("is a folder, not an audio file".to_owned()));
        }
        if metadata.len() == 0 && metadata.is_file() {
            return Err(broken("is empty (0 bytes)".to_owned()));
        }
        let file = File::open(path).map_err(io)?;
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let format = symphonia::default::get_probe()
            .probe(
                &hint,
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(|error| match error {
                SymphoniaError::Unsupported(_) | SymphoniaError::IoError(_) => {
                    broken("is not a WAV, AIFF, FLAC, MP3 or OGG file, or is damaged".to_owned())
                }
                other => broken(other.to_string()),
            })?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| broken("has no audio track".to_owned()))?;
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio())
            .ok_or_else(|| broken("has no audio track that can be decoded".to_owned()))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(codec, &AudioDecoderOptions::default())
            .map_err(|error| match error {
                SymphoniaError::Unsupported(_) => broken(
                    "has a codec that cannot be decoded; PCM, FLAC, MP3 and Vorbis can".to_owned(),
                ),
                other => broken(other.to_string()),
            })?;
        let mut file = Self {
            path: path.to_owned(),
            track_id: track.id,
            declared_frames: track.num_frames,
            sample_rate_hz: codec.sample_rate.unwrap_or(0),
            channel_count: 0,
            decoded_frames: 0,
            bad_packets: 0,
            block: Vec::new(),
            block_waits: false,
            ended: false,
            format,
            decoder,
        };
        if !file.read_block()? {
            let reason = match file.bad_packets {
                0 => "contains no samples".to_owned(),
                bad => format!("none of its {bad} packets can be decoded"),
            };
            return Err(broken(reason));
        }
        file.block_waits = true;
        if !SAMPLE_RATES_HZ.contains(&file.sample_rate_hz) {
            let (low, high) = (SAMPLE_RATES_HZ.start(), SAMPLE_RATES_HZ.end());
            return Err(broken(format!(
                "has a sample rate of {} Hz; {low} to {high} Hz can be read",
                file.sample_rate_hz
            )));
        }
        Ok(file)
    }

    /// Sample rate in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Number of channels, at least 1.
    pub fn channel_count(&self) -> usize {
        self.channel_count
    }

    /// Length in frames as the file declares it; not to be trusted.
    pub fn declared_frames(&self) -> Option<u64> {
        self.declared_frames
    }

    /// Frames decoded so far.
    pub fn decoded_frames(&self) -> u64 {
        self.decoded_frames
    }

    /// The next samples, interleaved; none at the end.
    ///
    /// # Errors
    /// [`Error::Audio`] when the rate or the channels change in the middle or nothing more can be
    /// decoded; [`Error::Io`] when the medium fails.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        let there = std::mem::take(&mut self.block_waits) || self.read_block()?;
        Ok(there.then_some(self.block.as_slice()))
    }

    /// What is wrong with the file although it could be read, in one line; for use after its end.
    pub fn warning(&self) -> Option<String> {
        let short = self
            .declared_frames
            .filter(|&declared| declared > self.decoded_frames);
        match (short, self.bad_packets) {
            (_, bad @ 1..) => Some(format!("{bad} damaged packets were left out")),
            // Writers that could not go back put the largest number into the header.
            (Some(declared), _) if declared < u64::from(u32::MAX / 16) => Some(format!(
                "ends after {} of {declared} frames (truncated?)",
                self.decoded_frames
            )),
            _ => None,
        }
    }

    /// Decodes the next packet that has samples. False at the end.
    fn read_block(&mut self) -> Result<bool> {
        let broken = |reason: String| Error::Audio {
            path: self.path.clone(),
            reason,
        };
        let mut bad_in_a_row = 0;
        while !self.ended {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                // The end of a truncated file, also in the middle of a packet.
                Err(SymphoniaError::IoError(e))
                    if e.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    break;
                }
                Err(SymphoniaError::IoError(source)) => {
                    return Err(Error::Io {
                        path: self.path.clone(),
                        source,
                    });
                }
                // A chained stream: what follows is another recording.
                Err(SymphoniaError::ResetRequired) => break,
                Err(error) if self.decoded_frames == 0 => return Err(broken(error.to_string())),
                Err(_) => {
                    self.bad_packets += 1;
                    break;
                }
            };
            if packet.track_id != self.track_id {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(samples) => {
                    let rate = samples.spec().rate();
                    let channels = samples.spec().channels().count();
                    if samples.frames() == 0 || channels == 0 {
                        continue;
                    }
                    let first = self.decoded_frames == 0;
                    if !first && (rate != self.sample_rate_hz || channels != self.channel_count) {
                        return Err(broken(
                            "changes its sample rate or channels midway".to_owned(),
                        ));
                    }
                    self.sample_rate_hz = rate;
                    self.channel_count = channels;
                    self.decoded_frames += samples.frames() as u64;
                    samples.copy_to_vec_interleaved(&mut self.block);
                    return Ok(true);
                }
                Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                    self.bad_packets += 1;
                    bad_in_a_row += 1;
                    if bad_in_a_row > MAX_BAD_PACKETS {
                        return Err(broken(format!(
                            "more than {MAX_BAD_PACKETS} damaged packets in a row"
                        )));
                    }
                }
                Err(error) => return Err(broken(error.to_string())),
            }
        }
        self.ended = true;
        Ok(false)
    }
}
