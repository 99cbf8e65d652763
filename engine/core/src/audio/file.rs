//! Audio files: WAV, AIFF, FLAC, MP3 and OGG Vorbis, read block by block.
//!
//! A file is never in memory as a whole. The silence that an encoder adds at the start and the end is
//! taken away where the file says how much it is. What is damaged is silence, so that what comes after it
//! stays where it was. Nothing in a file can cause a panic or make this module use unbounded memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use crate::audio::resample::SAMPLE_RATES_HZ;
use crate::error::{Error, Result};

/// Extensions of the files that can be read, in lower case.
pub const EXTENSIONS: [&str; 9] = [
    "wav", "wave", "aif", "aiff", "aifc", "flac", "mp3", "ogg", "oga",
];

/// Damaged packets in a row after which a file is given up.
const MAX_BAD_PACKETS: u64 = 1_000;

/// Most seconds of a file that are taken for damaged, all together. Time stamps that jump further are taken
/// for wrong.
const MOST_SILENT_SECONDS: u64 = 300;

/// Gaps shorter than this part of a second are how some writers round time stamps. Nothing is lost there.
const SHORTEST_GAPS_PER_SECOND: i64 = 200;

/// Frames of silence that are handed out at once.
const SILENT_BLOCK_FRAMES: u64 = 4_096;

/// An open audio file.
pub struct AudioFile {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    sample_rate_hz: u32,
    channel_count: usize,
    declared_frames: Option<u64>,
    /// Time stamp of the track's first frame, trimmed or not.
    track_start: i64,
    /// Time stamp of the first frame that is handed out, once a packet has told it.
    origin: Option<i64>,
    /// Decoded or silent.
    frames: u64,
    /// Those of them that are silent because they are damaged.
    silent_frames: u64,
    bad_packets: u64,
    /// Interleaved samples of the current block.
    block: Vec<f32>,
    /// Whether `block` has been read and not been handed out yet.
    block_waits: bool,
    /// Frames of silence that are to be handed out before `block`.
    waiting_silent_frames: u64,
    silence: Vec<f32>,
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
        let broken = |reason: String| broken(path, reason);
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
            track_start: track.start_ts.get(),
            origin: None,
            sample_rate_hz: codec.sample_rate.unwrap_or(0),
            channel_count: 0,
            frames: 0,
            silent_frames: 0,
            bad_packets: 0,
            block: Vec::new(),
            block_waits: false,
            waiting_silent_frames: 0,
            silence: Vec::new(),
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

    /// The next samples, interleaved; none at the end. Silence stands for what is damaged.
    ///
    /// # Errors
    /// [`Error::Audio`] when the rate or the channels change in the middle or nothing more can be
    /// decoded; [`Error::Io`] when the medium fails.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        if !self.block_waits {
            self.block_waits = self.read_block()?;
        }
        if self.waiting_silent_frames > 0 {
            let frames = self.waiting_silent_frames.min(SILENT_BLOCK_FRAMES);
            self.waiting_silent_frames -= frames;
            self.silence
                .resize(frames as usize * self.channel_count, 0.0);
            return Ok(Some(self.silence.as_slice()));
        }
        let there = std::mem::take(&mut self.block_waits);
        Ok(there.then_some(self.block.as_slice()))
    }

    /// What is wrong with the file although it could be read, in one line; for use after its end.
    pub fn warning(&self) -> Option<String> {
        let mut faults = Vec::new();
        if self.silent_frames > 0 {
            let seconds = self.silent_frames as f64 / f64::from(self.sample_rate_hz);
            faults.push(format!("{seconds:.2} s were damaged and are silence"));
        } else if self.bad_packets > 0 {
            faults.push(format!(
                "{} damaged packets were left out",
                self.bad_packets
            ));
        }
        // Writers that could not go back put the largest number into the header.
        let credible = |&frames: &u64| frames < u64::from(u32::MAX / 16);
        if let Some(declared) = self.declared_frames.filter(credible)
            && declared > self.frames
        {
            faults.push(format!(
                "ends after {} of {declared} frames (truncated?)",
                self.frames
            ));
        }
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    /// Decodes the next packet that has samples. False at the end.
    fn read_block(&mut self) -> Result<bool> {
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
                Err(error) if self.frames == 0 => {
                    return Err(broken(&self.path, error.to_string()));
                }
                Err(_) => {
                    self.bad_packets += 1;
                    break;
                }
            };
            if packet.track_id != self.track_id {
                continue;
            }
            let start = packet.pts.saturating_add(packet.trim_start).get();
            if self.origin.is_none() {
                // Others may have been lost before a first packet of which nothing is trimmed.
                self.origin = Some(match packet.trim_start.is_zero() {
                    true => self.track_start,
                    false => start.max(self.track_start),
                });
            }
            match self.decoder.decode(&packet) {
                Ok(samples) => {
                    let rate = samples.spec().rate();
                    let channels = samples.spec().channels().count();
                    let frames = samples.frames() as u64;
                    if frames == 0 || channels == 0 {
                        continue;
                    }
                    let first = self.frames == 0;
                    if !first && (rate != self.sample_rate_hz || channels != self.channel_count) {
                        return Err(broken(
                            &self.path,
                            "changes its sample rate or channels midway".to_owned(),
                        ));
                    }
                    self.sample_rate_hz = rate;
                    self.channel_count = channels;
                    samples.copy_to_vec_interleaved(&mut self.block);
                    let gap_frames = self.gap_frames(start);
                    self.waiting_silent_frames = gap_frames;
                    self.silent_frames += gap_frames;
                    self.frames += gap_frames + frames;
                    return Ok(true);
                }
                // The time stamp of the next packet that can be decoded shows how much is missing.
                Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                    self.bad_packets += 1;
                    bad_in_a_row += 1;
                    if bad_in_a_row > MAX_BAD_PACKETS {
                        return Err(broken(
                            &self.path,
                            format!("more than {MAX_BAD_PACKETS} damaged packets in a row"),
                        ));
                    }
                }
                Err(error) => return Err(broken(&self.path, error.to_string())),
            }
        }
        self.ended = true;
        Ok(false)
    }

    /// Frames that are missing before a block whose first frame has the time stamp `start`.
    ///
    /// Time stamps count frames in every format that is read. In WAV and AIFF nothing can be missing. Frames of
    /// FLAC bear their number. Those of MP3 are counted as they are found: one that cannot be decoded leaves a
    /// gap, one whose header is gone does not. Pages of OGG bear the number of their last frame, but what is
    /// read after a lost page is first taken for its continuation: the gap comes one page late.
    fn gap_frames(&mut self, start: i64) -> u64 {
        let frames = self.frames as i64;
        let gap = start
            .saturating_sub(self.origin.unwrap_or(start))
            .saturating_sub(frames);
        if gap < i64::from(self.sample_rate_hz) / SHORTEST_GAPS_PER_SECOND {
            return 0;
        }
        let most = MOST_SILENT_SECONDS * u64::from(self.sample_rate_hz);
        if self.silent_frames.saturating_add(gap as u64) > most {
            // The block follows the one before, and those after it are judged by it.
            self.origin = Some(start.saturating_sub(frames));
            return 0;
        }
        gap as u64
    }
}

/// The error of a file that is no audio or damaged.
fn broken(path: &Path, reason: String) -> Error {
    Error::Audio {
        path: path.to_owned(),
        reason,
    }
}
