//! The plugin through its CLAP entry, with a host of functions that count.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the tests are the host: all pointers are their own"
)]

mod host_ui;
mod settings;

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

use clap_sys::ext::context_menu::CLAP_EXT_CONTEXT_MENU;
use clap_sys::ext::note_name::{
    CLAP_EXT_NOTE_NAME, clap_host_note_name, clap_note_name, clap_plugin_note_name,
};
use clap_sys::ext::params::{
    CLAP_EXT_PARAMS, CLAP_PARAM_IS_ENUM, clap_param_info, clap_plugin_params,
};
use clap_sys::ext::preset_load::{CLAP_EXT_PRESET_LOAD, clap_plugin_preset_load};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_host_state, clap_plugin_state};
use clap_sys::ext::state_context::{
    CLAP_EXT_STATE_CONTEXT, CLAP_STATE_CONTEXT_FOR_DUPLICATE, CLAP_STATE_CONTEXT_FOR_PRESET,
    CLAP_STATE_CONTEXT_FOR_PROJECT, clap_plugin_state_context, clap_plugin_state_context_type,
};
use clap_sys::factory::preset_discovery::*;
use clap_sys::stream::{clap_istream, clap_ostream};
use hitscribe_core::DrumClass;
use hitscribe_live::take::Passage;
use nice_plug::params::internals::ParamPtr;
use parking_lot::Mutex;

use super::instance::Instance;
use super::*;
use crate::params::HitscribeParams;
use crate::process::rebuild::Task;

#[derive(Default)]
struct Counts {
    dirty: AtomicU32,
    names: AtomicU32,
    /// Parameter and place of each.
    menus: Mutex<Vec<(u32, i32, i32)>>,
}

struct Plugin {
    plugin: *const clap_plugin,
    counts: Box<Counts>,
    // The plugin points to it.
    _host: Box<clap_host>,
}

unsafe fn counts<'a>(host: *const clap_host) -> &'a Counts {
    unsafe { &*(*host).host_data.cast::<Counts>() }
}

