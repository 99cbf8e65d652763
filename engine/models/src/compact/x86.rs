//! The kernels for AVX2 and for AVX-512 with VNNI.
//!
//! Vectors are read from arrays of at least their size, which the types of the panels guarantee;
//! everything else is safe once the CPU has the instructions.

use std::arch::x86_64::*;

use super::kernels::{BLOCK, Block, Bytes, GROUP, Halves, Kernel, Kernels, PANEL, ROWS};

/// The kernels of this CPU, if it has the instructions.
pub(super) fn kernels() -> Option<&'static Kernels> {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
        Some(&AVX512)
    } else if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
    {
        Some(&AVX2)
    } else {
        None
    }
}

/// Only for CPUs with the features avx512f and avx512vnni.
pub(super) static AVX512: Kernels = Kernels {
    halves: Kernel {
        one: avx512_halves::<1>,
        several: avx512_halves::<ROWS>,
    },
    bytes: Kernel {
        one: avx512_bytes::<1>,
        several: avx512_bytes::<ROWS>,
    },
};

/// Only for CPUs with the features avx2, fma and f16c.
pub(super) static AVX2: Kernels = Kernels {
    halves: Kernel {
        one: avx2_halves::<1, 4>,
        several: avx2_halves::<ROWS, 2>,
    },
    bytes: Kernel {
        one: avx2_bytes::<1>,
        several: avx2_bytes::<ROWS>,
    },
};

#[target_feature(enable = "avx512f")]
fn avx512_halves<const R: usize>(rows: [&[f32]; R], panel: &[Halves]) -> [[f32; PANEL]; R] {
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (input, halves) in panel.iter().enumerate() {
        for (part, halves) in halves.0.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: the array has the 256 bits that are read.
            let weights = unsafe { _mm256_loadu_si256(halves.as_ptr().cast()) };
            let weights = _mm512_cvtph_ps(weights);
            for row in 0..R {
                let x = _mm512_set1_ps(rows[row][input]);
                sums[row][part] = _mm512_fmadd_ps(weights, x, sums[row][part]);
            }
        }
    }
    avx512_floats(sums)
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn avx512_bytes<const R: usize>(rows: [&[Block]; R], panel: &[Bytes]) -> [[f32; PANEL]; R] {
    let mut sums = [[_mm512_setzero_ps(); 2]; R];
    for (block, panel) in panel.chunks(BLOCK).enumerate() {
        let inputs = rows.map(|row| &row[block]);
        let mut exact = inputs.map(|inputs| [_mm512_set1_epi32(inputs.offset); 2]);
        for (group, bytes) in panel.iter().enumerate() {
            for (part, bytes) in bytes.0.as_chunks::<16>().0.iter().enumerate() {
                // SAFETY: the array has the 512 bits that are read.
                let weights = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
                for row in 0..R {
                    let x = _mm512_set1_epi32(packed(inputs[row].groups[group]));
                    exact[row][part] = _mm512_dpbusd_epi32(exact[row][part], weights, x);
                }
            }
        }
        for row in 0..R {
            let scale = _mm512_set1_ps(inputs[row].scale);
            for part in 0..2 {
                let exact = _mm512_cvtepi32_ps(exact[row][part]);
                sums[row][part] = _mm512_fmadd_ps(exact, scale, sums[row][part]);
            }
        }
    }
    avx512_floats(sums)
}

/// The inputs of a group as one 32-bit number.
fn packed(group: [i8; GROUP]) -> i32 {
    i32::from_le_bytes(group.map(|x| x as u8))
}

#[target_feature(enable = "avx512f")]
fn avx512_floats<const R: usize>(sums: [[__m512; 2]; R]) -> [[f32; PANEL]; R] {
    let mut out = [[0.0; PANEL]; R];
    for (out, sums) in out.iter_mut().zip(sums) {
        for (out, sums) in out.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
            // SAFETY: the array has the 512 bits that are written.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sums) };
        }
    }
    out
}

/// `V` vectors of 8 outputs at a time, as many as there are registers for.
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2_halves<const R: usize, const V: usize>(
    rows: [&[f32]; R],
    panel: &[Halves],
) -> [[f32; PANEL]; R] {
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut out = [[0.0; PANEL]; R];
    for first in (0..PANEL / 8).step_by(V) {
        let mut sums = [[_mm256_setzero_ps(); V]; R];
        for (input, halves) in panel.iter().enumerate() {
            let vectors = &halves.0.as_chunks::<8>().0[first..first + V];
            for (part, halves) in vectors.iter().enumerate() {
                // SAFETY: the array has the 128 bits that are read.
                let weights = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
                let weights = _mm256_cvtph_ps(weights);
                for row in 0..R {
                    let x = _mm256_set1_ps(rows[row][input]);
                    sums[row][part] = _mm256_fmadd_ps(weights, x, sums[row][part]);
                }
            }
        }
        avx2_store(&mut out, first, sums);
    }
    out
}

/// Products in 16 bits are added in pairs, which cannot overflow: 8 outputs of the panel at a time.
#[target_feature(enable = "avx2,fma")]
fn avx2_bytes<const R: usize>(rows: [&[Block]; R], panel: &[Bytes]) -> [[f32; PANEL]; R] {
    let mut out = [[0.0; PANEL]; R];
    for first in 0..PANEL / 8 {
        let mut sums = [[_mm256_setzero_ps(); 1]; R];
        for (block, panel) in panel.chunks(BLOCK).enumerate() {
            let inputs = rows.map(|row| &row[block]);
            let mut pairs = [[_mm256_setzero_si256(); 2]; R];
            for (group, bytes) in panel.iter().enumerate() {
                let outputs = &bytes.0.as_chunks::<8>().0[first];
                for (part, outputs) in outputs.as_chunks::<4>().0.iter().enumerate() {
                    // SAFETY: the array has the 128 bits that are read.
                    let weights = unsafe { _mm_loadu_si128(outputs.as_ptr().cast()) };
                    let weights = _mm256_cvtepu8_epi16(weights);
                    for row in 0..R {
                        let x = _mm_set1_epi32(packed(inputs[row].groups[group]));
                        let products = _mm256_madd_epi16(weights, _mm256_cvtepi8_epi16(x));
                        pairs[row][part] = _mm256_add_epi32(pairs[row][part], products);
                    }
                }
            }
            for row in 0..R {
                // Adding the pairs leaves the outputs in the order of 128-bit halves.
                let exact = _mm256_hadd_epi32(pairs[row][0], pairs[row][1]);
                let exact = _mm256_permute4x64_epi64::<0b11_01_10_00>(exact);
                let exact = _mm256_add_epi32(exact, _mm256_set1_epi32(inputs[row].offset));
                let scale = _mm256_set1_ps(inputs[row].scale);
                sums[row][0] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), scale, sums[row][0]);
            }
        }
        avx2_store(&mut out, first, sums);
    }
    out
}

#[target_feature(enable = "avx2")]
fn avx2_store<const R: usize, const V: usize>(
    out: &mut [[f32; PANEL]; R],
    first: usize,
    sums: [[__m256; V]; R],
) {
    for (out, sums) in out.iter_mut().zip(sums) {
        let out = &mut out.as_chunks_mut::<8>().0[first..first + V];
        for (out, sums) in out.iter_mut().zip(sums) {
            // SAFETY: the array has the 256 bits that are written.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
        }
    }
}
