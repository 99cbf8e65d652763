//! What the end-to-end tests share: the bundle, audio, and renders.

#![forbid(unsafe_code)]

pub mod window;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hitscribe_bundler::{Bundles, System};
use hitscribe_core::audio::demo_kit;
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::audio::resample::Resampler;
use hitscribe_host::{Host, Library, MidiMessage, NoteEvent, Transport};
use hitscribe_live::take::Take;
use serde_json::Value;

/// Environment variable that names a `Hitscribe.clap` to test. `cargo xtask test-bundle` sets it to
/// the bundle with the patched crates; otherwise one is made from this build.
pub const BUNDLE_VARIABLE: &str = "HITSCRIBE_BUNDLE";

/// The bundle under test. Without [`BUNDLE_VARIABLE`] it is made once per process, from the library
/// that Cargo has built as a dependency of this package.
pub fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| match std::env::var_os(BUNDLE_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => {
            made_bundle()
                .unwrap_or_else(|error| panic!("{error:#}"))
                .clap
        }
    })
}

/// Whether the bundle under test has the patched framework.
pub fn is_patched() -> bool {
    std::env::var_os(BUNDLE_VARIABLE).is_some()
}

fn made_bundle() -> Result<Bundles> {
    let name = System::current().library_name();
    let program = std::env::current_exe()?;
    let folder = program.parent().context("the test has no folder")?;
    // Tests are in the library's folder, examples in a folder next to it.
    let library = [folder.join(name), folder.with_file_name("deps").join(name)]
        .into_iter()
        .find(|library| library.exists())
        .context("Cargo has not built the plugin's library with these tests")?;
    let out = folder.join("bundles-under-test");
    hitscribe_bundler::bundle(&library, System::current(), env!("CARGO_PKG_VERSION"), &out)
}

/// The loaded library of the bundle.
pub fn library() -> Library {
    Library::load(bundle()).unwrap_or_else(|error| panic!("{error:#}"))
}

/// How to render.
#[derive(Clone, Debug)]
pub struct Render {
    /// Frames per second.
    pub sample_rate_hz: f64,
    /// Sizes of the blocks, repeated.
    pub blocks: Vec<usize>,
    /// Whether the host sets offline rendering.
    pub says_offline: bool,
    /// Parameters and their values, as text.
    pub parameters: Vec<(&'static str, String)>,
    /// Silence after the audio, in seconds, for notes that are late.
    pub tail_seconds: f64,
}

impl Default for Render {
    fn default() -> Self {
        Self {
            sample_rate_hz: 44_100.0,
            blocks: vec![512],
            says_offline: true,
            parameters: Vec::new(),
            tail_seconds: 4.0,
        }
    }
}

/// The output of a render.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Audio of each channel, as long as the input with its tail.
    pub channels: Vec<Vec<f32>>,
    /// Note events in order.
    pub notes: Vec<NoteEvent>,
    /// MIDI messages other than notes.
    pub messages: Vec<MidiMessage>,
    /// The reported latency.
    pub latency_frames: u32,
}

impl Rendered {
    /// Note-ons: frame, key and velocity.
    pub fn onsets(&self) -> Vec<(u64, u16, i32)> {
        let velocity = |note: &NoteEvent| (note.velocity * 127.0).round() as i32;
        let ons = self.notes.iter().filter(|note| note.is_on);
        ons.map(|note| (note.frame, note.key, velocity(note)))
            .collect()
    }
}

impl Render {
    /// Makes an instance with these settings, ready to start.
    ///
    /// # Errors
    /// If the plugin cannot be instantiated or a parameter is invalid.
    pub fn host(&self, library: &Library, channel_count: usize) -> Result<Host> {
        let mut host = library.instance(channel_count)?;
        host.set_offline(self.says_offline);
        for (name, value) in &self.parameters {
            host.set(name, value)?;
        }
        Ok(host)
    }

    /// Renders `input` with a new instance. The transport runs from 0 at 120 BPM.
    ///
    /// # Errors
    /// If the plugin fails.
    pub fn run(&self, library: &Library, input: &[Vec<f32>]) -> Result<Rendered> {
        let mut host = self.host(library, input.len())?;
        self.run_with(&mut host, input)
    }

