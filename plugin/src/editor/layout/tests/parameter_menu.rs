//! Right clicks on parameters and marks of the host, in frames with input.

use egui::{Event, PointerButton};
use nice_plug::prelude::Param as _;

use super::*;
use crate::params::indications::Automation;

/// Clicks on the text. Returns the texts and the requested menu.
fn click(
    params: &HitscribeParams,
    status: &PluginStatus,
    text: &str,
    button: PointerButton,
) -> (Vec<String>, Option<crate::params::host_menu::HostMenu>) {
    let context = Context::default();
    style::apply(&context, false);
    let mut state = EditorState::default();
    let mut run = |events: Vec<Event>| {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1040.0, 640.0))),
            events,
            ..RawInput::default()
        };
        texts(&frame_of(&context, input, params, status, &mut state))
    };
    run(Vec::new());
    let shown = run(Vec::new());
    let at = shown.iter().find(|(shown, ..)| shown == text).unwrap().1;
    let pos = at.center();
    let button = |pressed| Event::PointerButton {
        pos,
        button,
        pressed,
        modifiers: Modifiers::NONE,
    };
    run(vec![Event::PointerMoved(pos), button(true)]);
    run(vec![button(false)]);
    let request = host_menu::take_request(&context);
    let shown = run(Vec::new()).into_iter().map(|(text, ..)| text);
    (shown.collect(), request)
}

#[test]
fn a_right_click_opens_the_menu_of_the_host_or_ours() {
    let (params, status) = (params(200), PluginStatus::default());
    let name = "Leakage filter";
    let (shown, request) = click(&params, &status, name, PointerButton::Secondary);
    assert_eq!(request, None);
    assert!(shown.iter().any(|text| text.starts_with("Reset to ")));
    status.has_host_menu.store(true, Ordering::Relaxed);
    let (shown, request) = click(&params, &status, name, PointerButton::Secondary);
    assert!(!shown.iter().any(|text| text.starts_with("Reset to ")));
    let request = request.unwrap();
    assert_eq!(request.param, params.leakage_filter.as_ptr());
    assert!(request.at_pixels[1] > 500, "{request:?}");
}

#[test]
fn a_list_opens_without_the_menu() {
    let (params, status) = (params(200), PluginStatus::default());
    let (shown, _) = click(&params, &status, "Off", PointerButton::Primary);
    assert!(shown.iter().any(|text| text == "1/16"), "{shown:?}");
    assert!(!shown.iter().any(|text| text.starts_with("Reset to ")));
}

#[test]
fn parameters_that_the_host_uses_have_a_mark() {
    let (params, status) = (params(200), PluginStatus::default());
    let marks = || {
        let context = Context::default();
        let mut state = EditorState::default();
        frame(&context, &params, &mut state, [1040.0, 640.0]);
        let shapes = frame(&context, &params, &mut state, [1040.0, 640.0]);
        texts(&shapes)
            .iter()
            .filter(|(text, ..)| text == "●")
            .count()
    };
    assert_eq!(marks(), 0);
    let param = params.sensitivity.as_ptr();
    let playing = |automation| {
        params
            .indications
            .change(param, |i| i.automation = automation)
    };
    playing(Automation::Playing);
    assert_eq!(marks(), 1);
    playing(Automation::None);
    assert_eq!(marks(), 0);
    assert!(!status.has_host_menu.load(Ordering::Relaxed));
}
