//! Musical controls, from the parameter to the MIDI output.

use hitscribe_tests::{Render, Rendered, groove, library};

use crate::common::assert_equal;

const RATE_HZ: f64 = 44_100.0;

fn rendered(parameters: &[(&'static str, &str)]) -> Rendered {
    let parameters = parameters
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let render = Render {
        parameters,
        ..Render::default()
    };
    render.run(&library(), &groove(RATE_HZ, 6.0)).unwrap()
}

#[test]
fn velocities_follow_the_curve() {
    let plain = rendered(&[]);
    let shaped = rendered(&[
        ("Velocity in, low", "60"),
        ("Velocity in, high", "100"),
        ("Velocity out, low", "30"),
        ("Velocity out, high", "90"),
    ]);
    let expected: Vec<_> = plain
        .onsets()
        .into_iter()
        .map(|(at, key, velocity)| {
            let share = (f64::from(velocity - 60) / 40.0).clamp(0.0, 1.0);
            (at, key, (30.0 + share * 60.0).round() as i32)
        })
        .collect();
    assert!(expected.len() > 20);
    assert_equal(&shaped.onsets(), &expected, "shaped");
}

#[test]
fn the_hi_hat_pedal_is_sent_before_each_hi_hat_if_enabled() {
    assert!(rendered(&[]).messages.is_empty());
    let with_pedal = rendered(&[("Hi-hat pedal as CC 4", "On")]);
    let hats: Vec<_> = with_pedal
        .onsets()
        .into_iter()
        .filter(|(_, key, _)| [42, 44, 46].contains(key))
        .map(|(at, key, _)| (at, key))
        .collect();
    assert!(hats.len() > 5);
    let controls: Vec<_> = with_pedal
        .messages
        .iter()
        .map(|message| {
            assert_eq!(message.bytes[..2], [0xb9, 4]);
            (message.frame, message.bytes[2])
        })
        .collect();
    let at_hats: Vec<u64> = hats.iter().map(|(at, _)| *at).collect();
    let at_controls: Vec<u64> = controls.iter().map(|(at, _)| *at).collect();
    assert_equal(&at_controls, &at_hats, "controllers");
    for ((_, key), (_, down)) in hats.iter().zip(&controls) {
        let is_right = match key {
            46 => (0..=63).contains(down),
            44 => *down == 127,
            _ => (63..=127).contains(down),
        };
        assert!(is_right, "{key}: {down}");
    }
    let is_measured = |(_, down): &(u64, u8)| ![0, 127].contains(down);
    assert!(controls.iter().any(is_measured), "{controls:?}");
}

/// Numbers of kicks and of other hits, with a sensitivity of the kick set in the saved state. The
/// general sensitivity is so low that some kicks are uncertain.
fn hits_with_kick_sensitivity(percent: i32) -> (usize, usize) {
    let library = library();
    let render = Render {
        parameters: vec![("Sensitivity", "20 %".to_owned())],
        ..Render::default()
    };
    let mut host = render.host(&library, 2).unwrap();
    // Fields are JSON within JSON.
    let state = String::from_utf8(host.save().unwrap()[8..].to_vec()).unwrap();
    let from = state
        .find(r#"\"kick\":{"#)
        .expect("the kick is in the state");
    let to = from + state[from..].find('}').expect("its end");
    let kick = state[from..to].replace(
        r#"\"sensitivity_percent\":0"#,
        &format!(r#"\"sensitivity_percent\":{percent}"#),
    );
    let changed = format!("{}{kick}{}", &state[..from], &state[to..]);
    let framed = [
        &(changed.len() as u64).to_le_bytes()[..],
        changed.as_bytes(),
    ]
    .concat();
    host.load(&framed).unwrap();
    let audio = groove(RATE_HZ, 6.0);
    let rendered = render.run_with(&mut host, &audio).unwrap();
    let onsets = rendered.onsets();
    let kicks = onsets.iter().filter(|(_, key, _)| *key == 36).count();
    (kicks, onsets.len() - kicks)
}

#[test]
fn the_sensitivity_of_a_class_affects_only_that_class() {
    let [low, plain, high] = [-50, 0, 50].map(hits_with_kick_sensitivity);
    assert!(
        low.0 <= plain.0 && plain.0 <= high.0 && low.0 < high.0,
        "{low:?} {plain:?} {high:?}"
    );
    assert_eq!(low.1, plain.1, "other drums");
}
