//! Decodes audio files block by block: WAV, AIFF, FLAC, MP3 and OGG Vorbis.
//!
//! A file is never in memory as a whole. Silence that an encoder added at the start and the end is
//! removed if the file declares its length. Damaged parts are replaced with silence, so that later
//! audio keeps its time. No file can cause a panic or unbounded memory use.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use crate::audio::resample::SAMPLE_RATE_RANGE_HZ;
use crate::error::{Error, Result};

/// Extensions of supported files, in lower case.
pub const EXTENSIONS: [&str; 9] = [
    "wav", "wave", "aif", "aiff", "aifc", "flac", "mp3", "ogg", "oga",
];

/// Consecutive damaged packets after which decoding fails.
const MAX_BAD_PACKETS: u64 = 1_000;

/// Limit on the silence for damaged parts of a file, in total. Timestamps that exceed it are
/// considered wrong.
const MAX_SILENT_SECONDS: u64 = 300;

/// Gaps shorter than this fraction of a second come from rounded timestamps; nothing is missing.
const MIN_GAPS_PER_SECOND: i64 = 200;

/// Frames in a block of silence.
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
    /// Timestamp of the track's first frame, before trimming.
    track_start: i64,
    /// Timestamp of the first frame after trimming; known after the first packet.
    origin: Option<i64>,
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
}

impl AudioFile {
    /// Opens a file and decodes its first block.
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
        if metadata.len() == 0 && metadata.is_file() {
            return Err(invalid("is empty (0 bytes)".to_owned()));
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
                    invalid("is not a WAV, AIFF, FLAC, MP3 or OGG file, or is damaged".to_owned())
                }
                other => invalid(other.to_string()),
            })?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| invalid("has no audio track".to_owned()))?;
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio())
            .ok_or_else(|| invalid("has no audio track with a known codec".to_owned()))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(codec, &AudioDecoderOptions::default())
            .map_err(|error| match error {
                SymphoniaError::Unsupported(_) => invalid(
                    "has an unsupported codec; convert it to PCM, FLAC, MP3 or Vorbis".to_owned(),
                ),
                other => invalid(other.to_string()),
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
            block_pending: false,
            pending_silent_frames: 0,
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

    /// Length in frames as declared by the file, which may be wrong.
    pub fn declared_frames(&self) -> Option<u64> {
        self.declared_frames
    }

    /// The next block of interleaved samples, `None` at the end. Damaged parts are silent.
    ///
    /// # Errors
    /// [`Error::Audio`] if the sample rate or the number of channels changes, or if too much is
    /// damaged; [`Error::Io`] if the file cannot be read.
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
        let mut faults = Vec::new();
        if self.silent_frames > 0 {
            let seconds = self.silent_frames as f64 / f64::from(self.sample_rate_hz);
            faults.push(format!("{seconds:.2} s were damaged and are silent"));
        } else if self.bad_packets > 0 {
            faults.push(format!("{} damaged packets were skipped", self.bad_packets));
        }
        // Streaming writers put the largest possible length into the header.
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

    /// Decodes the next packet that has samples. Returns false at the end.
    fn read_block(&mut self) -> Result<bool> {
        let mut bad_in_a_row = 0;
        while !self.ended {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                // The end of a truncated file, possibly within a packet.
                Err(SymphoniaError::IoError(e))
                    if e.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    break;
                }
                Err(SymphoniaError::IoError(source)) => {
                    return Err(Error::io(&self.path, source));
                }
                // A chained stream: another recording follows.
                Err(SymphoniaError::ResetRequired) => break,
                Err(error) if self.frames == 0 => {
                    return Err(invalid(&self.path, error.to_string()));
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
                // If the first packet is not trimmed, packets before it may be missing.
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
                    let is_first = self.frames == 0;
                    if !is_first && (rate != self.sample_rate_hz || channels != self.channel_count)
                    {
                        return Err(invalid(
                            &self.path,
                            "changes its sample rate or channel count midway".to_owned(),
                        ));
                    }
                    self.sample_rate_hz = rate;
                    self.channel_count = channels;
                    samples.copy_to_vec_interleaved(&mut self.block);
                    let gap_frames = self.gap_frames(start);
                    self.pending_silent_frames = gap_frames;
                    self.silent_frames += gap_frames;
                    self.frames += gap_frames + frames;
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

    /// Frames that are missing before a block whose first frame has the timestamp `start`.
    ///
    /// Timestamps count frames in every supported format. WAV and AIFF have no gaps. FLAC frames
    /// carry their number. MP3 frames are counted as they are found: a frame that cannot be decoded
    /// leaves a gap, one whose header is damaged does not. OGG pages carry the number of their last
    /// frame; the page after a lost page is first read as its continuation, so the gap is one page
    /// late.
    fn gap_frames(&mut self, start: i64) -> u64 {
        let frames = self.frames as i64;
        let gap = start
            .saturating_sub(self.origin.unwrap_or(start))
            .saturating_sub(frames);
        if gap < i64::from(self.sample_rate_hz) / MIN_GAPS_PER_SECOND {
            return 0;
        }
        let max = MAX_SILENT_SECONDS * u64::from(self.sample_rate_hz);
        if self.silent_frames.saturating_add(gap as u64) > max {
            // Treat the block as contiguous, and measure later gaps from it.
            self.origin = Some(start.saturating_sub(frames));
            return 0;
        }
        gap as u64
    }
}

/// The error for a file that is not audio, or is damaged.
fn invalid(path: &Path, reason: String) -> Error {
    Error::Audio {
        path: path.to_owned(),
        reason,
    }
}
