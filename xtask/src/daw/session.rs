//! Ardour's session file: what session scripts can neither do nor read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Name of the session and its folder.
pub const SESSION_NAME: &str = "hitscribe";
/// Rate of the session.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// Ardour's unit of time.
const SUPERCLOCKS_PER_SECOND: f64 = 282_240_000.0;
/// Identifiers from here on are free in a new session.
const FIRST_ID: u32 = 9000;

/// Puts a recording at the start of the audio track `drums`.
pub fn add_recording(state: &Path, audio: &Path, channels: u16, seconds: f64) -> Result<()> {
    let named = || format!("{}", state.display());
    let files = state
        .with_file_name("interchange")
        .join(SESSION_NAME)
        .join("audiofiles");
    fs::create_dir_all(&files).with_context(|| format!("{}", files.display()))?;
    fs::copy(audio, files.join("drums.wav")).with_context(|| format!("{}", audio.display()))?;
    let mut text = fs::read_to_string(state).with_context(named)?;
    let sources: String = (0..u32::from(channels))
        .map(|channel| {
            format!(
                r#"<Source name="drums.wav" take-id="" type="audio" flags="" id="{}" natural-position="a0" channel="{channel}" gain="1" origin="drums.wav"/>"#,
                FIRST_ID + channel
            )
        })
        .collect();
    text = insert(&text, "Sources", &sources)?;
    text = insert(
        &text,
        "Regions",
        &region(FIRST_ID + 2, true, channels, seconds),
    )?;
    let start = text
        .find("<Playlist id=")
        .context("no playlist in the session")?;
    let track = text[start..]
        .find(r#"name="drums""#)
        .context("no track `drums` in the session")?;
    let end = start
        + track
        + text[start + track..]
            .find('>')
            .context("a tag without an end")?;
    let region = region(FIRST_ID + 3, false, channels, seconds);
    ensure!(
        text.as_bytes()[end - 1] == b'/',
        "the track `drums` is not empty"
    );
    text.replace_range(end - 1..=end, &format!(">{region}</Playlist>"));
    let counter = text
        .find("id-counter=\"")
        .context("no counter of identifiers in the session")?
        + 12;
    let counter_end = counter
        + text[counter..]
            .find('"')
            .context("an attribute without an end")?;
    text.replace_range(counter..counter_end, &(FIRST_ID + 100).to_string());
    fs::write(state, text).with_context(named)
}

/// Inserts text into an element that may be empty.
fn insert(text: &str, element: &str, content: &str) -> Result<String> {
    let (empty, open) = (format!("<{element}/>"), format!("<{element}>"));
    let filled = format!("<{element}>{content}</{element}>");
    if text.contains(&empty) {
        return Ok(text.replacen(&empty, &filled, 1));
    }
    ensure!(text.contains(&open), "no {element} in the session");
    Ok(text.replacen(&open, &format!("{open}{content}"), 1))
}

fn region(id: u32, is_whole: bool, channels: u16, seconds: f64) -> String {
    let whole = u8::from(is_whole);
    let length = (seconds * SUPERCLOCKS_PER_SECOND) as u64;
    let sources: String = (0..u32::from(channels))
        .map(|channel| {
            let source = FIRST_ID + channel;
            format!(r#"source-{channel}="{source}" master-source-{channel}="{source}" "#)
        })
        .collect();
    format!(
        r#"<Region name="drums" muted="0" opaque="1" locked="0" video-locked="0" automatic="{whole}" whole-file="{whole}" import="0" external="0" sync-marked="0" left-of-split="0" right-of-split="0" hidden="0" position-locked="0" valid-transients="0" start="a0" length="a{length}@a0" sync-position="a0" ancestral-start="a0" ancestral-length="a0@a0" stretch="1" shift="1" layering-index="0" tags="" contents="0" id="{id}" type="audio" first-edit="nothing" {sources}channels="{channels}" envelope-active="0" default-fade-in="0" default-fade-out="0" fade-in-active="0" fade-out-active="0" scale-amplitude="1"/>"#
    )
}

/// Sets the plugin's mode to Aligned in its saved state: scripts in Ardour cannot set parameters
/// that cannot be automated.
pub fn set_aligned(state: &Path) -> Result<()> {
    let mut text = fs::read_to_string(state).with_context(|| format!("{}", state.display()))?;
    let (place, bytes) = plugin_state(&text)?;
    let aligned = replace_in_preset(&bytes, br#""direct""#, br#""aligned""#)?;
    text.replace_range(place, &BASE64.encode(aligned));
    fs::write(state, text).with_context(|| format!("{}", state.display()))
}

/// Replaces text in a VST3 preset. A preset is a header that ends with the offset of the chunk
/// list, the chunks, and the list: a tag, a count, and for each chunk a tag, offset and length.
fn replace_in_preset(preset: &[u8], from: &[u8], to: &[u8]) -> Result<Vec<u8>> {
    const LIST_PLACE: usize = 40;
    const ENTRY: usize = 20;
    let at = preset
        .windows(from.len())
        .position(|window| window == from)
        .context("the saved state is not in Direct mode")?;
    let number = |bytes: &[u8], at: usize| -> Result<i64> {
        let bytes = bytes.get(at..at + 8).context("the preset is truncated")?;
        Ok(i64::from_le_bytes(bytes.try_into()?))
    };
    let longer = to.len() as i64 - from.len() as i64;
    let mut changed = [&preset[..at], to, &preset[at + from.len()..]].concat();
    let list = number(preset, LIST_PLACE)? + longer;
    changed[LIST_PLACE..LIST_PLACE + 8].copy_from_slice(&list.to_le_bytes());
    let entries = usize::try_from(list)? + 8;
    for entry in (entries..changed.len().saturating_sub(ENTRY - 1)).step_by(ENTRY) {
        let (place, length) = (number(&changed, entry + 4)?, number(&changed, entry + 12)?);
        let (place, length) = if (place..place + length).contains(&(at as i64)) {
            (place, length + longer)
        } else if place > at as i64 {
            (place + longer, length)
        } else {
            (place, length)
        };
        changed[entry + 4..entry + 12].copy_from_slice(&place.to_le_bytes());
        changed[entry + 12..entry + 20].copy_from_slice(&length.to_le_bytes());
    }
    Ok(changed)
}

/// Range of the plugin's state in the text of the session, and the state.
fn plugin_state(text: &str) -> Result<(std::ops::Range<usize>, Vec<u8>)> {
    let chunk = text
        .find("<chunk")
        .context("the session has no plugin state")?;
    let from = chunk + text[chunk..].find('>').context("a tag without an end")? + 1;
    let to = from
        + text[from..]
            .find('<')
            .context("an element without an end")?;
    let encoded: String = text[from..to].split_whitespace().collect();
    let bytes = BASE64
        .decode(encoded)
        .context("the plugin state is not base64")?;
    Ok((from..to, bytes))
}

/// Opens the plugin's window at this place of the screen when Ardour loads the session, without
/// questions about another sound card.
pub fn show_plugin(state: &Path, [x, y]: [i32; 2]) -> Result<()> {
    let named = || format!("{}", state.display());
    let mut text = fs::read_to_string(state).with_context(named)?;
    let plugin = text
        .find(r#"type="vst3""#)
        .context("no plugin in the session")?;
    let id_before = |tag: &str| {
        let tag = text[..plugin].rfind(tag)?;
        let from = tag + text[tag..].find(r#" id=""#)? + 5;
        let to = from + text[from..].find('"')?;
        Some(text[from..to].to_owned())
    };
    let ids = id_before("<Route ").zip(id_before("<Processor "));
    let (route, processor) = ids.context("the plugin is on no track")?;
    let window = format!(
        r#"<Extra><UI><Window name="P-{route}-{processor}" visible="1" x-off="{x}" y-off="{y}" x-size="-1" y-size="-1" custom-ui="1"/></UI></Extra></Session>"#
    );
    ensure!(!text.contains("<UI>"), "Ardour has had the session open");
    text = text.replacen("</Session>", &window, 1);
    if let Some(hints) = text.find("<EngineHints")
        && let Some(length) = text[hints..].find("/>")
    {
        text.replace_range(hints..hints + length + 2, "");
    }
    fs::write(state, text).with_context(named)
}

/// The plugin's saved state: JSON with a few bytes around it.
pub fn saved_state(state: &Path) -> Result<String> {
    let text = fs::read_to_string(state).with_context(|| format!("{}", state.display()))?;
    let (_, bytes) = plugin_state(&text)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The take in the plugin's saved state, in base64.
pub fn saved_take(state: &Path) -> Result<String> {
    let json = saved_state(state)?;
    let from = json
        .find(r#""take":""#)
        .context("the plugin state has no take")?
        + 8;
    // The field is JSON within JSON: its own quotes are escaped.
    let inner = json[from..].trim_start_matches("\\\"");
    let to = inner.find(['\\', '"']).context("a string without an end")?;
    Ok(inner[..to].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_added_to_the_empty_track() {
        let folder = tempfile::tempdir().unwrap();
        let (state, audio) = (
            folder.path().join("hitscribe.ardour"),
            folder.path().join("a.wav"),
        );
        fs::write(&audio, b"audio").unwrap();
        let empty = r#"<Session id-counter="77"><Sources/><Regions></Regions><Playlist id="5" name="drums" a="b"/></Session>"#;
        fs::write(&state, empty).unwrap();
        add_recording(&state, &audio, 2, 1.5).unwrap();
        let text = fs::read_to_string(&state).unwrap();
        assert!(text.contains(r#"id-counter="9100""#));
        assert!(text.contains(r#"name="drums" a="b"><Region"#) && text.contains("</Playlist>"));
        assert!(text.contains(r#"length="a423360000@a0""#));
        assert_eq!(text.matches("<Source ").count(), 2);
        let error = add_recording(&state, &audio, 2, 1.5).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
    }

    #[test]
    fn the_window_of_the_plugin_is_opened_with_the_session() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("x.ardour");
        let session = r#"<Session><EngineHints backend="x"/><Route version="7" id="12" name="drums"><Processor id="3" name="Trim"/><Processor id="34" name="Hitscribe" type="vst3"/></Route></Session>"#;
        fs::write(&state, session).unwrap();
        show_plugin(&state, [150, 60]).unwrap();
        let text = fs::read_to_string(&state).unwrap();
        assert!(text.contains(r#"<Window name="P-12-34" visible="1" x-off="150" y-off="60""#));
        assert!(!text.contains("EngineHints") && text.ends_with("</Extra></Session>"));
        assert!(show_plugin(&state, [0, 0]).is_err());
    }

    #[test]
    fn the_take_is_read_from_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("x.ardour");
        let json = r#"junk{"fields":{"take":"\"SFNUSw\"","map":"{}"}}"#;
        fs::write(
            &state,
            format!("<a><chunk x=\"1\">{}</chunk></a>", BASE64.encode(json)),
        )
        .unwrap();
        assert_eq!(saved_take(&state).unwrap(), "SFNUSw");
    }

    #[test]
    fn a_preset_stays_valid_when_its_text_grows() {
        let body = br#"{"mode":"direct"}tail"#;
        let mut preset = vec![0u8; 48];
        preset.extend_from_slice(body);
        preset[40..48].copy_from_slice(&(48 + body.len() as i64).to_le_bytes());
        preset.extend_from_slice(b"List\x02\0\0\0");
        for (mark, place, length) in [(b"Comp", 48i64, 17i64), (b"Cont", 65, 4)] {
            preset.extend_from_slice(mark);
            preset.extend_from_slice(&place.to_le_bytes());
            preset.extend_from_slice(&length.to_le_bytes());
        }
        let changed = replace_in_preset(&preset, br#""direct""#, br#""aligned""#).unwrap();
        assert_eq!(&changed[48..70], br#"{"mode":"aligned"}tail"#);
        let number = |at: usize| i64::from_le_bytes(changed[at..at + 8].try_into().unwrap());
        assert_eq!((number(40), &changed[70..74]), (70, &b"List"[..]));
        assert_eq!((number(82), number(90)), (48, 18));
        assert_eq!((number(102), number(110)), (66, 4));
        assert!(replace_in_preset(&preset, b"absent", b"x").is_err());
    }
}
