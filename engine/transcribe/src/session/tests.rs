use super::*;
use crate::builtin::BuiltinModels;
use crate::session_config::{HOP_FRAMES, MIN_HOP_FRAMES, Parts};
use hitscribe_models::device::DeviceChoice;

const fn shared_between_threads<T: Send + Sync>() {}
const fn moved_between_threads<T: Send>() {}
const _: () = shared_between_threads::<BuiltinModels>();
const _: () = moved_between_threads::<Session>();

/// Clicks of decaying noise.
fn clicks(rate_hz: u32, seconds: f64) -> Vec<f32> {
    let mut state = 1u32;
    let mut age = 0.0f32;
    (0..(f64::from(rate_hz) * seconds) as usize)
        .map(|n| {
            if n % (rate_hz as usize / 4) == rate_hz as usize / 10 {
                age = 0.0;
            }
            age += 1.0 / rate_hz as f32;
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.5 * (-age * 40.0).exp()
        })
        .collect()
}

/// Ten seconds of the demo, its left channel.
fn groove(rate_hz: u32) -> Vec<f32> {
    use hitscribe_core::audio::demo_kit::{DEMO_SAMPLE_RATE_HZ, groove};

    let (interleaved, _) = groove();
    let left = interleaved.into_iter().step_by(2);
    let left: Vec<f32> = left.take(10 * DEMO_SAMPLE_RATE_HZ as usize).collect();
    let mut resampler = Resampler::new(DEMO_SAMPLE_RATE_HZ, rate_hz).unwrap();
    let mut audio = Vec::new();
    resampler.push(&left, &mut audio);
    resampler.finish(&mut audio);
    audio
}

fn models() -> BuiltinModels {
    BuiltinModels::load(DeviceChoice::Cpu).unwrap()
}

fn drain(models: &BuiltinModels, session: &mut Session, notes: &mut Vec<PlacedNote>) {
    while session.is_ready() {
        models.run(&mut [session]).unwrap();
    }
    session.take_notes(notes);
}

