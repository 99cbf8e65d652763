//! The Hitscribe plugin for CLAP and VST3: the audio passes through, drums leave as MIDI.
//!
//! The audio thread ([`process`]) passes samples to the engine thread that all instances share, and
//! sends the returned notes with sample accuracy. In real time it never allocates, locks or waits.

#![deny(unsafe_code)]

pub mod background;
pub mod editor;
pub mod notes;
pub mod params;
pub mod platform;
pub mod process;
pub mod status;
pub mod user_files;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use hitscribe_live::SharedEngine;
use nice_plug::midi::{Channel, Key, VoiceID};
use nice_plug::prelude::*;

use crate::background::preview::{Preview, PreviewPlayer};
use crate::notes::mapper::PreMessage;
use crate::params::device::RequestedDevice;
use crate::params::latency_key::LatencyKey;
use crate::params::own::Grouped;
use crate::params::{HitscribeParams, model};
use crate::platform::clap::HostLink;
use crate::process::alloc_guard;
use crate::process::change_report;
use crate::process::config::ProcessConfig;
use crate::process::processor::{BlockSettings, Processor};
use crate::process::rebuild::{Rebuilder, Task};
use crate::process::scheduler::Message;
use crate::process::transport::HostTransport;
use crate::status::PluginStatus;

/// The plugin.
pub struct Hitscribe {
    params: Arc<HitscribeParams>,
    status: Arc<PluginStatus>,
    repaint: nice_plug_egui::RepaintNotifier,
    /// Present from activation to deactivation.
    processor: Option<Box<Processor>>,
    rebuilder: Arc<Rebuilder>,
    preview: Arc<Preview>,
    preview_player: PreviewPlayer,
    is_restart_requested: bool,
    executor: Arc<OnceLock<AsyncExecutor<Self>>>,
}

impl Default for Hitscribe {
    fn default() -> Self {
        let params = Arc::new(HitscribeParams::default());
        Self {
            params,
            status: Arc::new(PluginStatus::default()),
            repaint: nice_plug_egui::RepaintNotifier::new(),
            processor: None,
            rebuilder: Arc::default(),
            preview: Arc::default(),
            preview_player: PreviewPlayer::default(),
            is_restart_requested: false,
            executor: Arc::default(),
        }
    }
}

impl Hitscribe {
    /// Applies changes of the [`LatencyKey`], only while the transport is stopped: by a restart in
    /// CLAP, by a new processor in VST3. Real-time safe.
    fn apply_latency_changes(
        &mut self,
        config: &ProcessConfig,
        context: &mut impl ProcessContext<Self>,
    ) {
        if context.transport().playing {
            return;
        }
        let key = self.params.latency_key();
        if let Some(processor) = self.rebuilder.take() {
            self.swap_processor(processor, key, context);
            context.execute_background(Task::Discard);
        } else if key == config.key {
            self.is_restart_requested = false;
        } else if !self.is_restart_requested {
            self.is_restart_requested = true;
            if context.plugin_api() == PluginApi::Clap {
                context.request_restart();
            } else {
                context.execute_background(Task::Build(ProcessConfig { key, ..*config }));
            }
        }
    }

    /// Replaces the processor, unless the parameters or the format have changed again since.
    fn swap_processor(
        &mut self,
        new: Box<Processor>,
        key: LatencyKey,
        context: &mut impl ProcessContext<Self>,
    ) {
        let config = *new.config();
        let retired = match &mut self.processor {
            Some(old) if config.has_format_of(old.config()) && config.key == key => {
                old.end_notes(|offset, message| {
                    context.try_send_event(note_event(offset, message)).is_ok()
                });
                context.set_latency_samples(config.latency_frames() as u32);
                self.status.set_delay(&config);
                std::mem::replace(old, new)
            }
            _ => new,
        };
        self.is_restart_requested = false;
        self.rebuilder.retire(retired);
    }
}

