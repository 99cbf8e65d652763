use hitscribe_core::midi::{MidiSettings, midi_file, parse_notes};
use hitscribe_core::{DrumClass, Note};

use super::{BeatGrid, TempoMapKind};

/// Reproducible numbers from -1 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}

/// A rock beat: kicks on 1 and 3 and before 3, snares on 2 and 4, hats on eighth notes that are
/// `swing` into the beat. `time` places beats.
fn groove(bars: usize, swing: f64, jitter: f64, time: impl Fn(f64) -> f64) -> Vec<Note> {
    let mut noise = Noise(7);
    let mut notes = Vec::new();
    for bar in 0..bars {
        let mut add = |class, beat: f64, velocity| {
            let seconds = time(4.0 * bar as f64 + beat) + jitter * noise.next();
            notes.push(Note::drum(class, seconds.max(0.0), velocity, 0.9));
        };
        for beat in [0.0, 2.0] {
            add(DrumClass::Kick, beat, 110);
        }
        if bar % 2 == 1 {
            add(DrumClass::Kick, 1.0 + swing, 90);
        }
        if bar % 4 == 0 {
            add(DrumClass::Crash, 0.0, 100);
        }
        for beat in 0..4 {
            if beat % 2 == 1 {
                add(DrumClass::Snare, f64::from(beat), 110);
            }
            add(DrumClass::ClosedHat, f64::from(beat), 90);
            add(DrumClass::ClosedHat, f64::from(beat) + swing, 60);
        }
    }
    notes.sort_by(|a, b| a.onset_seconds.total_cmp(&b.onset_seconds));
    notes
}

/// The share of `wanted` with a time of `found` within 70 ms.
fn share(wanted: &[f64], found: &[f64]) -> f64 {
    let near = |t: &&f64| found.iter().any(|f| (f - **t).abs() < 0.07);
    wanted.iter().filter(near).count() as f64 / wanted.len() as f64
}

#[test]
fn a_loop_has_its_exact_tempo_and_whole_bars() {
    for bpm in [93.47, 128.0, 174.0, 80.5] {
        let period = 60.0 / bpm;
        let notes = groove(4, 0.5, 0.002, |beat| beat * period);
        let grid = BeatGrid::of(&notes, 16.0 * period).unwrap();
        assert!(grid.is_constant, "{grid:?}");
        assert!((grid.bpm - bpm).abs() < 0.01, "{bpm}: {}", grid.bpm);
        assert_eq!(grid.meter, (4, 4));
        let downbeats: Vec<f64> = (0..4).map(|bar| 4.0 * f64::from(bar) * period).collect();
        assert_eq!(grid.downbeats().len(), 4);
        assert_eq!(share(&downbeats, &grid.downbeats()), 1.0);
        assert!(grid.confidence > 0.5);
    }
}

#[test]
fn bar_lines_are_on_downbeats_after_a_pickup() {
    for (start, pickup) in [
        (0.0, 0.0),
        (0.37, 0.0),
        (1.3, 2.0),
        (0.021, 0.0),
        (0.9, 1.0),
    ] {
        let bpm = 110.0;
        let time = move |beat: f64| start + beat * 60.0 / bpm;
        let mut notes = groove(8, 0.5, 0.001, move |beat| time(beat + pickup));
        for beat in 0..pickup as usize {
            notes.insert(
                beat,
                Note::drum(DrumClass::Snare, time(beat as f64), 80, 0.9),
            );
        }
        let end = time(34.0);
        let grid = BeatGrid::of(&notes, end).unwrap();
        assert!((grid.bpm - bpm).abs() < 0.02, "{start}: {}", grid.bpm);
        let first = time(pickup);
        for kind in [TempoMapKind::Auto, TempoMapKind::Follow] {
            let map = grid.tempo_map(kind).unwrap();
            let (bar_tick, meter) = map.meters().last().unwrap();
            assert_eq!(meter, (4, 4));
            let late = map.ticks(first) - f64::from(bar_tick);
            let bars = late / (4.0 * 960.0);
            assert!(
                (bars - bars.round()).abs() < 0.01,
                "{start} {kind:?}: {late} ticks"
            );
            let settings = MidiSettings {
                tempo_map: Some(map),
                ..MidiSettings::default()
            };
            let read = parse_notes(&midi_file(&notes, &settings).unwrap()).unwrap();
            assert_eq!(read.len(), notes.len());
            for (a, b) in notes.iter().zip(&read) {
                assert!((a.onset_seconds - b.onset_seconds).abs() < 0.001);
            }
        }
    }
}

