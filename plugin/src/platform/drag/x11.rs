//! A drag source of the XDND protocol, version 5, on its own connection to the X server.
//!
//! The toolkit holds the pointer's implicit grab while the button is pressed, so this code polls
//! the pointer instead of grabbing it. An invisible window owns the selection and sends the
//! protocol's messages to the window below the pointer. Protocol:
//! <https://www.freedesktop.org/wiki/Specifications/XDND/>.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, KeyButMask,
    PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Timestamp,
    Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::platform::drag::{Drag, Outcome};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const VERSION: u32 = 5;
/// Oldest supported version.
const OLDEST_VERSION: u32 = 3;
/// Time between two pointer queries.
const POLL: Duration = Duration::from_millis(8);
/// The next position is sent after this long without an answer to the last one.
const STATUS_TIMEOUT: Duration = Duration::from_millis(500);
/// A drop counts as unanswered after this long.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);
/// A drag is cancelled after this long.
const MAX_DRAG: Duration = Duration::from_secs(300);
/// X11 keycode of the Escape key.
const ESCAPE_KEYCODE: usize = 9;

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        XdndAware, XdndProxy, XdndEnter, XdndPosition, XdndStatus, XdndLeave, XdndDrop,
        XdndFinished, XdndSelection, XdndActionCopy, XdndTypeList, TARGETS, TIMESTAMP,
        UriList: b"text/uri-list",
    }
}

/// A window that accepts drops.
#[derive(Clone, Copy, PartialEq)]
struct Target {
    window: Window,
    /// The window that receives the messages.
    proxy: Window,
    version: u32,
}

struct Source {
    connection: RustConnection,
    atoms: Atoms,
    root: Window,
    window: Window,
    time: Timestamp,
    uris: String,
}

/// State of the target under the pointer.
struct Hover {
    target: Option<Target>,
    is_accepted: bool,
    /// When the last unanswered position was sent.
    sent_at: Option<Instant>,
    last_position: Option<(i16, i16)>,
}

/// Starts a drag of `file` on a thread that polls the pointer until the button is released.
pub fn start(file: PathBuf, drag: &Drag) {
    drag.spawn(move || {
        follow_pointer(&file).unwrap_or_else(|error| Outcome::Failed(error.to_string()))
    });
}

fn follow_pointer(file: &Path) -> Result<Outcome> {
    let source = Source::new(file)?;
    let outcome = source.run();
    source.connection.destroy_window(source.window)?;
    source.connection.flush()?;
    outcome
}

