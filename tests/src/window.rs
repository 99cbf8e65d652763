//! A window for the plugin's editor on X11.

use anyhow::{Context, Result};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateWindowAux, ImageFormat, WindowClass};
use x11rb::rust_connection::RustConnection;

/// Size of the window in pixels.
const SIZE: [u16; 2] = [1040, 640];

/// A window of the host, until it is dropped.
pub struct ParentWindow {
    connection: RustConnection,
    id: u32,
}

impl ParentWindow {
    /// Opens a window on the display that the environment names.
    ///
    /// # Errors
    /// If there is no display.
    pub fn open() -> Result<Self> {
        let (connection, screen) = x11rb::connect(None).context("there is no X11 display")?;
        let root = connection.setup().roots[screen].root;
        let id = connection.generate_id()?;
        let class = WindowClass::INPUT_OUTPUT;
        let [width, height] = SIZE;
        let attributes = CreateWindowAux::new();
        connection.create_window(0, id, root, 0, 0, width, height, 0, class, 0, &attributes)?;
        connection.map_window(id)?;
        connection.flush()?;
        Ok(Self { connection, id })
    }

    /// Number of the window in X11.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether anything but black and white is seen in its middle.
    pub fn is_painted(&self) -> bool {
        let format = ImageFormat::Z_PIXMAP;
        let image = self
            .connection
            .get_image(format, self.id, 100, 100, 400, 300, 0x00ff_ffff);
        let reply = image.map(|cookie| cookie.reply());
        matches!(reply, Ok(Ok(image)) if image.data.iter().any(|byte| *byte != 0 && *byte != 255))
    }

    /// Makes it black.
    ///
    /// # Errors
    /// If the display is gone.
    pub fn clear(&self) -> Result<()> {
        self.connection.clear_area(false, self.id, 0, 0, 0, 0)?;
        self.connection.flush()?;
        Ok(())
    }
}
