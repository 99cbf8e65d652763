//! `cargo xtask daw --gui`: the editor in Ardour, driven by mouse and keys as a user does.
//!
//! In sync and the update interval are chosen, a recording is played, the sensitivity is changed
//! after it, a hit is deleted and one moved, that is undone, everything is quantized, and the clip is
//! dragged onto Ardour's canvas. After each step **Save MIDI** shows what the editor has. Then the
//! session is closed and opened again. Buttons are found by their labels in the editor's snapshots.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::bounce::Onset;
use super::desktop::{Desktop, pause};
use super::session::{SESSION_NAME, saved_state, show_plugin};
use super::{Arguments, compare, config_folder, onsets};

/// Size of the editor, for which there are snapshots.
const EDITOR: [i32; 2] = [1040, 640];
/// Where Ardour opens the window of the plugin on the screen, and a free place of its canvas.
const WINDOW: [i32; 2] = [150, 60];
const CANVAS: [i32; 2] = [1330, 780];
/// The title bar of Ardour's main window, which openbox puts in the middle.
const TITLE: [i32; 2] = [1300, 141];
/// Height of an entry in a menu, and from the middle of the menu's button to the first entry.
const ENTRY: i32 = 23;
const FIRST_ENTRY: i32 = 27;
/// Entries of the menus.
const MS_128: i32 = 2;
const SIXTEENTH_FROM_END: i32 = 2;
/// Ardour's audio engine without a sound card, started without questions.
const CONFIG: &str = include_str!("gui-config.xml");
/// What the editor shows with a take, and with its page of settings.
const TAKE: &str =
    include_str!("../../../plugin/src/editor/layout/tests/snapshots/take-1040x640.txt");
const SETTINGS: &str =
    include_str!("../../../plugin/src/editor/layout/tests/snapshots/settings-1040x640.txt");

/// The user's folders in these scenarios.
pub fn home_folder(folder: &Path) -> PathBuf {
    folder.join("home")
}

/// Runs the scenario on a session with the plugin and a recording.
#[expect(clippy::print_stdout, reason = "the result of the command")]
pub fn run(arguments: &Arguments, folder: &Path, state: &Path, seconds: f64) -> Result<()> {
    let config = config_folder(folder).join("ardour7");
    fs::create_dir_all(&config).with_context(|| config.display().to_string())?;
    fs::write(config.join("config"), CONFIG)?;
    // Ardour has been here before: no questions about folders.
    fs::write(config.join(".a7"), "")?;
    show_plugin(state, WINDOW)?;
    let editor = Editor::open(arguments, folder, state)?;
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
    let deleted = editor.change_a_hit("Delete", |now| now.len() + 1 == sensitive.len())?;
    said("one deleted", &deleted);
    let is_moved = |now: &[Onset]| now.len() == deleted.len() && now != deleted;
    let moved = editor.change_a_hit("shift+Right", is_moved)?;
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

/// The editor in Ardour.
struct Editor {
    desktop: Desktop,
    /// Upper left corner on the screen.
    corner: [i32; 2],
    folder: PathBuf,
}

impl Editor {
    /// Starts Ardour with the session, in which the plugin's window is open.
    fn open(arguments: &Arguments, folder: &Path, state: &Path) -> Result<Self> {
        let mut desktop = Desktop::start()?;
        let mut command = Command::new(&arguments.ardour);
        command.arg("--no-splash").arg(state);
        command.env("HOME", home_folder(folder));
        command.env("XDG_CONFIG_HOME", config_folder(folder));
        desktop.run(command)?;
        let corner = desktop.part_of_size("^Hitscribe$", EDITOR)?;
        // Its first frames, and Ardour's last windows.
        pause(5.0);
        Ok(Self {
            desktop,
            corner,
            folder: folder.to_owned(),
        })
    }

    /// Saves, ends Ardour and opens the session again.
    fn reopen(self, arguments: &Arguments, state: &Path) -> Result<Self> {
        let Self {
            mut desktop,
            folder,
            ..
        } = self;
        // In the editor the key saves MIDI.
        desktop.click(TITLE)?;
        desktop.key("ctrl+s")?;
        pause(3.0);
        desktop.key("ctrl+q")?;
        desktop.wait_for_end()?;
        drop(desktop);
        Self::open(arguments, &folder, state)
    }

    /// The middle of a text of a snapshot.
    fn place(&self, snapshot: &str, label: &str) -> Result<[i32; 2]> {
        let found = snapshot.lines().find_map(|line| {
            let mut parts = line.splitn(5, ' ');
            let mut number = || parts.next()?.parse::<f32>().ok();
            let (x, y, width, height) = (number()?, number()?, number()?, number()?);
            let middle = [(x + width / 2.0) as i32, (y + height / 2.0) as i32];
            (parts.next() == Some(label)).then_some(middle)
        });
        found.with_context(|| format!("no {label:?} in the editor's snapshot"))
    }

    fn on_screen(&self, at: [i32; 2]) -> [i32; 2] {
        [self.corner[0] + at[0], self.corner[1] + at[1]]
    }

    fn click_at(&self, at: [i32; 2]) -> Result<()> {
        self.desktop.click(self.on_screen(at))
    }

    fn click(&self, snapshot: &str, label: &str) -> Result<()> {
        self.click_at(self.place(snapshot, label)?)
    }

    fn drag(&self, from: [i32; 2], to: [i32; 2]) -> Result<()> {
        self.desktop.drag(self.on_screen(from), self.on_screen(to))
    }

    /// What **Save MIDI** writes now.
    fn exported(&self) -> Result<Vec<Onset>> {
        let exports = home_folder(&self.folder).join("Hitscribe");
        let files = || -> BTreeSet<PathBuf> {
            let entries = fs::read_dir(&exports).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let before = files();
        self.click(TAKE, "Save MIDI")?;
        pause(1.0);
        self.desktop.picture(&self.folder.join("last.png"));
        let after = files();
        let new = after.difference(&before).next();
        onsets(new.context("Save MIDI has written no file; last.png shows the screen")?)
    }

    /// Presses a key on one hit after the other until the export is as wanted. The keys choose
    /// candidates as well, which are not exported.
    fn change_a_hit(&self, key: &str, is_done: impl Fn(&[Onset]) -> bool) -> Result<Vec<Onset>> {
        for _ in 0..12 {
            self.desktop.key("ctrl+Right")?;
            self.desktop.key(key)?;
            let now = self.exported()?;
            if is_done(&now) {
                return Ok(now);
            }
            self.desktop.key("ctrl+z")?;
        }
        bail!("{key} changes no hit")
    }

    /// Drags the clip onto Ardour's canvas.
    fn drop_clip(&self) -> Result<()> {
        let tile = self.place(TAKE, "Drag MIDI")?;
        self.desktop
            .drag(self.on_screen([tile[0] + 20, tile[1] + 20]), CANVAS)?;
        pause(4.0);
        Ok(())
    }

    /// The file that Ardour has imported.
    fn dropped_file(&self) -> Result<PathBuf> {
        let session = self.folder.join(SESSION_NAME);
        let folder = session
            .join("interchange")
            .join(SESSION_NAME)
            .join("midifiles");
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let is_clip = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with("Hitscribe"))
        };
        let mut files = entries.flatten().map(|entry| entry.path());
        files.find(is_clip).context("Ardour has imported no clip")
    }
}
