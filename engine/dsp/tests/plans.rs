#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
//! FFT plans and converters.

use hitscribe_dsp::{Complex, RealFftPlanner, block_resampler, complex_fft_f64};

#[test]
fn forward_and_inverse_give_the_samples_back() {
    let samples: Vec<f32> = (0..48u8).map(|n| f32::from(n * n % 31) - 15.0).collect();
    let mut planner = RealFftPlanner::new();
    let forward = planner.plan_fft_forward(samples.len());
    let (mut input, mut spectrum) = (samples.clone(), forward.make_output_vec());
    forward.process(&mut input, &mut spectrum).unwrap();
    assert_eq!(spectrum.len(), 25);
    assert!((spectrum[0].re - samples.iter().sum::<f32>()).abs() < 1e-3);
    let mut output = vec![0.0; samples.len()];
    let inverse = planner.plan_fft_inverse(samples.len());
    inverse.process(&mut spectrum, &mut output).unwrap();
    let near = |(a, b): (&f32, &f32)| (a / 48.0 - b).abs() < 1e-4;
    assert!(output.iter().zip(&samples).all(near));
}

#[test]
fn a_tone_is_in_its_bin() {
    let fft = complex_fft_f64(64);
    let step = std::f64::consts::TAU * 5.0 / 64.0;
    let tone = |n: u8| Complex::from_polar(1.0, step * f64::from(n));
    let mut values: Vec<_> = (0..64).map(tone).collect();
    fft.process(&mut values);
    for (bin, value) in values.iter().enumerate() {
        let expected = if bin == 5 { 64.0 } else { 0.0 };
        assert!((value.norm() - expected).abs() < 1e-9, "{bin}");
    }
}

#[test]
fn converters_have_blocks_of_a_fixed_length() {
    let resampler = block_resampler(48_000, 32_000, 750).unwrap();
    assert_eq!(resampler.input_frames_next(), 750);
    assert_eq!(resampler.output_frames_next(), 500);
    assert!(block_resampler(0, 32_000, 64).is_err());
}