/// The engine that all instances share. An instance keeps it from its first activation on, so that
/// a restart of the host's audio engine does not load the model again.
fn shared_engine(status: &PluginStatus, device: RequestedDevice) -> Option<Arc<SharedEngine>> {
    let mut links = status.links.lock();
    if links.engine.is_none() {
        match SharedEngine::shared(device.choice()) {
            Ok(engine) => links.engine = Some(engine),
            Err(error) => links.error = Some(error.to_string()),
        }
    }
    // Requested once per change: a later activation, of which a render causes many, must not undo
    // what another instance has chosen since.
    let has_changed = links.device.as_ref() != Some(&device);
    if let (true, Some(engine), Some(choice)) = (has_changed, &links.engine, device.named()) {
        engine.set_device(choice);
    }
    links.device = Some(device);
    links.engine.clone()
}

/// A processor for a configuration; none if the engine cannot start.
fn build(
    config: ProcessConfig,
    params: &HitscribeParams,
    status: &Arc<PluginStatus>,
    executor: &Arc<OnceLock<AsyncExecutor<Hitscribe>>>,
) -> Option<Processor> {
    let engine = shared_engine(status, RequestedDevice::of(params))?;
    let take = params.take.take().clone();
    // If the choice has changed since, so has the key: this processor will be replaced soon.
    let is_imported = config.key.model != model::ModelTag::Builtin;
    let choice = params.model.chosen().filter(|_| is_imported);
    let port = engine.open(
        config.channel_count,
        config.session(),
        choice.as_ref(),
        take,
    );
    // By way of the background thread: the engine thread does not call the host.
    let executor = executor.clone();
    let report = move || {
        if let Some(executor) = executor.get() {
            executor.execute_background(Task::ReportTake);
        }
    };
    let is_reported = params.take.is_change_reported().clone();
    port.counters()
        .watch(change_report::watcher(is_reported, report));
    Some(Processor::new(config, port, engine, status.clone()))
}

impl Plugin for Hitscribe {
    const NAME: &'static str = "Hitscribe";
    const VENDOR: &'static str = "Hitscribe";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[layout(2), layout(1)];
    const MIDI_INPUT: MidiConfig = MidiConfig::None;
    const MIDI_OUTPUT: MidiConfig = MidiConfig::MidiCCs;

    type Editor = editor::window::PluginEditor;
    type SysExMessage = ();
    type BackgroundTask = Task;

    fn params(&self) -> Arc<dyn Params> {
        Arc::new(Grouped(self.params.clone()))
    }

    fn editor(&mut self, executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        let _ = self.executor.set(executor.clone());
        editor::create(
            self.params.clone(),
            self.status.clone(),
            self.preview.clone(),
            self.repaint.clone(),
            Box::new(move |task| executor.execute_gui(task)),
        )
    }

    fn task_executor(&mut self) -> TaskExecutor<Self> {
        let params = self.params.clone();
        let status = self.status.clone();
        let rebuilder = self.rebuilder.clone();
        let host = HostLink::default();
        let executor = self.executor.clone();
        Box::new(move |task| match task {
            Task::Connect(connection) => host.connect(connection, &params),
            Task::ReportChange => host.report_change(),
            Task::FindHostMenu => {
                let has_menu = host.has_menu();
                status.has_host_menu.store(has_menu, Ordering::Relaxed);
            }
            Task::OpenHostMenu(menu) => host.open_menu(&menu),
            Task::ReportTake => {
                if let Some(executor) = executor.get() {
                    executor.execute_gui(Task::ReportChange);
                }
            }
            task => rebuilder.run(task, &status, |config| {
                build(
                    config.with_key(config.key).ok()?,
                    &params,
                    &status,
                    &executor,
                )
            }),
        })
    }

    fn filter_state(state: &mut PluginState) {
        params::sanitize(state);
    }

