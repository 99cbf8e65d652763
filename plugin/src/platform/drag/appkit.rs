//! An AppKit dragging session. Compiles, but has not been run.
//!
//! AppKit calls an object to learn which operations are allowed and how the drag ended. Classes are
//! global to the process, and several copies of this library may be loaded, so each copy registers
//! its own class under an unused name.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use objc2::rc::Retained;
use objc2::runtime::{
    AnyClass, AnyObject, AnyProtocol, ClassBuilder, NSObject, ProtocolObject, Sel,
};
use objc2::{AllocAnyThread as _, ClassType as _, MainThreadMarker, msg_send, sel};
use objc2_app_kit::{
    NSApplication, NSDragOperation, NSDraggingItem, NSDraggingSession, NSDraggingSource, NSEvent,
    NSEventModifierFlags, NSEventType, NSPasteboardWriting, NSWindow, NSWorkspace,
};
use objc2_foundation::{
    NSArray, NSInteger, NSPoint, NSProcessInfo, NSRect, NSSize, NSString, NSURL,
};
use parking_lot::Mutex;

use crate::platform::drag::{Drag, Outcome};

/// Edge of the icon under the pointer, in points.
const ICON: f64 = 32.0;

/// The drag in progress and the number of the window that it started in. There is only one pointer.
static DRAG: Mutex<Option<(Drag, NSInteger)>> = Mutex::new(None);

/// Starts a drag of `file`. Call it on the window's thread, which is the main thread.
pub fn start(file: PathBuf, drag: &Drag) {
    let begun = MainThreadMarker::new()
        .ok_or("the window is not on the main thread")
        .and_then(|thread| begin(&file, drag, thread));
    if let Err(reason) = begun {
        drag.end(Outcome::Failed(reason.to_owned()));
    }
}

fn begin(file: &Path, drag: &Drag, thread: MainThreadMarker) -> Result<(), &'static str> {
    let source = source().ok_or("the drag source class cannot be created")?;
    let window = window_at_pointer(thread).ok_or("there is no window at the pointer")?;
    let place = window.convertPointFromScreen(NSEvent::mouseLocation());
    let content = window.contentView().ok_or("the window is empty")?;
    let view = content.hitTest(place).unwrap_or(content);
    let event = mouse_event(NSEventType::LeftMouseDragged, &window, place);
    let event = event.ok_or("the mouse event cannot be created")?;

    let path = NSString::from_str(&file.to_string_lossy());
    let url = NSURL::fileURLWithPath(&path);
    let writer: &ProtocolObject<dyn NSPasteboardWriting> = ProtocolObject::from_ref(&*url);
    let item = NSDraggingItem::initWithPasteboardWriter(NSDraggingItem::alloc(), writer);
    let icon = NSWorkspace::sharedWorkspace().iconForFile(&path);
    let middle = view.convertPoint_fromView(place, None);
    let corner = NSPoint::new(middle.x - ICON / 2.0, middle.y - ICON / 2.0);
    let frame = NSRect::new(corner, NSSize::new(ICON, ICON));
    // SAFETY: an image is valid content of a dragging item.
    unsafe { item.setDraggingFrame_contents(frame, Some(&icon)) };

    let items = NSArray::from_retained_slice(&[item]);
    *DRAG.lock() = Some((drag.clone(), window.windowNumber()));
    view.beginDraggingSessionWithItems_event_source(&items, &event, source);
    Ok(())
}

fn window_at_pointer(thread: MainThreadMarker) -> Option<Retained<NSWindow>> {
    let place = NSEvent::mouseLocation();
    let number = NSWindow::windowNumberAtPoint_belowWindowWithWindowNumber(place, 0, thread);
    NSApplication::sharedApplication(thread).windowWithWindowNumber(number)
}

/// An event of the left button at a place in a window, now.
fn mouse_event(kind: NSEventType, window: &NSWindow, place: NSPoint) -> Option<Retained<NSEvent>> {
    let seconds = NSProcessInfo::processInfo().systemUptime();
    let (flags, number) = (NSEventModifierFlags::empty(), window.windowNumber());
    let (serial, clicks, pressure) = (0, 1, 1.0);
    NSEvent::mouseEventWithType_location_modifierFlags_timestamp_windowNumber_context_eventNumber_clickCount_pressure(
        kind, place, flags, seconds, number, None, serial, clicks, pressure,
    )
}

/// The object that AppKit calls. Never freed, because a session may outlive any window.
fn source() -> Option<&'static ProtocolObject<dyn NSDraggingSource>> {
    /// A pointer to an object without state.
    struct Shared(*const AnyObject);
    // SAFETY: the object has no state and is only used on the main thread.
    unsafe impl Send for Shared {}
    // SAFETY: as above.
    unsafe impl Sync for Shared {}
    static SOURCE: OnceLock<Option<Shared>> = OnceLock::new();
    let made = SOURCE.get_or_init(|| {
        let class = class()?;
        // SAFETY: the class is derived from NSObject, which has `new`.
        let object: Retained<AnyObject> = unsafe { msg_send![class, new] };
        Some(Shared(Retained::into_raw(object).cast_const()))
    });
    let object = made
        .as_ref()?
        .0
        .cast::<ProtocolObject<dyn NSDraggingSource>>();
    // SAFETY: the object is never freed and has the required methods of the protocol.
    Some(unsafe { &*object })
}

fn class() -> Option<&'static AnyClass> {
    let free = |number: u32| {
        let name = CString::new(format!("HitscribeDragSource{number}")).ok()?;
        ClassBuilder::new(&name, NSObject::class())
    };
    let mut builder = (0..1000).find_map(free)?;
    if let Some(protocol) = AnyProtocol::get(c"NSDraggingSource") {
        builder.add_protocol(protocol);
    }
    // SAFETY: the functions have the signatures of the protocol's methods.
    unsafe {
        builder.add_method(
            sel!(draggingSession:sourceOperationMaskForDraggingContext:),
            allowed_operations as extern "C-unwind" fn(_, _, _, _) -> _,
        );
        builder.add_method(
            sel!(draggingSession:endedAtPoint:operation:),
            drag_ended as extern "C-unwind" fn(_, _, _, _, _),
        );
    }
    Some(builder.register())
}

extern "C-unwind" fn allowed_operations(
    _source: &NSObject,
    _name: Sel,
    _session: &NSDraggingSession,
    _context: NSInteger,
) -> NSDragOperation {
    NSDragOperation::Copy
}

extern "C-unwind" fn drag_ended(
    _source: &NSObject,
    _name: Sel,
    _session: &NSDraggingSession,
    place: NSPoint,
    operation: NSDragOperation,
) {
    let Some((drag, window)) = DRAG.lock().take() else {
        return;
    };
    drag.end(if operation == NSDragOperation::None {
        Outcome::Refused
    } else {
        Outcome::Dropped
    });
    release_button(window, place);
}

/// Posts the button release to the window, because the session has consumed the event.
fn release_button(window: NSInteger, screen_place: NSPoint) {
    let Some(thread) = MainThreadMarker::new() else {
        return;
    };
    let window = NSApplication::sharedApplication(thread).windowWithWindowNumber(window);
    if let Some(window) = window {
        let place = window.convertPointFromScreen(screen_place);
        if let Some(event) = mouse_event(NSEventType::LeftMouseUp, &window, place) {
            window.postEvent_atStart(&event, false);
        }
    }
}