unsafe extern "C" fn mark_dirty(host: *const clap_host) {
    unsafe { counts(host) }
        .dirty
        .fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn names_changed(host: *const clap_host) {
    unsafe { counts(host) }
        .names
        .fetch_add(1, Ordering::Relaxed);
}

static HOST_STATE: clap_host_state = clap_host_state {
    mark_dirty: Some(mark_dirty),
};
static HOST_NAMES: clap_host_note_name = clap_host_note_name {
    changed: Some(names_changed),
};

unsafe extern "C" fn host_extension(_host: *const clap_host, id: *const c_char) -> *const c_void {
    match unsafe { text(id) } {
        Some(id) if id == CLAP_EXT_STATE => (&raw const HOST_STATE).cast(),
        Some(id) if id == CLAP_EXT_NOTE_NAME => (&raw const HOST_NAMES).cast(),
        Some(id) if id == CLAP_EXT_CONTEXT_MENU => (&raw const host_ui::HOST_MENU).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn nothing(_host: *const clap_host) {}

impl Plugin {
    fn new() -> Self {
        let counts = Box::<Counts>::default();
        let host = Box::new(clap_host {
            clap_version: CLAP_VERSION,
            host_data: (&raw const *counts).cast_mut().cast(),
            name: c"test".as_ptr(),
            vendor: c"".as_ptr(),
            url: c"".as_ptr(),
            version: c"".as_ptr(),
            get_extension: Some(host_extension),
            request_restart: Some(nothing),
            request_process: Some(nothing),
            request_callback: Some(nothing),
        });
        let plugin = unsafe {
            let factory = get_factory(CLAP_PLUGIN_FACTORY_ID.as_ptr());
            let factory = factory.cast::<clap_plugin_factory>();
            assert_eq!((*factory).get_plugin_count.unwrap()(factory), 1);
            let about = (*factory).get_plugin_descriptor.unwrap()(factory, 0);
            let create = (*factory).create_plugin.unwrap();
            assert!(create(factory, &*host, c"other".as_ptr()).is_null());
            let plugin = create(factory, &*host, (*about).id);
            assert!((*plugin).init.unwrap()(plugin));
            plugin
        };
        Self {
            plugin,
            counts,
            _host: host,
        }
    }

    fn params(&self) -> &HitscribeParams {
        let connection = unsafe { Instance::connection(self.plugin) };
        connection.and_then(Connection::params).expect("parameters")
    }

    fn extension<T: Copy>(&self, name: &CStr) -> T {
        unsafe {
            let get = (*self.plugin).get_extension.unwrap();
            *get(self.plugin, name.as_ptr()).cast::<T>()
        }
    }

    fn note_names(&self) -> Vec<(String, i16, i16)> {
        let names: clap_plugin_note_name = self.extension(CLAP_EXT_NOTE_NAME);
        let mut name = unsafe { std::mem::zeroed::<clap_note_name>() };
        let count = unsafe { names.count.unwrap()(self.plugin) };
        let get =
            |index| unsafe { names.get.unwrap()(self.plugin, index, &mut name) }.then_some(name);
        let mut names = Vec::new();
        names.extend((0..count + 1).filter_map(get).map(|name| {
            assert_eq!(name.port, -1);
            let label = unsafe { CStr::from_ptr(name.name.as_ptr()) };
            (label.to_str().unwrap().to_owned(), name.channel, name.key)
        }));
        assert_eq!(names.len(), count as usize);
        names
    }

    fn load_map(&self, key: &CStr) -> bool {
        let load: clap_plugin_preset_load = self.extension(CLAP_EXT_PRESET_LOAD);
        let kind = CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN;
        let from = load.from_location.unwrap();
        unsafe { from(self.plugin, kind, std::ptr::null(), key.as_ptr()) }
    }

    fn save(&self, context: clap_plugin_state_context_type) -> Vec<u8> {
        let state: clap_plugin_state_context = self.extension(CLAP_EXT_STATE_CONTEXT);
        let mut bytes = Vec::new();
        let stream = clap_ostream {
            ctx: (&raw mut bytes).cast(),
            write: Some(append),
        };
        assert!(unsafe { state.save.unwrap()(self.plugin, &stream, context) });
        bytes
    }

    fn load(&self, bytes: &[u8], context: clap_plugin_state_context_type) -> bool {
        let state: clap_plugin_state_context = self.extension(CLAP_EXT_STATE_CONTEXT);
        let mut rest = bytes;
        let stream = clap_istream {
            ctx: (&raw mut rest).cast(),
            read: Some(take),
        };
        unsafe { state.load.unwrap()(self.plugin, &stream, context) }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        unsafe { (*self.plugin).destroy.unwrap()(self.plugin) };
    }
}

/// Writes three bytes at a time, as slow streams do.
unsafe extern "C" fn append(stream: *const clap_ostream, buffer: *const c_void, size: u64) -> i64 {
    let count = size.min(3) as usize;
    unsafe {
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), count);
        (*(*stream).ctx.cast::<Vec<u8>>()).extend(bytes);
    }
    count as i64
}

unsafe extern "C" fn take(stream: *const clap_istream, buffer: *mut c_void, size: u64) -> i64 {
    unsafe {
        let rest = &mut *(*stream).ctx.cast::<&[u8]>();
        let count = rest.len().min(size as usize).min(7);
        std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast(), count);
        *rest = &rest[count..];
        count as i64
    }
}

fn has_fields(state: &[u8]) -> [bool; 3] {
    let json: serde_json::Value = serde_json::from_slice(&state[8..]).unwrap();
    let has = |group: &str, name: &str| json[group].get(name).is_some();
    [
        has("fields", "take"),
        has("fields", "map"),
        has("params", "device"),
    ]
}

#[test]
fn texts_are_cut_between_characters_and_end_with_a_zero() {
    let mut field = [1; 6];
    copy_text(&mut field, "Becken");
    assert_eq!(field.map(|c| c as u8), *b"Becke\0");
    copy_text(&mut field, "Tomü");
    assert_eq!(&field.map(|c| c as u8), "Tomü\0".as_bytes());
    copy_text(&mut field, "Tomsü");
    assert_eq!(field.map(|c| c as u8), *b"Toms\0\0");
}

