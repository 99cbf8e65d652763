//! A source of the XDND protocol, version 5, on a connection of its own.
//!
//! The toolkit holds the pointer's implicit grab while the button is down, so there is nothing to
//! grab: the pointer is polled, the window below it is asked whether it takes drops, and the
//! protocol's messages are sent from an invisible window that owns the selection. Protocol:
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
/// The oldest version that we can talk to.
const OLDEST_VERSION: u32 = 3;
/// Time between two looks at the pointer.
const POLL: Duration = Duration::from_millis(8);
/// A target that does not answer a position for so long gets the next one anyway.
const STATUS_PATIENCE: Duration = Duration::from_millis(500);
/// A target that does not confirm a drop for so long never will.
const DROP_PATIENCE: Duration = Duration::from_secs(5);
/// A held button is not held longer than this.
const LONGEST_DRAG: Duration = Duration::from_secs(300);
/// Escape, as keyboards under X number their keys.
const ESCAPE_KEYCODE: usize = 9;

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        XdndAware, XdndProxy, XdndEnter, XdndPosition, XdndStatus, XdndLeave, XdndDrop,
        XdndFinished, XdndSelection, XdndActionCopy, XdndTypeList, TARGETS, TIMESTAMP,
        UriList: b"text/uri-list",
    }
}

/// A window that takes drops.
#[derive(Clone, Copy, PartialEq)]
struct Target {
    window: Window,
    /// Where messages for it go.
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

/// What is known about the target under the pointer.
struct Hover {
    target: Option<Target>,
    is_accepted: bool,
    /// When a position was sent that has not been answered.
    asked: Option<Instant>,
    last_position: Option<(i16, i16)>,
}

/// Starts to drag `file`; its thread polls the pointer until the button is released.
pub fn start(file: PathBuf, drag: &Drag) {
    drag.on_a_thread(move || {
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

/// `file` as a URI, every byte that is not plain escaped.
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

    /// The server's clock: changing a property is answered with the time.
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
            asked: None,
            last_position: None,
        };
        loop {
            if self.answer_events(&mut hover)?.is_some() || began.elapsed() > LONGEST_DRAG {
                return Ok(Outcome::Cancelled);
            }
            let pointer = self.connection.query_pointer(self.root)?.reply()?;
            if self.is_escape_down()? {
                self.leave(&hover)?;
                return Ok(Outcome::Cancelled);
            }
            let is_down = u16::from(pointer.mask) & u16::from(KeyButMask::BUTTON1) != 0;
            if !is_down {
                let is_unanswered = hover.asked.is_some_and(|at| at.elapsed() < STATUS_PATIENCE);
                match hover.target {
                    Some(target) if hover.is_accepted => return self.drop_on(target, &mut hover),
                    // The answer to the last position may be on its way.
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

    /// Tells the window under the pointer where the pointer is.
    fn follow(&self, hover: &mut Hover, child: Window, position: (i16, i16)) -> Result<()> {
        let target = self.target_below(child)?;
        if target != hover.target {
            self.leave(hover)?;
            *hover = Hover {
                target,
                is_accepted: false,
                asked: None,
                last_position: None,
            };
            if let Some(target) = target {
                let data = [self.window, target.version << 24, self.atoms.UriList, 0, 0];
                self.send(target, self.atoms.XdndEnter, data)?;
            }
        }
        let may_ask = hover.asked.is_none_or(|at| at.elapsed() > STATUS_PATIENCE);
        if let Some(target) = hover.target
            && may_ask
            && hover.last_position != Some(position)
        {
            let packed = (u32::from(position.0 as u16) << 16) | u32::from(position.1 as u16);
            let data = [self.window, 0, packed, self.time, self.atoms.XdndActionCopy];
            self.send(target, self.atoms.XdndPosition, data)?;
            hover.last_position = Some(position);
            hover.asked = Some(Instant::now());
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
        while dropped.elapsed() < DROP_PATIENCE {
            if let Some(outcome) = self.answer_events(hover)? {
                return Ok(outcome);
            }
            std::thread::sleep(POLL);
        }
        Ok(Outcome::NoAnswer)
    }

    /// Deals with everything the server has sent; an outcome ends the drag.
    fn answer_events(&self, hover: &mut Hover) -> Result<Option<Outcome>> {
        while let Some(event) = self.connection.poll_for_event()? {
            match event {
                Event::ClientMessage(message) if message.type_ == self.atoms.XdndStatus => {
                    let data = message.data.as_data32();
                    if hover.target.map(|target| target.window) == Some(data[0]) {
                        hover.is_accepted = data[1] & 1 != 0;
                        hover.asked = None;
                    }
                }
                Event::ClientMessage(message) if message.type_ == self.atoms.XdndFinished => {
                    // Only version 5 says whether the drop was a success.
                    let says = hover.target.is_some_and(|target| target.version >= VERSION);
                    let is_good = !says || message.data.as_data32()[1] & 1 != 0;
                    return Ok(Some(if is_good {
                        Outcome::Dropped
                    } else {
                        Outcome::Refused
                    }));
                }
                Event::SelectionRequest(request) => self.serve(&request)?,
                Event::SelectionClear(_) => return Ok(Some(Outcome::Cancelled)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Hands the list of files to who asks for it.
    fn serve(&self, request: &SelectionRequestEvent) -> Result<()> {
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

    /// The outermost window at the pointer, from `window` inwards, that takes drops.
    fn target_below(&self, mut window: Window) -> Result<Option<Target>> {
        while window != x11rb::NONE {
            if let Some(target) = self.target(window)? {
                return Ok(Some(target));
            }
            // Windows vanish at any time: one that has is simply no target.
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
    fn spaces_umlauts_and_percent_signs_are_escaped() {
        assert_eq!(
            uri(Path::new("/a/Übung 1 50%.mid")),
            "file:///a/%C3%9Cbung%201%2050%25.mid"
        );
    }
}
