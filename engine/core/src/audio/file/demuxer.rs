//! From a file to the packets of its audio track.

use std::io::Result as IoResult;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Error as SymphoniaError, Result as SymphoniaResult};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::FORMAT_ID_ADTS;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::aiff::{open_aiff, open_au};
use super::blocks::{BlockReader, Samples};
use super::kind::{Kind, kind};
use super::mp4::{self, Edit};
use super::mpeg::MpegReader;
use super::ogg::ends_within_page;
use super::opus::pre_skip_frames;
use super::riff::{self, Wave};
use super::section::{FileBytes, Section};
use super::tags::audio_range;
use super::{caf, flac};

/// Differences between the stated and the real length up to this fraction of a second are rounding.
const MIN_LOSSES_PER_SECOND: u64 = 100;
/// Some encoders count the frame with the tag, or one that they do not write.
const MPEG_TOLERANCE_FRAMES: u64 = 2;

/// An open container.
pub(super) struct Demuxer {
    reader: Reader,
    /// The audible part of an MP4 file.
    edit: Option<Edit>,
    /// The codec by the name that the file uses.
    codec_name: Option<String>,
    /// Whether the file ends within a page.
    is_cut_off: bool,
    /// Frames of the streams before the current one of a chained file.
    chained_frames: Option<u64>,
}

enum Reader {
    Blocks(BlockReader),
    Mpeg(Box<MpegReader>),
    Format(Box<dyn FormatReader>),
}

/// The audio track of a container.
pub(super) struct Track {
    pub id: u32,
    pub codec: AudioCodecParameters,
    /// Timestamp of its first frame.
    pub start: i64,
    /// Whether timestamps count frames.
    pub has_frame_times: bool,
    /// Seconds of a tick of the timestamps, as a fraction.
    pub time_base: (u32, u32),
    /// What is to be left out at the start, in fractions of a second.
    pub skipped: (u64, u32),
    pub length: Option<(u64, u32)>,
}

impl Demuxer {
    /// Opens a file. The inner error says what is wrong with it, or what it is.
    pub(super) fn open(
        mut file: FileBytes,
        extension: Option<&str>,
    ) -> IoResult<Result<Self, String>> {
        let range = audio_range(&mut file)?;
        let head = file.at(range.start, 192)?.to_vec();
        let kind = match kind(&head) {
            Ok(kind) => kind,
            Err(name) => {
                let reason = format!("is {name}, which is not supported");
                return Ok(Err(match name {
                    "a web page" | "a Git LFS pointer" => format!("is {name}, not audio"),
                    _ => reason + "; convert it to WAV or FLAC",
                }));
            }
        };
        let of_samples = |file, samples: Result<Samples, String>| {
            samples.map(|samples| Self::new(Reader::Blocks(BlockReader::new(file, samples))))
        };
        match kind {
            Some(Kind::Wave(style)) => match riff::open(&mut file, range, style)? {
                Err(reason) => Ok(Err(reason)),
                Ok(Wave::Samples(samples)) => Ok(of_samples(file, Ok(samples))),
                Ok(Wave::Stream(body)) => {
                    let mpeg = MpegReader::open(file.try_clone()?, body.clone(), true)?;
                    if let Some(mpeg) = mpeg {
                        return Ok(Ok(Self::new(Reader::Mpeg(Box::new(mpeg)))));
                    }
                    Self::probe(file.section(Vec::new(), body)?, None, Some("a WAV"))
                }
            },
            Some(Kind::Aiff) => {
                let samples = open_aiff(&mut file, range)?;
                Ok(of_samples(file, samples))
            }
            Some(Kind::Au) => {
                let samples = open_au(&mut file, range)?;
                Ok(of_samples(file, samples))
            }
            Some(Kind::Caf) => match caf::open(&mut file, range.clone())? {
                Err(reason) => Ok(Err(reason)),
                Ok(Some(samples)) => Ok(of_samples(file, Ok(samples))),
                Ok(None) => {
                    Self::probe(file.section(Vec::new(), range)?, Some("caf"), Some("a CAF"))
                }
            },
            Some(Kind::Flac) => match flac::head(&mut file, range)? {
                None => Ok(Err("is a FLAC file with a damaged header".to_owned())),
                Some((head, frames)) => {
                    Self::probe(file.section(head, frames)?, None, Some("a FLAC"))
                }
            },
            Some(Kind::Mp4) => {
                let movie = mp4::movie(&mut file, range.clone())?;
                if !movie.is_described {
                    let reason = "is an MP4 file without an index (moov): it was cut off";
                    return Ok(Err(reason.to_owned()));
                }
                if let Some(name) = &movie.codec
                    && name.starts_with("protected")
                {
                    return Ok(Err(format!("has {name} audio, which cannot be read")));
                }
                let section = file.section(Vec::new(), range)?;
                let opened = Self::probe(section, Some("m4a"), Some("an MP4"))?;
                Ok(opened.map(|demuxer| Self {
                    edit: movie.edit,
                    codec_name: movie.codec,
                    ..demuxer
                }))
            }
            Some(Kind::Other) => {
                let name = head.starts_with(b"OggS").then_some("an Ogg");
                let is_cut_off = name.is_some() && ends_within_page(&mut file, range.clone())?;
                let opened = Self::probe(file.section(Vec::new(), range)?, extension, name)?;
                let codec_name = (head.get(28..33) == Some(b"Speex")).then(|| "Speex".to_owned());
                if opened.is_err() && codec_name.is_some() {
                    return Ok(Err("has Speex audio, which is not supported".to_owned()));
                }
                Ok(opened.map(|demuxer| Self {
                    codec_name,
                    is_cut_off,
                    ..demuxer
                }))
            }
            Some(Kind::Mpeg) | None => {
                let is_certain = kind.is_some();
                let mpeg = MpegReader::open(file.try_clone()?, range.clone(), is_certain)?;
                if let Some(mpeg) = mpeg {
                    return Ok(Ok(Self::new(Reader::Mpeg(Box::new(mpeg)))));
                }
                Self::probe(file.section(Vec::new(), range)?, extension, None)
            }
        }
    }

