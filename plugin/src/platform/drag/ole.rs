//! A drag by the shell of Windows. The compiler has checked it; it has not been run.
//!
//! OLE's loop lasts as long as the drag, and must not run inside the drawing of a frame: it has a
//! thread of its own. That thread shares the input of the window's thread meanwhile, because only who
//! saw the button go down is told where the pointer goes.

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

/// The interface of what is dragged, `IDataObject`.
const DATA_OBJECT: GUID = GUID::from_u128(0x0000010e_0000_0000_c000_000000000046);

/// Starts to drag `file`. Called on the thread of the window.
pub fn start(file: PathBuf, drag: &Drag) {
    // SAFETY: asks for a number.
    let window_thread = unsafe { GetCurrentThreadId() };
    drag.on_a_thread(move || run(&file, window_thread).unwrap_or_else(Outcome::Failed));
}

fn run(file: &Path, window_thread: u32) -> Result<Outcome> {
    // Makes the message queue of this thread as well, without which input cannot be shared.
    let _ole = Ole::new()?;
    let _input = SharedInput::with(window_thread)?;
    let data = data_object(file)?;
    // SAFETY: the input is shared, so this is the window that saw the button go down, or none.
    let window = unsafe { GetCapture() };
    let mut effect = DROPEFFECT_NONE;
    // SAFETY: `data` is alive; without a source the shell uses its own.
    let result = unsafe {
        let (data, source) = (data.as_raw(), null_mut());
        SHDoDragDrop(null_mut(), data, source, DROPEFFECT_COPY, &raw mut effect)
    };
    if !window.is_null() {
        // OLE's loop took the release of the button; the window would think that it is still down.
        // SAFETY: a message without pointers, to a window that may be gone by now.
        unsafe { PostMessageW(window, WM_LBUTTONUP, 0, 0) };
    }
    match result {
        DRAGDROP_S_DROP if effect != DROPEFFECT_NONE => Ok(Outcome::Dropped),
        DRAGDROP_S_DROP => Ok(Outcome::Refused),
        DRAGDROP_S_CANCEL => Ok(Outcome::Cancelled),
        error => Err(refused("SHDoDragDrop", error)),
    }
}

/// `file` as what Explorer would drag.
fn data_object(file: &Path) -> Result<IUnknown> {
    let item = Item::new(file)?;
    let folder = item.folder();
    let mut object: *mut c_void = null_mut();
    // SAFETY: the lists are alive and belong together; `object` receives one reference.
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
    format!("Windows refuses {call}: 0x{result:08x}")
}

/// OLE on this thread, while it is alive.
struct Ole;

impl Ole {
    fn new() -> Result<Self> {
        // SAFETY: the argument is reserved; undone when this is dropped.
        checked("OleInitialize", unsafe { OleInitialize(null()) })?;
        Ok(Self)
    }
}

impl Drop for Ole {
    fn drop(&mut self) {
        // SAFETY: it was initialised on this thread, which this value does not leave.
        unsafe { OleUninitialize() };
    }
}

/// The input of another thread, shared with this one.
struct SharedInput {
    own: u32,
    other: u32,
}

impl SharedInput {
    fn with(other: u32) -> Result<Self> {
        // SAFETY: numbers of threads; undone when this is dropped.
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
        // SAFETY: undoes what `with` has done.
        unsafe { AttachThreadInput(self.own, self.other, 0) };
    }
}

/// A place as the shell names it.
struct Item(*mut ITEMIDLIST);

impl Item {
    fn new(file: &Path) -> Result<Self> {
        let wide: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        let mut item = null_mut();
        // SAFETY: `wide` ends with a zero; `item` receives a list that is freed when this is dropped.
        let result = unsafe {
            let (context, asked, told) = (null_mut(), 0, null_mut());
            SHParseDisplayName(wide.as_ptr(), context, &raw mut item, asked, told)
        };
        checked("SHParseDisplayName", result)?;
        Ok(Self(item))
    }

    /// The folder that it lies in.
    fn folder(&self) -> Self {
        // SAFETY: a copy of a list that is alive, without its last part.
        unsafe {
            let folder = ILClone(self.0);
            ILRemoveLastID(folder);
            Self(folder)
        }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        // SAFETY: the list is ours, and nobody else frees it.
        unsafe { ILFree(self.0) };
    }
}
