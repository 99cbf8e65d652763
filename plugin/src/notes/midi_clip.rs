//! Writes passages of a take as standard MIDI files that start on a bar line of the host.

use hitscribe_core::note::PlacedNote;
use hitscribe_live::take::{Detection, Passage, TakeNote};
use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};

use crate::notes::mapper::{MappedNote, NoteMapper, PreMessage, Shaping};
use crate::notes::note_map::NoteMapField;
use crate::notes::quantize::Quantize;
use crate::notes::selection::Selection;

/// Ticks of a quarter note.
const TICKS_PER_QUARTER: u16 = 960;
/// The largest delta time of a MIDI file.
const MAX_DELTA: u64 = (1 << 28) - 1;

/// How notes become MIDI.
#[derive(Clone, Copy)]
pub struct ClipSettings<'a> {
    /// Key, channel and limits of each drum.
    pub map: &'a NoteMapField,
    /// Velocity curve, flams and hi-hat pedal, as in live output.
    pub shaping: Shaping,
    /// Quantization, in exports only.
    pub quantize: Quantize,
    /// How notes are selected from what was recorded.
    pub detection: Detection,
}

/// An event with its tick and its order among those of the same tick: 0 for meta events, 1 for
/// note-offs, 2 for messages before notes, 3 for note-ons.
type TimedEvent<'a> = (u64, u8, TrackEventKind<'a>);

