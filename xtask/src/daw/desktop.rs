//! A screen without a monitor, with Ardour on it, and the mouse and keys that drive it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Size of the screen.
const SCREEN: &str = "1600x1000x24";
/// Longest time in which a program must open a window, or end.
const LONGEST: Duration = Duration::from_secs(90);

/// A virtual screen. Everything that was started on it ends with it.
pub struct Desktop {
    server: Child,
    display: String,
    programs: Vec<Child>,
}

impl Desktop {
    /// Starts a screen with a window manager.
    pub fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                SCREEN,
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb cannot be started; on Debian: apt install xvfb xdotool openbox")?;
        let mut number = String::new();
        let output = server.stdout.take().context("Xvfb has no output")?;
        BufReader::new(output).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb has not started");
        let mut desktop = Self {
            server,
            display: format!(":{}", number.trim()),
            programs: Vec::new(),
        };
        desktop.run(Command::new("openbox"))?;
        Ok(desktop)
    }

    /// Starts a program on the screen.
    pub fn run(&mut self, mut command: Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.env("DISPLAY", &self.display);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        self.programs.push(child);
        Ok(())
    }

    /// Waits for the program that was started last to end.
    pub fn wait_for_end(&mut self) -> Result<()> {
        let mut child = self.programs.pop().context("nothing was started")?;
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            pause(0.2);
        }
        child.kill()?;
        bail!("the program does not end")
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output()
            .context("xdotool cannot be started")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits for a window with this name and size. Returns its upper left corner.
    pub fn part_of_size(&self, name: &str, [width, height]: [i32; 2]) -> Result<[i32; 2]> {
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            let ids = self.xdotool(&["search", "--onlyvisible", "--name", name])?;
            for id in ids.lines() {
                let text = self.xdotool(&["getwindowgeometry", "--shell", id])?;
                let field = |name: &str| -> Option<i32> {
                    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
                    line.strip_prefix('=')?.parse().ok()
                };
                if (field("WIDTH"), field("HEIGHT")) == (Some(width), Some(height))
                    && let (Some(x), Some(y)) = (field("X"), field("Y"))
                {
                    return Ok([x, y]);
                }
            }
            pause(0.5);
        }
        bail!("no window {name} of {width} x {height} pixels opens")
    }

    /// Clicks at a place of the screen.
    pub fn click(&self, [x, y]: [i32; 2]) -> Result<()> {
        self.xdotool(&["mousemove", &x.to_string(), &y.to_string()])?;
        pause(0.3);
        self.xdotool(&["mousedown", "1"])?;
        pause(0.15);
        self.xdotool(&["mouseup", "1"])?;
        pause(0.5);
        Ok(())
    }

    /// Drags from a place to another.
    pub fn drag(&self, from: [i32; 2], to: [i32; 2]) -> Result<()> {
        const STEPS: i32 = 24;
        let at = |step: i32| {
            let part = |from: i32, to: i32| from + (to - from) * step / STEPS;
            (
                part(from[0], to[0]).to_string(),
                part(from[1], to[1]).to_string(),
            )
        };
        let move_to = |step: i32| {
            let (x, y) = at(step);
            self.xdotool(&["mousemove", &x, &y])
        };
        move_to(0)?;
        pause(0.3);
        self.xdotool(&["mousedown", "1"])?;
        pause(0.2);
        for step in 1..=STEPS {
            move_to(step)?;
            pause(0.06);
        }
        pause(0.8);
        self.xdotool(&["mouseup", "1"])?;
        pause(1.0);
        Ok(())
    }

    /// Presses a key with modifiers, such as `ctrl+z`.
    pub fn key(&self, key: &str) -> Result<()> {
        self.xdotool(&["key", key])?;
        pause(0.4);
        Ok(())
    }

    /// Types a text.
    pub fn write(&self, text: &str) -> Result<()> {
        self.xdotool(&["type", "--delay", "20", text])?;
        pause(0.4);
        Ok(())
    }

    /// Writes a picture of the screen, if ImageMagick is there.
    pub fn picture(&self, path: &Path) {
        let _ = Command::new("import")
            .args(["-window", "root"])
            .arg(path)
            .env("DISPLAY", &self.display)
            .status();
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.programs.iter_mut().chain([&mut self.server]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits, as a user does.
pub fn pause(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}
