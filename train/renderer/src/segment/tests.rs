use super::*;

pub(super) fn studio() -> Studio {
    Studio::new(Bank::default(), Vec::new(), Vec::new(), 2, 7)
}

#[test]
fn a_segment_is_the_same_every_time_and_differs_from_the_next() {
    let mut planner = RealFftPlanner::new();
    let (first, again, next) = (
        studio().segment(&mut planner, 3, 5),
        studio().segment(&mut planner, 3, 5),
        studio().segment(&mut planner, 3, 6),
    );
    assert_eq!(first.audio, again.audio);
    assert_ne!(first.audio, next.audio);
}

#[test]
fn segments_are_finite_within_full_scale_and_labelled_in_order() {
    let (studio, mut planner) = (studio(), RealFftPlanner::new());
    let mut labelled = 0;
    for index in 0..24 {
        let segment = studio.segment(&mut planner, 1, index);
        assert_eq!(segment.audio.len(), SEGMENT_SAMPLES);
        assert!(
            segment
                .audio
                .iter()
                .all(|x| x.is_finite() && x.abs() <= 1.1),
            "segment {index}"
        );
        assert!(
            segment
                .hits
                .is_sorted_by(|a, b| a.stroke.seconds <= b.stroke.seconds)
        );
        assert!(
            segment
                .hits
                .iter()
                .all(|h| (0.0..SEGMENT_SECONDS).contains(&h.stroke.seconds))
        );
        labelled += segment.hits.len();
    }
    assert!(labelled > 100, "{labelled} hits in 24 segments");
}

#[test]
fn audio_rises_where_the_labels_say() {
    let (studio, mut planner) = (studio(), RealFftPlanner::new());
    let (mut louder, mut judged) = (0, 0);
    for index in 0..24 {
        let segment = studio.segment(&mut planner, 2, index);
        for (i, hit) in segment.hits.iter().enumerate() {
            let t = hit.stroke.seconds;
            let alone = i == 0 || t - segment.hits[i - 1].stroke.seconds > 0.1;
            let at = (t * f64::from(SAMPLE_RATE)) as usize;
            if hit.audibility.db() < -3.0 || !alone || at < 640 || at + 640 > SEGMENT_SAMPLES {
                continue;
            }
            judged += 1;
            louder +=
                usize::from(rms(&segment.audio[at..at + 640]) > rms(&segment.audio[at - 640..at]));
        }
    }
    assert!(
        judged > 30 && louder * 10 > judged * 9,
        "{louder} of {judged}"
    );
}
