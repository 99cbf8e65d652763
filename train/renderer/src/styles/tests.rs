use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn every_style_stays_within_its_time_and_has_strokes() {
    type Style = fn(&mut ChaCha8Rng, f64, f64) -> Vec<Stroke>;
    let styles: [(Style, usize); 5] = [
        (machine, 500),
        (metal, 2_000),
        (funk, 1_000),
        (ensemble, 500),
        (alone, 100),
    ];
    for (index, (style, least)) in styles.into_iter().enumerate() {
        let mut count = 0;
        for seed in 0..50 {
            let strokes = style(&mut ChaCha8Rng::seed_from_u64(seed), 8.0, 1.28);
            assert!(strokes.is_sorted_by(|a, b| a.seconds <= b.seconds));
            for stroke in &strokes {
                assert!(stroke.seconds > -1.28 && stroke.seconds < 8.0);
                assert!((0.0..=1.0).contains(&stroke.velocity));
            }
            count += strokes.len();
        }
        assert!(count > least, "style {index}: {count}");
    }
}

#[test]
fn one_drum_alone_leaves_pauses() {
    let mut strokes = 0;
    for seed in 0..50 {
        strokes += alone(&mut ChaCha8Rng::seed_from_u64(seed), 8.0, 1.28).len();
    }
    assert!(strokes < 50 * 30, "{strokes}");
}