#[test]
fn the_names_of_notes_follow_the_note_map() {
    let plugin = Plugin::new();
    let kick = |plugin: &Plugin| {
        let names = plugin.note_names();
        let kick = names
            .into_iter()
            .find(|(name, ..)| name.starts_with("Kick"));
        kick.map(|(_, channel, key)| (channel, key))
    };
    // A host that has not asked is told nothing.
    assert!(plugin.load_map(c"pads-from-c1"));
    assert_eq!(plugin.counts.names.load(Ordering::Relaxed), 0);
    assert!(plugin.load_map(c"general-midi"));
    assert_eq!(kick(&plugin), Some((9, 36)));
    assert!(plugin.load_map(c"mpe-channels"));
    assert_eq!(plugin.counts.names.load(Ordering::Relaxed), 1);
    assert_ne!(kick(&plugin), Some((9, 36)));
    assert!(plugin.load_map(c"mpe-channels"), "the same again");
    assert_eq!(plugin.counts.names.load(Ordering::Relaxed), 1);
    assert!(!plugin.load_map(c"no-such-map"));
    // The editor changes a drum and reports the change.
    let params = plugin.params();
    let mut entry = params.note_map.class(DrumClass::Kick);
    entry.on = false;
    params.note_map.set_class(DrumClass::Kick, entry);
    let wrapper = unsafe { Instance::wrapper(plugin.plugin) }.unwrap();
    (wrapper.task_executor.lock())(Task::ReportChange);
    assert_eq!(plugin.counts.names.load(Ordering::Relaxed), 2);
    assert_eq!(plugin.counts.dirty.load(Ordering::Relaxed), 1);
    assert_eq!(kick(&plugin), None);
    // So does a project.
    let other = Plugin::new();
    assert!(plugin.load(
        &other.save(CLAP_STATE_CONTEXT_FOR_PROJECT),
        CLAP_STATE_CONTEXT_FOR_PROJECT
    ));
    assert_eq!(plugin.counts.names.load(Ordering::Relaxed), 3);
    assert_eq!(kick(&plugin), Some((9, 36)));
}

#[test]
fn presets_leave_out_the_take_and_leave_it_alone() {
    let plugin = Plugin::new();
    let passages = |plugin: &Plugin| plugin.params().take.take().lock().passages.len();
    let add = |plugin: &Plugin| {
        let take = plugin.params().take.take();
        take.lock().add_passage(Passage::new(48_000.0));
    };
    add(&plugin);
    assert!(plugin.load_map(c"roland-td"));
    let preset = plugin.save(CLAP_STATE_CONTEXT_FOR_PRESET);
    assert_eq!(has_fields(&preset), [false, true, false]);
    for context in [
        CLAP_STATE_CONTEXT_FOR_PROJECT,
        CLAP_STATE_CONTEXT_FOR_DUPLICATE,
    ] {
        let whole = plugin.save(context);
        assert_eq!(has_fields(&whole), [true; 3]);
        let other = Plugin::new();
        assert!(other.load(&whole, context));
        assert_eq!(passages(&other), 1);
    }
    // Of this host and of one that saves whole states as presets.
    let whole = plugin.save(CLAP_STATE_CONTEXT_FOR_PROJECT);
    for preset in [preset, whole] {
        let other = Plugin::new();
        add(&other);
        add(&other);
        assert!(other.load(&preset, CLAP_STATE_CONTEXT_FOR_PRESET));
        assert_eq!(passages(&other), 2);
        assert_eq!(
            other.params().note_map.name(),
            plugin.params().note_map.name()
        );
        for length in [0, 5, 20] {
            assert!(!other.load(&preset[..length], CLAP_STATE_CONTEXT_FOR_PRESET));
        }
        assert!(!other.load(&[0xff; 99], CLAP_STATE_CONTEXT_FOR_PRESET));
    }
    // The framework's own extension has everything.
    let state: clap_plugin_state = plugin.extension(CLAP_EXT_STATE);
    assert!(state.save.is_some() && state.load.is_some());
}

#[test]
fn parameters_have_groups_and_lists() {
    let plugin = Plugin::new();
    let params: clap_plugin_params = plugin.extension(CLAP_EXT_PARAMS);
    let info = |index| unsafe {
        let mut info = std::mem::zeroed::<clap_param_info>();
        let get = params.get_info.unwrap();
        get(plugin.plugin, index, &mut info).then_some(info)
    };
    let count = unsafe { params.count.unwrap()(plugin.plugin) };
    let field = |field: &[c_char]| unsafe { CStr::from_ptr(field.as_ptr()) }.to_owned();
    let is_list = |info: &clap_param_info| info.flags & CLAP_PARAM_IS_ENUM != 0;
    let infos: Vec<_> = (0..count).map(|index| info(index).unwrap()).collect();
    let lists = infos
        .iter()
        .filter(|info| is_list(info))
        .map(|info| field(&info.name));
    let expected = [
        c"Source",
        c"Latency mode",
        c"Hop",
        c"Device",
        c"Quantize exports",
    ];
    assert_eq!(lists.collect::<Vec<_>>(), expected.map(CStr::to_owned));
    let grouped = infos.iter().filter(|info| info.module[0] != 0).count();
    assert_eq!(grouped, infos.len() - 1, "all but bypass");
    assert_eq!(field(&infos[2].module).as_c_str(), c"Detection");
    assert!(info(count).is_none());
}

