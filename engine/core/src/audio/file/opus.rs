//! Opus as a codec of symphonia.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opus_decoder::OpusDecoder;
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Result, decode_error, unsupported_error};
use symphonia::core::packet::PacketRef;

/// Opus decodes to this rate, whatever the rate of the recording was.
const SAMPLE_RATE_HZ: u32 = 48_000;
/// Longest packet: 120 ms.
const MAX_PACKET_FRAMES: usize = 5_760;

/// What a stream states about itself (RFC 7845, 5.1).
struct Header {
    channel_count: usize,
    pre_skip_frames: u64,
    /// Factor on the samples.
    gain: f32,
}

impl Header {
    /// None if the stream has several streams in it: sound of more than two channels.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?;
        let channel_count = usize::from(*fields.get(1)?);
        let word = |at: usize| Some([*fields.get(at)?, *fields.get(at + 1)?]);
        let gain_db = f32::from(i16::from_le_bytes(word(8)?)) / 256.0;
        let is_one_stream = match *fields.get(10)? {
            0 => true,
            _ => {
                let (streams, coupled) = (*fields.get(11)?, *fields.get(12)?);
                streams == 1 && usize::from(coupled) + 1 == channel_count
            }
        };
        let is_supported = is_one_stream && (1..=2).contains(&channel_count);
        is_supported.then_some(Self {
            channel_count,
            pre_skip_frames: u64::from(u16::from_le_bytes(word(2)?)),
            gain: 10.0_f32.powf(gain_db / 20.0),
        })
    }
}

/// Frames at the start of a stream that are to be left out.
pub(super) fn pre_skip_frames(codec: &AudioCodecParameters) -> u64 {
    let header = codec.extra_data.as_deref().and_then(Header::parse);
    header
        .filter(|_| codec.codec == CODEC_ID_OPUS)
        .map_or(0, |header| header.pre_skip_frames)
}

/// A decoder of Opus.
pub(super) struct OpusCodec {
    params: AudioCodecParameters,
    options: AudioDecoderOptions,
    header: Header,
    decoder: OpusDecoder,
    interleaved: Vec<f32>,
    buffer: AudioBuffer<f32>,
}

impl OpusCodec {
    fn try_new(params: &AudioCodecParameters, options: &AudioDecoderOptions) -> Result<Self> {
        let Some(header) = params.extra_data.as_deref().and_then(Header::parse) else {
            return unsupported_error("opus: channels");
        };
        let Ok(decoder) = OpusDecoder::new(SAMPLE_RATE_HZ, header.channel_count) else {
            return unsupported_error("opus: channels");
        };
        let channels = Channels::Discrete(header.channel_count as u16);
        let spec = AudioSpec::new(SAMPLE_RATE_HZ, channels);
        Ok(Self {
            params: params.clone(),
            options: *options,
            interleaved: vec![0.0; MAX_PACKET_FRAMES * header.channel_count],
            buffer: AudioBuffer::new(spec, MAX_PACKET_FRAMES),
            header,
            decoder,
        })
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        self.buffer.clear();
        if packet.data.is_empty() {
            return decode_error("opus: empty packet");
        }
        // The decoder is no code of ours: a panic is a damaged packet.
        let (decoder, interleaved) = (&mut self.decoder, &mut self.interleaved);
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            decoder.decode_float(packet.data, interleaved, false)
        }));
        let Ok(Ok(frames)) = decoded else {
            self.reset();
            return decode_error("opus: invalid packet");
        };
        self.buffer.resize_with_silence(frames);
        let channel_count = self.header.channel_count;
        for (channel, plane) in self.buffer.iter_planes_mut().enumerate() {
            let samples = self.interleaved.chunks_exact(channel_count);
            for (sample, frame) in plane.iter_mut().zip(samples) {
                *sample = frame[channel] * self.header.gain;
            }
        }
        if self.options.gapless {
            let (start, end) = (packet.trim_start.get(), packet.trim_end.get());
            self.buffer.trim(start as usize, end as usize);
        }
        Ok(())
    }
}

impl AudioDecoder for OpusCodec {
    fn reset(&mut self) {
        self.decoder.reset();
    }

    fn codec_info(&self) -> &CodecInfo {
        &Self::supported_codecs()[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        match self.decode_packet(packet) {
            Ok(()) => Ok(self.buffer.as_generic_audio_buffer_ref()),
            Err(error) => {
                self.buffer.clear();
                Err(error)
            }
        }
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusCodec {
    fn try_registry_new(
        params: &AudioCodecParameters,
        options: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::try_new(params, options)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec {
            id: CODEC_ID_OPUS,
            info: CodecInfo {
                short_name: "opus",
                long_name: "Opus",
                profiles: &[],
            },
        }]
    }
}
