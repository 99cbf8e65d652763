//! The spectrogram with notes drawn over it.

use std::io::Write as _;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hitscribe::leakage::Verdict;
use hitscribe_core::Note;
use hitscribe_core::features::fft::real_fft;

use crate::audio_in::Recording;

/// What the picture shows.
pub const LEGEND: &str = "spectrogram.png: MIDI keys 16 to 136 upwards (five rows each, 21 Hz to 21 kHz); green boxes \
                          are kept pitched notes, red boxes removed ones, orange boxes notes made drums; the lanes \
                          below are percussion keys, the lowest key lowest";

const LOWEST_KEY: f64 = 16.0;
const KEYS: usize = 120;
const ROWS_PER_KEY: usize = 5;
const SPECTRUM_ROWS: usize = KEYS * ROWS_PER_KEY;
const LANE_ROWS: usize = 12;
const COLUMNS_PER_SECOND: f64 = 100.0;
const MINIMUM_COLUMNS: usize = 400;
/// Longer recordings get fewer columns a second.
const MAXIMUM_COLUMNS: usize = 8000;
const WINDOW_SECONDS: f64 = 0.09;
const DYNAMIC_RANGE_DB: f32 = 80.0;

type Color = [u8; 3];
const KEPT: Color = [80, 255, 120];
const REMOVED: Color = [255, 70, 70];
const REMAPPED: Color = [255, 170, 40];
const DRUM: Color = [120, 200, 255];
const LANE: Color = [24, 24, 30];
const LANE_EDGE: Color = [60, 60, 70];

/// The picture as a PNG file.
pub fn draw(recording: &Recording, notes: &[Note], verdicts: &[Verdict]) -> Result<Vec<u8>> {
    let seconds = recording.duration_seconds().max(0.01);
    let columns = ((seconds * COLUMNS_PER_SECOND) as usize).clamp(MINIMUM_COLUMNS, MAXIMUM_COLUMNS);
    let mut lanes: Vec<u8> = notes
        .iter()
        .zip(verdicts)
        .filter_map(|(n, v)| v.apply(n))
        .filter(|n| n.is_drum)
        .map(|n| n.pitch)
        .collect();
    lanes.sort_unstable();
    lanes.dedup();
    let mut canvas = Canvas::new(
        columns,
        SPECTRUM_ROWS + lanes.len() * LANE_ROWS,
        columns as f64 / seconds,
    );
    canvas.spectrum(recording)?;
    for lane in 0..lanes.len() {
        let top = SPECTRUM_ROWS + lane * LANE_ROWS;
        canvas.fill(0, columns, top, top + LANE_ROWS, LANE);
        canvas.fill(0, columns, top, top + 1, LANE_EDGE);
    }
    for (note, verdict) in notes.iter().zip(verdicts) {
        let color = match verdict {
            Verdict::Keep if note.is_drum => DRUM,
            Verdict::Keep => KEPT,
            Verdict::Remove(_) => REMOVED,
            Verdict::Remap { .. } => REMAPPED,
        };
        if !note.is_drum {
            canvas.note(note, color);
        }
        if let Some(drum) = verdict.apply(note).filter(|n| n.is_drum) {
            let lane = lanes.partition_point(|&key| key < drum.pitch);
            canvas.hit(&drum, lanes.len() - 1 - lane, color);
        }
    }
    canvas.png()
}

struct Canvas {
    columns: usize,
    rows: usize,
    columns_per_second: f64,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(columns: usize, rows: usize, columns_per_second: f64) -> Self {
        Self {
            columns,
            rows,
            columns_per_second,
            pixels: vec![0; columns * rows * 3],
        }
    }

    fn fill(&mut self, left: usize, right: usize, top: usize, bottom: usize, color: Color) {
        for row in top.min(self.rows)..bottom.min(self.rows) {
            for column in left.min(self.columns)..right.min(self.columns) {
                let at = (row * self.columns + column) * 3;
                self.pixels[at..at + 3].copy_from_slice(&color);
            }
        }
    }

