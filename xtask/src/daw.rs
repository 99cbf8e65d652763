//! `cargo xtask daw`: the plugin in Ardour 7, headless, or its editor with `--gui` ([`gui`], [`loops`]).
//!
//! A recording plays through the plugin in Aligned mode. Its MIDI is recorded on another track and
//! compared with the transcription of the file. The session is closed and opened again, and must
//! still have the take. Then it is exported, and the MIDI of the export is compared as well.

mod bounce;
mod desktop;
mod editor;
mod gui;
mod loops;
mod session;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use hitscribe_core::midi::read_notes;

use crate::cargo::{run as run_cargo, succeed, target_folder};
use crate::patch::copy_folder;
use bounce::Onset;
use session::{SAMPLE_RATE_HZ, SESSION_NAME, add_recording, saved_take, set_aligned};

/// Largest distance between a note in Ardour and the same note of the transcription.
const TOLERANCE_SECONDS: f64 = 0.001;
const MAKE: &str = include_str!("daw/make.lua");
const RECORD: &str = include_str!("daw/record.lua");
const REOPEN: &str = include_str!("daw/reopen.lua");
const BOUNCE: &str = include_str!("daw/bounce.lua");

/// Options of `daw`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Recording of drums, 48 kHz WAV
    #[arg(long, value_name = "FILE")]
    audio: PathBuf,
    /// Ardour's interpreter of session scripts
    #[arg(long, value_name = "PATH", default_value = "ardour7-lua")]
    lua: PathBuf,
    /// Ardour's scanner of VST3 plugins
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/usr/lib/ardour7/ardour-vst3-scanner"
    )]
    scanner: PathBuf,
    /// Drive the editor by mouse and keys on a virtual screen instead: needs Xvfb, xdotool, openbox
    #[arg(long)]
    gui: bool,
    /// With --gui: drag a clip of the recording, a loop of whole 4/4 bars at this tempo
    #[arg(long = "loop", value_name = "BPM", requires = "gui")]
    loop_bpm: Option<f64>,
    /// Ardour, for --gui
    #[arg(long, value_name = "PATH", default_value = "ardour")]
    ardour: PathBuf,
    /// `hitscribe` command that transcribes the recording [default: built from here]
    #[arg(long, value_name = "PATH")]
    hitscribe: Option<PathBuf>,
}

/// Runs the scenarios. The plugin must be installed (`cargo xtask install`), for `--gui` bundled.
#[expect(clippy::print_stdout, reason = "the result of the command")]
pub fn run(arguments: &Arguments) -> Result<()> {
    let (channels, seconds) = shape_of(&arguments.audio)?;
    let folder = target_folder()?.join("daw");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    if arguments.gui {
        copy_plugin(&editor::home_folder(&folder))?;
    }
    scan(arguments, &folder)?;
    let lua = |name: &str, script: &str| run_lua(arguments, &folder, name, script, seconds);
    lua("make.lua", MAKE)?;
    let state = folder
        .join(SESSION_NAME)
        .join(format!("{SESSION_NAME}.ardour"));
    if let Some(bpm) = arguments.loop_bpm {
        return loops::run(arguments, &folder, &state, (bpm, seconds));
    }
    add_recording(&state, &arguments.audio, channels, seconds)?;
    if arguments.gui {
        return gui::run(arguments, &folder, &state, seconds);
    }
    set_aligned(&state)?;
    println!("{}", lua("record.lua", RECORD)?.trim());
    let reference = transcribe(arguments, &folder)?;
    compare("recorded", &recorded(&folder)?, &reference)?;
    let before = saved_take(&state)?;
    lua("reopen.lua", REOPEN)?;
    let after = saved_take(&state)?;
    // The take ends with the silence since playback stopped, which goes on in the opened session.
    let pairs = before.bytes().zip(after.bytes());
    let same = pairs.take_while(|(before, after)| before == after).count();
    ensure!(
        !before.is_empty() && same * 10 >= before.len() * 9,
        "the take changed when the session was closed and opened"
    );
    println!(
        "the take of {} bytes is the same after closing and opening",
        after.len()
    );
    bounce::install_pulses(&config_folder(&folder))?;
    println!("{}", lua("bounce.lua", BOUNCE)?.trim());
    compare("exported", &bounce::onsets(&folder)?, &reference)
}

fn shape_of(audio: &Path) -> Result<(u16, f64)> {
    let reader = hound::WavReader::open(audio).with_context(|| format!("{}", audio.display()))?;
    let spec = reader.spec();
    ensure!(
        spec.sample_rate == SAMPLE_RATE_HZ && spec.channels <= 2,
        "{}: must have a rate of 48 kHz and one or two channels",
        audio.display()
    );
    let seconds = f64::from(reader.duration()) / f64::from(SAMPLE_RATE_HZ);
    Ok((spec.channels, seconds))
}

/// The home folder of Ardour and the plugin.
fn home_folder(arguments: &Arguments, folder: &Path) -> Result<PathBuf> {
    match arguments.gui {
        true => Ok(editor::home_folder(folder)),
        false => {
            let home = std::env::var_os("HOME").context("HOME is not set")?;
            Ok(home.into())
        }
    }
}

/// Puts the bundled plugin into a home folder.
fn copy_plugin(home: &Path) -> Result<()> {
    let bundle = target_folder()?.join("bundles/Hitscribe.vst3");
    ensure!(
        bundle.exists(),
        "{}: run `cargo xtask bundle` first",
        bundle.display()
    );
    let copy = home.join(".vst3/Hitscribe.vst3");
    copy_folder(&bundle, &copy)?;
    // Ardour ignores what its scanner has written in the second in which the library was changed.
    let library = File::options().write(true).open(copy.join(library()))?;
    Ok(library.set_modified(SystemTime::now() - Duration::from_secs(60))?)
}

