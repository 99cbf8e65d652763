//! Decodes audio files block by block: WAV and its relatives, AIFF, AU, CAF, FLAC, MP1 to MP3, Ogg
//! Vorbis, Opus and FLAC, AAC and ALAC in MP4, Matroska.
//!
//! A file is never in memory as a whole. Silence that an encoder added at the start and the end is
//! removed if the file declares its length. Damaged parts are replaced with silence, so that later
//! audio keeps its time. A file is read to its end, whatever length it declares. No file can cause
//! a panic or unbounded memory use.

mod aiff;
mod blocks;
mod caf;
mod chunks;
mod demuxer;
mod flac;
mod frame_header;
mod info_tag;
mod kind;
mod mp4;
mod mpeg;
mod ogg;
mod opus;
mod riff;
mod section;
mod stream;
mod tags;

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::errors::Error as SymphoniaError;

use crate::audio::resample::SAMPLE_RATE_RANGE_HZ;
use crate::error::{Error, Result};
use demuxer::Demuxer;
use section::FileBytes;
use stream::Stream;

/// Extensions of supported files, in lower case.
pub const EXTENSIONS: &[&str] = &[
    "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "flac", "mp3",
    "mp2", "mp1", "mpga", "ogg", "oga", "opus", "m4a", "m4b", "aac", "mka",
];

/// Consecutive damaged packets after which decoding fails.
const MAX_BAD_PACKETS: u64 = 1_000;

/// Limit on the silence for damaged parts of a file, in total. Timestamps that exceed it are
/// considered wrong.
const MAX_SILENT_SECONDS: u64 = 300;

/// Frames in a block of silence.
const SILENT_BLOCK_FRAMES: u64 = 4_096;

/// An open audio file.
pub struct AudioFile {
    path: PathBuf,
    demuxer: Demuxer,
    stream: Stream,
    sample_rate_hz: u32,
    channel_count: usize,
    declared_frames: Option<u64>,
    /// Frames so far, decoded or silent.
    frames: u64,
    /// Frames of silence that replace damaged parts.
    silent_frames: u64,
    bad_packets: u64,
    /// Interleaved samples of the current block.
    block: Vec<f32>,
    /// Whether `block` holds samples that have not been returned yet.
    block_pending: bool,
    /// Frames of silence to return before `block`.
    pending_silent_frames: u64,
    silence: Vec<f32>,
    ended: bool,
    /// Whether the file ended within a stream.
    is_cut_off: bool,
    /// Why the rest was not read.
    stopped: Option<String>,
}

