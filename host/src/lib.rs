//! A headless CLAP host: loads a plugin, sends it audio in blocks, collects its audio and notes.
//!
//! `hitscribe bounce` and the end-to-end tests use it. One thread is both the main thread and the
//! audio thread, as in renderers; a [`Host`] cannot be sent to another thread.

mod events;
mod handlers;

use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clack_extensions::audio_ports_config::{AudioPortsConfigBuffer, PluginAudioPortsConfig};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, GuiSize, PluginGui, Window};
use clack_extensions::latency::PluginLatency;
use clack_extensions::params::{ParamInfoBuffer, PluginParams};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::events::Pckn;
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;

use events::transport_event;
pub use events::{MidiMessage, NoteEvent, Transport};
use handlers::{Handlers, MainThread, Shared};

/// A parameter of the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Identifier.
    pub id: ClapId,
    /// Name.
    pub name: String,
}

/// An instance of a plugin.
pub struct Host {
    instance: PluginInstance<Handlers>,
    processor: Option<StartedPluginAudioProcessor<Handlers>>,
    channel_count: usize,
    frame: u64,
    changes: EventBuffer,
    messages: Vec<MidiMessage>,
    input_ports: AudioPorts,
    output_ports: AudioPorts,
    events: EventBuffer,
}

/// The library of a plugin, from which any number of instances can be made.
pub struct Library {
    entry: PluginEntry,
    name: String,
}

impl Library {
    /// Loads a `.clap`.
    ///
    /// # Errors
    /// If it cannot be loaded or is not a CLAP plugin.
    pub fn load(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        // SAFETY: loading a library runs its code. The user has chosen this plugin.
        let entry = unsafe { PluginEntry::load(path) }
            .map_err(|error| anyhow!("{name}: cannot be loaded as a CLAP plugin: {error}"))?;
        Ok(Self { entry, name })
    }

    /// A new instance with `channel_count` channels of audio in and out.
    ///
    /// # Errors
    /// If the plugin cannot be instantiated or has no such layout.
    pub fn instance(&self, channel_count: usize) -> Result<Host> {
        let name = &self.name;
        let factory = self
            .entry
            .get_plugin_factory()
            .with_context(|| format!("{name}: contains no plugin"))?;
        let descriptor = factory
            .plugin_descriptors()
            .next()
            .with_context(|| format!("{name}: contains no plugin"))?;
        let id = descriptor
            .id()
            .with_context(|| format!("{name}: the plugin has no identifier"))?;
        let host = HostInfo::new(
            "hitscribe",
            "Hitscribe",
            "https://localhost",
            env!("CARGO_PKG_VERSION"),
        )?;
        let shared = |_: &_| Shared::default();
        let mut instance = PluginInstance::<Handlers>::new(
            shared,
            |shared| MainThread { shared },
            &self.entry,
            id,
            &host,
        )
        .map_err(|error| anyhow!("{name}: cannot be instantiated: {error}"))?;
        select_layout(&mut instance, channel_count)
            .with_context(|| format!("{name}: has no layout with {channel_count} channels"))?;
        Ok(Host {
            instance,
            processor: None,
            channel_count,
            frame: 0,
            changes: EventBuffer::new(),
            messages: Vec::new(),
            input_ports: AudioPorts::with_capacity(channel_count, 1),
            output_ports: AudioPorts::with_capacity(channel_count, 1),
            events: EventBuffer::new(),
        })
    }
}

fn select_layout(instance: &mut PluginInstance<Handlers>, channel_count: usize) -> Result<()> {
    let handle = instance.plugin_handle();
    let Some(layouts) = handle.get_extension::<PluginAudioPortsConfig>() else {
        ensure!(channel_count == 2, "it only has a stereo layout");
        return Ok(());
    };
    let mut buffer = AudioPortsConfigBuffer::new();
    for index in 0..layouts.count(&handle) {
        let Some(layout) = layouts.get(&handle, index, &mut buffer) else {
            continue;
        };
        let inputs = layout
            .main_input
            .as_ref()
            .map_or(0, |port| port.channel_count);
        if inputs as usize == channel_count {
            let id = layout.id;
            return layouts
                .select(&handle, id)
                .map_err(|error| anyhow!("{error}"));
        }
    }
    Err(anyhow!("no layout fits"))
}

impl Host {
    /// Sets offline or real-time rendering. To be called before [`Self::start`].
    pub fn set_offline(&mut self, is_offline: bool) {
        let handle = self.instance.plugin_handle();
        if let Some(render) = handle.get_extension::<PluginRender>() {
            let mode = if is_offline {
                RenderMode::Offline
            } else {
                RenderMode::Realtime
            };
            // A plugin that refuses renders as in playback.
            let _ = render.set(&handle, mode);
        }
    }

