use super::keys::{VELOCITY_STEP, choose_next, nudge};
use super::*;
use crate::editor::state::Shown;
use crate::status::PluginStatus;
use hitscribe_core::note::{Note, PlacedNote};
use hitscribe_live::MarkedNote;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};

/// A kick at 0.5 s and a doubtful snare at 1 s, at 120 beats a minute.
fn params() -> HitscribeParams {
    let params = HitscribeParams::default();
    let mut passage = Passage::new(48_000.0);
    passage.was_playing = true;
    passage.host_start_beats = Some(0.0);
    passage.length_frames = 200_000;
    passage.insert(MarkedNote {
        note: PlacedNote::from_note(&Note::drum(DrumClass::Kick, 0.5, 90, 0.9), 48_000),
        is_leakage: false,
    });
    let snare = Candidate {
        peak: Peak {
            class: Some(DrumClass::Snare),
            frame: 125,
            confidence: 0.2,
            excess: -1.5,
            velocity: None,
            claim: Claim::Rivals,
        },
        onset_samples: 48_000,
        measured: Measured {
            band_db: -30.0,
            peak_db: -20.0,
            openness: None,
        },
    };
    passage.add_candidates(&[snare], 0);
    params.take.take().lock().add_passage(passage);
    params
}

fn view(params: &HitscribeParams, state: &mut EditorState) -> View {
    let view = View::new(params, &PluginStatus::default(), &mut state.shown);
    state.editing.follow(view.passage_id);
    view
}

/// Frame, key and velocity of what is sent.
fn sent(params: &HitscribeParams) -> Vec<(u64, u8, u8)> {
    let view = View::new(params, &PluginStatus::default(), &mut Shown::default());
    let sent = view.all_notes.iter().filter(|note| note.fate == Fate::Sent);
    sent.map(|n| (n.note.onset_samples, n.key, n.velocity))
        .collect()
}

fn choose(params: &HitscribeParams, state: &mut EditorState, key: u8) -> (View, NoteView) {
    let view = view(params, state);
    let mut notes = view.all_notes.iter();
    let note = *notes.find(|note| note.key == key).unwrap();
    state.editing.chosen = [note.id].into();
    (view, note)
}

#[test]
fn every_edit_changes_what_is_sent_and_is_undone_and_redone() {
    let params = params();
    let mut state = EditorState::default();
    let recorded = params.take.take().lock().clone();
    let mut states = vec![sent(&params)];
    assert_eq!(states[0], [(24_000, 36, 90)]);

    let (now, snare) = choose(&params, &mut state, 38);
    assert_eq!(snare.fate, Fate::Candidate);
    accept(&params, &now, &mut state, &snare);
    states.push(sent(&params));
    assert_eq!(states[1].len(), 2);

    let (now, _) = choose(&params, &mut state, 38);
    set_class(&params, &now, &mut state, DrumClass::SideStick);
    states.push(sent(&params));
    assert_eq!((states[2][1].0, states[2][1].1), (48_000, 37));

    let (now, _) = choose(&params, &mut state, 36);
    delete(&params, &now, &mut state);
    states.push(sent(&params));
    assert_eq!(states[3].len(), 1);

    // A sixteenth lasts 6,000 frames.
    let now = view(&params, &mut state);
    add(&params, &now, &mut state, DrumClass::Crash, 0.14, false);
    states.push(sent(&params));
    assert_eq!(states[4][0], (6_000, 49, 100));

    let (now, _) = choose(&params, &mut state, 49);
    let chosen = targets(&now, &state);
    nudge(&params, &now, &mut state, &chosen, -VELOCITY_STEP, 1, false);
    states.push(sent(&params));
    assert_eq!(states[5][0], (12_000, 49, 95));

    let edited = params.take.take().lock().clone();
    for before in states.iter().rev().skip(1) {
        step(&params, &mut state, false);
        assert_eq!(&sent(&params), before);
    }
    assert_eq!(*params.take.take().lock(), recorded);
    for _ in 1..states.len() {
        step(&params, &mut state, true);
    }
    assert_eq!(*params.take.take().lock(), edited);
    let now = view(&params, &mut state);
    state.editing.chosen.clear();
    reset(&params, &now, &mut state, true);
    assert_eq!(sent(&params), states[0]);
    step(&params, &mut state, false);
    assert_eq!(*params.take.take().lock(), edited);
}

#[test]
fn a_drag_is_one_step_and_snaps_unless_it_is_free() {
    let params = params();
    let mut state = EditorState::default();
    let (now, kick) = choose(&params, &mut state, 36);
    let moved = |is_free, class| DragTo::Time {
        seconds: 0.11,
        is_free,
        class,
    };
    begin_drag(&params, &now, &mut state, &kick);
    drag(&params, &mut state, moved(true, None));
    assert_eq!(sent(&params), [(29_280, 36, 90)]);
    drag(&params, &mut state, moved(false, Some(DrumClass::HighTom)));
    let tom = DrumClass::HighTom.gm_note();
    assert_eq!(sent(&params), [(30_000, tom, 90)]);
    drag(&params, &mut state, DragTo::Velocity(99));
    assert_eq!(sent(&params), [(24_000, 36, 127)]);
    drag(&params, &mut state, DragTo::Class(DrumClass::Snare));
    end_drag(&params, &mut state);
    assert_eq!(sent(&params), [(24_000, 38, 90)]);
    assert!(state.has_changed_take);
    step(&params, &mut state, false);
    assert_eq!(sent(&params), [(24_000, 36, 90)]);
    assert_eq!(state.editing.history.can(), (false, true));
    // A drag that changes nothing is no step.
    let (now, kick) = choose(&params, &mut state, 36);
    begin_drag(&params, &now, &mut state, &kick);
    end_drag(&params, &mut state);
    assert!(!state.editing.history.can().0);
}

#[test]
fn a_selected_range_is_edited_as_a_whole_and_keys_choose_the_next_hit() {
    let params = params();
    let mut state = EditorState::default();
    let now = view(&params, &mut state);
    assert!(targets(&now, &state).is_empty());
    state.shown.viewport.select_from(0.0);
    state.shown.viewport.select_to(2.0);
    let all = targets(&now, &state);
    assert_eq!(all.len(), 1, "candidates are not sent");
    choose_next(&now, &mut state, true);
    choose_next(&now, &mut state, true);
    let text = description(&params, &now, &state.editing).unwrap();
    assert!(text.starts_with("Snare at bar 1, beat 3.00"), "{text}");
    assert!(text.ends_with("below the threshold"), "{text}");
    choose_next(&now, &mut state, false);
    delete(&params, &now, &mut state);
    assert!(sent(&params).is_empty());
    let (now, _) = choose(&params, &mut state, 36);
    let text = description(&params, &now, &state.editing).unwrap();
    assert!(text.ends_with("deleted"), "{text}");
}
