//! A matrix of weights, packed for the kernels.

use half::f16;

use super::kernels::{BLOCK, Block, Bytes, GROUP, Halves, Kernel, Kernels, PANEL, ROWS, kernels};

/// How weights and inputs are represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Weights in 16-bit floats.
    F16,
    /// Weights in 8-bit integers with a scale for each output, inputs in 8-bit integers with a scale
    /// for every 64 of them.
    Int8,
}

/// A matrix of weights: panels of outputs, each the weights of its inputs one after the other. What
/// is missing in the last panel and the last group is zero.
#[derive(Debug)]
pub(crate) struct CompactMatrix {
    inputs: usize,
    outputs: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Halves(Vec<Halves>),
    Bytes {
        bytes: Vec<Bytes>,
        /// Of each output.
        scales: Vec<f32>,
    },
}

/// Products from which on several cores share the rows, as in the backend.
#[cfg(feature = "parallel")]
const PARALLEL_PRODUCTS: usize = 192 * 192 * 192;
/// The largest magnitude of an 8-bit weight or input.
const LARGEST: f32 = 127.0;

impl CompactMatrix {
    /// From a matrix `[outputs, inputs]`, PyTorch's layout.
    pub(crate) fn new(stored: &[f32], inputs: usize, outputs: usize, format: Format) -> Self {
        let values = match format {
            Format::F16 => Values::Halves(halves(stored, inputs, outputs)),
            Format::Int8 => bytes(stored, inputs, outputs),
        };
        Self {
            inputs,
            outputs,
            values,
        }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The outputs `[rows, outputs]` for rows of inputs in `x`, each `step` values after the one
    /// before. Rows may overlap.
    pub(crate) fn product(&self, x: &[f32], step: usize) -> Vec<f32> {
        self.product_by(kernels(), x, step)
    }

    fn product_by(&self, kernels: &Kernels, x: &[f32], step: usize) -> Vec<f32> {
        let windows = x.windows(self.inputs.max(1)).step_by(step.max(1));
        match &self.values {
            Values::Halves(weights) => {
                let rows: Vec<&[f32]> = windows.collect();
                self.fill(&kernels.halves, &rows, weights, self.inputs, &[])
            }
            Values::Bytes { bytes, scales } => {
                const STEP: usize = GROUP * BLOCK;
                let length = self.inputs.div_ceil(STEP).max(1);
                // Overlapping rows share their blocks if they begin with one.
                let is_shared = step.is_multiple_of(STEP) && self.inputs.is_multiple_of(STEP);
                let (inputs, step): (Vec<Block>, usize) = match is_shared {
                    true => (blocks(x).collect(), step / STEP),
                    false => (windows.flat_map(blocks).collect(), length),
                };
                let rows: Vec<&[Block]> = inputs.windows(length).step_by(step.max(1)).collect();
                let groups = self.inputs.div_ceil(GROUP);
                self.fill(&kernels.bytes, &rows, bytes, groups, scales)
            }
        }
    }

    /// Computes every tile, with panels of `length`, and scales the outputs unless there are no
    /// scales.
    fn fill<X: Sync, P: Sync>(
        &self,
        kernel: &Kernel<X, P>,
        rows: &[&[X]],
        weights: &[P],
        length: usize,
        scales: &[f32],
    ) -> Vec<f32> {
        let mut y = vec![0.0; rows.len() * self.outputs];
        let part = |rows: &[&[X]], y: &mut [f32]| {
            self.fill_rows(kernel, rows, weights, length, scales, y);
        };
        #[cfg(feature = "parallel")]
        if rows.len() * self.inputs * self.outputs >= PARALLEL_PRODUCTS {
            use rayon::prelude::*;
            let size = ROWS * rows.len().div_ceil(ROWS * rayon::current_num_threads());
            y.par_chunks_mut(size * self.outputs)
                .zip(rows.par_chunks(size))
                .for_each(|(y, rows)| part(rows, y));
            return y;
        }
        part(rows, &mut y);
        y
    }

    fn fill_rows<X, P>(
        &self,
        kernel: &Kernel<X, P>,
        rows: &[&[X]],
        weights: &[P],
        length: usize,
        scales: &[f32],
        y: &mut [f32],
    ) {
        let (tiles, rest) = rows.as_chunks::<ROWS>();
        for (panel, first) in weights
            .chunks_exact(length.max(1))
            .zip((0..).step_by(PANEL))
        {
            let last = (first + PANEL).min(self.outputs);
            let mut store = |row: usize, sums: &[f32; PANEL]| {
                let y = &mut y[row * self.outputs..][first..last];
                y.copy_from_slice(&sums[..y.len()]);
                if let Some(scales) = scales.get(first..last) {
                    y.iter_mut().zip(scales).for_each(|(y, scale)| *y *= scale);
                }
            };
            for (tile, row) in tiles.iter().zip((0..).step_by(ROWS)) {
                // SAFETY: `kernels` chose instructions that the CPU has.
                let sums = unsafe { (kernel.several)(*tile, panel) };
                (row..).zip(&sums).for_each(|(row, sums)| store(row, sums));
            }
            for (row, x) in (tiles.len() * ROWS..).zip(rest) {
                // SAFETY: as above.
                let [sums] = unsafe { (kernel.one)([x], panel) };
                store(row, &sums);
            }
        }
    }
}

/// The largest magnitude; NaN if there is one.
fn largest(values: &[f32]) -> f32 {
    let magnitudes = values.iter().map(|x| x.to_bits() & 0x7fff_ffff);
    f32::from_bits(magnitudes.max().unwrap_or(0))
}

/// A row of inputs in 8 bits.
fn blocks(row: &[f32]) -> impl Iterator<Item = Block> {
    row.chunks(GROUP * BLOCK).map(|values| {
        /// Added to a small number, its last bits are that number rounded to the nearest integer.
        const ROUND: f32 = 12_582_912.0;
        let largest = largest(values);
        let factor = match largest > 0.0 {
            true => LARGEST / largest,
            false => 0.0,
        };
        let mut block = Block {
            scale: largest / LARGEST,
            ..Block::default()
        };
        let to = block.groups.as_flattened_mut();
        for (to, value) in to.iter_mut().zip(values) {
            *to = (value * factor + ROUND).to_bits() as i8;
        }
        block.offset = -128 * to.iter().map(|&x| i32::from(x)).sum::<i32>();
        block
    })
}

fn halves(stored: &[f32], inputs: usize, outputs: usize) -> Vec<Halves> {
    let mut out = vec![Halves([0; PANEL]); outputs.div_ceil(PANEL) * inputs];
    for (output, row) in stored.chunks_exact(inputs.max(1)).enumerate() {
        let panel = &mut out[output / PANEL * inputs..];
        for (halves, &weight) in panel.iter_mut().zip(row) {
            let largest = f32::from(f16::MAX);
            halves.0[output % PANEL] = f16::from_f32(weight.clamp(-largest, largest)).to_bits();
        }
    }
    out
}

fn bytes(stored: &[f32], inputs: usize, outputs: usize) -> Values {
    let groups = inputs.div_ceil(GROUP);
    let mut bytes = vec![Bytes([[128; GROUP]; PANEL]); outputs.div_ceil(PANEL) * groups];
    let mut scales = vec![0.0; outputs];
    let rows = stored.chunks_exact(inputs.max(1)).zip(&mut scales);
    for (output, (row, scale)) in rows.enumerate() {
        *scale = largest(row) / LARGEST;
        let panel = &mut bytes[output / PANEL * groups..];
        for (input, weight) in row.iter().enumerate() {
            // Casts saturate, and give 0 for a row of zeros.
            let byte = (weight / *scale).round_ties_even() as i8;
            panel[input / GROUP].0[output % PANEL][input % GROUP] = (byte as u8) ^ 128;
        }
    }
    Values::Bytes { bytes, scales }
}

#[cfg(test)]
mod tests;
