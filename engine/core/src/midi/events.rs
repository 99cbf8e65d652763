//! The events of standard MIDI files, as far as notes depend on them.
//!
//! What the specification forbids but programs write is read where its meaning is clear: realtime
//! messages within tracks, running status after a meta event. Everything else that is wrong is an
//! error: part of a file must not be taken for all of it.

/// The events of a file.
#[derive(Debug)]
pub(super) struct File {
    pub division: Division,
    /// By track, in order of their ticks.
    pub tracks: Vec<Vec<(u64, Event)>>,
}

/// The unit of ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Division {
    TicksPerQuarter(u16),
    TicksPerSecond(f64),
}

/// An event that notes depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Program {
        channel: u8,
        program: u8,
    },
    /// Velocity 0 is a note-off.
    Note {
        channel: u8,
        key: u8,
        velocity: u8,
    },
    /// Microseconds per quarter note.
    Tempo(u32),
    /// Beats in a bar, and the note value of a beat as a power of two.
    Meter(u8, u8),
}

/// Reads the events of a file. The error says what is wrong.
pub(super) fn parse(bytes: &[u8]) -> Result<File, String> {
    let bytes = without_riff(bytes);
    let not_midi = || "is not a MIDI file, or is damaged".to_owned();
    let (name, header, mut rest) = chunk(bytes).ok_or_else(not_midi)?;
    let (b"MThd", &[_, _, tracks_high, tracks_low, high, low, ..]) = (&name, header) else {
        return Err(not_midi());
    };
    let division = match (high, low) {
        (0x80.., ticks_per_frame) => {
            let frames_per_second = match (high as i8).unsigned_abs() {
                29 => 30_000.0 / 1_001.0,
                frames => f64::from(frames),
            };
            Division::TicksPerSecond(frames_per_second * f64::from(ticks_per_frame))
        }
        _ => Division::TicksPerQuarter(u16::from_be_bytes([high, low])),
    };
    let stated = usize::from(u16::from_be_bytes([tracks_high, tracks_low]));
    let mut tracks = Vec::new();
    while let Some((name, body, after)) = chunk(rest) {
        if &name == b"MTrk" {
            let number = tracks.len() + 1;
            let is_cut_off = body.len() < size(rest);
            match Track::new(body).events() {
                Ok((events, has_end)) if has_end || !is_cut_off => tracks.push(events),
                Err(reason) if !is_cut_off => {
                    return Err(format!("is damaged: in track {number}, {reason}"));
                }
                _ => return Err(format!("is cut off in track {number}")),
            }
        }
        rest = after;
    }
    if tracks.len() < stated {
        let found = tracks.len();
        return Err(format!(
            "is damaged or cut off: it states {stated} tracks and has {found}"
        ));
    }
    Ok(File { division, tracks })
}

/// A MIDI file in a RIFF file is its first chunk.
fn without_riff(bytes: &[u8]) -> &[u8] {
    let is_riff = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"RMID");
    match bytes.get(20..) {
        Some(inner) if is_riff => inner,
        _ => bytes,
    }
}

/// Stated size of the chunk at the start of `bytes`.
fn size(bytes: &[u8]) -> usize {
    let size = bytes.get(4..8).map_or([0; 4], |s| [s[0], s[1], s[2], s[3]]);
    u32::from_be_bytes(size) as usize
}

/// Name and body of the chunk at the start of `bytes`, and what follows it. The last body may be
/// shorter than stated.
fn chunk(bytes: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let name = bytes.get(..4)?;
    let body = bytes.get(8..)?;
    let (body, rest) = body.split_at(size(bytes).min(body.len()));
    Some(([name[0], name[1], name[2], name[3]], body, rest))
}

/// Reads the events of a track.
struct Track<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Track<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The events, and whether the track has its end.
    fn events(mut self) -> Result<(Vec<(u64, Event)>, bool), String> {
        let mut events = Vec::new();
        let mut tick = 0_u64;
        // Of the last message of a channel; other messages do not change it.
        let mut running = None;
        while self.position < self.bytes.len() {
            tick += u64::from(self.variable()?);
            let first = self.byte()?;
            let event = match first {
                0xff => {
                    let kind = self.byte()?;
                    let length = self.variable()? as usize;
                    match (kind, self.take(length)?) {
                        (0x2f, _) => return Ok((events, true)),
                        (0x51, &[high, middle, low]) => {
                            Some(Event::Tempo(u32::from_be_bytes([0, high, middle, low])))
                        }
                        (0x58, &[beats, unit, ..]) => Some(Event::Meter(beats, unit)),
                        _ => None,
                    }
                }
                0xf0 | 0xf7 => {
                    let length = self.variable()? as usize;
                    self.take(length)?;
                    None
                }
                // System messages, which belong to cables.
                0xf1 | 0xf3 => self.take(1).map(|_| None)?,
                0xf2 => self.take(2).map(|_| None)?,
                0xf6 | 0xf8.. => None,
                0xf4 | 0xf5 => return Err(self.wrong(&format!("undefined status {first:#04x}"))),
                0x80.. => {
                    running = Some(first);
                    let key = self.data()?;
                    self.message(first, key)?
                }
                _ => {
                    let Some(status) = running else {
                        return Err(self.wrong("data without a status"));
                    };
                    self.message(status, first)?
                }
            };
            events.extend(event.map(|event| (tick, event)));
        }
        Ok((events, false))
    }

    /// The rest of a message of a channel after its first data byte.
    fn message(&mut self, status: u8, first: u8) -> Result<Option<Event>, String> {
        let channel = status & 0x0f;
        if first > 127 {
            return Err(self.wrong(&format!("the value {first}, above 127")));
        }
        Ok(match status >> 4 {
            0xc => Some(Event::Program {
                channel,
                program: first,
            }),
            0xd => None,
            kind => {
                let second = self.data()?;
                if second > 127 {
                    return Err(self.wrong(&format!("the value {second}, above 127")));
                }
                match kind {
                    0x8 => Some((first, 0)),
                    0x9 => Some((first, second)),
                    _ => None,
                }
                .map(|(key, velocity)| Event::Note {
                    channel,
                    key,
                    velocity,
                })
            }
        })
    }

    /// A data byte. Realtime messages may lie within others.
    fn data(&mut self) -> Result<u8, String> {
        loop {
            match self.byte()? {
                0xf8.. => {}
                byte => return Ok(byte),
            }
        }
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let bytes = self.bytes[self.position..].get(..length);
        let bytes = bytes.ok_or_else(|| self.wrong("an event that is longer than the track"))?;
        self.position += length;
        Ok(bytes)
    }

    /// A number of up to four bytes of seven bits.
    fn variable(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..4 {
            let byte = self.byte()?;
            value = value << 7 | u32::from(byte & 0x7f);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number of more than four bytes"))
    }

    fn wrong(&self, what: &str) -> String {
        format!("byte {}: {what}", self.position)
    }
}