    /// The plugin's parameters.
    pub fn parameters(&mut self) -> Vec<Parameter> {
        let handle = self.instance.plugin_handle();
        let Some(extension) = handle.get_extension::<PluginParams>() else {
            return Vec::new();
        };
        let mut buffer = ParamInfoBuffer::new();
        (0..extension.count(&handle))
            .filter_map(|index| {
                let info = extension.get_info(&handle, index, &mut buffer)?;
                let name = String::from_utf8_lossy(info.name).into_owned();
                Some(Parameter { id: info.id, name })
            })
            .collect()
    }

    /// Sets a parameter by its name and a value as the plugin displays it, such as `50 %`. It takes
    /// effect immediately while stopped, with the next block while started.
    ///
    /// # Errors
    /// If there is no such parameter or the plugin cannot parse the value.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let parameter = self
            .parameters()
            .into_iter()
            .find(|parameter| parameter.name == name)
            .with_context(|| format!("the plugin has no parameter {name:?}"))?;
        let text_c = std::ffi::CString::new(text)?;
        let handle = self.instance.plugin_handle();
        let extension = handle
            .get_extension::<PluginParams>()
            .context("the plugin has no parameters")?;
        let value = extension
            .text_to_value(&handle, parameter.id, &text_c)
            .with_context(|| format!("parameter {name:?} cannot have the value {text:?}"))?;
        self.changes.push(&ParamValueEvent::new(
            0,
            parameter.id,
            Pckn::match_all(),
            value,
        ));
        if self.processor.is_none()
            && let Some(mut handle) = self.instance.inactive_plugin_handle()
        {
            let changes = std::mem::take(&mut self.changes);
            let mut out = EventBuffer::new();
            extension.flush(&mut handle, &changes.as_input(), &mut out.as_output());
        }
        Ok(())
    }

    /// Activates the plugin for blocks of up to `max_block_frames` frames and starts processing.
    ///
    /// # Errors
    /// If the plugin refuses.
    pub fn start(&mut self, sample_rate_hz: f64, max_block_frames: usize) -> Result<()> {
        let configuration = PluginAudioConfiguration {
            sample_rate: sample_rate_hz,
            min_frames_count: 1,
            max_frames_count: max_block_frames as u32,
        };
        let stopped = self
            .instance
            .activate(|_, _| (), configuration)
            .map_err(|error| anyhow!("the plugin cannot be activated: {error}"))?;
        let started = stopped
            .start_processing()
            .map_err(|error| anyhow!("the plugin does not start: {error}"))?;
        self.processor = Some(started);
        self.frame = 0;
        Ok(())
    }

    /// Stops processing and deactivates the plugin.
    pub fn stop(&mut self) {
        if let Some(processor) = self.processor.take() {
            self.instance.deactivate(processor.stop_processing());
        }
        self.run_callbacks();
    }

    /// Resets the running plugin, as hosts do after a jump.
    pub fn reset(&mut self) {
        if let Some(processor) = &mut self.processor {
            processor.reset();
        }
    }

    /// The latency that the plugin reports, in frames.
    pub fn latency_frames(&mut self) -> u32 {
        let handle = self.instance.plugin_handle();
        handle
            .get_extension::<PluginLatency>()
            .map_or(0, |latency| latency.get(&handle))
    }

    /// How often the plugin has requested a restart.
    pub fn restart_requests(&self) -> u32 {
        self.instance
            .access_shared_handler(|shared| shared.restart.load(Ordering::Relaxed))
    }

    /// How often the plugin has reported that the project has changed.
    pub fn reported_changes(&self) -> u32 {
        self.instance
            .access_shared_handler(|shared| shared.changes.load(Ordering::Relaxed))
    }

    /// How many of these reports came in the audio callback.
    pub fn changes_reported_in_callback(&self) -> u32 {
        self.instance
            .access_shared_handler(|shared| shared.changes_in_callback.load(Ordering::Relaxed))
    }

    /// The plugin's state.
    ///
    /// # Errors
    /// If the plugin cannot save it.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let handle = self.instance.plugin_handle();
        let extension = handle
            .get_extension::<PluginState>()
            .context("the plugin has no state")?;
        let mut bytes = Vec::new();
        extension
            .save(&handle, &mut bytes)
            .map_err(|error| anyhow!("the state cannot be saved: {error}"))?;
        Ok(bytes)
    }

    /// Loads a state.
    ///
    /// # Errors
    /// If the plugin refuses it.
    pub fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let handle = self.instance.plugin_handle();
        let extension = handle
            .get_extension::<PluginState>()
            .context("the plugin has no state")?;
        extension
            .load(&handle, &mut Cursor::new(bytes))
            .map_err(|error| anyhow!("the plugin refuses the state: {error}"))
    }

    /// Opens the plugin's editor in an X11 window, which must exist until the editor is closed.
    /// Returns width and height in pixels. `pause` is the time between creating the editor and
    /// showing it: hosts may be slow.
    ///
    /// # Errors
    /// If the plugin has no editor for X11 or cannot open it.
    pub fn open_editor(&mut self, x11_window: u32, pause: Duration) -> Result<(u32, u32)> {
        let handle = self.instance.plugin_handle();
        let gui = handle
            .get_extension::<PluginGui>()
            .context("the plugin has no editor")?;
        let configuration = GuiConfiguration {
            api_type: GuiApiType::X11,
            is_floating: false,
        };
        let failed = |error| anyhow!("the editor cannot be opened: {error}");
        gui.create(&handle, configuration).map_err(failed)?;
        let size = gui.get_size(&handle).context("the editor has no size")?;
        std::thread::sleep(pause);
        let window = Window::from_x11_handle(x11_window.into());
        // SAFETY: the caller keeps the window until the editor is closed.
        unsafe { gui.set_parent(&handle, window) }.map_err(failed)?;
        gui.show(&handle).map_err(failed)?;
        Ok((size.width, size.height))
    }

    /// Asks the editor for another size in pixels, which it need not have at once.
    ///
    /// # Errors
    /// If the editor is not open or refuses.
    pub fn resize_editor(&mut self, width: u32, height: u32) -> Result<()> {
        let handle = self.instance.plugin_handle();
        let gui = handle
            .get_extension::<PluginGui>()
            .context("the plugin has no editor")?;
        gui.set_size(&handle, GuiSize { width, height })
            .map_err(|error| anyhow!("the editor refuses this size: {error}"))
    }

    /// Width and height of the editor in pixels.
    ///
    /// # Errors
    /// If the editor is not open.
    pub fn editor_size(&mut self) -> Result<(u32, u32)> {
        self.run_callbacks();
        let handle = self.instance.plugin_handle();
        let gui = handle
            .get_extension::<PluginGui>()
            .context("the plugin has no editor")?;
        let size = gui.get_size(&handle).context("the editor has no size")?;
        Ok((size.width, size.height))
    }

    /// Closes the editor.
    pub fn close_editor(&mut self) {
        let handle = self.instance.plugin_handle();
        if let Some(gui) = handle.get_extension::<PluginGui>() {
            gui.destroy(&handle);
        }
    }

    /// Processes one block. `channels` has the input, one `Vec` per channel, all of the same
    /// length, and gets the output. Notes are appended to `notes`.
    ///
    /// # Errors
    /// If the plugin is not started, the number of channels is wrong, the plugin fails, or an event
    /// has a wrong time.
    pub fn process(
        &mut self,
        channels: &mut [Vec<f32>],
        transport: Option<Transport>,
        notes: &mut Vec<NoteEvent>,
    ) -> Result<()> {
        ensure!(
            channels.len() == self.channel_count,
            "the instance has {} channels, the block {}",
            self.channel_count,
            channels.len()
        );
        let processor = self
            .processor
            .as_mut()
            .context("the plugin is not started")?;
        let mut input: Vec<Vec<f32>> = channels.to_vec();
        let inputs = self.input_ports.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(input.iter_mut().map(|channel| {
                InputChannel {
                    buffer: channel.as_mut_slice(),
                    is_constant: false,
                }
            })),
        }]);
        let frames = channels.first().map_or(0, Vec::len);
        let mut outputs = self.output_ports.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(
                channels.iter_mut().map(|channel| channel.as_mut_slice()),
            ),
        }]);
        let changes = std::mem::take(&mut self.changes);
        self.events.clear();
        let transport = transport.map(transport_event);
        let set_processing = |is_processing: bool| {
            move |shared: &Shared| shared.is_processing.store(is_processing, Ordering::Relaxed)
        };
        self.instance.access_shared_handler(set_processing(true));
        let processed = processor
            .process(
                &inputs,
                &mut outputs,
                &changes.as_input(),
                &mut self.events.as_output(),
                Some(self.frame),
                transport.as_ref(),
            )
            .map_err(|error| anyhow!("the plugin failed, its editor shows why: {error}"));
        self.instance.access_shared_handler(set_processing(false));
        processed?;
        events::collect(&self.events, self.frame, frames, notes, &mut self.messages)?;
        self.frame += frames as u64;
        self.run_callbacks();
        Ok(())
    }

    /// Takes the MIDI messages other than notes, of all blocks since the last call.
    pub fn take_messages(&mut self) -> Vec<MidiMessage> {
        std::mem::take(&mut self.messages)
    }

    /// Runs what the plugin has requested to run on the main thread, as after each block.
    pub fn run_callbacks(&mut self) {
        let is_requested = |shared: &Shared| shared.callback.swap(false, Ordering::Relaxed);
        if self.instance.access_shared_handler(is_requested) {
            self.instance.call_on_main_thread_callback();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}
