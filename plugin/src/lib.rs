//! The Hitscribe plugin, CLAP and VST3: audio passes, drums leave as MIDI.
//!
//! The audio thread ([`process`]) hands samples to the engine thread of the process and sends the
//! notes that come back, each at its exact sample. It never allocates, locks or waits while the
//! host plays in real time.

pub mod background;
pub mod editor;
pub mod notes;
pub mod params;
pub mod platform;
pub mod process;
pub mod status;
pub mod user_files;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hitscribe_live::SharedEngine;
use hitscribe_models::device::DeviceChoice;
use nice_plug::midi::{Channel, Key, VoiceID};
use nice_plug::prelude::*;

use crate::background::audition::{Audition, Player};
use crate::notes::mapper::PreMessage;
use crate::params::{DeviceParam, HitscribeParams, Hop, LatencyMode, clean_state};
use crate::process::rebuild::{Rebuilder, Task};
use crate::process::scheduler::Message;
use crate::process::transport::HostTransport;
use crate::process::{BlockSettings, Live, ProcessConfig};
use crate::status::Telemetry;

/// Environment variable that chooses the device: `auto` (the default), `cpu` or `cuda:N`.
pub const DEVICE_VARIABLE: &str = "HITSCRIBE_DEVICE";

/// The plugin.
pub struct Hitscribe {
    params: Arc<HitscribeParams>,
    telemetry: Arc<Telemetry>,
    repaint: nice_plug_egui::RepaintNotifier,
    /// From activation to deactivation.
    live: Option<Box<Live>>,
    workshop: Arc<Rebuilder>,
    audition: Arc<Audition>,
    player: Player,
    restart_is_asked: bool,
}

impl Default for Hitscribe {
    fn default() -> Self {
        Self {
            params: Arc::new(HitscribeParams::default()),
            telemetry: Arc::new(Telemetry::default()),
            repaint: nice_plug_egui::RepaintNotifier::new(),
            live: None,
            workshop: Arc::default(),
            audition: Arc::default(),
            player: Player::default(),
            restart_is_asked: false,
        }
    }
}

impl Hitscribe {
    /// Parameters that change the constant take effect when the transport stands, never while it
    /// runs: by a new activation where hosts do that, by a new half of the audio thread elsewhere.
    fn renew_if_needed(&mut self, setup: &ProcessConfig, context: &mut impl ProcessContext<Self>) {
        if context.transport().playing {
            return;
        }
        let wanted = (
            self.params.latency_mode.value(),
            self.params.hop.value(),
            self.params.model.tag(),
        );
        if let Some(new) = self.workshop.take() {
            self.take_over(new, wanted, context);
            context.execute_background(Task::Discard);
        } else if wanted == (setup.mode, setup.hop, setup.model_tag) {
            self.restart_is_asked = false;
        } else if !self.restart_is_asked {
            self.restart_is_asked = true;
            if context.plugin_api() == PluginApi::Clap {
                context.request_restart();
            } else {
                let (mode, hop, model_tag) = wanted;
                context.execute_background(Task::Build(ProcessConfig {
                    mode,
                    hop,
                    model_tag,
                    ..*setup
                }));
            }
        }
    }

    fn take_over(
        &mut self,
        new: Box<Live>,
        wanted: (LatencyMode, Hop, u64),
        context: &mut impl ProcessContext<Self>,
    ) {
        let setup = *new.setup();
        let worn = match &mut self.live {
            Some(live)
                if setup.fits(live.setup())
                    && wanted == (setup.mode, setup.hop, setup.model_tag) =>
            {
                live.end(|offset, message| context.try_send_event(event(offset, message)).is_ok());
                context.set_latency_samples(setup.delay_frames() as u32);
                self.telemetry.announce(&setup);
                std::mem::replace(live, new)
            }
            _ => new,
        };
        self.restart_is_asked = false;
        self.workshop.put_away(worn);
    }
}

/// The device that the user has chosen: in the project, else in the environment, else none.
pub(crate) fn device_choice(chosen: DeviceParam) -> DeviceChoice {
    let from_environment = || std::env::var(DEVICE_VARIABLE).ok()?.parse().ok();
    chosen
        .choice()
        .or_else(from_environment)
        .unwrap_or_default()
}

/// The engine thread of the process; kept from the first activation on, so that a restart of the
/// host's engine does not load the model again. A device that the project names is asked for.
fn hub(telemetry: &Telemetry, device: DeviceParam) -> Option<Arc<SharedEngine>> {
    let mut links = telemetry.links.lock();
    if links.hub.is_none() {
        match SharedEngine::shared(device_choice(device)) {
            Ok(hub) => links.hub = Some(hub),
            Err(error) => links.problem = Some(error.to_string()),
        }
    }
    // Once for each change: activations, of which a render makes many, must not undo what another
    // instance has chosen since.
    let is_new = links.device.replace(device) != Some(device);
    if let (true, Some(hub), Some(choice)) = (is_new, &links.hub, device.choice()) {
        hub.set_device(choice);
    }
    links.hub.clone()
}

