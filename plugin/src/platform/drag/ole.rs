//! A drag by the Windows shell. Compiles, but has not been run.
//!
//! OLE's loop blocks until the drag ends, so it runs on its own thread, not while a frame is drawn.
//! That thread attaches to the input of the window's thread, because only the thread that received
//! the button press gets pointer events.

use std::ffi::c_void;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use windows_core::{IUnknown, Interface as _};
use windows_sys::Win32::Foundation::{DRAGDROP_S_CANCEL, DRAGDROP_S_DROP};
use windows_sys::Win32::System::Ole::{
    DROPEFFECT_COPY, DROPEFFECT_NONE, OleInitialize, OleUninitialize,
};
use windows_sys::Win32::System::Threading::{AttachThreadInput, GetCurrentThreadId};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::GetCapture;
use windows_sys::Win32::UI::Shell::Common::ITEMIDLIST;
use windows_sys::Win32::UI::Shell::{
    ILClone, ILFindLastID, ILFree, ILRemoveLastID, SHCreateDataObject, SHDoDragDrop,
    SHParseDisplayName,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{PostMessageW, WM_LBUTTONUP};
use windows_sys::core::{GUID, HRESULT};

use crate::platform::drag::{Drag, Outcome};

type Result<T> = std::result::Result<T, String>;

/// Identifier of the interface `IDataObject`.
const DATA_OBJECT: GUID = GUID::from_u128(0x0000010e_0000_0000_c000_000000000046);

/// Starts a drag of `file`. Call it on the window's thread.
pub fn start(file: PathBuf, drag: &Drag) {
    // SAFETY: the function has no preconditions.
    let window_thread = unsafe { GetCurrentThreadId() };
    drag.spawn(move || run(&file, window_thread).unwrap_or_else(Outcome::Failed));
}

fn run(file: &Path, window_thread: u32) -> Result<Outcome> {
    // This also creates the thread's message queue, which sharing input requires.
    let _ole = Ole::new()?;
    let _input = SharedInput::with(window_thread)?;
    let data = data_object(file)?;
    // SAFETY: the function has no preconditions. The input is shared, so it returns the window that
    // received the button press, or null.
    let window = unsafe { GetCapture() };
    let mut effect = DROPEFFECT_NONE;
    // SAFETY: `data` is alive. For a null source the shell uses its own.
    let result = unsafe {
        let (data, source) = (data.as_raw(), null_mut());
        SHDoDragDrop(null_mut(), data, source, DROPEFFECT_COPY, &raw mut effect)
    };
    if !window.is_null() {
        // OLE's loop consumed the button release, so the window has not received it.
        // SAFETY: the message contains no pointers. The window may be gone, which is an error only.
        unsafe { PostMessageW(window, WM_LBUTTONUP, 0, 0) };
    }
    match result {
        DRAGDROP_S_DROP if effect != DROPEFFECT_NONE => Ok(Outcome::Dropped),
        DRAGDROP_S_DROP => Ok(Outcome::Refused),
        DRAGDROP_S_CANCEL => Ok(Outcome::Cancelled),
        error => Err(refused("SHDoDragDrop", error)),
    }
}

/// `file` as the data object that Explorer would drag.
fn data_object(file: &Path) -> Result<IUnknown> {
    let item = Item::new(file)?;
    let folder = item.folder();
    let mut object: *mut c_void = null_mut();
    // SAFETY: both lists are alive and belong together. `object` receives one reference.
    unsafe {
        let name = ILFindLastID(item.0).cast_const();
        let (own, count) = (null_mut(), 1);
        let result = SHCreateDataObject(
            folder.0,
            count,
            &raw const name,
            own,
            &DATA_OBJECT,
            &raw mut object,
        );
        checked("SHCreateDataObject", result)?;
        Ok(IUnknown::from_raw(object))
    }
}

fn checked(call: &str, result: HRESULT) -> Result<()> {
    if result < 0 {
        return Err(refused(call, result));
    }
    Ok(())
}

fn refused(call: &str, result: HRESULT) -> String {
    format!("{call} failed: 0x{result:08x}")
}

/// OLE, initialised on this thread until it is dropped.
struct Ole;

impl Ole {
    fn new() -> Result<Self> {
        // SAFETY: the argument is reserved. `drop` uninitialises OLE.
        checked("OleInitialize", unsafe { OleInitialize(null()) })?;
        Ok(Self)
    }
}

impl Drop for Ole {
    fn drop(&mut self) {
        // SAFETY: `new` has initialised OLE on this thread, which this value does not leave.
        unsafe { OleUninitialize() };
    }
}

/// The input of another thread, shared with this one until it is dropped.
struct SharedInput {
    own: u32,
    other: u32,
}

impl SharedInput {
    fn with(other: u32) -> Result<Self> {
        // SAFETY: both are thread identifiers. `drop` detaches the input.
        unsafe {
            let own = GetCurrentThreadId();
            if AttachThreadInput(own, other, 1) == 0 {
                return Err(std::io::Error::last_os_error().to_string());
            }
            Ok(Self { own, other })
        }
    }
}

impl Drop for SharedInput {
    fn drop(&mut self) {
        // SAFETY: detaches what `with` has attached.
        unsafe { AttachThreadInput(self.own, self.other, 0) };
    }
}

/// An item identifier list (PIDL) of the shell.
struct Item(*mut ITEMIDLIST);

impl Item {
    fn new(file: &Path) -> Result<Self> {
        let wide: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        let mut item = null_mut();
        // SAFETY: `wide` is null-terminated. `item` receives a list that `drop` frees.
        let result = unsafe {
            let (context, attributes_in, attributes_out) = (null_mut(), 0, null_mut());
            SHParseDisplayName(
                wide.as_ptr(),
                context,
                &raw mut item,
                attributes_in,
                attributes_out,
            )
        };
        checked("SHParseDisplayName", result)?;
        Ok(Self(item))
    }

    /// The folder that contains it.
    fn folder(&self) -> Self {
        // SAFETY: the list is alive. The copy loses its last part and is freed by `drop`.
        unsafe {
            let folder = ILClone(self.0);
            ILRemoveLastID(folder);
            Self(folder)
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        // SAFETY: this value owns the list.
        unsafe { ILFree(self.0) };
    }
}
