//! The records that go to standard output, as the training programs read them.

use std::io::Write;

use hitscribe_train::recordings::{MAX_IDS, StreamSegment, TokenSegment};
use hitscribe_train::segment::{PitchedSegment, SEGMENT_SAMPLES, Segment};

/// Hits in a record of [`SEGMENT_SAMPLES`] samples: more would be 60 per second. Longer ones hold
/// as many more.
const MAX_HITS: usize = 256;
/// Notes in a record of [`SEGMENT_SAMPLES`] samples, in longer ones as many more.
const MAX_NOTES: usize = 512;

fn write_samples(out: &mut (impl Write + ?Sized), audio: &[f32]) -> std::io::Result<()> {
    for x in audio {
        let sample = (x * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
        out.write_all(&sample.to_le_bytes())?;
    }
    Ok(())
}

/// A record: 16-bit samples, the number of labels as u32, then `max` labels of `N`
/// 32-bit floats, zeros after the last; all little-endian.
fn write_record<const N: usize>(
    out: &mut (impl Write + ?Sized),
    audio: &[f32],
    labels: &[[f32; N]],
    max: usize,
) -> std::io::Result<()> {
    write_samples(out, audio)?;
    let labels = &labels[..labels.len().min(max)];
    out.write_all(&(labels.len() as u32).to_le_bytes())?;
    for value in labels.iter().flatten() {
        out.write_all(&value.to_le_bytes())?;
    }
    out.write_all(&vec![0; (max - labels.len()) * N * 4])
}

/// Labels: seconds, class, velocity 0..=1, audibility in dB.
pub fn write_drums(out: &mut (impl Write + ?Sized), segment: &Segment) -> std::io::Result<()> {
    let label = |hit: &hitscribe_train::perform::Hit| {
        [
            hit.stroke.seconds as f32,
            f32::from(hit.stroke.class as u8),
            hit.stroke.velocity,
            hit.audibility.db(),
        ]
    };
    let labels: Vec<_> = segment.hits.iter().map(label).collect();
    let max = MAX_HITS * segment.audio.len() / SEGMENT_SAMPLES;
    write_record(out, &segment.audio, &labels, max)
}

/// Labels: onset and offset in seconds (the onset may lie before the segment), key, velocity 0..=1,
/// General MIDI program (128 higher: an invented instrument).
pub fn write_pitched(
    out: &mut (impl Write + ?Sized),
    segment: &PitchedSegment,
) -> std::io::Result<()> {
    let label = |n: &hitscribe_train::segment::LabelledNote| {
        let (key, program) = (f32::from(n.key), f32::from(n.program));
        [n.onset, n.offset, key, n.velocity, program]
    };
    let labels: Vec<_> = segment.notes.iter().map(label).collect();
    let max = MAX_NOTES * segment.audio.len() / SEGMENT_SAMPLES;
    write_record(out, &segment.audio, &labels, max)
}

/// A record: 16-bit samples, the number of frames and of ids as u16, `MAX_IDS` ids as u16, zeros
/// after the last. Then the same number and ids of each segment before it, the last one first; the
/// number is 0 where there is none. All little-endian.
pub fn write_tokens(
    out: &mut (impl Write + ?Sized),
    segment: &TokenSegment,
) -> std::io::Result<()> {
    write_samples(out, &segment.audio)?;
    out.write_all(&(segment.frames as u16).to_le_bytes())?;
    let mut sequences = std::iter::once(&segment.ids).chain(&segment.history);
    sequences.try_for_each(|ids| write_ids(out, ids, MAX_IDS))
}

/// A record: 16-bit samples, then of each stream the number of ids and as many ids as it can have
/// as u16, zeros after the last. All little-endian.
pub fn write_streams(
    out: &mut (impl Write + ?Sized),
    segment: &StreamSegment,
) -> std::io::Result<()> {
    write_samples(out, &segment.audio)?;
    let most = StreamSegment::max_ids(segment.streams.len());
    let mut streams = segment.streams.iter();
    streams.try_for_each(|ids| write_ids(out, ids, most))
}

fn write_ids(out: &mut (impl Write + ?Sized), ids: &[u16], most: usize) -> std::io::Result<()> {
    let mut values = vec![0; 1 + most];
    values[0] = ids.len() as u16;
    values[1..=ids.len()].copy_from_slice(ids);
    let mut values = values.iter();
    values.try_for_each(|value| out.write_all(&value.to_le_bytes()))
}
