//! Presets and the two settings to compare, through the controls of the header.

use egui::accesskit::Action;

use super::accessible::{find, request, tree};
use super::*;
use crate::editor::presets_menu;
use crate::params::choices::SourceChoice;
use crate::params::own::set_for_test;
use crate::params::settings::Settings;

#[test]
fn a_and_b_keep_their_settings_and_a_preset_is_undone() {
    let params = params(200);
    let context = Context::default();
    let (status, mut state) = (PluginStatus::default(), EditorState::default());
    let click = |state: &mut EditorState, name: &str| {
        let nodes = tree(&context, &params, &status, state, &[]);
        let (node, _) = find(&nodes, name).unwrap();
        let action = request(node, Action::Click, None);
        tree(&context, &params, &status, state, &[action]);
    };
    let takes = params.take.take().lock().clone();
    click(&mut state, "Settings A");
    assert!(!params.compare.lock().is_b(), "A is in use");
    click(&mut state, "Settings B");
    set_for_test(&params.source, SourceChoice::Toms);
    set_for_test(&params.sensitivity, 0.125);
    click(&mut state, "Settings A");
    assert_eq!(params.source.value(), SourceChoice::DrumBus);
    assert_eq!(params.sensitivity.value(), 0.5);
    click(&mut state, "Settings B");
    assert_eq!(params.source.value(), SourceChoice::Toms);
    assert_eq!(params.sensitivity.value(), 0.125);

    let default = Settings::of(&HitscribeParams::default());
    presets_menu::load(&params, &mut state, default.clone());
    tree(&context, &params, &status, &mut state, &[]);
    assert_eq!(Settings::of(&params), default);
    click(&mut state, "Undo");
    assert_eq!(params.source.value(), SourceChoice::Toms);
    click(&mut state, "Redo");
    assert_eq!(Settings::of(&params), default);
    // The same again is no step.
    presets_menu::load(&params, &mut state, default);
    click(&mut state, "Undo");
    assert_eq!(params.sensitivity.value(), 0.125);
    assert_eq!(*params.take.take().lock(), takes);
    assert!(!state.has_changed_take);
}

#[test]
fn the_menu_of_presets_lists_the_default_settings_and_saves_under_a_name() {
    let params = params(200);
    let context = Context::default();
    let (status, mut state) = (PluginStatus::default(), EditorState::default());
    let nodes = tree(&context, &params, &status, &mut state, &[]);
    let (menu, _) = find(&nodes, "Presets").unwrap();
    let open = request(menu, Action::Click, None);
    let nodes = tree(&context, &params, &status, &mut state, &[open]);
    for name in [
        "Default settings",
        "Save the settings as",
        "Name of the preset",
    ] {
        assert!(find(&nodes, name).is_some(), "{name}");
    }
}