/// The audio thread's half for a setup; none where there is no engine thread.
fn build(
    setup: ProcessConfig,
    params: &HitscribeParams,
    telemetry: &Arc<Telemetry>,
) -> Option<Live> {
    let hub = hub(telemetry, params.device.value())?;
    let take = params.take.take().clone();
    // Where the choice has changed since, the tag has, too: this half is put away soon.
    let model = params.model.chosen().filter(|_| setup.model_tag != 0);
    let port = hub.open(setup.channel_count, setup.session(), model.as_ref(), take);
    Some(Live::new(setup, port, hub, telemetry.clone()))
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

    type Editor = nice_plug_egui::EguiEditor<editor::Window>;
    type SysExMessage = ();
    type BackgroundTask = Task;

    fn params(&self) -> Arc<dyn Params> {
        self.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::create(
            self.params.clone(),
            self.telemetry.clone(),
            self.audition.clone(),
            self.repaint.clone(),
        )
    }

    fn task_executor(&mut self) -> TaskExecutor<Self> {
        let params = self.params.clone();
        let telemetry = self.telemetry.clone();
        let workshop = self.workshop.clone();
        Box::new(move |task| {
            workshop.work(task, &telemetry, |wanted| {
                build(wanted.settled().ok()?, &params, &telemetry)
            });
        })
    }

    fn filter_state(state: &mut PluginState) {
        clean_state(state);
    }

    fn activate(
        &mut self,
        layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        self.restart_is_asked = false;
        self.live = None;
        self.workshop.clear();
        let setup = ProcessConfig::new(
            f64::from(config.sample_rate),
            layout
                .main_output_channels
                .map_or(2, |count| count.get() as usize),
            self.params.latency_mode.value(),
            self.params.hop.value(),
            self.params.model.tag(),
            config.process_mode == ProcessMode::Offline,
        );
        let telemetry = &self.telemetry;
        telemetry
            .sample_rate_bits
            .store(config.sample_rate.to_bits(), Ordering::Relaxed);
        telemetry.has_stalled.store(false, Ordering::Relaxed);
        let setup = match setup {
            Ok(setup) => setup,
            Err(error) => {
                telemetry.links.lock().problem = Some(error.to_string());
                context.set_latency_samples(0);
                return true;
            }
        };
        context.set_latency_samples(setup.delay_frames() as u32);
        telemetry.announce(&setup);
        // Without an engine thread the plugin still passes audio, and the editor says why.
        if let Some(live) = build(setup, &self.params, telemetry) {
            let mut links = telemetry.links.lock();
            links.port = Some(live.counters().clone());
            links.problem = None;
            drop(links);
            self.live = Some(Box::new(live));
        }
        true
    }

    fn reset(&mut self) {
        if let Some(live) = &mut self.live {
            live.reset();
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        _aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        let Some(setup) = self.live.as_ref().map(|live| *live.setup()) else {
            return ProcessStatus::Normal;
        };
        self.renew_if_needed(&setup, context);
        let Some(live) = &mut self.live else {
            return ProcessStatus::Normal;
        };
        let setup = *live.setup();
        let told = HostTransport::new(context.transport());
        let wishes = BlockSettings {
            bypass: self.params.bypass.value(),
            wait_always: self.params.wait_for_every_note.value(),
            without_leakage: self.params.leakage_filter.value(),
            listening: self.params.listening(),
            map: &self.params.note_map,
            shaping: self.params.shaping(),
        };
        {
            let _guard = process::alloc_guard::Guard::enter();
            live.process(buffer.as_slice(), told, wishes, |offset, message| {
                context.try_send_event(event(offset, message)).is_ok()
            });
            self.player.mix(&self.audition, buffer.as_slice());
        }
        ProcessStatus::Tail(setup.tail_frames() as u32)
    }

    fn deactivate(&mut self) {
        self.live = None;
        self.audition.stop();
        self.workshop.clear();
        self.telemetry.links.lock().port = None;
        self.telemetry.sample_rate_bits.store(0, Ordering::Relaxed);
    }
}

const fn layout(channels: u32) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: NonZeroU32::new(channels),
        main_output_channels: NonZeroU32::new(channels),
        ..AudioIOLayout::const_default()
    }
}

fn event(timing: u32, message: Message) -> NoteEvent<()> {
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
        Some("Transcribes drums to MIDI, live and when rendering");
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

nice_export_clap!(Hitscribe);
nice_export_vst3!(Hitscribe);
