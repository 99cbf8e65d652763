//! The front ends of the MT3 family against golden features.

use hitscribe_core::features::mt3_family::{FrontEnd, FrontEndKind};
use hitscribe_testing::golden::golden;
use hitscribe_testing::tensors::{Pack, assert_features, difference};

/// Compares segment `segments[i]` of the recording with row `i` of the golden features.
fn check(pack: &str, kind: FrontEndKind, segments: &[usize]) {
    let Some(path) = golden(&format!("{pack}/pack.safetensors")) else {
        return;
    };
    let pack_file = Pack::open(&path);
    let want = pack_file.get("features");
    let got = FrontEnd::new(kind, want.shape[2]).features(&pack_file.get("wav").values);
    assert_eq!([got.frames, got.bands], want.shape[1..], "{pack}");
    for (row, &segment) in segments.iter().enumerate() {
        assert_features(
            &format!("{pack}, segment {segment}"),
            got.segment(segment),
            want.row(row),
        );
        assert!((got.starts_seconds[segment] - 2.048 * segment as f64).abs() < 1e-12);
    }
}

#[test]
fn mt3_pytorch_features() {
    check("mt3_pytorch/tiny", FrontEndKind::Mt3Pytorch, &[0, 1, 2]);
    check("mt3_pytorch/full", FrontEndKind::Mt3Pytorch, &[1]);
}

#[test]
fn mr_mt3_features() {
    check("mr_mt3/tiny", FrontEndKind::MrMt3, &[0, 1, 2]);
    check("mr_mt3/full", FrontEndKind::MrMt3, &[1]);
}

#[test]
fn normalised_mr_mt3_features() {
    check(
        "mr_mt3_segmem/tiny",
        FrontEndKind::MrMt3Normalised,
        &[0, 1, 2],
    );
    check("mr_mt3_segmem/full", FrontEndKind::MrMt3Normalised, &[0]);
}

#[test]
fn original_mt3_features() {
    let Some(path) = golden("frontend/kunato_ddsp_frontend.safetensors") else {
        return;
    };
    // The recording that the features were computed from.
    let Some(recording) = golden("mt3_pytorch/full/pack.safetensors") else {
        return;
    };
    let want = Pack::open(&path);
    let got =
        FrontEnd::new(FrontEndKind::Mt3, 512).features(&Pack::open(&recording).get("wav").values);
    let first = want.get("features_seg0_frames0_96");
    assert_features(
        "original, segment 0",
        &got.segment(0)[..first.values.len()],
        &first.values,
    );
    let second = want.get("features_seg1_valid");
    assert_features(
        "original, segment 1",
        &got.segment(1)[..second.values.len()],
        &second.values,
    );
}

/// Scales the distances of `got` from 1, the largest value, by the factor that fits `want` best in
/// the least-squares sense, as if both had the same smallest value.
fn scaled_to_range_of(got: &[f32], want: &[f32]) -> Vec<f32> {
    let below = |values: &[f32]| {
        values
            .iter()
            .map(|&v| 1.0 - f64::from(v))
            .collect::<Vec<_>>()
    };
    let (got, want) = (below(got), below(want));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = product(&got, &want) / product(&got, &got);
    got.iter()
        .map(|below| (1.0 - scale * below) as f32)
        .collect()
}

#[test]
fn yourmt3_spectrograms() {
    for name in ["tiny", "full"] {
        let Some(path) = golden(&format!("yourmt3/{name}/pack.safetensors")) else {
            return;
        };
        let pack = Pack::open(&path);
        let want = pack.get("spectrogram");
        let got = FrontEnd::new(FrontEndKind::YourMt3, 0).features(&pack.get("wav").values);
        assert_eq!([got.frames, got.bands], want.shape[1..]);
        // The whole segment is scaled by its smallest bin, which is only the rounding error of an
        // FFT in f32. The mean difference from the golden file is 2e-4 for torch.stft on another
        // machine, and 6e-5 for exact arithmetic.
        let (got_values, want_values) = (got.segment(0), want.row(0));
        let d = difference(&format!("yourmt3/{name}"), got_values, want_values);
        assert!(
            d.mean <= 1e-4 && d.max <= 2e-3,
            "mean {:e}, max {:e}",
            d.mean,
            d.max
        );
        // With the smallest bin of the golden file the mean difference is far below 1e-5. The
        // effect of a wrong window, hop or alignment would remain.
        let rescaled = scaled_to_range_of(got_values, want_values);
        let d = difference(&format!("yourmt3/{name}, scaled"), &rescaled, want_values);
        assert!(
            d.mean <= 5e-6 && d.max <= 1e-3,
            "mean {:e}, max {:e}",
            d.mean,
            d.max
        );
        assert!((got.starts_seconds[1] - 2.0479375).abs() < 1e-12);
    }
}

#[test]
fn silent_and_empty_audio_give_finite_features() {
    for kind in FrontEndKind::ALL {
        let front_end = FrontEnd::new(kind, 64);
        let silent = front_end.features(&vec![0.0; 40_000]);
        assert_eq!(silent.segments(), 2, "{kind}");
        assert!(
            silent.values.iter().all(|value| value.is_finite()),
            "{kind}"
        );
        assert!(front_end.features(&[]).segments() <= 1, "{kind}");
    }
}