impl AudioFile {
    /// Opens a file and decodes its first block. What is not a regular file, such as a pipe, is
    /// copied to a temporary file first.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Audio`] if its format is not supported,
    /// if it is damaged, or if it has no samples.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::io(path, source);
        let invalid = |reason: String| invalid(path, reason);
        let metadata = std::fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(invalid("is a folder, not an audio file".to_owned()));
        }
        let mut file = File::open(path).map_err(io)?;
        if !metadata.is_file() {
            let mut copy = tempfile::tempfile().map_err(io)?;
            std::io::copy(&mut file, &mut copy).map_err(io)?;
            file = copy;
        }
        let bytes = FileBytes::new(file).map_err(io)?;
        if bytes.length() == 0 {
            return Err(invalid("is empty (0 bytes)".to_owned()));
        }
        let extension = path.extension().and_then(|e| e.to_str());
        let demuxer = Demuxer::open(bytes, extension)
            .map_err(io)?
            .map_err(invalid)?;
        let stream = Stream::of(&demuxer).map_err(invalid)?;
        let mut file = Self {
            path: path.to_owned(),
            declared_frames: demuxer.declared_frames(),
            demuxer,
            stream,
            sample_rate_hz: 0,
            channel_count: 0,
            frames: 0,
            silent_frames: 0,
            bad_packets: 0,
            block: Vec::new(),
            block_pending: false,
            pending_silent_frames: 0,
            silence: Vec::new(),
            ended: false,
            is_cut_off: false,
            stopped: None,
        };
        if !file.read_block()? {
            let reason = match file.bad_packets {
                0 => "contains no samples".to_owned(),
                bad => format!("none of its {bad} packets can be decoded"),
            };
            return Err(invalid(reason));
        }
        file.block_pending = true;
        if !SAMPLE_RATE_RANGE_HZ.contains(&file.sample_rate_hz) {
            let (low, high) = (SAMPLE_RATE_RANGE_HZ.start(), SAMPLE_RATE_RANGE_HZ.end());
            return Err(invalid(format!(
                "has a sample rate of {} Hz; supported are {low} to {high} Hz",
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

    /// Length in frames as declared by the file or estimated, which may be wrong.
    pub fn declared_frames(&self) -> Option<u64> {
        self.declared_frames
    }

    /// The next block of interleaved samples, `None` at the end. Damaged parts are silent.
    ///
    /// # Errors
    /// [`Error::Audio`] if too much is damaged; [`Error::Io`] if the file cannot be read.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        if !self.block_pending {
            self.block_pending = self.read_block()?;
        }
        if self.pending_silent_frames > 0 {
            let frames = self.pending_silent_frames.min(SILENT_BLOCK_FRAMES);
            self.pending_silent_frames -= frames;
            self.silence
                .resize(frames as usize * self.channel_count, 0.0);
            return Ok(Some(self.silence.as_slice()));
        }
        let is_pending = std::mem::take(&mut self.block_pending);
        Ok(is_pending.then_some(self.block.as_slice()))
    }

    /// Faults of the file that did not prevent decoding, in one line. Complete after the last
    /// block.
    pub fn warning(&self) -> Option<String> {
        let faults: Vec<String> = self
            .losses()
            .into_iter()
            .chain(self.demuxer.fault().map(str::to_owned))
            .collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    /// Whether part of the audio is missing or silent because of a fault; [`Self::warning`] says
    /// what. Known after the last block.
    pub fn is_incomplete(&self) -> bool {
        !self.losses().is_empty()
    }

    /// What could not be read.
    fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        if self.silent_frames > 0 {
            let seconds = self.silent_frames as f64 / f64::from(self.sample_rate_hz);
            losses.push(format!("{seconds:.2} s were damaged and are silent"));
        } else if self.bad_packets > 0 {
            losses.push(format!("{} damaged packets were skipped", self.bad_packets));
        }
        if let Some(reason) = &self.stopped {
            losses.push(reason.clone());
        } else if let Some(declared) = self.demuxer.missing_of(self.frames, self.sample_rate_hz) {
            let frames = self.frames;
            losses.push(format!(
                "ends after {frames} of {declared} frames (truncated?)"
            ));
        } else if self.is_cut_off || self.demuxer.is_cut_off() {
            let seconds = self.frames as f64 / f64::from(self.sample_rate_hz);
            losses.push(format!("is cut off after {seconds:.2} s (truncated?)"));
        }
        losses
    }

    /// Decodes the next packet that has samples. Returns false at the end.
    fn read_block(&mut self) -> Result<bool> {
        let mut bad_in_a_row = 0;
        while !self.ended {
            let packet = match self.demuxer.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                // The end of a truncated file, possibly within a packet.
                Err(SymphoniaError::IoError(e))
                    if e.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    self.is_cut_off = true;
                    break;
                }
                Err(SymphoniaError::IoError(source)) => {
                    return Err(Error::io(&self.path, source));
                }
                // A chained stream: another recording follows.
                Err(SymphoniaError::ResetRequired) => {
                    match Stream::of(&self.demuxer) {
                        Ok(stream) => self.stream = stream,
                        Err(reason) => {
                            self.stop(&format!("another stream follows that {reason}"));
                            break;
                        }
                    }
                    continue;
                }
                Err(error) if self.frames == 0 => {
                    return Err(invalid(&self.path, error.to_string()));
                }
                Err(_) => {
                    self.bad_packets += 1;
                    break;
                }
            };
            if packet.track_id != self.stream.track_id {
                continue;
            }
            if self.demuxer.take_new_part() {
                self.stream.decoder.reset();
            }
            match self.stream.decode(&packet, &mut self.block) {
                Ok(None) => {}
                Ok(Some(decoded)) => {
                    if self.frames == 0 {
                        self.sample_rate_hz = decoded.sample_rate_hz;
                        self.channel_count = decoded.channel_count;
                    } else if decoded.sample_rate_hz != self.sample_rate_hz {
                        let rate_hz = decoded.sample_rate_hz;
                        self.stop(&format!("its sample rate changes to {rate_hz} Hz"));
                        break;
                    } else if decoded.channel_count != self.channel_count {
                        self.block =
                            with_channels(&self.block, decoded.channel_count, self.channel_count);
                    }
                    let max = MAX_SILENT_SECONDS * u64::from(self.sample_rate_hz);
                    let gap_frames = self.stream.gap_frames(&decoded, max - self.silent_frames);
                    self.pending_silent_frames = gap_frames;
                    self.silent_frames += gap_frames;
                    self.frames += gap_frames + decoded.frames;
                    return Ok(true);
                }
                // The timestamp of the next valid packet shows how much is missing.
                Err(SymphoniaError::DecodeError(_) | SymphoniaError::IoError(_)) => {
                    self.bad_packets += 1;
                    bad_in_a_row += 1;
                    if bad_in_a_row > MAX_BAD_PACKETS {
                        return Err(invalid(
                            &self.path,
                            format!("more than {MAX_BAD_PACKETS} damaged packets in a row"),
                        ));
                    }
                }
                Err(error) => return Err(invalid(&self.path, error.to_string())),
            }
        }
        self.ended = true;
        Ok(false)
    }

    fn stop(&mut self, reason: &str) {
        let seconds = self.frames as f64 / f64::from(self.sample_rate_hz.max(1));
        self.stopped = Some(format!(
            "{reason} after {seconds:.2} s: the rest was not read"
        ));
    }
}

/// Samples with another number of channels: that of the start of the file.
fn with_channels(block: &[f32], from: usize, to: usize) -> Vec<f32> {
    let mut converted = Vec::with_capacity(block.len() / from * to);
    for frame in block.chunks_exact(from) {
        let mean = frame.iter().sum::<f32>() / from as f32;
        converted.extend(std::iter::repeat_n(mean, to));
    }
    converted
}

/// The error for a file that is not audio, or is damaged.
fn invalid(path: &Path, reason: String) -> Error {
    Error::Audio {
        path: path.to_owned(),
        reason,
    }
}