fn transcribe(
    models: &BuiltinModels,
    config: &SessionConfig,
    audio: &[f32],
    blocks: &[usize],
) -> Vec<PlacedNote> {
    let mut session = models.session(config).unwrap();
    let (mut notes, mut rest) = (Vec::new(), audio);
    for block in blocks.iter().cycle() {
        let (now, later) = rest.split_at((*block).min(rest.len()));
        session.push(now);
        drain(models, &mut session, &mut notes);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    session.finish();
    drain(models, &mut session, &mut notes);
    assert!(session.is_complete());
    notes
}

#[test]
fn notes_do_not_depend_on_block_sizes_or_other_sessions() {
    let models = models();
    let audio = clicks(44_100, 7.3);
    let config = SessionConfig {
        sensitivity: 0.9.into(),
        ..SessionConfig::new(44_100)
    };
    let whole = transcribe(&models, &config, &audio, &[audio.len()]);
    assert!(!whole.is_empty());
    for blocks in [&[32][..], &[8192], &[1, 7, 1000, 333], &[441]] {
        assert_eq!(
            transcribe(&models, &config, &audio, blocks),
            whole,
            "{blocks:?}"
        );
    }
    let live = SessionConfig {
        hop_frames: MIN_HOP_FRAMES,
        ..config
    };
    let (mut a, mut b) = (
        models.session(&config).unwrap(),
        models.session(&live).unwrap(),
    );
    let (mut notes_a, mut notes_b) = (Vec::new(), Vec::new());
    for block in audio.chunks(4096) {
        a.push(block);
        b.push(block);
        while models.run(&mut [&mut b, &mut a]).unwrap() > 0 {}
        a.take_notes(&mut notes_a);
        b.take_notes(&mut notes_b);
    }
    a.finish();
    b.finish();
    drain(&models, &mut a, &mut notes_a);
    drain(&models, &mut b, &mut notes_b);
    assert_eq!(notes_a, whole);
    assert_eq!(notes_b.len(), whole.len());
}

#[test]
fn every_note_is_given_out_after_the_latency() {
    let models = models();
    for (rate_hz, hop_frames, averages_networks) in [
        (44_100, MIN_HOP_FRAMES, false),
        (48_000, 64, false),
        (32_000, HOP_FRAMES, false),
        (44_100, HOP_FRAMES, true),
        (48_000, 64, true),
    ] {
        let config = SessionConfig {
            hop_frames,
            averages_networks,
            sensitivity: 0.9.into(),
            ..SessionConfig::new(rate_hz)
        };
        let audio = clicks(rate_hz, 6.0);
        let all = transcribe(&models, &config, &audio, &[audio.len()]);
        let mut session = models.session(&config).unwrap();
        let mut notes = Vec::new();
        for block in audio.chunks(97) {
            session.push(block);
            drain(&models, &mut session, &mut notes);
            let pushed = session.pushed_samples();
            let due = (pushed - 1).checked_sub(session.latency_samples());
            for note in all
                .iter()
                .filter(|n| due.is_some_and(|due| n.onset_samples <= due))
            {
                assert!(notes.contains(note), "{note:?} after {pushed} samples");
            }
            let settled = session.settled_samples();
            for note in all.iter().filter(|n| n.onset_samples < settled) {
                assert!(notes.contains(note), "{note:?} is not settled at {settled}");
            }
            assert!(due.is_none_or(|due| settled > due));
        }
    }
}

#[test]
fn the_mean_of_both_networks_is_the_same_at_any_hop_and_differs_from_one() {
    let models = models();
    let audio = clicks(44_100, 6.3);
    let config = |hop_frames, averages_networks| SessionConfig {
        hop_frames,
        averages_networks,
        sensitivity: 0.9.into(),
        ..SessionConfig::new(44_100)
    };
    let names = |notes: &[PlacedNote]| -> Vec<_> {
        notes.iter().map(|n| (n.onset_samples, n.pitch)).collect()
    };
    let whole = transcribe(&models, &config(256, true), &audio, &[audio.len()]);
    assert!(whole.len() > 10, "{}", whole.len());
    for hop_frames in [4, 32, 52] {
        let other = transcribe(&models, &config(hop_frames, true), &audio, &[333, 64]);
        assert_eq!(names(&other), names(&whole), "{hop_frames}");
    }
    let alone = transcribe(&models, &config(256, false), &audio, &[audio.len()]);
    let confidences = |notes: &[PlacedNote]| -> Vec<_> {
        notes.iter().map(|note| note.confidence.to_bits()).collect()
    };
    assert_ne!(confidences(&alone), confidences(&whole));
}

/// With weights of one's own.
#[test]
fn joint_decisions_are_the_same_at_any_hop() {
    const PACK: &[u8] = include_bytes!("../../../models/tests/data/joint_parity.safetensors");
    let models = BuiltinModels::with_weights(PACK, DeviceChoice::Cpu).unwrap();
    let audio = clicks(44_100, 5.3);
    let config = |hop_frames| SessionConfig {
        hop_frames,
        sensitivity: 0.6.into(),
        ..SessionConfig::new(44_100)
    };
    let whole = transcribe(&models, &config(HOP_FRAMES), &audio, &[audio.len()]);
    assert!(whole.len() > 10, "{}", whole.len());
    for hop_frames in [4, 32, 50] {
        let live = transcribe(&models, &config(hop_frames), &audio, &[333, 64]);
        let names = |notes: &[PlacedNote]| -> Vec<_> {
            notes.iter().map(|n| (n.onset_samples, n.pitch)).collect()
        };
        assert_eq!(names(&live), names(&whole), "{hop_frames}");
    }
    assert!(models.session(&config(3)).is_err());

    // 19 frames until a frame is decided, 1.25 for its onset, 3 for the rest of the hop, 32 ms for
    // its features, 30 ms for the resampler.
    let latency_samples = models.session(&config(4)).unwrap().latency_samples();
    assert!(latency_samples <= 11_025, "{latency_samples}");
}

#[test]
fn empty_short_and_invalid_audio_is_no_error() {
    let models = models();
    let config = SessionConfig::new(48_000);
    for length in [0, 1, 255, 5_000] {
        transcribe(&models, &config, &vec![0.1; length], &[64]);
    }
    let mut session = models.session(&config).unwrap();
    session.push(&[f32::NAN, f32::INFINITY, 1e30, 0.5]);
    session.push(&clicks(48_000, 3.0));
    session.finish();
    drain(&models, &mut session, &mut Vec::new());
    assert_eq!(session.bad_samples(), 3);
    assert!(models.session(&SessionConfig::new(0)).is_err());
    assert!(
        models
            .session(&SessionConfig {
                hop_frames: 1,
                ..config
            })
            .is_err()
    );
}

#[test]
fn notes_do_not_depend_on_where_a_passage_begins() {
    let models = models();
    for rate_hz in [44_100, 48_000, 88_200, 96_000] {
        let audio = groove(rate_hz);
        let config = SessionConfig::new(rate_hz);
        let whole = transcribe(&models, &config, &audio, &[audio.len()]);
        // A passage does not know what was before it, so its first seconds may differ.
        let alike_from = 6 * u64::from(rate_hz);
        let late = |notes: &[PlacedNote], shift: u64| -> Vec<_> {
            let places = notes.iter().map(|n| (n.onset_samples + shift, n.pitch));
            places.filter(|(onset, _)| *onset >= alike_from).collect()
        };
        assert!(late(&whole, 0).len() > 20);
        for start in [1usize, 100, 353, 12_345] {
            let config = SessionConfig {
                timeline_samples: start as i64,
                ..config
            };
            let part = transcribe(&models, &config, &audio[start..], &[1000]);
            let (part, whole) = (late(&part, start as u64), late(&whole, 0));
            // What was before decides about hits at the threshold.
            let is_in = |notes: &[(u64, u8)], (onset, pitch): &(u64, u8)| {
                let tolerance = u64::from(rate_hz) / 1000;
                let mut alike = notes.iter().filter(|other| other.1 == *pitch);
                alike.any(|other| other.0.abs_diff(*onset) <= tolerance)
            };
            let missing = whole.iter().filter(|note| !is_in(&part, note)).count();
            let added = part.iter().filter(|note| !is_in(&whole, note)).count();
            assert!(
                10 * (missing + added) <= whole.len(),
                "{rate_hz} Hz from {start}: {missing} of {} missing, {added} too many",
                whole.len()
            );
        }
    }
}

#[test]
fn notes_do_not_depend_on_silence_before_the_music() {
    let models = models();
    let audio: Vec<f32> = groove(48_000)
        .into_iter()
        .skip_while(|x| *x == 0.0)
        .collect();
    for parts in [Parts::DRUMS, Parts::ALL] {
        let config = SessionConfig {
            parts,
            ..SessionConfig::new(48_000)
        };
        let alone = transcribe(&models, &config, &audio, &[audio.len()]);
        for silence in [1usize, 700, 1_536, 60_000] {
            let later = SessionConfig {
                timeline_samples: -(silence as i64),
                ..config
            };
            let samples = [vec![0.0; silence], audio.clone()].concat();
            let after = transcribe(&models, &later, &samples, &[1_000]);
            let moved = after.into_iter().map(|note| PlacedNote {
                onset_samples: note.onset_samples - silence as u64,
                ..note
            });
            assert_eq!(moved.collect::<Vec<_>>(), alone, "{silence}");
        }
    }
    let mut silent = models.session(&SessionConfig::new(48_000)).unwrap();
    silent.push(&vec![0.0; 48_000]);
    let settled = silent.settled_samples();
    assert_eq!(settled, 48_000 - silent.latency_samples());
    assert!(!silent.is_ready());
}

#[test]
fn frames_meet_whole_samples_on_the_grid() {
    let models = models();
    let drums = models.drum_config();
    let step_samples = drums.step_frames() * drums.front_end().hop_samples;
    let rates = [
        (32_000, 1024),
        (44_100, 7_056),
        (48_000, 1_536),
        (96_000, 3_072),
    ];
    for (rate_hz, samples) in rates {
        assert_eq!(grid_samples(step_samples, 32_000, rate_hz), samples);
    }
}

#[test]
fn kept_candidates_give_the_hits_of_any_sensitivity_later() {
    use hitscribe_core::DrumClass;
    use hitscribe_core::audio::demo_kit;
    use hitscribe_picking::drums::selection::select;

    let models = models();
    let (interleaved, _) = demo_kit::groove();
    let groove: Vec<f32> = interleaved
        .iter()
        .step_by(2)
        .copied()
        .take(44_100 * 6)
        .collect();
    // Noise between the hits makes candidates that are none.
    let noise = clicks(demo_kit::DEMO_SAMPLE_RATE_HZ, 6.0);
    let mixed = groove.iter().zip(&noise).map(|(a, b)| a + 0.2 * b);
    let audio: Vec<f32> = mixed.collect();
    let config = |sensitivity: Sensitivity, keeps_candidates| SessionConfig {
        sensitivity,
        keeps_candidates,
        ..SessionConfig::new(demo_kit::DEMO_SAMPLE_RATE_HZ)
    };
    let mut session = models.session(&config(0.5.into(), true)).unwrap();
    let (mut notes, mut candidates) = (Vec::new(), Vec::new());
    for block in audio.chunks(5_000) {
        session.push(block);
        drain(&models, &mut session, &mut notes);
        session.take_candidates(&mut candidates);
    }
    session.finish();
    drain(&models, &mut session, &mut notes);
    session.take_candidates(&mut candidates);
    let rules = session.rules().unwrap();
    assert!(candidates.len() > notes.len());
    let trimmed = |class: DrumClass, trim: f32, overall: f32| {
        let mut sensitivity = Sensitivity::from(overall);
        sensitivity.by_class[class.index()] = trim;
        sensitivity
    };
    let mut counts = Vec::new();
    for sensitivity in [
        0.0.into(),
        0.3.into(),
        0.5.into(),
        0.8.into(),
        1.0.into(),
        trimmed(DrumClass::ClosedHat, -0.5, 0.5),
        trimmed(DrumClass::Snare, 0.4, 0.6),
        trimmed(DrumClass::OpenHat, 0.5, 0.5),
    ] {
        let expected = transcribe(&models, &config(sensitivity, false), &audio, &[4_096]);
        let decisions = select(&rules, &sensitivity, &candidates);
        let rate_hz = f64::from(demo_kit::DEMO_SAMPLE_RATE_HZ);
        let chosen = candidates.iter().zip(&decisions);
        let selected: Vec<_> = chosen
            .filter_map(|(candidate, decision)| candidate.note(decision, rate_hz))
            .collect();
        assert_eq!(selected, expected, "{sensitivity:?}");
        counts.push(selected.len());
    }
    assert!(counts[0] < counts[2] && counts[2] < counts[4], "{counts:?}");
}

#[test]
fn kept_candidates_give_the_hits_at_the_end_of_a_passage() {
    use hitscribe_core::audio::demo_kit;
    use hitscribe_picking::drums::selection::select;

    let models = models();
    let (interleaved, _) = demo_kit::groove();
    let groove: Vec<f32> = interleaved.iter().step_by(2).copied().collect();
    let rate_hz = demo_kit::DEMO_SAMPLE_RATE_HZ;
    let config = |keeps_candidates| SessionConfig {
        sensitivity: 1.0.into(),
        keeps_candidates,
        ..SessionConfig::new(rate_hz)
    };
    // Cuts after which the silence has rivals of the last hits.
    for cut in [20_331, 45_156, 68_988] {
        let audio = &groove[..cut];
        let mut session = models.session(&config(true)).unwrap();
        let (mut notes, mut candidates) = (Vec::new(), Vec::new());
        session.push(audio);
        session.finish();
        drain(&models, &mut session, &mut notes);
        session.take_candidates(&mut candidates);
        let decisions = select(&session.rules().unwrap(), &1.0.into(), &candidates);
        let selected: Vec<_> = candidates
            .iter()
            .zip(&decisions)
            .filter_map(|(candidate, decision)| candidate.note(decision, rate_hz.into()))
            .collect();
        let expected = transcribe(&models, &config(false), audio, &[4_096]);
        assert_eq!(selected, expected, "{cut}");
    }
}
