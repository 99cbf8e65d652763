//! `cargo xtask daw --gui`: the editor in Ardour, driven by mouse and keys as a user does.
//!
//! In sync and the update interval are chosen, a recording is played, the sensitivity is changed
//! after it, a hit is deleted and one moved, that is undone, everything is quantized, and the clip is
//! dragged onto Ardour's canvas. After each step **Save MIDI** shows what the editor has. Then the
//! session is closed and opened again. Buttons are found by their labels in the editor's snapshots.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::bounce::Onset;
use super::desktop::pause;
use super::editor::{EDITOR, Editor, TAKE, TITLE};
use super::session::saved_state;
use super::{Arguments, compare, onsets};

/// Height of an entry in a menu, and from the middle of the menu's button to the first entry.
const ENTRY: i32 = 23;
const FIRST_ENTRY: i32 = 27;
/// Entries of the menus.
const MS_128: i32 = 2;
const SIXTEENTH_FROM_END: i32 = 2;
/// What the editor shows with its page of settings.
const SETTINGS: &str =
    include_str!("../../../plugin/src/editor/layout/tests/snapshots/settings-1040x640.txt");

/// Runs the scenario on a session with the plugin and a recording.
#[expect(clippy::print_stdout, reason = "the result of the command")]
pub fn run(arguments: &Arguments, folder: &Path, state: &Path, seconds: f64) -> Result<()> {
    let editor = Editor::first(arguments, folder, state)?;
    let said = |step: &str, notes: &[Onset]| println!("{step}: {} notes", notes.len());

    editor.click_at([40, EDITOR[1] - 12])?;
    editor.click(TAKE, "Settings")?;
    let button = editor.place(SETTINGS, "64 ms")?;
    editor.click_at(button)?;
    editor.click_at([button[0], button[1] + FIRST_ENTRY + MS_128 * ENTRY])?;
    editor.click(TAKE, "Settings")?;
    // In Ardour's own window, whose key it is.
    editor.desktop.click(TITLE)?;
    editor.desktop.key("space")?;
    pause(seconds.ceil() + 3.0);
    editor.desktop.key("space")?;
    pause(2.0);
    let played = editor.exported()?;
    said("played", &played);
    ensure!(
        played.len() > 10,
        "the take has only {} notes",
        played.len()
    );

    // The handle of the slider is in the middle between label and value.
    let (label, value) = (
        editor.place(TAKE, "Sensitivity")?,
        editor.place(TAKE, "50")?,
    );
    let handle = [(label[0] + 30 + value[0] - 20) / 2 + 5, label[1]];
    editor.drag(handle, [value[0] - 22, label[1]])?;
    let sensitive = editor.exported()?;
    said("more sensitive", &sensitive);
    ensure!(
        sensitive.len() > played.len(),
        "the sensitivity changes nothing"
    );

    editor.desktop.key("Home")?;
    let deleted = change_a_hit(&editor, "Delete", |now| now.len() + 1 == sensitive.len())?;
    said("one deleted", &deleted);
    let is_moved = |now: &[Onset]| now.len() == deleted.len() && now != deleted;
    let moved = change_a_hit(&editor, "shift+Right", is_moved)?;
    editor.click(TAKE, "Undo")?;
    ensure!(editor.exported()? == deleted, "the move was not undone");
    editor.click(TAKE, "Redo")?;
    ensure!(editor.exported()? == moved, "the move was not done again");
    println!("moved, undone and done again");

    let button = editor.place(TAKE, "Off")?;
    editor.click_at(button)?;
    let up = FIRST_ENTRY + SIXTEENTH_FROM_END * ENTRY;
    editor.click_at([button[0], button[1] - up])?;
    let quantized = editor.exported()?;
    said("quantized", &quantized);
    // At Ardour's 120 quarter notes a minute.
    let is_on_grid = |seconds: f64| ((seconds * 8.0).round() / 8.0 - seconds).abs() < 0.001;
    ensure!(
        quantized.iter().all(|(seconds, _)| is_on_grid(*seconds)),
        "a note is not on the grid"
    );

    editor.drop_clip()?;
    let dropped = onsets(&editor.dropped_file()?)?;
    compare("dropped", &dropped, &quantized)?;
    ensure!(
        dropped.len() == quantized.len(),
        "the clip has other notes than the editor"
    );
    let editor = editor.reopen(arguments, state)?;
    ensure!(
        editor.exported()? == quantized,
        "other notes after closing and opening"
    );
    let json = saved_state(state)?;
    for (name, value) in [("mode", "aligned"), ("hop", "128ms"), ("grid", "16")] {
        let has = json.contains(&format!(r#""{name}":{{"string":"{value}"}}"#));
        ensure!(has, "the saved state has not {name} = {value}");
    }
    println!("all there after closing and opening");
    Ok(())
}

/// Presses a key on one hit after the other until the export is as wanted. The keys choose
/// candidates as well, which are not exported.
fn change_a_hit(
    editor: &Editor,
    key: &str,
    is_done: impl Fn(&[Onset]) -> bool,
) -> Result<Vec<Onset>> {
    for _ in 0..12 {
        editor.desktop.key("ctrl+Right")?;
        editor.desktop.key(key)?;
        let now = editor.exported()?;
        if is_done(&now) {
            return Ok(now);
        }
        editor.desktop.key("ctrl+z")?;
    }
    bail!("{key} changes no hit")
}
