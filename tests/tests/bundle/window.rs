//! The editor's window on X11. Needs a display, such as that of `xvfb-run`, and the patched
//! framework.

use std::time::{Duration, Instant};

use hitscribe_tests::window::ParentWindow;
use hitscribe_tests::{is_patched, library};

/// A window of the host; none without a display.
fn parent() -> Option<ParentWindow> {
    if is_patched() && std::env::var_os("DISPLAY").is_some() {
        return Some(ParentWindow::open().unwrap());
    }
    eprintln!("skipped: needs a display and the patched framework");
    None
}

#[test]
fn the_editor_is_painted_however_late_the_host_shows_it() {
    let Some(parent) = parent() else { return };
    let library = library();
    for gap_ms in [0, 50, 100, 500] {
        for _ in 0..5 {
            let mut host = library.instance(2).unwrap();
            host.open_editor(parent.id(), Duration::from_millis(gap_ms))
                .unwrap();
            let shown = Instant::now();
            while !parent.is_painted() {
                assert!(
                    shown.elapsed() < Duration::from_secs(5),
                    "black after a gap of {gap_ms} ms"
                );
                std::thread::sleep(Duration::from_millis(2));
            }
            eprintln!("gap {gap_ms} ms: painted after {:?}", shown.elapsed());
            host.close_editor();
            parent.clear().unwrap();
        }
    }
}

#[test]
fn a_size_below_the_minimum_becomes_the_minimum() {
    let Some(parent) = parent() else { return };
    let library = library();
    let mut host = library.instance(2).unwrap();
    host.open_editor(parent.id(), Duration::ZERO).unwrap();
    host.resize_editor(640, 420).unwrap();
    let began = Instant::now();
    let mut size = (0, 0);
    while size != (720, 440) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
        size = host.editor_size().unwrap();
    }
    assert_eq!(size, (720, 440));
    host.close_editor();
    // The project remembers it.
    let saved = host.save().unwrap();
    let mut other = library.instance(2).unwrap();
    other.load(&saved).unwrap();
    let reopened = other.open_editor(parent.id(), Duration::ZERO).unwrap();
    assert_eq!(reopened, (720, 440));
    other.close_editor();
}
