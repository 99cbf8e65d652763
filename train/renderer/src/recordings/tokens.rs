//! Segments of recordings as MT3 and YourMT3 read them: 2.048 s at 16 kHz, with the tokens that
//! they are to say.

use anyhow::Result;
use hitscribe_core::Note;
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::tokens::vocabulary::{EOS_ID, SPECIAL_IDS, STEPS_PER_SECOND};
use hitscribe_core::tokens::yourmt3::Layout;
use hitscribe_core::tokens::{mt3, yourmt3};
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::dsp::mix;
use crate::recordings::mixture::Mixture;
use crate::recordings::{Recordings, finish, random_stream};
use crate::smf::MidiNote;

/// Samples of MT3's segments at 16 kHz.
const MT3_SAMPLES: usize = 32_768;
/// Samples of a frame of MT3's features.
const FRAME_SAMPLES: usize = 128;
/// Length of MT3's segments.
const MT3_SECONDS: f64 = MT3_SAMPLES as f64 / SAMPLE_RATE_HZ as f64;
/// Samples of YourMT3's segments at 16 kHz.
const YOURMT3_SAMPLES: usize = 32_767;
/// Longest sequence with its end; what is more is cut off.
pub const MAX_IDS: usize = 1024;
/// Longest sequence of one of YourMT3's channels.
const MAX_CHANNEL_IDS: usize = 256;

/// Samples at 32 kHz on both sides of a segment, in which the resampler has its edges.
const MARGIN_SAMPLES: usize = 1024;
/// 32 kHz samples for one of a segment.
const DECIMATION: usize = (SAMPLE_RATE / SAMPLE_RATE_HZ) as usize;

/// One segment of MT3.
pub struct TokenSegment {
    /// 32,768 samples at 16 kHz.
    pub audio: Vec<f32>,
    /// Frames from the start to the end of the recording, 1 to 256. Those after it have no
    /// features.
    pub frames: usize,
    /// Model ids: the tied notes, the events, the end. At most [`MAX_IDS`].
    pub ids: Vec<u16>,
    /// The same of the segments before it, the last one first; empty where the recording has no
    /// such segment.
    pub history: Vec<Vec<u16>>,
}

/// One segment of YourMT3.
pub struct StreamSegment {
    /// 32,767 samples at 16 kHz.
    pub audio: Vec<f32>,
    /// Model ids of each token stream: the tied notes, the events, the end. At most
    /// [`max_ids`](Self::max_ids).
    pub streams: Vec<Vec<u16>>,
}

impl StreamSegment {
    /// Longest sequence of one of `streams` streams.
    pub fn max_ids(streams: usize) -> usize {
        match streams {
            1 => MAX_IDS,
            _ => MAX_CHANNEL_IDS,
        }
    }
}

impl Recordings {
    /// Segment number `index` of the stream that `seed` names, made as [`Recordings::segment`]
    /// makes them, with the ids of `history` segments before it.
    ///
    /// # Errors
    /// None that depends on the recordings.
    pub fn token_segment(&self, seed: u64, index: u64, history: usize) -> Result<TokenSegment> {
        let mut rng = random_stream(seed, index);
        let before = history as f64 * MT3_SECONDS;
        let (mut audio, mixture) = self.at_16_khz(&mut rng, MT3_SAMPLES, before)?;
        let end = mixture.end_seconds * f64::from(SAMPLE_RATE_HZ);
        let end = (end.round().max(0.0) as usize).min(MT3_SAMPLES);
        audio[end..].fill(0.0);
        // A recording gets a frame more even where it fills its last one.
        let frames = (end / FRAME_SAMPLES + 1).min(MT3_SAMPLES / FRAME_SAMPLES);

        // Segments begin on frames of 8 ms, tokens count steps of 10 ms of the whole recording.
        let phase = f64::from(rng.random_range(0..5u8)) * 0.002;
        let mut ids = ids(&mixture.notes, phase, history);
        let recording_start = mixture.start_seconds + phase;
        for (segment, ids) in ids.iter_mut().enumerate().skip(1) {
            if phase - (segment as f64) * MT3_SECONDS < recording_start {
                ids.clear();
            }
        }
        Ok(TokenSegment {
            audio,
            frames,
            history: ids.split_off(1),
            ids: ids.remove(0),
        })
    }