    /// Magnitudes on a logarithmic frequency axis, relative to the loudest.
    fn spectrum(&mut self, recording: &Recording) -> Result<()> {
        let rate = f64::from(recording.sample_rate_hz);
        let window = 1 << ((WINDOW_SECONDS * rate).log2().round().clamp(5.0, 16.0) as u32);
        let fft = real_fft(window);
        let hann: Vec<f32> = (0..window)
            .map(|i| (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / window as f64).cos()) as f32)
            .collect();
        let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
        let bin_of_row = |row: f64| {
            let key = LOWEST_KEY + row / ROWS_PER_KEY as f64;
            440.0 * ((key - 69.0) / 12.0).exp2() * window as f64 / rate
        };
        let mut levels = vec![0.0_f32; self.columns * SPECTRUM_ROWS];
        for column in 0..self.columns {
            let center = ((column as f64 + 0.5) / self.columns_per_second * rate) as usize;
            for (i, (x, w)) in input.iter_mut().zip(&hann).enumerate() {
                let sample = (center + i)
                    .checked_sub(window / 2)
                    .and_then(|at| recording.samples.get(at));
                *x = sample.copied().filter(|s| s.is_finite()).unwrap_or(0.0) * w;
            }
            fft.process(&mut input, &mut output)
                .context("spectrogram")?;
            for row in 0..SPECTRUM_ROWS {
                let first = bin_of_row(row as f64).round() as usize;
                let last = (bin_of_row(row as f64 + 1.0).round() as usize).max(first + 1);
                if first < output.len() {
                    let bins = &output[first..last.min(output.len())];
                    levels[(SPECTRUM_ROWS - 1 - row) * self.columns + column] =
                        bins.iter().map(|c| c.norm()).fold(0.0, f32::max);
                }
            }
        }
        let loudest = levels.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        for (pixel, level) in self.pixels.chunks_exact_mut(3).zip(levels) {
            let db = 20.0 * (level / loudest).max(f32::MIN_POSITIVE).log10();
            pixel.copy_from_slice(&heat(1.0 + db / DYNAMIC_RANGE_DB));
        }
        Ok(())
    }

    fn column(&self, seconds: f64) -> usize {
        (seconds.max(0.0) * self.columns_per_second) as usize
    }

    /// The outline of a pitched note at its key.
    fn note(&mut self, note: &Note, color: Color) {
        let row = (f64::from(note.pitch) - LOWEST_KEY) * ROWS_PER_KEY as f64;
        if row < 0.0 || row as usize + ROWS_PER_KEY > SPECTRUM_ROWS {
            return;
        }
        // A key's rows are centred on its frequency.
        let bottom = (SPECTRUM_ROWS - row as usize + ROWS_PER_KEY / 2).min(SPECTRUM_ROWS);
        let top = bottom.saturating_sub(ROWS_PER_KEY);
        let left = self.column(note.onset_seconds);
        let right = self.column(note.offset_seconds).max(left + 2);
        self.fill(left, right, top, top + 1, color);
        self.fill(left, right, bottom - 1, bottom, color);
        self.fill(left, left + 1, top, bottom, color);
        self.fill(right - 1, right, top, bottom, color);
    }

    /// A tick in the lane of a percussion key, as high as it is loud.
    fn hit(&mut self, note: &Note, lane: usize, color: Color) {
        let bottom = SPECTRUM_ROWS + (lane + 1) * LANE_ROWS;
        let height = 2 + usize::from(note.velocity.min(127)) * (LANE_ROWS - 3) / 127;
        let left = self.column(note.onset_seconds);
        self.fill(left, left + 2, bottom - height, bottom, color);
    }

    fn png(&self) -> Result<Vec<u8>> {
        let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.pixels.chunks_exact(self.columns * 3) {
            // Filter type "none".
            rows.write_all(&[0])?;
            rows.write_all(row)?;
        }
        let mut header = Vec::new();
        header.extend((self.columns as u32).to_be_bytes());
        header.extend((self.rows as u32).to_be_bytes());
        // Eight bits, RGB, deflate, adaptive filters, not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut png, b"IHDR", &header);
        chunk(&mut png, b"IDAT", &rows.finish()?);
        chunk(&mut png, b"IEND", &[]);
        Ok(png)
    }
}

/// A chunk of a PNG file: length, name, content, checksum of the two.
fn chunk(png: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(name);
    checksum.update(content);
    png.extend((content.len() as u32).to_be_bytes());
    png.extend(name);
    png.extend(content);
    png.extend(checksum.finalize().to_be_bytes());
}

/// From black over violet and orange to white.
fn heat(level: f32) -> Color {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 8.0],
        [60.0, 15.0, 95.0],
        [150.0, 45.0, 95.0],
        [235.0, 125.0, 50.0],
        [255.0, 250.0, 220.0],
    ];
    let at = level.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    let part = at - below as f32;
    let mix = |c: usize| (STOPS[below][c] + (STOPS[below + 1][c] - STOPS[below][c]) * part) as u8;
    [mix(0), mix(1), mix(2)]
}
