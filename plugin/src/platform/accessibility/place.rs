//! The place of a window on the screen of an X server.

use egui::accesskit::Rect;
use nice_plug_egui::baseview::WindowContext;
use raw_window_handle::{HasWindowHandle as _, RawWindowHandle};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, Window};
use x11rb::rust_connection::RustConnection;

/// The number of a window in X11.
pub fn x11_window(window: &WindowContext) -> Option<Window> {
    match window.window_handle().ok()?.as_raw() {
        RawWindowHandle::Xlib(handle) => Window::try_from(handle.window).ok(),
        RawWindowHandle::Xcb(handle) => Some(handle.window.get()),
        _ => None,
    }
}

/// Finds out where a window is, on a connection of its own.
pub struct Place {
    connection: RustConnection,
    root: Window,
    window: Window,
}

impl Place {
    /// Of this window; none without an X server.
    pub fn of(window: Window) -> Option<Self> {
        let (connection, screen) = x11rb::connect(None).ok()?;
        let root = connection.setup().roots.get(screen)?.root;
        Some(Self {
            connection,
            root,
            window,
        })
    }

    /// The area of the window in pixels of the screen; none if it is gone.
    pub fn area(&self) -> Option<Rect> {
        let connection = &self.connection;
        let size = connection.get_geometry(self.window).ok()?;
        let at = connection.translate_coordinates(self.window, self.root, 0, 0);
        let (size, at) = (size.reply().ok()?, at.ok()?.reply().ok()?);
        let (x0, y0) = (f64::from(at.dst_x), f64::from(at.dst_y));
        Some(Rect {
            x0,
            y0,
            x1: x0 + f64::from(size.width),
            y1: y0 + f64::from(size.height),
        })
    }
}
