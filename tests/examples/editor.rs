//! Opens the editor of the bundle in a window and plays audio through the plugin in real time, to
//! look at it and to make the pictures of the documentation. X11 only.
//!
//! `cargo run --release -p hitscribe-tests --example editor -- [--aligned] [--stopped] \
//! [--seconds N] [--set NAME=VALUE]... [FILE]`
//!
//! With `--stopped` the transport stands still.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hitscribe_host::Transport;
use hitscribe_tests::{groove, library, read, transport_at};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateWindowAux, WindowClass};
use x11rb::wrapper::ConnectionExt as _;

const BLOCK_FRAMES: usize = 512;

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut file, mut seconds, mut settings) = (None, 20.0, Vec::new());
    let mut playing = true;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--aligned" => settings.push("Latency mode=Aligned (audio waits)".to_owned()),
            "--stopped" => playing = false,
            "--set" => settings.push(arguments.next().context("--set NAME=VALUE")?),
            "--seconds" => seconds = arguments.next().context("--seconds N")?.parse()?,
            _ => file = Some(PathBuf::from(argument)),
        }
    }
    let (channels, rate) = match &file {
        Some(path) => read(path)?,
        None => (groove(44_100.0, f64::MAX), 44_100.0),
    };
    let library = library();
    let mut host = library.instance(channels.len())?;
    for setting in &settings {
        let (name, value) = setting.split_once('=').context("--set NAME=VALUE")?;
        host.set(name, value)?;
    }

    let (connection, screen) = x11rb::connect(None)?;
    let root = connection.setup().roots[screen].root;
    let window = connection.generate_id()?;
    let class = WindowClass::INPUT_OUTPUT;
    let attributes = CreateWindowAux::new();
    connection.create_window(0, window, root, 0, 0, 900, 560, 0, class, 0, &attributes)?;
    connection.map_window(window)?;
    connection.sync()?;
    let (width, height) = host.open_editor(window, Duration::ZERO)?;
    let size = x11rb::protocol::xproto::ConfigureWindowAux::new()
        .width(width)
        .height(height);
    connection.configure_window(window, &size)?;
    connection.flush()?;

    host.start(rate, BLOCK_FRAMES)?;
    let began = Instant::now();
    let mut notes = Vec::new();
    let blocks = (seconds * rate) as usize / BLOCK_FRAMES;
    for index in 0..blocks {
        let start = index * BLOCK_FRAMES % (channels[0].len() - BLOCK_FRAMES);
        let mut block: Vec<Vec<f32>> = channels
            .iter()
            .map(|channel| channel[start..start + BLOCK_FRAMES].to_vec())
            .collect();
        let at = (index * BLOCK_FRAMES) as f64 / rate;
        let transport = Transport {
            playing,
            ..transport_at(if playing { at } else { 0.0 })
        };
        host.process(&mut block, Some(transport), &mut notes)?;
        let due = Duration::from_secs_f64(at);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    host.stop();
    host.close_editor();
    println!("{} events", notes.len());
    Ok(())
}
