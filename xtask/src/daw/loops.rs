//! `cargo xtask daw --gui --loop BPM`: a loop of whole bars, opened in the editor and dragged onto
//! Ardour's canvas, lies on the grid and has the length of its bars, whatever the session's tempo.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::desktop::pause;
use super::editor::{Editor, TITLE};
use super::{Arguments, onsets};

/// What the editor shows without a take.
const EMPTY: &str =
    include_str!("../../../plugin/src/editor/layout/tests/snapshots/empty-1040x640.txt");
/// The path field of the editor's own file dialog.
const PATH: [i32; 2] = [500, 152];
/// Ardour's ticks in a quarter note.
const TICKS: f64 = 1920.0;
const BAR_QUARTERS: f64 = 4.0;
/// Tempo of a MIDI file that has none, as Ardour's.
const DEFAULT_BPM: f64 = 120.0;
/// Largest distance of a note of a machine from the sixteenths.
const TOLERANCE_SECONDS: f64 = 0.006;

/// Runs the scenario on a session with the plugin and nothing else. `bpm` is the loop's tempo,
/// `seconds` its length.
#[expect(clippy::print_stdout, reason = "the result of the command")]
pub fn run(
    arguments: &Arguments,
    folder: &Path,
    state: &Path,
    (bpm, seconds): (f64, f64),
) -> Result<()> {
    let editor = Editor::first(arguments, folder, state)?;
    editor.click(EMPTY, "Open audio…")?;
    // Without a desktop there is no other dialog, which takes the plugin a moment to find out.
    pause(3.0);
    editor.click_at(PATH)?;
    editor.desktop.key("ctrl+a")?;
    let audio = fs::canonicalize(&arguments.audio)?;
    editor.desktop.write(&audio.to_string_lossy())?;
    editor.desktop.key("Return")?;
    pause(4.0 + seconds / 4.0);
    let exported = editor.exported()?;
    editor.drop_clip()?;
    let clip = editor.dropped_file()?;
    let dropped = onsets(&clip)?;
    ensure!(
        dropped.len() == exported.len() && dropped.len() > 4,
        "{} notes in the clip, {} in the editor",
        dropped.len(),
        exported.len()
    );

    // Ardour keeps quarter notes, not seconds.
    let quarters = dropped.iter().map(|(at, _)| at * DEFAULT_BPM / 60.0);
    let off_grid = |quarters: f64| (quarters * 4.0 - (quarters * 4.0).round()).abs() / 4.0;
    let mut distances: Vec<f64> = quarters.map(|at| off_grid(at) * 60.0 / bpm).collect();
    distances.sort_by(f64::total_cmp);
    let near = distances.partition_point(|distance| *distance <= TOLERANCE_SECONDS);
    editor.desktop.click(TITLE)?;
    editor.desktop.key("ctrl+s")?;
    pause(3.0);
    let bars = region_quarters(&fs::read_to_string(state)?, &clip)? / BAR_QUARTERS;
    let own_bars = seconds * bpm / 60.0 / BAR_QUARTERS;
    println!(
        "{} notes, {near} within {:.0} ms of a sixteenth, median {:.1} ms; {bars} bars, the loop has {own_bars:.3}",
        distances.len(),
        TOLERANCE_SECONDS * 1000.0,
        distances[distances.len() / 2] * 1000.0,
    );
    ensure!(near * 20 >= distances.len() * 19, "notes beside the grid");
    ensure!(
        (bars - own_bars.round()).abs() < 1e-6,
        "the clip does not have the bars of the loop"
    );
    Ok(())
}

/// Length of the region of a file in quarter notes.
fn region_quarters(session: &str, file: &Path) -> Result<f64> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let region = session
        .split(&format!("<Region name=\"{name}\""))
        .nth(1)
        .with_context(|| format!("no region {name} in the session"))?;
    let from = region.find(r#" length="b"#).context("no length in beats")? + 10;
    let ticks = region[from..].split('@').next().unwrap_or_default();
    Ok(ticks.parse::<f64>()? / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_clip_is_read_from_the_session() {
        let text = r#"<Region name="drums" length="a5@a0"/><Region name="a bar 1" start="b0" length="b15360@b0" type="midi"/>"#;
        assert_eq!(
            region_quarters(text, Path::new("a bar 1.mid")).unwrap(),
            8.0
        );
        assert!(region_quarters("<Session/>", Path::new("a.mid")).is_err());
    }
}