/// Place of the library in the bundle.
fn library() -> String {
    format!("Contents/{}-linux/Hitscribe.so", std::env::consts::ARCH)
}

/// Ardour loads only plugins that its scanner has accepted.
fn scan(arguments: &Arguments, folder: &Path) -> Result<()> {
    let home = home_folder(arguments, folder)?;
    let plugin = home.join(".vst3/Hitscribe.vst3");
    ensure!(
        plugin.exists(),
        "{}: run `cargo xtask install` first",
        plugin.display()
    );
    let library = library();
    let built = target_folder()?
        .join("bundles/Hitscribe.vst3")
        .join(&library);
    let installed = plugin.join(&library);
    ensure!(
        !built.exists() || fs::read(&built)? == fs::read(&installed)?,
        "{} is not what was bundled last: run `cargo xtask install` first",
        installed.display()
    );
    let libraries = arguments.scanner.parent().unwrap_or(Path::new("."));
    let output = Command::new(&arguments.scanner)
        .arg("-f")
        .arg(&plugin)
        .env("HOME", &home)
        .env("LD_LIBRARY_PATH", libraries)
        .env("ARDOUR_DLL_PATH", libraries)
        .output()
        .with_context(|| format!("{}: cannot be started", arguments.scanner.display()))?;
    ensure!(
        output.status.success(),
        "Ardour refuses the plugin: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Configuration folder of Ardour and the plugin in these scenarios, instead of the user's own.
fn config_folder(folder: &Path) -> PathBuf {
    folder.join("config")
}

/// Runs a script and returns what it prints. A script that fails prints `error`.
fn run_lua(
    arguments: &Arguments,
    folder: &Path,
    name: &str,
    script: &str,
    seconds: f64,
) -> Result<String> {
    let file = folder.join(name);
    let session = folder.join(SESSION_NAME);
    let text = script
        .replace("@FOLDER@", &session.display().to_string())
        .replace("@NAME@", SESSION_NAME)
        .replace("@SECONDS@", &format!("{}", seconds.ceil() + 6.0));
    fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
    let output = Command::new(&arguments.lua)
        .arg(&file)
        .env("HOME", home_folder(arguments, folder)?)
        .env("XDG_CONFIG_HOME", config_folder(folder))
        .output()
        .with_context(|| format!("{}: cannot be started", arguments.lua.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || !printed.contains("done") {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed: {printed}{errors}");
    }
    Ok(printed)
}

fn transcribe(arguments: &Arguments, folder: &Path) -> Result<Vec<Onset>> {
    let midi = folder.join("reference.mid");
    let hitscribe = match &arguments.hitscribe {
        Some(built) => built.clone(),
        None => build_hitscribe()?,
    };
    let mut command = Command::new(&hitscribe);
    // As the plugin, whose source is drums.
    command.args(["transcribe", "--live", "--source", "drums"]);
    command.arg(&arguments.audio);
    command.arg("--output").arg(&midi);
    let failure = format!("{}: cannot be transcribed", arguments.audio.display());
    succeed(&mut command, &failure)?;
    onsets(&midi)
}

fn build_hitscribe() -> Result<PathBuf> {
    run_cargo(
        &["build", "--release", "--package", "hitscribe-cli"],
        "the command could not be built",
    )?;
    Ok(target_folder()?.join("release/hitscribe"))
}

/// The onsets in the MIDI file that Ardour has recorded.
fn recorded(folder: &Path) -> Result<Vec<Onset>> {
    let takes = folder
        .join(SESSION_NAME)
        .join("interchange")
        .join(SESSION_NAME)
        .join("midifiles");
    let entries = fs::read_dir(&takes).with_context(|| format!("{}", takes.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let file = files
        .last()
        .with_context(|| format!("{}: no recording", takes.display()))?;
    onsets(file)
}

/// Onsets in a MIDI file.
fn onsets(path: &Path) -> Result<Vec<Onset>> {
    let notes = read_notes(path)?;
    Ok(notes
        .iter()
        .map(|note| (note.onset_seconds, note.pitch))
        .collect())
}

/// Checks that Ardour has every note of the transcription.
#[expect(clippy::print_stdout, reason = "the result of the command")]
fn compare(how: &str, found: &[Onset], reference: &[Onset]) -> Result<()> {
    let mut left = found.to_vec();
    let (mut worst, mut missing) = (0.0f64, Vec::new());
    for note in reference {
        let distance = |other: &Onset| (other.0 - note.0).abs();
        let nearest = (0..left.len())
            .filter(|index| left[*index].1 == note.1)
            .min_by(|a, b| distance(&left[*a]).total_cmp(&distance(&left[*b])));
        match nearest.filter(|index| distance(&left[*index]) <= TOLERANCE_SECONDS) {
            Some(index) => worst = worst.max(distance(&left.swap_remove(index))),
            None => missing.push(*note),
        }
    }
    println!(
        "{} notes transcribed, {} {how}; {} match within {:.3} ms, {} do not",
        reference.len(),
        found.len(),
        reference.len() - missing.len(),
        worst * 1000.0,
        left.len(),
    );
    ensure!(
        missing.is_empty(),
        "missing, or more than 1 ms away: {missing:?}"
    );
    Ok(())
}