    /// Starts an instance, renders and stops it.
    ///
    /// # Errors
    /// If the plugin fails.
    pub fn run_with(&self, host: &mut Host, input: &[Vec<f32>]) -> Result<Rendered> {
        let largest = self.blocks.iter().copied().max().unwrap_or(512);
        host.start(self.sample_rate_hz, largest)?;
        let latency_frames = host.latency_frames();
        let tail = (self.tail_seconds * self.sample_rate_hz) as usize;
        let total = input.first().map_or(0, Vec::len) + tail;
        let mut rendered = Rendered {
            channels: vec![Vec::new(); input.len()],
            notes: Vec::new(),
            messages: Vec::new(),
            latency_frames,
        };
        let mut start = 0;
        for size in self.blocks.iter().copied().cycle() {
            let end = (start + size).min(total);
            if end == start {
                break;
            }
            let sample = |channel: &Vec<f32>, at| channel.get(at).copied().unwrap_or_default();
            let mut block: Vec<Vec<f32>> = input
                .iter()
                .map(|channel| (start..end).map(|at| sample(channel, at)).collect())
                .collect();
            let transport = transport_at(start as f64 / self.sample_rate_hz);
            host.process(&mut block, Some(transport), &mut rendered.notes)?;
            for (whole, block) in rendered.channels.iter_mut().zip(block) {
                whole.extend(block);
            }
            start = end;
        }
        host.stop();
        rendered.messages = host.take_messages();
        Ok(rendered)
    }
}

/// The JSON of a saved state, which follows its length.
pub fn json_of(state: &[u8]) -> Value {
    serde_json::from_slice(&state[8..]).expect("the state is JSON after its length")
}

/// The take in a saved state.
pub fn take_of(state: &[u8]) -> Take {
    let json = json_of(state);
    let field = json["fields"]["take"].as_str().expect("a take");
    let text: String = serde_json::from_str(field).expect("a string");
    Take::from_bytes(&BASE64.decode(text).expect("base64")).expect("a take")
}

/// A running transport at 120 BPM.
pub fn transport_at(seconds: f64) -> Transport {
    Transport {
        playing: true,
        seconds,
        beats: seconds * 2.0,
        tempo_bpm: 120.0,
        meter: (4, 4),
    }
}

/// The first `seconds` of the built-in demo at any rate, one `Vec` for each of two channels.
pub fn groove(sample_rate_hz: f64, seconds: f64) -> Vec<Vec<f32>> {
    let (interleaved, _) = demo_kit::groove();
    let frames = (seconds * f64::from(demo_kit::DEMO_SAMPLE_RATE_HZ)) as usize;
    (0..2)
        .map(|channel| {
            let samples = interleaved.iter().skip(channel).step_by(2).take(frames);
            let samples: Vec<f32> = samples.copied().collect();
            let mut resampler =
                Resampler::new(demo_kit::DEMO_SAMPLE_RATE_HZ, sample_rate_hz as u32)
                    .expect("a rate");
            let mut resampled = Vec::new();
            resampler.push(&samples, &mut resampled);
            resampler.finish(&mut resampled);
            resampled
        })
        .collect()
}

/// Path of a real recording of drums, if the development recordings are beside the workspace.
pub fn recording() -> Option<PathBuf> {
    let folder = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/eval/data/mdb_drum"
    ));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "flac")
        })
        .collect();
    files.sort();
    files.into_iter().next()
}

/// A file's channels and rate.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<(Vec<Vec<f32>>, f64)> {
    let mut file = AudioFile::open(path)?;
    let count = file.channel_count();
    let mut channels = vec![Vec::new(); count];
    while let Some(block) = file.next_block()? {
        for frame in block.chunks_exact(count) {
            channels
                .iter_mut()
                .zip(frame)
                .for_each(|(channel, sample)| channel.push(*sample));
        }
    }
    Ok((channels, f64::from(file.sample_rate_hz())))
}
