//! Passages of a take as standard MIDI files, on the grid of the host.

use std::path::{Path, PathBuf};

use hitscribe_engine::DrumClass;
use hitscribe_engine::note::take::{Passage, TakeNote};
use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};

use crate::note_map::{NoteMapField, Router};
use crate::scheduler::Destination;

/// Ticks of a quarter note.
const TICKS_PER_QUARTER: u16 = 960;
/// The last tick that a delta can express.
const MAX_DELTA: u64 = (1 << 28) - 1;

/// What goes into the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// Leave out what the leakage filter takes away.
    pub without_leakage: bool,
    /// Only this class.
    pub class: Option<DrumClass>,
}

impl Selection {
    fn holds(&self, note: &TakeNote) -> bool {
        let class = || DrumClass::from_gm_note(note.key).filter(|_| note.is_drum);
        !(self.without_leakage && note.is_leakage)
            && self.class.is_none_or(|wanted| class() == Some(wanted))
    }
}

/// The passage as a MIDI file (format 0). Tick 0 is the start of the bar in which the passage
/// starts, so that a clip that is dropped on a bar line lies on the grid. Tempo and meter are those
/// of the host. Notes go where `map` sends them.
pub fn midi_file(passage: &Passage, selection: Selection, map: &NoteMapField) -> Vec<u8> {
    let into_bar = passage.beats_into_bar();
    let tick = |offset_frames: u64| {
        let beats = into_bar + passage.beats_at(offset_frames);
        (beats * f64::from(TICKS_PER_QUARTER)).round() as u64
    };
    // (tick, order at the same tick, event): meta, then ends, then beginnings.
    let mut events: Vec<(u64, u8, TrackEventKind<'_>)> = vec![(
        0,
        0,
        TrackEventKind::Meta(MetaMessage::TrackName(b"Hitscribe")),
    )];
    for (index, change) in passage.tempo.iter().enumerate() {
        let at = if index == 0 {
            0
        } else {
            tick(change.offset_frames)
        };
        let micros = (60_000_000.0 / change.bpm)
            .round()
            .clamp(1.0, f64::from((1 << 24) - 1));
        events.push((
            at,
            0,
            TrackEventKind::Meta(MetaMessage::Tempo(u24::new(micros as u32))),
        ));
        let unit = change.beat_unit.max(1).ilog2() as u8;
        let meter = MetaMessage::TimeSignature(change.beats_per_bar.max(1), unit, 24, 8);
        let is_new = index == 0 || {
            let last = &passage.tempo[index - 1];
            (last.beats_per_bar, last.beat_unit) != (change.beats_per_bar, change.beat_unit)
        };
        if is_new {
            events.push((at, 0, TrackEventKind::Meta(meter)));
        }
    }
    let mut router = Router::new(passage.sample_rate_hz);
    let notes: Vec<(&TakeNote, Destination)> = passage
        .notes
        .iter()
        .filter(|note| selection.holds(note))
        .filter_map(|note| {
            let to = router.route(
                map,
                note.offset_frames,
                note.is_drum,
                note.key,
                note.velocity,
            )?;
            Some((note, to))
        })
        .collect();
    for (index, (note, to)) in notes.iter().enumerate() {
        let start = tick(note.offset_frames);
        let own_end = tick(note.offset_frames + u64::from(note.length_frames)).max(start + 1);
        // A note ends where the same key begins again.
        let next = notes[index + 1..].iter().find(|(_, other)| other == to);
        let end = next.map_or(own_end, |(next, _)| own_end.min(tick(next.offset_frames)));
        if end <= start {
            continue;
        }
        let message = |message| TrackEventKind::Midi {
            channel: u4::new(to.channel & 15),
            message,
        };
        let key = u7::new(to.key & 127);
        let vel = u7::new(note.velocity & 127);
        events.push((start, 2, message(MidiMessage::NoteOn { key, vel })));
        events.push((
            end,
            1,
            message(MidiMessage::NoteOff {
                key,
                vel: u7::new(0),
            }),
        ));
    }
    events.sort_by_key(|(tick, order, _)| (*tick, *order));
    let mut last = 0;
    let mut track: Vec<TrackEvent<'_>> = events
        .into_iter()
        .map(|(tick, _, kind)| {
            let delta = (tick - last).min(MAX_DELTA);
            last = tick;
            TrackEvent {
                delta: u28::new(delta as u32),
                kind,
            }
        })
        .collect();
    track.push(TrackEvent {
        delta: u28::new(0),
        kind: TrackEventKind::Meta(MetaMessage::EndOfTrack),
    });
    let header = Header::new(
        Format::SingleTrack,
        Timing::Metrical(u15::new(TICKS_PER_QUARTER)),
    );
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = Smf {
        header,
        tracks: vec![track],
    }
    .write_std(&mut bytes);
    bytes
}