#[test]
fn a_map_follows_a_tempo_that_changes() {
    // From 100 to about 130 beats per minute and back.
    let time = |beat: f64| 0.53 * beat + 0.9 * (beat / 14.0).sin();
    let notes = groove(20, 0.5, 0.004, time);
    let grid = BeatGrid::of(&notes, time(80.0)).unwrap();
    assert!(!grid.is_constant);
    let wanted: Vec<f64> = (0..80).map(|beat| time(f64::from(beat)).max(0.0)).collect();
    assert!(share(&wanted, &grid.beats()) > 0.95, "{:?}", grid.beats());
    assert!(grid.beats().len().abs_diff(80) <= 2);
    let map = grid.tempo_map(TempoMapKind::Auto).unwrap();
    assert!(map.tempos().count() > 40);
    let off = |beat: f64| {
        let quarters = map.ticks(time(beat)) / 960.0;
        (quarters - quarters.round()).abs()
    };
    assert!((8..72).all(|beat| off(f64::from(beat)) < 0.06));
    assert_eq!(
        grid.tempo_map(TempoMapKind::Off).unwrap().tempos().count(),
        1
    );
    assert!(
        grid.tempo_map(TempoMapKind::Constant)
            .unwrap()
            .tempos()
            .count()
            <= 3
    );
}

#[test]
fn swing_is_found_and_straight_eighths_have_none() {
    let grid = |swing| {
        let notes = groove(8, swing, 0.003, |beat| beat * 0.5);
        BeatGrid::of(&notes, 16.0).unwrap()
    };
    assert!((grid(0.66).swing.unwrap() - 0.66).abs() < 0.02);
    assert_eq!(grid(0.5).swing, None);
}

#[test]
fn random_hits_and_silence_have_no_tempo() {
    assert_eq!(BeatGrid::of(&[], 10.0), None);
    assert_eq!(BeatGrid::of(&groove(1, 0.5, 0.0, |b| b * 0.01), 0.05), None);
    let mut with_tempo = 0;
    for seed in 0..20 {
        let mut noise = Noise(seed);
        let classes = [
            DrumClass::Kick,
            DrumClass::Snare,
            DrumClass::ClosedHat,
            DrumClass::Crash,
        ];
        let notes: Vec<Note> = (0..120)
            .map(|i| Note::drum(classes[i % 4], 15.0 * (1.0 + noise.next()), 90, 0.9))
            .collect();
        with_tempo += usize::from(BeatGrid::of(&notes, 30.0).is_some());
    }
    assert!(with_tempo <= 6, "{with_tempo} of 20");
}

#[test]
fn times_that_are_not_finite_do_no_harm() {
    let mut notes = groove(4, 0.5, 0.0, |beat| beat * 0.5);
    notes[3].onset_seconds = f64::NAN;
    notes[4].onset_seconds = f64::INFINITY;
    notes[5].onset_seconds = -1.0;
    assert!(BeatGrid::of(&notes, 8.0).is_some());
    for seconds in [0.0, f64::NAN, 1e-3] {
        let _ = BeatGrid::of(&notes, seconds);
    }
}

#[test]
fn quantizing_moves_onsets_and_keeps_lengths() {
    let grid = BeatGrid::fixed(120.0, (4, 4), 4.0).unwrap();
    let notes = [
        Note::drum(DrumClass::Snare, 0.52, 90, 0.9),
        Note::drum(DrumClass::Kick, 0.01, 90, 0.9),
    ];
    let full = grid.quantized(&notes, 4.0, 1.0);
    assert!(full[0].onset_seconds.abs() < 1e-9 && (full[1].onset_seconds - 0.5).abs() < 1e-9);
    assert!((full[1].offset_seconds - full[1].onset_seconds - 0.05).abs() < 1e-9);
    let half = grid.quantized(&notes, 4.0, 0.5);
    assert!((half[1].onset_seconds - 0.51).abs() < 1e-9);
}

#[test]
fn long_recordings_keep_their_tempo_to_the_end() {
    let notes = groove(400, 0.5, 0.004, |beat| beat * 60.0 / 117.3);
    let end = 1600.0 * 60.0 / 117.3;
    let grid = BeatGrid::of(&notes, end).unwrap();
    assert!(grid.is_constant);
    let wanted: Vec<f64> = (0..1600)
        .map(|beat| f64::from(beat) * 60.0 / 117.3)
        .collect();
    assert_eq!(share(&wanted, &grid.beats()), 1.0);
}
