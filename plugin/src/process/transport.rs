//! Where the sound of a block lies on the host's timeline.
//!
//! Hosts that compensate latency hand the audio of a track over ahead of time. They tell the position
//! of the sound that they hand over; Ardour, since version 6, tells that of the sound which leaves the
//! plugin meanwhile, earlier by the plugin's own latency.

use std::path::Path;

use hitscribe_live::TransportState;
use hitscribe_live::take::{HostBar, TempoChange};
use nice_plug::prelude::Transport;

/// Which sound the host means when it tells a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionOf {
    /// What it hands over.
    Input,
    /// What it gets back.
    Output,
}

impl PositionOf {
    /// What the host of this process means. Hosts do not say it: they are known by the program that
    /// runs. Not for the audio thread.
    pub fn this_host() -> Self {
        std::env::current_exe().map_or(Self::Input, |program| Self::program(&program))
    }

    /// Ardour and what is made of it, by the names of the program and the two folders around it:
    /// `/usr/lib/ardour7/luasession`, `/opt/Mixbus-9.2/bin/mixbus9`.
    fn program(path: &Path) -> Self {
        let is_ardour = |part: &Path| {
            let name = part.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_lowercase();
            ["ardour", "hardour", "mixbus", "livetrax"]
                .iter()
                .any(|known| name.starts_with(known))
        };
        if path.ancestors().take(3).any(is_ardour) {
            Self::Output
        } else {
            Self::Input
        }
    }
}

/// What the host tells at the start of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostTransport {
    /// The transport.
    pub time: TransportState,
    /// Start and end of the loop in quarter notes, if the host loops.
    pub loop_beats: Option<(f64, f64)>,
}

/// Where the sound of a block lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// At its first frame.
    pub start: TransportState,
    /// The frame from which on it lies elsewhere, and where: the loop starts anew within the block.
    pub loop_wrap: Option<(usize, TransportState)>,
}

impl HostTransport {
    /// Takes over what the framework knows. Real-time safe.
    pub fn new(transport: &Transport) -> Self {
        let meter = transport
            .time_sig_numerator
            .zip(transport.time_sig_denominator)
            .and_then(|(beats, unit)| {
                Some((
                    u8::try_from(beats).ok()?.max(1),
                    u8::try_from(unit).ok()?.max(1),
                ))
            });
        let time = TransportState {
            playing: transport.playing,
            // Beats and tempo say nothing about samples where the tempo changes: only what the host
            // counts in samples or seconds is taken.
            position_samples: transport.pos_samples.or_else(|| {
                let samples = transport.pos_seconds? * f64::from(transport.sample_rate);
                Some(samples.round() as i64)
            }),
            position_beats: transport.pos_beats,
            tempo_bpm: transport
                .tempo
                .filter(|tempo| tempo.is_finite() && *tempo > 0.0),
            meter,
            bar: meter.and_then(|meter| bar_line(transport, meter)),
        };
        Self {
            time,
            loop_beats: transport.loop_range_beats,
        }
    }

    /// The place of a block of `frames` frames whose sound lies `ahead_frames` after the position that
    /// the host tells: around the end of a loop where there is one. Beats between the two places count
    /// at the tempo that the host tells. Real-time safe.
    pub fn place(&self, ahead_frames: u64, frames: usize, sample_rate_hz: f64) -> Place {
        let here = Place {
            start: self.time,
            loop_wrap: None,
        };
        if ahead_frames == 0 || !self.time.playing {
            return here;
        }
        let ahead = ahead_frames as i64;
        let beats_per_frame = self.time.tempo_bpm.map(|bpm| bpm / 60.0 / sample_rate_hz);
        let after = |frames: i64| TransportState {
            position_samples: self
                .time
                .position_samples
                .map(|at| at.saturating_add(frames)),
            position_beats: self
                .time
                .position_beats
                .zip(beats_per_frame)
                .map(|(beats, per_frame)| beats + frames as f64 * per_frame),
            ..self.time
        };
        let straight = Place {
            start: after(ahead),
            loop_wrap: None,
        };
        let (Some((from, to)), Some(beats), Some(per_frame)) =
            (self.loop_beats, self.time.position_beats, beats_per_frame)
        else {
            return straight;
        };
        let length = ((to - from) / per_frame).round() as i64;
        let to_end = ((to - beats) / per_frame).round() as i64;
        // Past its end, or without a length, a loop is none.
        if to_end <= 0 || length <= 0 {
            return straight;
        }
        let turns = (ahead - to_end).div_euclid(length) + 1;
        let ahead = ahead - turns.max(0) * length;
        let left = to_end - ahead;
        let turn = usize::try_from(left).ok().filter(|left| *left < frames);
        Place {
            start: after(ahead),
            loop_wrap: turn.map(|left| (left, after(to_end - length))),
        }
    }
}