/// The selected notes of a passage as a MIDI file (format 0). Tick 0 is the start of the bar in
/// which the selection starts, so that a clip that is dropped on a bar line is in time. Tempo and
/// meter are those of the host.
pub fn midi_file(passage: &Passage, selection: &Selection, settings: &ClipSettings<'_>) -> Vec<u8> {
    let taken = passage.resolve(&settings.detection);
    let start_frames = selection.start_frames(passage, &taken);
    let bar_beats = passage.bar_at(start_frames).start_beats;
    let notes = mapped_notes(passage, &taken, selection, settings);
    let name = TrackEventKind::Meta(MetaMessage::TrackName(b"Hitscribe"));
    let mut events = vec![(0, 0, name)];
    add_tempo(&mut events, passage, selection, bar_beats);
    add_notes(&mut events, passage, &notes, settings.quantize, bar_beats);
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
    let end = end_tick(passage, selection, bar_beats).max(last);
    track.push(TrackEvent {
        delta: u28::new((end - last).min(MAX_DELTA) as u32),
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

/// Where a clip ends: at the bar line after the passage or the selected part of it, so that a clip
/// of whole bars loops. Hosts stop a block after a bar line, which does not begin another bar.
fn end_tick(passage: &Passage, selection: &Selection, bar_beats: f64) -> u64 {
    const LATE_BEATS: f64 = 0.1;
    let selected = selection
        .frames
        .as_ref()
        .map_or(u64::MAX, |frames| frames.end);
    let end_frames = passage.length_frames.min(selected);
    let bar = passage.bar_at(end_frames);
    let is_at_line = passage.beats_at(end_frames) - bar.start_beats < LATE_BEATS;
    let end_beats = match is_at_line && bar.start_beats > bar_beats {
        true => bar.start_beats,
        false => bar.start_beats + bar.length_beats,
    };
    ticks(end_beats - bar_beats)
}

fn ticks(beats: f64) -> u64 {
    (beats * f64::from(TICKS_PER_QUARTER)).round().max(0.0) as u64
}

fn add_tempo(
    events: &mut Vec<TimedEvent<'_>>,
    passage: &Passage,
    selection: &Selection,
    bar_beats: f64,
) {
    let frames = selection.frames.clone().unwrap_or(0..u64::MAX);
    let first_change = passage
        .tempo
        .iter()
        .rposition(|change| change.offset_frames <= frames.start)
        .unwrap_or(0);
    let mut last_meter = None;
    for (index, change) in passage.tempo.iter().enumerate().skip(first_change) {
        if change.offset_frames >= frames.end {
            break;
        }
        let at = if index == first_change {
            0
        } else {
            ticks(passage.beats_at(change.offset_frames) - bar_beats)
        };
        let micros = (60_000_000.0 / change.bpm)
            .round()
            .clamp(1.0, f64::from((1 << 24) - 1));
        let tempo = MetaMessage::Tempo(u24::new(micros as u32));
        events.push((at, 0, TrackEventKind::Meta(tempo)));
        let meter = (change.beats_per_bar.max(1), change.beat_unit.max(1));
        if last_meter.replace(meter) != Some(meter) {
            let unit = meter.1.ilog2() as u8;
            let meter = MetaMessage::TimeSignature(meter.0, unit, 24, 8);
            events.push((at, 0, TrackEventKind::Meta(meter)));
        }
    }
}

fn add_notes(
    events: &mut Vec<TimedEvent<'_>>,
    passage: &Passage,
    notes: &[(TakeNote, MappedNote)],
    quantize: Quantize,
    bar_beats: f64,
) {
    let start_of = |note: &PlacedNote| {
        let beats = passage.beats_at(note.onset_samples) - bar_beats;
        ticks(quantize.apply(beats))
    };
    for (index, (TakeNote { note, .. }, mapped)) in notes.iter().enumerate() {
        let start = start_of(note);
        let length_beats = passage.beats_at(note.onset_samples + note.length_samples)
            - passage.beats_at(note.onset_samples);
        let own_end = start + ticks(length_beats).max(1);
        // A note ends where the same key starts again.
        let next = notes[index + 1..]
            .iter()
            .find(|(_, other)| other.destination == mapped.destination);
        let end = next.map_or(own_end, |(next, _)| own_end.min(start_of(&next.note)));
        if end <= start {
            continue;
        }
        let channel = u4::new(mapped.destination.channel & 15);
        let event = |message| TrackEventKind::Midi { channel, message };
        let key = u7::new(mapped.destination.key & 127);
        let vel = u7::new(mapped.velocity & 127);
        if let Some(pre_message) = mapped.pre_message {
            events.push((start, 2, event(midi_message(pre_message))));
        }
        events.push((start, 3, event(MidiMessage::NoteOn { key, vel })));
        let vel = u7::new(0);
        events.push((end, 1, event(MidiMessage::NoteOff { key, vel })));
    }
}

/// The selected notes of a passage and how they are sent, without those that are dropped.
pub fn mapped_notes(
    passage: &Passage,
    taken: &[TakeNote],
    selection: &Selection,
    settings: &ClipSettings<'_>,
) -> Vec<(TakeNote, MappedNote)> {
    let mut mapper = NoteMapper::new(passage.sample_rate_hz);
    let mut notes: Vec<(TakeNote, MappedNote)> = Vec::new();
    for taken in taken.iter().filter(|taken| selection.contains(taken)) {
        let (map, shaping) = (settings.map, &settings.shaping);
        let Some(mapped) = mapper.map(map, shaping, &taken.note, taken.is_edited) else {
            continue;
        };
        if mapped.replaces_grace
            && let Some(grace) = notes
                .iter()
                .rposition(|(_, other)| other.destination == mapped.destination)
        {
            notes.remove(grace);
        }
        notes.push((*taken, mapped));
    }
    notes
}

fn midi_message(pre_message: PreMessage) -> MidiMessage {
    match pre_message {
        PreMessage::Control(controller, value) => MidiMessage::Controller {
            controller: u7::new(controller & 127),
            value: u7::new(value & 127),
        },
        PreMessage::Program(program) => MidiMessage::ProgramChange {
            program: u7::new(program & 127),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::DrumClass;
    use hitscribe_core::note::Note;
    use hitscribe_live::MarkedNote;
    use hitscribe_live::take::{HostBar, TempoChange};

    fn note(onset_samples: u64, class: DrumClass) -> MarkedNote {
        let hit = Note::drum(class, 0.0, 100, 1.0);
        MarkedNote {
            note: PlacedNote {
                onset_samples,
                ..PlacedNote::from_note(&hit, 48_000)
            },
            is_leakage: false,
        }
    }

    const ALL: Selection = Selection {
        without_leakage: true,
        class: None,
        frames: None,
    };

    fn file(passage: &Passage, selection: &Selection) -> Vec<u8> {
        let settings = ClipSettings {
            map: &NoteMapField::default(),
            shaping: Shaping::default(),
            quantize: Quantize::OFF,
            detection: Detection::default(),
        };
        midi_file(passage, selection, &settings)
    }

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
    fn notes_are_on_the_hosts_grid_and_follow_its_tempo() {
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
        let bytes = file(&passage, &ALL);
        // Beat 5 of a 4/4 grid is one beat into its bar.
        let ticks: Vec<u64> = onsets(&bytes).iter().map(|(tick, _)| *tick).collect();
        assert_eq!(ticks, [960, 1920, 2880, 3840]);
    }

    #[test]
    fn a_clip_ends_at_the_bar_line_after_the_passage() {
        let ticks = |length_frames, frames| {
            let mut passage = Passage::new(48_000.0);
            passage.host_start_beats = Some(4.0);
            passage.length_frames = length_frames;
            passage.insert(note(0, DrumClass::Kick));
            let bytes = file(&passage, &Selection { frames, ..ALL });
            let smf = Smf::parse(&bytes).unwrap();
            let deltas = smf.tracks[0].iter().map(|event| event.delta.as_int());
            deltas.sum::<u32>()
        };
        // Bars of two seconds and 3840 ticks; hosts stop within a block.
        assert_eq!(ticks(16 * 24_000, None), 4 * 3_840);
        assert_eq!(ticks(16 * 24_000 + 1_000, None), 4 * 3_840);
        assert_eq!(ticks(16 * 24_000 - 1_000, None), 4 * 3_840);
        assert_eq!(ticks(13 * 24_000, None), 4 * 3_840);
        assert_eq!(ticks(1_000, None), 3_840);
        assert_eq!(ticks(16 * 24_000, Some(0..5 * 24_000)), 2 * 3_840);
    }

    #[test]
    fn a_clip_starts_on_the_hosts_bar_line_after_an_odd_bar() {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(8.0);
        passage.host_bar = Some(HostBar {
            start_beats: 7.0,
            number: Some(2),
        });
        passage.insert(note(0, DrumClass::Kick));
        assert_eq!(onsets(&file(&passage, &ALL)), [(960, 36)]);
    }

    #[test]
    fn a_selection_limits_the_classes_and_filters_leakage() {
        let mut passage = Passage::new(48_000.0);
        passage.insert(note(0, DrumClass::Kick));
        passage.insert(note(100, DrumClass::Snare));
        let mut leaked = note(200, DrumClass::Kick);
        (leaked.note.is_drum, leaked.note.pitch, leaked.is_leakage) = (false, 60, true);
        passage.insert(leaked);
        let keys = |selection| -> Vec<u8> {
            onsets(&file(&passage, &selection))
                .iter()
                .map(|(_, key)| *key)
                .collect()
        };
        assert_eq!(keys(ALL), [36, 38]);
        assert_eq!(
            keys(Selection {
                without_leakage: false,
                ..ALL
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
    fn a_repeated_key_ends_before_it_starts_again() {
        let mut passage = Passage::new(48_000.0);
        passage.insert(note(0, DrumClass::Snare));
        passage.insert(note(1000, DrumClass::Snare));
        let bytes = file(&passage, &ALL);
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
    fn a_part_of_a_passage_starts_with_its_own_bar_and_tempo() {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(2.0);
        passage.change_tempo(TempoChange {
            bpm: 60.0,
            ..TempoChange::default()
        });
        passage.change_tempo(TempoChange {
            offset_frames: 96_000,
            bpm: 120.0,
            ..Default::default()
        });
        // Bars of four beats start at 2, 4 and 6 seconds of the passage.
        for frames in [0, 100_000, 204_000, 400_000] {
            passage.insert(note(frames, DrumClass::Kick));
        }
        let part = Selection {
            frames: Some(192_000..300_000),
            ..ALL
        };
        let bytes = file(&passage, &part);
        assert_eq!(onsets(&bytes), [(480, 36)]);
        let smf = Smf::parse(&bytes).unwrap();
        let tempi: Vec<u32> = smf.tracks[0]
            .iter()
            .filter_map(|event| match event.kind {
                TrackEventKind::Meta(MetaMessage::Tempo(micros)) => Some(micros.as_int()),
                _ => None,
            })
            .collect();
        assert_eq!(tempi, [500_000]);
    }

    #[test]
    fn exports_are_quantized_and_without_grace_notes() {
        let mut passage = Passage::new(48_000.0);
        for (frames, velocity) in [(1_000, 60), (24_900, 40), (26_000, 110)] {
            let mut marked = note(frames, DrumClass::Snare);
            marked.note.velocity = velocity;
            passage.insert(marked);
        }
        let settings = ClipSettings {
            map: &NoteMapField::default(),
            shaping: Shaping {
                no_flams: true,
                ..Shaping::default()
            },
            quantize: Quantize {
                grid: crate::notes::quantize::Grid::Eighth,
                ..Quantize::OFF
            },
            detection: Detection::default(),
        };
        let bytes = midi_file(&passage, &ALL, &settings);
        assert_eq!(onsets(&bytes), [(0, 38), (960, 38)]);
        assert_eq!(onsets(&file(&passage, &ALL)).len(), 3);
    }
}
