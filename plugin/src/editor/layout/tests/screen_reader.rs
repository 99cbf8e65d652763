//! The editor as a screen reader gets it, by AT-SPI.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use futures_lite::future::block_on;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, Message};

use super::*;
use crate::platform::{accessibility, test_session};

const NAME: &str = "a_screen_reader_finds_and_uses_the_controls";
/// The accessibility bus, which a session starts when it is asked for.
const SERVICE: &str = "/usr/share/dbus-1/services/org.a11y.Bus.service";
/// Roles of AT-SPI.
const COMBO_BOX: u32 = 11;
const FRAME: u32 = 23;
const PANEL: u32 = 39;
const BUTTON: u32 = 43;
const SLIDER: u32 = 51;
const TOGGLE_BUTTON: u32 = 62;
/// Frames until the test gives up.
const MOST_FRAMES: usize = 3_000;

#[test]
fn a_screen_reader_finds_and_uses_the_controls() {
    if !Path::new(SERVICE).exists() {
        eprintln!("skipped: at-spi2-core is not installed");
    } else if test_session::is_within(module_path!(), NAME) {
        block_on(use_controls()).unwrap();
    }
}

/// An object of a program: its bus name and path.
type Object = (String, OwnedObjectPath);

/// A connection to the accessibility bus, as a screen reader has it.
struct Reader(Connection);

impl Reader {
    /// Tells all programs that a screen reader runs.
    async fn start() -> zbus::Result<Self> {
        let session = Connection::session().await?;
        let (bus, path) = (Some("org.a11y.Bus"), "/org/a11y/bus");
        let on = ("org.a11y.Status", "IsEnabled", Value::from(true));
        let properties = Some("org.freedesktop.DBus.Properties");
        session
            .call_method(bus, path, properties, "Set", &on)
            .await?;
        let reply = session.call_method(bus, path, Some("org.a11y.Bus"), "GetAddress", &());
        let address: String = reply.await?.body().deserialize()?;
        let builder = zbus::connection::Builder::address(address.as_str())?;
        Ok(Self(builder.build().await?))
    }

    async fn call<B>(
        &self,
        to: &Object,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let (bus, path) = (Some(to.0.as_str()), &to.1);
        self.0
            .call_method(bus, path, Some(interface), method, body)
            .await
    }

    async fn children(&self, of: &Object) -> zbus::Result<Vec<Object>> {
        let reply = self.call(of, "org.a11y.atspi.Accessible", "GetChildren", &());
        reply.await?.body().deserialize()
    }

    async fn property(&self, of: &Object, interface: &str, name: &str) -> zbus::Result<OwnedValue> {
        let properties = "org.freedesktop.DBus.Properties";
        let reply = self.call(of, properties, "Get", &(interface, name)).await?;
        reply.body().deserialize()
    }

    /// All objects of all programs, with roles and names.
    async fn objects(&self) -> zbus::Result<Vec<(Object, u32, String)>> {
        let desktop = "/org/a11y/atspi/accessible/root".try_into()?;
        let mut left = VecDeque::from([("org.a11y.atspi.Registry".to_owned(), desktop)]);
        let mut found = Vec::new();
        while let Some(object) = left.pop_front() {
            let accessible = "org.a11y.atspi.Accessible";
            let name = self.property(&object, accessible, "Name").await?;
            let reply = self.call(&object, accessible, "GetRole", &()).await?;
            let role: u32 = reply.body().deserialize()?;
            left.extend(self.children(&object).await?);
            found.push((object, role, String::try_from(name)?));
        }
        Ok(found)
    }
}

async fn use_controls() -> zbus::Result<()> {
    let reader = Reader::start().await?;
    let params = params(200);
    let (status, mut state) = (PluginStatus::default(), EditorState::default());
    let context = Context::default();
    accessibility::connect(&context, None);
    let frame = |state: &mut EditorState| {
        frame_of(&context, RawInput::default(), &params, &status, state);
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut objects = Vec::new();
    let is_done =
        |objects: &[(Object, u32, String)]| objects.iter().any(|(_, _, name)| name == "Undo");
    for _ in 0..MOST_FRAMES {
        frame(&mut state);
        // Objects may go while the reader reads.
        objects = reader.objects().await.unwrap_or_default();
        if is_done(&objects) {
            break;
        }
    }
    assert!(is_done(&objects), "{objects:?}");
    let find = |role: u32, start: &str| -> Object {
        let is_it =
            |(_, other, name): &&(_, u32, String)| *other == role && name.starts_with(start);
        let found = objects.iter().find(is_it);
        let (object, ..) = found.unwrap_or_else(|| panic!("no {role} {start:?}: {objects:#?}"));
        object.clone()
    };
    find(FRAME, "Hitscribe");
    find(SLIDER, "Sensitivity");
    find(COMBO_BOX, "Quantize");
    find(PANEL, "Kick, note 36, ");
    find(TOGGLE_BUTTON, "Kick at bar ");
    find(BUTTON, "Save MIDI");

    let page = find(TOGGLE_BUTTON, "Drums");
    reader
        .call(&page, "org.a11y.atspi.Action", "DoAction", &(0i32,))
        .await?;
    let threshold = find(SLIDER, "Sensitivity of Kick");
    let value = ("org.a11y.atspi.Value", "CurrentValue", Value::from(25.0));
    reader
        .call(&threshold, "org.freedesktop.DBus.Properties", "Set", &value)
        .await?;
    let is_set = || params.note_map.class(DrumClass::Kick).sensitivity_percent == 25;
    for _ in 0..MOST_FRAMES {
        frame(&mut state);
        if state.side.page.is_some() && is_set() {
            break;
        }
    }
    assert_eq!(state.side.page, Some(SidePage::Drums));
    assert!(is_set());

    // What a closed window has shown is gone.
    drop(context);
    let mut rest = objects;
    for _ in 0..MOST_FRAMES {
        rest = reader.objects().await.unwrap_or(rest);
        if rest.iter().all(|(_, role, _)| *role != FRAME) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(rest.iter().all(|(_, role, _)| *role != FRAME), "{rest:?}");
    // Further windows share the threads of the first.
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let before = threads();
    for _ in 0..3 {
        let context = Context::default();
        accessibility::connect(&context, None);
        frame_of(&context, RawInput::default(), &params, &status, &mut state);
    }
    eprintln!("{before} threads after the first window");
    assert!(threads() < before + 3);
    Ok(())
}