/// Writes `bytes` as a new file `stem.mid` (or `stem 2.mid`, ...) in `folder`, which is made if it
/// is missing.
///
/// # Errors
/// What the system says, with the path.
pub fn save(folder: &Path, stem: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    use std::io::Write as _;
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for number in 1..10_000 {
        let name = if number == 1 {
            format!("{stem}.mid")
        } else {
            format!("{stem} {number}.mid")
        };
        let path = folder.join(name);
        match std::fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(bytes)
                    .map_err(|error| failed(&path, error))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(format!(
        "{}: holds too many takes, move some away",
        folder.display()
    ))
}

/// Where takes are saved: `Hitscribe` in the user's music folder, or in the home folder.
pub fn save_folder() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    let home = home.map_or_else(std::env::temp_dir, PathBuf::from);
    let music = home.join("Music");
    if music.is_dir() {
        music.join("Hitscribe")
    } else {
        home.join("Hitscribe")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_engine::note::take::TempoChange;

    fn note(offset_frames: u64, class: DrumClass) -> TakeNote {
        TakeNote {
            offset_frames,
            length_frames: 2400,
            key: class.gm_note(),
            velocity: 100,
            program: 0,
            is_drum: true,
            is_leakage: false,
            confidence: 255,
        }
    }

    const ALL: Selection = Selection {
        without_leakage: true,
        class: None,
    };

    /// Ticks of all note-ons.
    fn onsets(bytes: &[u8]) -> Vec<(u64, u8)> {
        let smf = Smf::parse(bytes).expect("a MIDI file");
        let mut at = 0;
        let mut onsets = Vec::new();
        for event in &smf.tracks[0] {
            at += u64::from(event.delta.as_int());
            if let TrackEventKind::Midi {
                message: MidiMessage::NoteOn { key, .. },
                ..
            } = event.kind
            {
                onsets.push((at, key.as_int()));
            }
        }
        onsets
    }

    #[test]
    fn notes_lie_on_the_hosts_grid_and_follow_its_tempo() {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(5.0);
        passage.change_tempo(TempoChange {
            bpm: 120.0,
            ..TempoChange::default()
        });
        passage.change_tempo(TempoChange {
            offset_frames: 48_000,
            bpm: 60.0,
            ..Default::default()
        });
        for frames in [0, 24_000, 48_000, 96_000] {
            passage.insert(note(frames, DrumClass::Kick));
        }
        let bytes = midi_file(&passage, ALL, &NoteMapField::default());
        // Beat 5 of a 4/4 grid is one beat into its bar.
        let ticks: Vec<u64> = onsets(&bytes).iter().map(|(tick, _)| *tick).collect();
        assert_eq!(ticks, [960, 1920, 2880, 3840]);
    }

    #[test]
    fn one_class_and_filtered_notes_can_be_chosen() {
        let mut passage = Passage::new(48_000.0);
        passage.insert(note(0, DrumClass::Kick));
        passage.insert(note(100, DrumClass::Snare));
        passage.insert(TakeNote {
            is_drum: false,
            is_leakage: true,
            key: 60,
            ..note(200, DrumClass::Kick)
        });
        let keys = |selection| -> Vec<u8> {
            onsets(&midi_file(&passage, selection, &NoteMapField::default()))
                .iter()
                .map(|(_, key)| *key)
                .collect()
        };
        assert_eq!(keys(ALL), [36, 38]);
        assert_eq!(
            keys(Selection {
                without_leakage: false,
                class: None
            }),
            [36, 38, 60]
        );
        assert_eq!(
            keys(Selection {
                class: Some(DrumClass::Snare),
                ..ALL
            }),
            [38]
        );
    }

    #[test]
    fn a_repeated_key_ends_before_it_begins_again() {
        let mut passage = Passage::new(48_000.0);
        passage.insert(note(0, DrumClass::Snare));
        passage.insert(note(1000, DrumClass::Snare));
        let bytes = midi_file(&passage, ALL, &NoteMapField::default());
        let smf = Smf::parse(&bytes).unwrap();
        let kinds: Vec<bool> = smf.tracks[0]
            .iter()
            .filter_map(|event| match event.kind {
                TrackEventKind::Midi { message, .. } => {
                    Some(matches!(message, MidiMessage::NoteOn { .. }))
                }
                _ => None,
            })
            .collect();
        assert_eq!(kinds, [true, false, true, false]);
    }

    #[test]
    fn names_are_never_reused_and_errors_name_the_path() {
        let folder = std::env::temp_dir().join(format!("hitscribe-export-{}", std::process::id()));
        let first = save(&folder, "Übung 1", b"a").unwrap();
        let second = save(&folder, "Übung 1", b"b").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read(&first).unwrap(), b"a");
        let error = save(&first, "x", b"c").unwrap_err();
        assert!(error.contains("Übung 1.mid"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