/// The bar line at or before the position in the host's own words, not in those of the framework, which
/// takes the present meter for that of all the time before. Nothing where the words make no sense: hosts
/// that know nothing of bars tell zeros. Real-time safe.
fn bar_line(transport: &Transport, (beats_per_bar, beat_unit): (u8, u8)) -> Option<HostBar> {
    /// Hosts round, and tell of a bar line with the block that it lies in.
    const TOLERANCE_BEATS: f64 = 0.25;
    let meter = TempoChange {
        beats_per_bar,
        beat_unit,
        ..TempoChange::default()
    };
    let start_beats = transport.bar_start_pos_beats?;
    let since_beats = transport.pos_beats? - start_beats;
    if !(-TOLERANCE_BEATS..meter.bar_beats() + TOLERANCE_BEATS).contains(&since_beats) {
        return None;
    }
    // The bar at the start of the timeline has the number 0, and no other has.
    let is_first = start_beats.abs() < TOLERANCE_BEATS;
    Some(HostBar {
        start_beats,
        number: transport
            .bar_number
            .filter(|number| (*number == 0) == is_first),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 120 quarters per minute and 48 kHz: a quarter is 24,000 frames.
    fn told(beats: f64, loop_beats: Option<(f64, f64)>) -> HostTransport {
        HostTransport {
            time: TransportState {
                playing: true,
                position_samples: Some((beats * 24_000.0).round() as i64),
                position_beats: Some(beats),
                tempo_bpm: Some(120.0),
                meter: Some((4, 4)),
                bar: None,
            },
            loop_beats,
        }
    }

    fn samples(time: TransportState) -> i64 {
        let samples = time.position_samples.unwrap();
        let beats = time.position_beats.unwrap();
        assert!((beats * 24_000.0 - samples as f64).abs() < 1e-3);
        samples
    }

    #[test]
    fn the_hosts_that_tell_the_position_of_what_they_get_back_are_known() {
        for program in [
            "/usr/lib/ardour7/luasession",
            "/usr/lib/ardour7/ardour-7.3.0~ds0",
            "/opt/Ardour-8.4.0/bin/luasession",
            "/opt/Mixbus-9.2/bin/mixbus9",
            "/Applications/Ardour8.app/Contents/MacOS/Ardour8",
        ] {
            assert_eq!(
                PositionOf::program(Path::new(program)),
                PositionOf::Output,
                "{program}"
            );
        }
        for program in [
            "/opt/REAPER/reaper",
            "/home/ardour/daws/x/bin/bitwig-studio",
            "/",
        ] {
            assert_eq!(PositionOf::program(Path::new(program)), PositionOf::Input);
        }
    }

    #[test]
    fn the_hosts_own_bar_line_is_taken_where_it_makes_sense() {
        let told = |beats, start, number| {
            let mut transport = Transport::new(48_000.0);
            transport.time_sig_numerator = Some(4);
            transport.time_sig_denominator = Some(4);
            transport.pos_beats = Some(beats);
            transport.bar_start_pos_beats = start;
            transport.bar_number = number;
            HostTransport::new(&transport).time.bar
        };
        let bar = |start_beats, number| {
            Some(HostBar {
                start_beats,
                number,
            })
        };
        // After a bar of three beats.
        assert_eq!(told(8.5, Some(7.0), Some(2)), bar(7.0, Some(2)));
        assert_eq!(told(8.5, Some(7.0), None), bar(7.0, None));
        assert_eq!(told(6.99, Some(7.0), Some(2)), bar(7.0, Some(2)));
        assert_eq!(told(-1.0, Some(-4.0), Some(-1)), bar(-4.0, Some(-1)));
        assert_eq!(told(1.0, Some(0.0), Some(0)), bar(0.0, Some(0)));
        // Zeros that mean nothing, and what the framework would make up.
        assert_eq!(told(8.5, Some(0.0), Some(0)), None);
        assert_eq!(told(8.5, Some(8.0), Some(0)), bar(8.0, None));
        assert_eq!(told(8.5, Some(f64::NAN), None), None);
        assert_eq!(told(8.5, None, None), None);
    }

    #[test]
    fn sound_lies_ahead_by_the_latency_while_the_transport_runs() {
        let told = told(-2.0, None);
        assert_eq!(told.place(0, 512, 48_000.0).start, told.time);
        let place = told.place(48_000, 512, 48_000.0);
        assert_eq!((samples(place.start), place.loop_wrap), (0, None));
        let mut stopped = told;
        stopped.time.playing = false;
        assert_eq!(stopped.place(48_000, 512, 48_000.0).start, stopped.time);
    }

    #[test]
    fn the_sound_is_in_the_next_round_of_a_loop_before_the_position_is() {
        // A loop of 4 beats from the fourth; the sound is two beats ahead.
        let place = |beats| told(beats, Some((4.0, 8.0))).place(48_000, 1_000, 48_000.0);
        assert_eq!(samples(place(5.0).start), 7 * 24_000);
        assert_eq!(samples(place(6.0).start), 4 * 24_000);
        assert_eq!(samples(place(7.5).start), 132_000);
        // The loop's end lies 600 frames into the block.
        let last = place(6.0 - 0.025);
        assert_eq!(samples(last.start), 8 * 24_000 - 600);
        let (frame, time) = last.loop_wrap.unwrap();
        assert_eq!((frame, samples(time)), (600, 4 * 24_000));
        assert_eq!(place(6.0).loop_wrap, None);
        assert_eq!(samples(place(9.0).start), 11 * 24_000);
    }

    #[test]
    fn a_loop_shorter_than_the_latency_is_gone_through_more_than_once() {
        let place = told(4.25, Some((4.0, 4.5))).place(48_000, 100, 48_000.0);
        assert_eq!(samples(place.start), 102_000);
    }
}
