//! What the plugin reports to a CLAP host on the host's main thread: that the project has changed,
//! and that the names of notes have.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;

use clap_sys::ext::note_name::{CLAP_EXT_NOTE_NAME, clap_host_note_name};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_host_state};
use clap_sys::host::clap_host;
use hitscribe_core::midi::NoteMap;
use nice_plug::params::internals::ParamPtr;
use parking_lot::Mutex;

use super::note_names::names;
use crate::params::HitscribeParams;
use crate::params::host_menu::HostMenu;

/// The host of an instance.
#[derive(Clone, Copy)]
pub(super) struct HostPointer(*const clap_host);

// SAFETY: only the main thread calls the host through it, which `on_main_thread` checks.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}

impl HostPointer {
    /// # Safety
    /// The host outlives everything that uses the result.
    pub(super) unsafe fn new(host: *const clap_host) -> Self {
        Self(host)
    }

    pub(super) fn as_ptr(self) -> *const clap_host {
        self.0
    }

    /// An extension of the host.
    ///
    /// # Safety
    /// `T` is the type of the extension with this name. The caller is on the main thread, after
    /// `init` has been called.
    pub(super) unsafe fn extension<T>(&self, name: &std::ffi::CStr) -> Option<&T> {
        // SAFETY: the host outlives the plugin, and its extensions are as long as itself.
        unsafe {
            let get = (*self.0).get_extension?;
            get(self.0, name.as_ptr()).cast::<T>().as_ref()
        }
    }
}

/// Connects an instance that the framework has made with its host.
pub struct Connection {
    host: HostPointer,
    main_thread: ThreadId,
    /// The parameters as CLAP identifies them.
    ids: HashMap<ParamPtr, u32>,
    params: OnceLock<Arc<HitscribeParams>>,
    /// The map whose names the host knows.
    known_map: Mutex<Option<NoteMap>>,
}

impl Connection {
    /// Of the instance that this thread makes, which is the host's main thread.
    pub(super) fn new(host: HostPointer, ids: HashMap<ParamPtr, u32>) -> Self {
        Self {
            host,
            main_thread: std::thread::current().id(),
            ids,
            params: OnceLock::new(),
            known_map: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> &HostPointer {
        &self.host
    }

    /// The parameters of the instance; none before it was connected.
    pub(super) fn params(&self) -> Option<&HitscribeParams> {
        self.params.get().map(Arc::as_ref)
    }

    /// The number of a parameter in CLAP.
    pub(super) fn param_id(&self, param: ParamPtr) -> Option<u32> {
        self.ids.get(&param).copied()
    }

    /// The parameter with a number.
    pub(super) fn param(&self, id: u32) -> Option<ParamPtr> {
        let mut found = self.ids.iter().filter(|(_, other)| **other == id);
        found.next().map(|(param, _)| *param)
    }

    pub(super) fn is_main_thread(&self) -> bool {
        std::thread::current().id() == self.main_thread
    }

    /// The host has asked for the names, of this map.
    pub(super) fn host_knows(&self, map: NoteMap) {
        *self.known_map.lock() = Some(map);
    }

    /// Reports that the project has changed. Does nothing on other threads than the main one.
    fn mark_dirty(&self) {
        if !self.is_main_thread() {
            return;
        }
        // SAFETY: the type is that of the extension; this is the main thread.
        let state = unsafe { self.host.extension::<clap_host_state>(CLAP_EXT_STATE) };
        if let Some(mark_dirty) = state.and_then(|state| state.mark_dirty) {
            // SAFETY: as above.
            unsafe { mark_dirty(self.host.as_ptr()) };
        }
    }

    /// Reports other names of notes, if the host knows the names of another map. Does nothing on
    /// other threads than the main one.
    pub(super) fn follow_note_map(&self) {
        let Some(params) = self.params() else { return };
        if !self.is_main_thread() {
            return;
        }
        let now = params.note_map.current();
        let is_other = |known: &NoteMap| names(known) != names(&now);
        // A host that has not asked does not show them.
        if !self.known_map.lock().as_ref().is_some_and(is_other) {
            return;
        }
        self.host_knows(now);
        // SAFETY: the type is that of the extension; this is the main thread.
        let names = unsafe {
            self.host
                .extension::<clap_host_note_name>(CLAP_EXT_NOTE_NAME)
        };
        if let Some(changed) = names.and_then(|names| names.changed) {
            // SAFETY: as above.
            unsafe { changed(self.host.as_ptr()) };
        }
    }
}

/// The connection of an instance: none in VST3 hosts, where the framework reports changes.
#[derive(Default)]
pub struct HostLink(OnceLock<Arc<Connection>>);

impl HostLink {
    /// Connects the instance with these parameters.
    pub fn connect(&self, connection: Arc<Connection>, params: &Arc<HitscribeParams>) {
        let _ = connection.params.set(params.clone());
        let _ = self.0.set(connection);
    }

    /// Whether the host shows menus of parameters.
    pub fn has_menu(&self) -> bool {
        self.0.get().is_some_and(|connection| connection.has_menu())
    }

    /// Has the host show its menu of a parameter.
    pub fn open_menu(&self, menu: &HostMenu) {
        if let Some(connection) = self.0.get() {
            connection.open_menu(menu);
        }
    }

    /// Reports a change of the project to the host.
    pub fn report_change(&self) {
        if let Some(connection) = self.0.get() {
            connection.mark_dirty();
            connection.follow_note_map();
        }
    }
}
