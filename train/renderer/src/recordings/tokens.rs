//! Segments of recordings as MT3 reads them: 2.048 s at 16 kHz, with the tokens that it is to say.

use anyhow::Result;
use hitscribe_core::Note;
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_core::tokens::mt3::encode;
use hitscribe_core::tokens::vocabulary::{EOS_ID, SPECIAL_IDS, STEPS_PER_SECOND};
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::dsp::mix;
use crate::recordings::{Recordings, finish, random_stream};
use crate::smf::MidiNote;

/// Samples of a segment at 16 kHz.
pub const TOKEN_SEGMENT_SAMPLES: usize = 32_768;
/// Samples of a frame of MT3's features.
const FRAME_SAMPLES: usize = 128;
/// Length of a segment.
const SEGMENT_SECONDS: f64 = TOKEN_SEGMENT_SAMPLES as f64 / SAMPLE_RATE_HZ as f64;
/// Longest sequence with its end; what is more is cut off.
pub const MAX_IDS: usize = 1024;

/// Samples at 32 kHz on both sides of a segment, in which the resampler has its edges.
const MARGIN_SAMPLES: usize = 1024;
/// 32 kHz samples for one of a segment.
const DECIMATION: usize = (SAMPLE_RATE / SAMPLE_RATE_HZ) as usize;

/// One segment of MT3.
pub struct TokenSegment {
    /// [`TOKEN_SEGMENT_SAMPLES`] samples at 16 kHz.
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

impl Recordings {
    /// Segment number `index` of the stream that `seed` names, made as [`Recordings::segment`]
    /// makes them, with the ids of `history` segments before it.
    ///
    /// # Errors
    /// None that depends on the recordings.
    pub fn token_segment(&self, seed: u64, index: u64, history: usize) -> Result<TokenSegment> {
        let mut rng = random_stream(seed, index);
        let samples = DECIMATION * TOKEN_SEGMENT_SAMPLES + 2 * MARGIN_SAMPLES;
        let before = history as f64 * SEGMENT_SECONDS;
        let mixture = self.mixture(&mut rng, samples, before);
        let mut mixed = mixture.own;
        mix(&mut mixed, &mixture.around, 1.0);
        finish(&mut rng, &mut mixed);
        let mut resampler = Resampler::new(SAMPLE_RATE, SAMPLE_RATE_HZ)?;
        let mut audio = Vec::with_capacity(mixed.len() / DECIMATION);
        resampler.push(&mixed, &mut audio);
        resampler.finish(&mut audio);
        audio.drain(..MARGIN_SAMPLES / DECIMATION);
        audio.resize(TOKEN_SEGMENT_SAMPLES, 0.0);

        let margin = MARGIN_SAMPLES as f64 / f64::from(SAMPLE_RATE);
        let end = (mixture.end_seconds - margin) * f64::from(SAMPLE_RATE_HZ);
        let end = (end.round().max(0.0) as usize).min(TOKEN_SEGMENT_SAMPLES);
        audio[end..].fill(0.0);
        // A recording gets a frame more even where it fills its last one.
        let frames = (end / FRAME_SAMPLES + 1).min(TOKEN_SEGMENT_SAMPLES / FRAME_SAMPLES);

        // Segments begin on frames of 8 ms, tokens count steps of 10 ms of the whole recording.
        let phase = f64::from(rng.random_range(0..5u8)) * 0.002;
        let mut ids = ids(&mixture.notes, phase - margin, phase, history);
        let recording_start = mixture.start_seconds - margin + phase;
        for (segment, ids) in ids.iter_mut().enumerate().skip(1) {
            if phase - (segment as f64) * SEGMENT_SECONDS < recording_start {
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
}

/// The tokens of the segment that begins at `start` seconds and of `history` segments before it, of
/// notes that are `delay` seconds later. The last segment comes first.
fn ids(notes: &[MidiNote], delay: f64, start: f64, history: usize) -> Vec<Vec<u16>> {
    // Shorter than a step: the encoder drops notes without a length.
    let shortest = 1.0 / STEPS_PER_SECOND;
    let notes: Vec<Note> = notes
        .iter()
        .filter(|n| n.key <= 127)
        .map(|n| Note {
            onset_seconds: n.onset + delay,
            offset_seconds: n.offset.max(n.onset + shortest) + delay,
            pitch: n.key,
            velocity: n.velocity,
            program: if n.channel == 9 { 0 } else { n.program },
            is_drum: n.channel == 9,
            openness: None,
            confidence: 1.0,
        })
        .collect();
    let starts = (0..=history + 1).map(|n| start + (n as f64 - history as f64) * SEGMENT_SECONDS);
    // The first segment holds what was before, so that the second knows what is tied.
    let before = notes.iter().map(|n| n.onset_seconds);
    let before = before.fold(start - history as f64 * SEGMENT_SECONDS, f64::min) - 1.0;
    let starts: Vec<f64> = std::iter::once(before).chain(starts).collect();
    let segments = encode(&notes, &starts);
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
