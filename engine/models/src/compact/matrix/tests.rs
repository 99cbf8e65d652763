use hitscribe_testing::random::Random;

use super::*;
use crate::compact::kernels::{PORTABLE, widened};

/// The kernels that this CPU can run, and whether they have fused multiply-add.
fn available() -> Vec<(&'static str, &'static Kernels, bool)> {
    let fused = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
    let mut all = vec![("portable", &PORTABLE, fused)];
    #[cfg(target_arch = "x86_64")]
    {
        use crate::compact::x86::{AVX2, AVX512};
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        if has_avx2 && is_x86_feature_detected!("f16c") {
            all.push(("AVX2", &AVX2, true));
        }
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
            all.push(("AVX-512", &AVX512, true));
        }
    }
    all
}

/// One output after the other, as the formats are defined.
fn product(stored: &[f32], inputs: usize, x: &[f32], format: Format) -> Vec<f32> {
    let quotient = |value: f32, scale: f32| if scale > 0.0 { value / scale } else { 0.0 };
    let mut y = Vec::new();
    for x in x.chunks(inputs) {
        for weights in stored.chunks(inputs) {
            y.push(match format {
                Format::F16 => weights.iter().zip(x).fold(0.0, |sum, (&w, &x)| {
                    f16::from_f32(w).to_f32().mul_add(x, sum)
                }),
                Format::Int8 => {
                    let scale = largest(weights) / 127.0;
                    let mut sum = 0.0_f32;
                    for (weights, x) in weights.chunks(64).zip(x.chunks(64)) {
                        let largest = largest(x);
                        let byte = |w: f32| quotient(w, scale).round_ties_even() as i32;
                        let input = |x: f32| x * quotient(127.0, largest);
                        let terms = weights.iter().zip(x);
                        let exact: i32 = terms
                            .map(|(w, x)| byte(*w) * input(*x).round_ties_even() as i32)
                            .sum();
                        sum = (exact as f32).mul_add(largest / 127.0, sum);
                    }
                    sum * scale
                }
            });
        }
    }
    y
}

#[test]
fn every_kernel_computes_what_the_format_says() {
    let mut random = Random(5);
    let mut values = |count: usize, scale: f32| -> Vec<f32> {
        (0..count)
            .map(|_| (random.unit() as f32 * 2.0 - 1.0) * scale)
            .collect()
    };
    for (rows, inputs, outputs) in [
        (1, 1, 1),
        (1, 64, 32),
        (1, 129, 33),
        (2, 7, 40),
        (4, 512, 64),
        (5, 30, 31),
        (13, 384, 70),
        (17, 5, 96),
        (3, 66, 5),
    ] {
        let mut stored = values(inputs * outputs, 0.3);
        // An output without weights, and one with a weight that has few bits in 16.
        stored[..inputs].fill(0.0);
        let last = stored.len() - 1;
        stored[last] = 3e-7;
        let mut x = values(inputs * rows, 2.0);
        x[..inputs.min(3)].fill(0.0);
        for format in [Format::F16, Format::Int8] {
            let matrix = CompactMatrix::new(&stored, inputs, outputs, format);
            let want = product(&stored, inputs, &x, format);
            for (name, kernels, fused) in available() {
                let got = matrix.product_by(kernels, &x, inputs);
                let what = format!("{name}, {format:?}, {rows} x {inputs} x {outputs}");
                if fused {
                    assert_eq!(got, want, "{what}");
                    continue;
                }
                let near = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-6 * inputs as f32;
                assert!(
                    got.len() == want.len() && got.iter().zip(&want).all(near),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn rows_that_overlap_are_as_those_that_do_not() {
    let mut random = Random(8);
    let mut values =
        |count: usize| -> Vec<f32> { (0..count).map(|_| random.unit() as f32 - 0.5).collect() };
    for (inputs, step) in [(192, 64), (192, 192), (70, 64), (12, 5)] {
        let (stored, x) = (values(inputs * 3), values(inputs + 4 * step));
        let rows = x.windows(inputs).step_by(step);
        for format in [Format::F16, Format::Int8] {
            let matrix = CompactMatrix::new(&stored, inputs, 3, format);
            let alone: Vec<f32> = rows
                .clone()
                .flat_map(|row| matrix.product(row, inputs))
                .collect();
            assert_eq!(alone.len(), 15);
            assert_eq!(
                matrix.product(&x, step),
                alone,
                "{format:?}, {inputs}, {step}"
            );
        }
    }
}

#[test]
fn all_finite_halves_are_widened_exactly() {
    for bits in 0..=u16::MAX {
        let half = f16::from_bits(bits);
        if half.is_finite() {
            assert_eq!(
                widened(bits).to_bits(),
                half.to_f32().to_bits(),
                "{bits:#x}"
            );
        }
    }
}

#[test]
fn weights_and_inputs_out_of_range_cause_no_panic() {
    let stored = [
        f32::NAN,
        f32::INFINITY,
        1e30,
        -1e-30,
        0.0,
        1.0,
        f32::MIN,
        2.0,
    ];
    let x = [1e38, -1e38, f32::INFINITY, f32::NAN];
    for format in [Format::F16, Format::Int8] {
        let matrix = CompactMatrix::new(&stored, 4, 2, format);
        assert_eq!(matrix.product(&x, 4).len(), 2);
        let none = CompactMatrix::new(&[], 0, 0, format);
        assert!(none.product(&[], 0).is_empty());
    }
}