/// `file` as a percent-encoded URI.
fn uri(file: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in file.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            _ => {
                // Writing into a string cannot fail.
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

impl Source {
    fn new(file: &Path) -> Result<Self> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let atoms = Atoms::new(&connection)?.reply()?;
        let window = connection.generate_id()?;
        let attributes = CreateWindowAux::new()
            .override_redirect(1)
            .event_mask(EventMask::PROPERTY_CHANGE);
        connection.create_window(
            0,
            window,
            root,
            -10,
            -10,
            1,
            1,
            0,
            WindowClass::INPUT_ONLY,
            x11rb::COPY_FROM_PARENT,
            &attributes,
        )?;
        let uris = uri(file) + "\r\n";
        let mut source = Self {
            connection,
            atoms,
            root,
            window,
            time: 0,
            uris,
        };
        source.time = source.server_time()?;
        let (connection, atoms) = (&source.connection, &source.atoms);
        connection.set_selection_owner(window, atoms.XdndSelection, source.time)?;
        connection.change_property32(
            PropMode::REPLACE,
            window,
            atoms.XdndTypeList,
            AtomEnum::ATOM,
            &[atoms.UriList],
        )?;
        Ok(source)
    }

    /// The server's time, from the answer to a property change.
    fn server_time(&self) -> Result<Timestamp> {
        let connection = &self.connection;
        let (name, text) = (AtomEnum::WM_NAME, AtomEnum::STRING);
        connection.change_property8(PropMode::APPEND, self.window, name, text, b"")?;
        connection.flush()?;
        loop {
            if let Event::PropertyNotify(event) = connection.wait_for_event()? {
                return Ok(event.time);
            }
        }
    }

    fn run(&self) -> Result<Outcome> {
        let began = Instant::now();
        let mut hover = Hover {
            target: None,
            is_accepted: false,
            sent_at: None,
            last_position: None,
        };
        loop {
            if self.handle_events(&mut hover)?.is_some() || began.elapsed() > MAX_DRAG {
                return Ok(Outcome::Cancelled);
            }
            let pointer = self.connection.query_pointer(self.root)?.reply()?;
            if self.is_escape_down()? {
                self.leave(&hover)?;
                return Ok(Outcome::Cancelled);
            }
            let is_down = u16::from(pointer.mask) & u16::from(KeyButMask::BUTTON1) != 0;
            if !is_down {
                let is_unanswered = hover
                    .sent_at
                    .is_some_and(|at| at.elapsed() < STATUS_TIMEOUT);
                match hover.target {
                    Some(target) if hover.is_accepted => return self.drop_on(target, &mut hover),
                    // Wait for the answer to the last position.
                    Some(_) if is_unanswered => {}
                    _ => {
                        self.leave(&hover)?;
                        return Ok(Outcome::Refused);
                    }
                }
            } else {
                self.follow(&mut hover, pointer.child, (pointer.root_x, pointer.root_y))?;
            }
            std::thread::sleep(POLL);
        }
    }

    /// Sends the pointer position to the window under the pointer.
    fn follow(&self, hover: &mut Hover, child: Window, position: (i16, i16)) -> Result<()> {
        let target = self.target_below(child)?;
        if target != hover.target {
            self.leave(hover)?;
            *hover = Hover {
                target,
                is_accepted: false,
                sent_at: None,
                last_position: None,
            };
            if let Some(target) = target {
                let data = [self.window, target.version << 24, self.atoms.UriList, 0, 0];
                self.send(target, self.atoms.XdndEnter, data)?;
            }
        }
        let may_send = hover.sent_at.is_none_or(|at| at.elapsed() > STATUS_TIMEOUT);
        if let Some(target) = hover.target
            && may_send
            && hover.last_position != Some(position)
        {
            let packed = (u32::from(position.0 as u16) << 16) | u32::from(position.1 as u16);
            let data = [self.window, 0, packed, self.time, self.atoms.XdndActionCopy];
            self.send(target, self.atoms.XdndPosition, data)?;
            hover.last_position = Some(position);
            hover.sent_at = Some(Instant::now());
        }
        Ok(())
    }

    fn leave(&self, hover: &Hover) -> Result<()> {
        match hover.target {
            Some(target) => self.send(target, self.atoms.XdndLeave, [self.window, 0, 0, 0, 0]),
            None => Ok(()),
        }
    }

    fn drop_on(&self, target: Target, hover: &mut Hover) -> Result<Outcome> {
        self.send(
            target,
            self.atoms.XdndDrop,
            [self.window, 0, self.time, 0, 0],
        )?;
        let dropped = Instant::now();
        while dropped.elapsed() < DROP_TIMEOUT {
            if let Some(outcome) = self.handle_events(hover)? {
                return Ok(outcome);
            }
            std::thread::sleep(POLL);
        }
        Ok(Outcome::NoAnswer)
    }

    /// Handles all pending events. An outcome ends the drag.
    fn handle_events(&self, hover: &mut Hover) -> Result<Option<Outcome>> {
        while let Some(event) = self.connection.poll_for_event()? {
            match event {
                Event::ClientMessage(message) if message.type_ == self.atoms.XdndStatus => {
                    let data = message.data.as_data32();
                    if hover.target.map(|target| target.window) == Some(data[0]) {
                        hover.is_accepted = data[1] & 1 != 0;
                        hover.sent_at = None;
                    }
                }
                Event::ClientMessage(message) if message.type_ == self.atoms.XdndFinished => {
                    // Only version 5 reports whether the drop succeeded.
                    let has_result = hover.target.is_some_and(|target| target.version >= VERSION);
                    let is_accepted = !has_result || message.data.as_data32()[1] & 1 != 0;
                    return Ok(Some(if is_accepted {
                        Outcome::Dropped
                    } else {
                        Outcome::Refused
                    }));
                }
                Event::SelectionRequest(request) => self.answer_request(&request)?,
                Event::SelectionClear(_) => return Ok(Some(Outcome::Cancelled)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Answers a request for the list of files.
    fn answer_request(&self, request: &SelectionRequestEvent) -> Result<()> {
        let (connection, atoms) = (&self.connection, &self.atoms);
        let mut property = if request.property == x11rb::NONE {
            request.target
        } else {
            request.property
        };
        let (to, replace) = (request.requestor, PropMode::REPLACE);
        if request.target == atoms.UriList {
            connection.change_property8(
                replace,
                to,
                property,
                request.target,
                self.uris.as_bytes(),
            )?;
        } else if request.target == atoms.TARGETS {
            let targets = [atoms.TARGETS, atoms.TIMESTAMP, atoms.UriList];
            connection.change_property32(replace, to, property, AtomEnum::ATOM, &targets)?;
        } else if request.target == atoms.TIMESTAMP {
            connection.change_property32(replace, to, property, AtomEnum::INTEGER, &[self.time])?;
        } else {
            property = x11rb::NONE;
        }
        let notify = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: to,
            selection: request.selection,
            target: request.target,
            property,
        };
        connection.send_event(false, to, EventMask::NO_EVENT, notify)?;
        connection.flush()?;
        Ok(())
    }

    fn send(&self, target: Target, kind: Atom, data: [u32; 5]) -> Result<()> {
        let message = ClientMessageEvent::new(32, target.window, kind, data);
        self.connection
            .send_event(false, target.proxy, EventMask::NO_EVENT, message)?;
        self.connection.flush()?;
        Ok(())
    }

    /// The outermost window at the pointer, from `window` inwards, that accepts drops.
    fn target_below(&self, mut window: Window) -> Result<Option<Target>> {
        while window != x11rb::NONE {
            if let Some(target) = self.target(window)? {
                return Ok(Some(target));
            }
            // A window may be destroyed at any time. It then is not a target.
            match self.connection.query_pointer(window)?.reply() {
                Ok(pointer) => window = pointer.child,
                Err(_) => break,
            }
        }
        Ok(None)
    }

    fn target(&self, window: Window) -> Result<Option<Target>> {
        let proxy = self
            .first_value(window, self.atoms.XdndProxy)?
            .unwrap_or(window);
        let version = self.first_value(proxy, self.atoms.XdndAware)?;
        Ok(version
            .filter(|version| *version >= OLDEST_VERSION)
            .map(|version| Target {
                window,
                proxy,
                version: version.min(VERSION),
            }))
    }

    fn first_value(&self, window: Window, property: Atom) -> Result<Option<u32>> {
        let cookie = self
            .connection
            .get_property(false, window, property, AtomEnum::ANY, 0, 1)?;
        let reply = cookie.reply().ok();
        Ok(reply.and_then(|reply| reply.value32().and_then(|mut values| values.next())))
    }

    fn is_escape_down(&self) -> Result<bool> {
        let keys = self.connection.query_keymap()?.reply()?.keys;
        Ok(keys[ESCAPE_KEYCODE / 8] & (1 << (ESCAPE_KEYCODE % 8)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_umlauts_and_percent_signs_are_encoded() {
        assert_eq!(
            uri(Path::new("/a/Übung 1 50%.mid")),
            "file:///a/%C3%9Cbung%201%2050%25.mid"
        );
    }
}