    fn activate(
        &mut self,
        layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.is_restart_requested = false;
        self.processor = None;
        self.rebuilder.clear();
        let status = &self.status;
        status
            .sample_rate_bits
            .store(config.sample_rate.to_bits(), Ordering::Relaxed);
        status.has_stalled.store(false, Ordering::Relaxed);
        let config = ProcessConfig::new(
            f64::from(config.sample_rate),
            layout
                .main_output_channels
                .map_or(2, |count| count.get() as usize),
            self.params.latency_key(),
            config.process_mode == ProcessMode::Offline,
        );
        let config = match config {
            Ok(config) => config,
            Err(error) => {
                status.links.lock().error = Some(error.to_string());
                context.set_latency_samples(0);
                return true;
            }
        };
        context.set_latency_samples(config.latency_frames() as u32);
        status.set_delay(&config);
        // Without an engine the audio still passes through, and the editor shows the error.
        if let Some(processor) = build(config, &self.params, status, &self.executor) {
            let mut links = status.links.lock();
            links.port = Some(processor.counters().clone());
            links.error = None;
            drop(links);
            self.processor = Some(Box::new(processor));
        }
        true
    }

    fn reset(&mut self) {
        if let Some(processor) = &mut self.processor {
            processor.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let _guard = alloc_guard::Guard::enter();
        let Some(config) = self.processor.as_ref().map(|old| *old.config()) else {
            return ProcessStatus::Normal;
        };
        self.apply_latency_changes(&config, context);
        let Some(processor) = &mut self.processor else {
            return ProcessStatus::Normal;
        };
        let tail_frames = processor.config().tail_frames();
        let transport = HostTransport::new(context.transport());
        let settings = BlockSettings {
            bypass: self.params.bypass.value(),
            wait_always: self.params.wait_for_every_note.value(),
            without_leakage: self.params.leakage_filter.value(),
            live: self.params.live_settings(),
            map: &self.params.note_map,
            shaping: self.params.shaping(),
        };
        processor.process(buffer.as_slice(), transport, settings, |offset, message| {
            context.try_send_event(note_event(offset, message)).is_ok()
        });
        let has_failed = processor.fails_to_render();
        self.preview_player.mix(&self.preview, buffer.as_slice());
        if has_failed {
            // The audio has passed; a host that ignores the error keeps it.
            return ProcessStatus::Error("there is no engine, so all notes are missing");
        }
        ProcessStatus::Tail(tail_frames as u32)
    }

    fn deactivate(&mut self) {
        self.processor = None;
        self.preview.stop();
        self.rebuilder.clear();
        self.status.links.lock().port = None;
        self.status.sample_rate_bits.store(0, Ordering::Relaxed);
    }
}

const fn layout(channels: u32) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: NonZeroU32::new(channels),
        main_output_channels: NonZeroU32::new(channels),
        ..AudioIOLayout::const_default()
    }
}

/// A message as an event of the framework, at an offset in frames from the start of the block.
fn note_event(timing: u32, message: Message) -> NoteEvent<()> {
    let voice_id = VoiceID::Wildcard;
    match message {
        Message::On(to, velocity) => NoteEvent::NoteOn {
            timing,
            voice_id,
            channel: Channel::Number(to.channel),
            key: Key::Number(to.key),
            velocity: f32::from(velocity) / 127.0,
        },
        Message::Off(to) => NoteEvent::NoteOff {
            timing,
            voice_id,
            channel: Channel::Number(to.channel),
            key: Key::Number(to.key),
            velocity: 0.0,
        },
        Message::PreMessage(channel, PreMessage::Control(cc, value)) => NoteEvent::MidiCC {
            timing,
            channel,
            cc,
            value: f32::from(value) / 127.0,
        },
        Message::PreMessage(channel, PreMessage::Program(program)) => {
            NoteEvent::MidiProgramChange {
                timing,
                channel,
                program,
            }
        }
    }
}

impl ClapPlugin for Hitscribe {
    const CLAP_ID: &'static str = "org.hitscribe.hitscribe";
    const CLAP_DESCRIPTION: Option<&'static str> =
        Some("Transcribes drums to MIDI, live and offline");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::NoteDetector,
        ClapFeature::Analyzer,
        ClapFeature::Drum,
        ClapFeature::Stereo,
        ClapFeature::Mono,
    ];
}

impl Vst3Plugin for Hitscribe {
    const VST3_CLASS_ID: [u8; 16] = *b"HitscribeDrumTr1";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[
        Vst3SubCategory::Fx,
        Vst3SubCategory::Analyzer,
        Vst3SubCategory::Drum,
    ];
}

nice_export_vst3!(Hitscribe);
