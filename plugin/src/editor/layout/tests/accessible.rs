//! What screen readers get: every control has a name, and the lanes can be used.

use std::collections::BTreeMap;

use egui::accesskit::{Action, ActionData, ActionRequest, Node, NodeId, TreeId};
use egui::{Event, Role};

use super::snapshots::scenes;
use super::*;

/// The nodes of the last of a few frames, the first of which measure.
pub(super) fn tree(
    context: &Context,
    params: &HitscribeParams,
    status: &PluginStatus,
    state: &mut EditorState,
    actions: &[ActionRequest],
) -> BTreeMap<NodeId, Node> {
    context.enable_accesskit();
    let mut nodes = BTreeMap::new();
    for frame in 0..3 {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1040.0, 640.0))),
            ..RawInput::default()
        };
        if frame == 0 {
            let actions = actions.iter().cloned();
            input.events = actions.map(Event::AccessKitActionRequest).collect();
        }
        let output = output_of(context, input, params, status, state);
        let update = output.platform_output.accesskit_update.unwrap();
        nodes = update.nodes.into_iter().collect();
    }
    nodes
}

/// The name of a node as a screen reader reads it.
fn name(nodes: &BTreeMap<NodeId, Node>, node: &Node) -> String {
    let own = node.label().or(match node.role() {
        Role::Label => node.value(),
        _ => None,
    });
    let label = || {
        let labels = node.labelled_by().iter().filter_map(|id| nodes.get(id));
        labels.map(|label| name(nodes, label)).collect::<String>()
    };
    own.map_or_else(label, str::to_owned)
}

pub(super) fn find<'a>(
    nodes: &'a BTreeMap<NodeId, Node>,
    start: &str,
) -> Option<(NodeId, &'a Node)> {
    let found = nodes
        .iter()
        .find(|(_, node)| name(nodes, node).starts_with(start));
    found.map(|(id, node)| (*id, node))
}

pub(super) fn request(
    target_node: NodeId,
    action: Action,
    data: Option<ActionData>,
) -> ActionRequest {
    ActionRequest {
        action,
        target_tree: TreeId::ROOT,
        target_node,
        data,
    }
}

#[test]
fn every_control_of_the_main_states_has_a_name() {
    for mut scene in scenes() {
        let context = Context::default();
        style::apply(&context, false);
        let nodes = tree(
            &context,
            &scene.params,
            &scene.status,
            &mut scene.state,
            &[],
        );
        let is_control = |node: &&Node| {
            let actions = [Action::Click, Action::Focus, Action::SetValue];
            actions.iter().any(|action| node.supports_action(*action))
        };
        let controls: Vec<&Node> = nodes.values().filter(is_control).collect();
        assert!(controls.len() > 10, "{}: {}", scene.name, controls.len());
        // A scroll bar belongs to what it scrolls.
        let named = controls
            .iter()
            .filter(|node| node.role() != Role::ScrollBar);
        for node in named {
            let name = name(&nodes, node);
            assert!(!name.trim().is_empty(), "{}: {node:?}", scene.name);
            let is_known = !matches!(node.role(), Role::Unknown | Role::GenericContainer);
            assert!(is_known, "{}: {name}: {:?}", scene.name, node.role());
        }
        assert!(find(&nodes, "Hitscribe").is_some(), "{}", scene.name);
    }
}

#[test]
fn lanes_and_hits_are_named_and_do_what_is_asked() {
    let params = params(200);
    let context = Context::default();
    let (status, mut state) = (PluginStatus::default(), EditorState::default());
    let read = |actions: &[ActionRequest], state: &mut EditorState| {
        tree(&context, &params, &status, state, actions)
    };
    let nodes = read(&[], &mut state);
    let view = View::new(&params, &status, &mut state.shown);
    let kicks = view.class_counts[DrumClass::Kick.index()];
    let (kick, node) = find(&nodes, "Kick, note 36").unwrap();
    assert_eq!(name(&nodes, node), format!("Kick, note 36, {kicks} hits"));
    assert_eq!(node.role(), Role::Group);
    let inside: Vec<_> = node
        .children()
        .iter()
        .filter_map(|id| nodes.get(id))
        .collect();
    let visible = view
        .notes()
        .iter()
        .filter(|note| note.class == Some(DrumClass::Kick));
    // The name, the button and the threshold.
    assert_eq!(inside.len(), visible.count() + 3);
    assert!(kicks > 0 && !view.notes().is_empty(), "{kick:?}");

    let (mute, node) = find(&nodes, "Mute Kick").unwrap();
    assert!(node.bounds().is_some_and(|area| area.area() > 1.0));
    let (threshold, node) = find(&nodes, "Sensitivity of Kick").unwrap();
    assert_eq!(
        (node.role(), node.numeric_value()),
        (Role::Slider, Some(0.0))
    );
    let (hit, node) = find(&nodes, "Snare at bar").unwrap();
    let text = name(&nodes, node);
    assert!(
        text.contains(", beat ") && text.contains(", velocity "),
        "{text}"
    );
    let set = |node, value| {
        request(
            node,
            Action::SetValue,
            Some(ActionData::NumericValue(value)),
        )
    };
    let actions = [
        request(mute, Action::Click, None),
        request(hit, Action::Click, None),
    ];
    read(&actions[..1], &mut state);
    read(&actions[1..], &mut state);
    let nodes = read(&[set(threshold, 25.0)], &mut state);
    let map = params.note_map.class(DrumClass::Kick);
    assert_eq!((map.on, map.sensitivity_percent), (false, 25));
    assert_eq!(state.editing.chosen.len(), 1);
    assert!(find(&nodes, "Kick, note 36, 0 hits, muted").is_some());

    let (bar, node) = find(&nodes, "Velocity of Snare at bar").unwrap();
    let before = node.numeric_value().unwrap();
    let wanted = if before < 100.0 { 111.0 } else { 11.0 };
    let nodes = read(&[set(bar, wanted)], &mut state);
    assert_eq!(nodes[&bar].numeric_value(), Some(wanted));
    assert!(state.editing.history.can().0);
    let snares = |state: &mut EditorState| {
        View::new(&params, &status, &mut state.shown).class_counts[DrumClass::Snare.index()]
    };
    let before = snares(&mut state);
    let (delete, _) = find(&nodes, "Delete").unwrap();
    let nodes = read(&[request(delete, Action::Click, None)], &mut state);
    assert_eq!(snares(&mut state), before - 1);
    let (fold, _) = find(&nodes, "Hide velocities").unwrap();
    let nodes = read(&[request(fold, Action::Click, None)], &mut state);
    assert!(find(&nodes, "Show velocities").is_some());
    let (unused, _) = find(&nodes, "Show 16 unused drums").unwrap();
    let nodes = read(&[request(unused, Action::Click, None)], &mut state);
    assert!(find(&nodes, "Floor tom, note").is_some());
}