/// What a host's indexer and receiver get.
#[derive(Default)]
struct Found {
    places: u32,
    presets: Vec<(String, CString)>,
    plugins: u32,
}

unsafe extern "C" fn declare_type(
    _indexer: *const clap_preset_discovery_indexer,
    _filetype: *const clap_preset_discovery_filetype,
) -> bool {
    true
}

unsafe extern "C" fn declare_place(
    indexer: *const clap_preset_discovery_indexer,
    _place: *const clap_preset_discovery_location,
) -> bool {
    unsafe { (*(*indexer).indexer_data.cast::<Found>()).places += 1 };
    true
}

unsafe extern "C" fn begin_preset(
    receiver: *const clap_preset_discovery_metadata_receiver,
    name: *const c_char,
    key: *const c_char,
) -> bool {
    unsafe {
        let found = &mut *(*receiver).receiver_data.cast::<Found>();
        let name = text(name).unwrap().to_str().unwrap().to_owned();
        found.presets.push((name, text(key).unwrap().to_owned()));
    }
    true
}

unsafe extern "C" fn add_plugin_id(
    receiver: *const clap_preset_discovery_metadata_receiver,
    id: *const clap_sys::universal_plugin_id::clap_universal_plugin_id,
) {
    unsafe {
        assert_eq!(text((*id).abi), Some(c"clap"));
        assert_eq!(text((*id).id), Some(descriptor().clap_id()));
        (*(*receiver).receiver_data.cast::<Found>()).plugins += 1;
    }
}

#[test]
fn the_hosts_browser_finds_and_loads_the_note_maps() {
    let mut found = Found::default();
    let indexer = clap_preset_discovery_indexer {
        clap_version: CLAP_VERSION,
        name: c"test".as_ptr(),
        vendor: c"".as_ptr(),
        url: c"".as_ptr(),
        version: c"".as_ptr(),
        indexer_data: (&raw mut found).cast(),
        declare_filetype: Some(declare_type),
        declare_location: Some(declare_place),
        declare_soundpack: None,
        get_extension: None,
    };
    let receiver = clap_preset_discovery_metadata_receiver {
        receiver_data: (&raw mut found).cast(),
        on_error: None,
        begin_preset: Some(begin_preset),
        add_plugin_id: Some(add_plugin_id),
        set_soundpack_id: None,
        set_flags: None,
        add_creator: None,
        set_description: None,
        set_timestamps: None,
        add_feature: None,
        add_extra_info: None,
    };
    unsafe {
        let factory = get_factory(CLAP_PRESET_DISCOVERY_FACTORY_ID.as_ptr());
        let factory = factory.cast::<clap_preset_discovery_factory>();
        let about = (*factory).get_descriptor.unwrap()(factory, 0);
        let provider = (*factory).create.unwrap()(factory, &indexer, (*about).id);
        assert!((*provider).init.unwrap()(provider));
        let kind = CLAP_PRESET_DISCOVERY_LOCATION_PLUGIN;
        let describe = (*provider).get_metadata.unwrap();
        assert!(describe(provider, kind, std::ptr::null(), &receiver));
        (*provider).destroy.unwrap()(provider);
    }
    assert!(found.places <= 1);
    let maps = hitscribe_presets::note_maps();
    assert_eq!(
        (found.presets.len(), found.plugins),
        (maps.len(), maps.len() as u32)
    );
    let plugin = Plugin::new();
    for ((name, key), map) in found.presets.iter().zip(&maps) {
        assert_eq!(name, &map.name);
        assert!(plugin.load_map(key), "{name}");
        assert_eq!(plugin.params().note_map.name(), *name);
    }
}