    /// As [`Recordings::token_segment`], for YourMT3. Programs are those of its groups.
    ///
    /// # Errors
    /// None that depends on the recordings.
    pub fn stream_segment(&self, seed: u64, index: u64, layout: Layout) -> Result<StreamSegment> {
        let mut rng = random_stream(seed, index);
        let (audio, mixture) = self.at_16_khz(&mut rng, YOURMT3_SAMPLES, 0.0)?;
        // Segments begin anywhere between two steps.
        let start = rng.random_range(0.0..1.0 / STEPS_PER_SECOND);
        let notes = labels(&mixture.notes, start, |n| self.stem.instrument(n));
        let end = start + YOURMT3_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ);
        let segments = yourmt3::encode(&notes, &[before(&notes, start), start, end], layout);
        let most = StreamSegment::max_ids(layout.streams());
        let stream = |ids: &Vec<i32>| ids.iter().take(most).map(|&id| id as u16).collect();
        Ok(StreamSegment {
            audio,
            streams: segments[1].iter().map(stream).collect(),
        })
    }

    /// `samples` at 16 kHz, and what they consist of: its times are seconds from the first of them.
    fn at_16_khz(
        &self,
        rng: &mut impl Rng,
        samples: usize,
        history_seconds: f64,
    ) -> Result<(Vec<f32>, Mixture)> {
        let long = DECIMATION * samples + 2 * MARGIN_SAMPLES;
        let mut mixture = self.mixture(rng, long, history_seconds);
        let mut mixed = std::mem::take(&mut mixture.own);
        mix(&mut mixed, &mixture.around, 1.0);
        finish(rng, &mut mixed);
        let mut resampler = Resampler::new(SAMPLE_RATE, SAMPLE_RATE_HZ)?;
        let mut audio = Vec::with_capacity(mixed.len() / DECIMATION);
        resampler.push(&mixed, &mut audio);
        resampler.finish(&mut audio);
        audio.drain(..MARGIN_SAMPLES / DECIMATION);
        audio.resize(samples, 0.0);

        let margin = MARGIN_SAMPLES as f64 / f64::from(SAMPLE_RATE);
        mixture.start_seconds -= margin;
        mixture.end_seconds -= margin;
        for note in &mut mixture.notes {
            note.onset -= margin;
            note.offset -= margin;
        }
        Ok((audio, mixture))
    }
}

/// Notes that are `delay` seconds later, with the programs that labels have for them.
fn labels(notes: &[MidiNote], delay: f64, program: impl Fn(&MidiNote) -> u8) -> Vec<Note> {
    // Shorter than a step: the encoders drop notes without a length.
    let shortest = 1.0 / STEPS_PER_SECOND;
    let notes = notes.iter().filter(|n| n.key <= 127);
    let note = |n: &MidiNote| Note {
        onset_seconds: n.onset + delay,
        offset_seconds: n.offset.max(n.onset + shortest) + delay,
        pitch: n.key,
        velocity: n.velocity,
        program: if n.channel == 9 { 0 } else { program(n) },
        is_drum: n.channel == 9,
        openness: None,
        confidence: 1.0,
    };
    notes.map(note).collect()
}

/// The start of a segment that holds what was before `start`, so that the one after it knows what
/// is tied.
fn before(notes: &[Note], start: f64) -> f64 {
    let onsets = notes.iter().map(|n| n.onset_seconds);
    onsets.fold(start, f64::min) - 1.0
}

/// MT3's tokens of the segment that begins at `start` seconds and of `history` segments before it,
/// of notes that count from its start. The last segment comes first.
fn ids(notes: &[MidiNote], start: f64, history: usize) -> Vec<Vec<u16>> {
    let notes = labels(notes, start, |n| n.program);
    let starts = (0..=history + 1).map(|n| start + (n as f64 - history as f64) * MT3_SECONDS);
    let before = before(&notes, start - history as f64 * MT3_SECONDS);
    let starts: Vec<f64> = std::iter::once(before).chain(starts).collect();
    let segments = mt3::encode(&notes, &starts);
    let with_end = |indices: &Vec<i32>| {
        let ids = indices.iter().map(|index| index + SPECIAL_IDS);
        let mut ids: Vec<u16> = ids.chain([EOS_ID]).map(|id| id as u16).collect();
        ids.truncate(MAX_IDS);
        ids
    };
    segments[1..=history + 1]
        .iter()
        .rev()
        .map(with_end)
        .collect()
}
