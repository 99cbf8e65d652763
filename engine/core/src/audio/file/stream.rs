//! Decodes the packets of one stream and keeps their time.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::{Error as SymphoniaError, Result as SymphoniaResult};
use symphonia::core::packet::Packet;

use super::demuxer::Demuxer;
use super::opus::OpusCodec;

/// Gaps shorter than this fraction of a second come from rounded timestamps; nothing is missing.
const MIN_GAPS_PER_SECOND: i64 = 200;

/// The decoder of a stream and where it is.
pub(super) struct Stream {
    pub track_id: u32,
    pub decoder: Box<dyn AudioDecoder>,
    /// Timestamp of the track's first frame, before trimming.
    track_start: i64,
    /// Timestamp of the first frame after trimming; known after the first packet.
    origin: Option<i64>,
    /// Whether timestamps count frames.
    has_frame_times: bool,
    time_base: (u32, u32),
    /// Frames so far, decoded or silent.
    frames: u64,
    /// What the container says of the start and the length, in seconds as a fraction.
    skipped: (u64, u32),
    length: Option<(u64, u32)>,
    /// Frames that remain to be left out; known after the first packet.
    frames_to_skip: Option<u64>,
    frames_to_end: Option<u64>,
}

/// What a packet gave.
pub(super) struct Decoded {
    pub sample_rate_hz: u32,
    pub channel_count: usize,
    pub frames: u64,
    /// Timestamp of its first frame.
    start: i64,
}

impl Stream {
    /// The audio stream of a file, from the current packet on. The error says why there is none.
    pub(super) fn of(demuxer: &Demuxer) -> Result<Self, String> {
        let track = demuxer.track()?;
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<OpusCodec>();
        let options = AudioDecoderOptions::default();
        let decoder = codecs
            .make_audio_decoder(&track.codec, &options)
            .or_else(|error| match error {
                SymphoniaError::Unsupported(_) => Err(error),
                // Two bytes of AAC with a flag for more that is not there: other players ignore it.
                _ => {
                    let mut codec = track.codec.clone();
                    if let Some([_, flags]) = codec.extra_data.as_deref_mut() {
                        *flags &= 0b1111_1000;
                    }
                    codecs
                        .make_audio_decoder(&codec, &options)
                        .map_err(|_| error)
                }
            })
            .map_err(|error| match error {
                SymphoniaError::Unsupported(_) => {
                    let name = demuxer.codec_name(&track.codec);
                    format!("has {name} audio, which is not supported; convert it to WAV or FLAC")
                }
                other => other.to_string(),
            })?;
        Ok(Self {
            track_id: track.id,
            decoder,
            track_start: track.start,
            origin: None,
            has_frame_times: track.has_frame_times,
            time_base: track.time_base,
            frames: 0,
            skipped: track.skipped,
            length: track.length,
            frames_to_skip: None,
            frames_to_end: None,
        })
    }

    /// Decodes a packet to interleaved samples; none if all are trimmed.
    pub(super) fn decode(
        &mut self,
        packet: &Packet,
        block: &mut Vec<f32>,
    ) -> SymphoniaResult<Option<Decoded>> {
        let start = packet.pts.saturating_add(packet.trim_start).get();
        if self.origin.is_none() {
            // If the first packet is not trimmed, packets before it may be missing.
            self.origin = Some(match packet.trim_start.is_zero() {
                true => self.track_start,
                false => start.max(self.track_start),
            });
        }
        let samples = self.decoder.decode(packet)?;
        let sample_rate_hz = samples.spec().rate();
        let channel_count = samples.spec().channels().count();
        if samples.frames() == 0 || channel_count == 0 {
            return Ok(None);
        }
        samples.copy_to_vec_interleaved(block);
        let frames_of = |(ticks, per_second): (u64, u32)| {
            let frames = u128::from(ticks) * u128::from(sample_rate_hz);
            let frames = frames / u128::from(per_second.max(1));
            u64::try_from(frames).unwrap_or(u64::MAX)
        };
        if self.frames_to_skip.is_none() {
            // What lies before time 0 is to be left out.
            let (numerator, denominator) = self.time_base;
            let early_ticks = start.min(0).unsigned_abs() * u64::from(numerator);
            let early = frames_of((early_ticks, denominator));
            self.frames_to_skip = Some(frames_of(self.skipped).max(early));
            self.frames_to_end = self.length.map(frames_of);
        }
        let frames = (block.len() / channel_count) as u64;
        let skipped = self.frames_to_skip.unwrap_or(0).min(frames);
        let kept = (frames - skipped).min(self.frames_to_end.unwrap_or(u64::MAX));
        self.frames_to_skip = self.frames_to_skip.map(|left| left - skipped);
        self.frames_to_end = self.frames_to_end.map(|left| left - kept);
        if skipped > 0 {
            self.origin = self.origin.map(|origin| origin + skipped as i64);
            block.drain(..skipped as usize * channel_count);
        }
        block.truncate(kept as usize * channel_count);
        Ok((kept > 0).then_some(Decoded {
            sample_rate_hz,
            channel_count,
            frames: kept,
            start: start + skipped as i64,
        }))
    }

    /// Frames that are missing before a block, at most `max`.
    ///
    /// Timestamps count frames in most formats. FLAC frames carry their number. MPEG frames are
    /// counted as they are found: a frame that cannot be decoded leaves a gap, one whose header is
    /// damaged does not. Ogg pages carry the number of their last frame; the page after a lost page
    /// is first read as its continuation, so the gap is one page late.
    pub(super) fn gap_frames(&mut self, decoded: &Decoded, max: u64) -> u64 {
        let frames = self.frames as i64;
        let gap = decoded
            .start
            .saturating_sub(self.origin.unwrap_or(decoded.start))
            .saturating_sub(frames);
        let is_gap = gap >= i64::from(decoded.sample_rate_hz) / MIN_GAPS_PER_SECOND;
        let mut gap_frames = 0;
        if is_gap && self.has_frame_times {
            if gap as u64 <= max {
                gap_frames = gap as u64;
            } else {
                // Treat the block as contiguous, and measure later gaps from it.
                self.origin = Some(decoded.start.saturating_sub(frames));
            }
        }
        self.frames += gap_frames + decoded.frames;
        gap_frames
    }
}