    fn new(reader: Reader) -> Self {
        Self {
            reader,
            edit: None,
            codec_name: None,
            is_cut_off: false,
            chained_frames: Some(0),
        }
    }

    /// Opens a container that symphonia reads.
    /// The name of the kind is known for some.
    fn probe(
        section: Section,
        extension: Option<&str>,
        name: Option<&str>,
    ) -> IoResult<Result<Self, String>> {
        let stream = MediaSourceStream::new(Box::new(section), Default::default());
        let mut hint = Hint::new();
        if let Some(extension) = extension {
            hint.with_extension(extension);
        }
        let opened = symphonia::default::get_probe().probe(
            &hint,
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        );
        Ok(match opened {
            Ok(format) => Ok(Self::new(Reader::Format(format))),
            Err(error) if name.is_some() => {
                let name = name.unwrap_or_default();
                Err(format!(
                    "is {name} file that is damaged or not supported ({error})"
                ))
            }
            Err(SymphoniaError::Unsupported(_) | SymphoniaError::IoError(_)) => Err(
                "is not a WAV, AIFF, AU, CAF, FLAC, MP3, Ogg, Opus or M4A file, or is damaged"
                    .to_owned(),
            ),
            Err(other) => Err(other.to_string()),
        })
    }

    /// The audio track. The error says why there is none.
    pub(super) fn track(&self) -> Result<Track, String> {
        let plain = |codec| Track {
            id: 0,
            codec,
            start: 0,
            has_frame_times: true,
            time_base: (1, 1),
            skipped: (0, 1),
            length: None,
        };
        let format = match &self.reader {
            Reader::Blocks(blocks) => {
                let samples = blocks.samples();
                let length = samples.frame_limit;
                return Ok(Track {
                    length: length.map(|frames| (frames, samples.format.sample_rate_hz)),
                    ..plain(blocks.codec())
                });
            }
            Reader::Mpeg(mpeg) => return Ok(plain(mpeg.codec())),
            Reader::Format(format) => format,
        };
        let track = format
            .default_track(TrackType::Audio)
            .ok_or("has no audio track")?;
        let codec = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio());
        let codec = codec.ok_or("has no audio track with a known codec")?;
        let rate_hz = codec.sample_rate.unwrap_or(0);
        let base = track
            .time_base
            .map(|base| (base.numer.get(), base.denom.get()));
        let has_frame_times = base.is_none_or(|base| base == (1, rate_hz));
        let mut opened = Track {
            id: track.id,
            start: track.start_ts.get(),
            has_frame_times,
            time_base: base.unwrap_or((1, rate_hz)),
            ..plain(codec.clone())
        };
        if let Some(edit) = self.edit {
            opened.skipped = (edit.skipped, edit.ticks_per_second);
            opened.length = edit.length.map(|length| (length, edit.ticks_per_second));
        } else {
            opened.skipped = (pre_skip_frames(codec), 48_000);
        }
        Ok(opened)
    }

    /// The codec in words.
    pub(super) fn codec_name(&self, codec: &AudioCodecParameters) -> String {
        use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_OPUS};
        match codec.codec {
            CODEC_ID_AAC => aac_name(codec.extra_data.as_deref()).to_owned(),
            CODEC_ID_OPUS => "multichannel Opus".to_owned(),
            _ => self
                .codec_name
                .clone()
                .unwrap_or_else(|| format!("{}", codec.codec)),
        }
    }

    /// The next packet; none at the end.
    pub(super) fn next_packet(&mut self) -> SymphoniaResult<Option<Packet>> {
        let frames_before = self.stated_frames();
        match &mut self.reader {
            Reader::Blocks(blocks) => Ok(blocks.next_packet()?),
            Reader::Mpeg(mpeg) => Ok(mpeg.next_packet()?),
            Reader::Format(format) => {
                let packet = format.next_packet();
                if let Err(SymphoniaError::ResetRequired) = packet {
                    self.chained_frames = self
                        .chained_frames
                        .zip(frames_before)
                        .map(|(chained, frames)| chained + frames);
                }
                packet
            }
        }
    }

    /// Whether the next packet begins another of several joined files.
    pub(super) fn take_new_part(&mut self) -> bool {
        match &mut self.reader {
            Reader::Mpeg(mpeg) => mpeg.take_new_part(),
            _ => false,
        }
    }

    /// Length in frames, stated or estimated.
    pub(super) fn declared_frames(&self) -> Option<u64> {
        match &self.reader {
            Reader::Blocks(blocks) => Some(blocks.frame_count()),
            Reader::Mpeg(mpeg) => mpeg.stated_samples(),
            Reader::Format(_) => self.stated_frames(),
        }
    }

    /// What symphonia states of the current stream, without what is to be left out.
    fn stated_frames(&self) -> Option<u64> {
        let Reader::Format(format) = &self.reader else {
            return None;
        };
        let track = format.default_track(TrackType::Audio)?;
        let codec = track.codec_params.as_ref()?.audio()?;
        let rate_hz = codec.sample_rate?;
        let in_frames = |(ticks, per_second): (u64, u32)| {
            (u128::from(ticks) * u128::from(rate_hz) / u128::from(per_second.max(1))) as u64
        };
        let opened = self.track().ok()?;
        let all = track.num_frames?;
        let left = all.saturating_sub(in_frames(opened.skipped));
        let length = opened.length.map_or(u64::MAX, in_frames);
        Some(left.min(length))
    }

    /// Whether the file is known to end too early.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// What is wrong with the file although all of it can be read.
    pub(super) fn fault(&self) -> Option<&str> {
        match &self.reader {
            Reader::Blocks(blocks) => blocks.samples().fault.as_deref(),
            _ => None,
        }
    }

    /// The length that a file states, if it has clearly less. Known at the end.
    pub(super) fn missing_of(&self, frames: u64, sample_rate_hz: u32) -> Option<u64> {
        match &self.reader {
            Reader::Blocks(blocks) => blocks.samples().missing_of,
            Reader::Mpeg(mpeg) => {
                let missing = mpeg.missing_samples();
                (missing > MPEG_TOLERANCE_FRAMES * 1_152).then_some(frames + missing)
            }
            Reader::Format(format) => {
                // Its length is an estimate.
                if format.format_info().format == FORMAT_ID_ADTS {
                    return None;
                }
                let stated = self.chained_frames? + self.stated_frames()?;
                // Streaming writers put the largest possible length into the header.
                let is_credible = stated < u64::from(u32::MAX / 16);
                let tolerance = u64::from(sample_rate_hz) / MIN_LOSSES_PER_SECOND;
                let is_missing = is_credible && stated > frames + tolerance;
                is_missing.then_some(stated)
            }
        }
    }
}

/// What AAC is that could not be decoded, from its AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2).
fn aac_name(config: Option<&[u8]>) -> &'static str {
    let object_type = match config {
        Some(&[first, second, ..]) if first >> 3 == 31 => 32 + ((first & 7) << 3 | second >> 5),
        Some(&[first, ..]) => first >> 3,
        _ => 0,
    };
    match object_type {
        2 => "multichannel AAC",
        5 | 29 => "HE-AAC",
        36 => "MPEG-4 ALS",
        _ => "an uncommon kind of AAC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_aac_are_named() {
        assert_eq!(aac_name(Some(&[0x13, 0xb0])), "multichannel AAC");
        assert_eq!(aac_name(Some(&[0x2b, 0x92, 0x08, 0x00])), "HE-AAC");
        assert_eq!(aac_name(Some(&[0xf8, 0x80, 0x00])), "MPEG-4 ALS");
        assert_eq!(aac_name(None), "an uncommon kind of AAC");
    }
}
