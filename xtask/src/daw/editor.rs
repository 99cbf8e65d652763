//! The plugin's editor in Ardour on a virtual screen. Buttons are found by their labels in the editor's
//! snapshots.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::bounce::Onset;
use super::desktop::{Desktop, pause};
use super::session::{SESSION_NAME, show_plugin};
use super::{Arguments, config_folder, onsets};

/// Size of the editor, for which there are snapshots.
pub const EDITOR: [i32; 2] = [1040, 640];
/// Where Ardour opens the window of the plugin on the screen.
const WINDOW: [i32; 2] = [150, 60];
/// A free place of Ardour's canvas.
const CANVAS: [i32; 2] = [1330, 780];
/// The title bar of Ardour's main window, which openbox puts in the middle.
pub const TITLE: [i32; 2] = [1300, 141];
/// Ardour's audio engine without a sound card, started without questions.
const CONFIG: &str = include_str!("gui-config.xml");
/// What the editor shows with a take.
pub const TAKE: &str =
    include_str!("../../../plugin/src/editor/layout/tests/snapshots/take-1040x640.txt");

/// The user's folders in these scenarios.
pub fn home_folder(folder: &Path) -> PathBuf {
    folder.join("home")
}

/// The editor in Ardour.
pub struct Editor {
    /// The screen.
    pub desktop: Desktop,
    /// Upper left corner on the screen.
    corner: [i32; 2],
    folder: PathBuf,
}

impl Editor {
    /// Starts Ardour for the first time on a new session.
    pub fn first(arguments: &Arguments, folder: &Path, state: &Path) -> Result<Self> {
        let config = config_folder(folder).join("ardour7");
        fs::create_dir_all(&config).with_context(|| config.display().to_string())?;
        fs::write(config.join("config"), CONFIG)?;
        // Ardour has been here before: no questions about folders.
        fs::write(config.join(".a7"), "")?;
        show_plugin(state, WINDOW)?;
        Self::open(arguments, folder, state)
    }

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
    pub fn reopen(self, arguments: &Arguments, state: &Path) -> Result<Self> {
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
    pub fn place(&self, snapshot: &str, label: &str) -> Result<[i32; 2]> {
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

    pub fn click_at(&self, at: [i32; 2]) -> Result<()> {
        self.desktop.click(self.on_screen(at))
    }

    pub fn click(&self, snapshot: &str, label: &str) -> Result<()> {
        self.click_at(self.place(snapshot, label)?)
    }

    pub fn drag(&self, from: [i32; 2], to: [i32; 2]) -> Result<()> {
        self.desktop.drag(self.on_screen(from), self.on_screen(to))
    }

    /// What **Save MIDI** writes now.
    pub fn exported(&self) -> Result<Vec<Onset>> {
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

    /// Drags the clip onto Ardour's canvas.
    pub fn drop_clip(&self) -> Result<()> {
        let tile = self.place(TAKE, "Drag MIDI")?;
        self.desktop
            .drag(self.on_screen([tile[0] + 20, tile[1] + 20]), CANVAS)?;
        pause(4.0);
        Ok(())
    }

    /// The file that Ardour has imported.
    pub fn dropped_file(&self) -> Result<PathBuf> {
        let session = self.folder.join(SESSION_NAME);
        let folder = session
            .join("interchange")
            .join(SESSION_NAME)
            .join("midifiles");
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let is_clip = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            // Ardour's own are named after tracks, and after recordings of them.
            name.is_some_and(|name| name.contains(" bar ") && !name.starts_with("Take"))
        };
        let mut files = entries.flatten().map(|entry| entry.path());
        files.find(is_clip).context("Ardour has imported no clip")
    }
}
