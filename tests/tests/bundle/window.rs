//! The editor's window on X11. Needs a display, such as that of `xvfb-run`, and the patched
//! framework.

use std::time::{Duration, Instant};

use hitscribe_tests::{is_patched, library};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateWindowAux, ImageFormat, WindowClass};
use x11rb::rust_connection::RustConnection;

/// A window of the host.
struct Parent {
    connection: RustConnection,
    window: u32,
}

impl Parent {
    /// None without a display.
    fn open() -> Option<Self> {
        if !is_patched() || std::env::var_os("DISPLAY").is_none() {
            eprintln!("skipped: needs a display and the patched framework");
            return None;
        }
        let (connection, screen) = x11rb::connect(None).unwrap();
        let root = connection.setup().roots[screen].root;
        let window = connection.generate_id().unwrap();
        let class = WindowClass::INPUT_OUTPUT;
        let attributes = CreateWindowAux::new();
        connection
            .create_window(0, window, root, 0, 0, 1040, 640, 0, class, 0, &attributes)
            .unwrap();
        connection.map_window(window).unwrap();
        connection.flush().unwrap();
        Some(Self { connection, window })
    }

    /// Whether anything but black is seen.
    fn is_painted(&self) -> bool {
        let image = self.connection.get_image(
            ImageFormat::Z_PIXMAP,
            self.window,
            100,
            100,
            400,
            300,
            0x00ff_ffff,
        );
        let image = image.unwrap().reply();
        image.is_ok_and(|image| image.data.iter().any(|byte| *byte != 0 && *byte != 255))
    }
}

#[test]
fn the_editor_is_painted_however_late_the_host_shows_it() {
    let Some(parent) = Parent::open() else { return };
    let library = library();
    for gap_ms in [0, 50, 100, 500] {
        for _ in 0..5 {
            let mut host = library.instance(2).unwrap();
            host.open_editor(parent.window, Duration::from_millis(gap_ms))
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
            parent
                .connection
                .clear_area(false, parent.window, 0, 0, 0, 0)
                .unwrap();
            parent.connection.flush().unwrap();
        }
    }
}

#[test]
fn a_size_below_the_minimum_becomes_the_minimum() {
    let Some(parent) = Parent::open() else { return };
    let library = library();
    let mut host = library.instance(2).unwrap();
    host.open_editor(parent.window, Duration::ZERO).unwrap();
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
    let reopened = other.open_editor(parent.window, Duration::ZERO).unwrap();
    assert_eq!(reopened, (720, 440));
    other.close_editor();
}
