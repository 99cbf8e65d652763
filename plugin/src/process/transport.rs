//! The position of a block's audio on the host's timeline.
//!
//! With latency compensation, a plugin gets its audio ahead of time. Most hosts report the position
//! of the plugin's input; Ardour 6 and later report that of its output, which is earlier by the
//! plugin's own latency.

use std::path::Path;

use hitscribe_live::TransportState;
use hitscribe_live::take::{HostBar, TempoChange};
use nice_plug::prelude::Transport;

/// Which audio the reported position refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionReference {
    /// The plugin's input.
    Input,
    /// The plugin's output.
    Output,
}

impl PositionReference {
    /// The reference of this process's host, recognised by the path of its program, because hosts
    /// do not report it. Not for the audio thread.
    pub fn of_this_host() -> Self {
        std::env::current_exe().map_or(Self::Input, |program| Self::of_program(&program))
    }

    /// Recognises Ardour and its derivatives by the names of the program and the two folders above
    /// it: `/usr/lib/ardour7/luasession`, `/opt/Mixbus-9.2/bin/mixbus9`.
    fn of_program(path: &Path) -> Self {
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

/// What the host reports at the start of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostTransport {
    /// The transport.
    pub time: TransportState,
    /// Start and end of the loop in quarter notes, if the host loops.
    pub loop_beats: Option<(f64, f64)>,
}

/// The position of a block's audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockPosition {
    /// Position of the first frame.
    pub start: TransportState,
    /// If the loop wraps around within the block: the first frame after that, and its position.
    pub loop_wrap: Option<(usize, TransportState)>,
}

impl HostTransport {
    /// Reads the framework's transport. Real-time safe.
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
            // Samples cannot be derived from beats where the tempo changes.
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

    /// The position of a block of `frames` frames whose audio is `ahead_frames` later than the
    /// reported position, wrapped around the end of the loop. Beats follow from the reported tempo.
    /// Real-time safe.
    pub fn audio_position(
        &self,
        ahead_frames: u64,
        frames: usize,
        sample_rate_hz: f64,
    ) -> BlockPosition {
        let reported = BlockPosition {
            start: self.time,
            loop_wrap: None,
        };
        if ahead_frames == 0 || !self.time.playing {
            return reported;
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
        let unwrapped = BlockPosition {
            start: after(ahead),
            loop_wrap: None,
        };
        let (Some((from, to)), Some(beats), Some(per_frame)) =
            (self.loop_beats, self.time.position_beats, beats_per_frame)
        else {
            return unwrapped;
        };
        let length = ((to - from) / per_frame).round() as i64;
        let to_end = ((to - beats) / per_frame).round() as i64;
        // A loop has no effect without a length or behind its end.
        if to_end <= 0 || length <= 0 {
            return unwrapped;
        }
        let wraps = (ahead - to_end).div_euclid(length) + 1;
        let ahead = ahead - wraps.max(0) * length;
        let until_wrap = usize::try_from(to_end - ahead).ok();
        let wrap_frame = until_wrap.filter(|frame| *frame < frames);
        BlockPosition {
            start: after(ahead),
            loop_wrap: wrap_frame.map(|frame| (frame, after(to_end - length))),
        }
    }
}

/// The host's bar line at or before the position. The framework's own bar calculation assumes that
/// the current meter has always applied, so it is not used. None for implausible values: hosts
/// without bars report zeros. Real-time safe.
fn bar_line(transport: &Transport, (beats_per_bar, beat_unit): (u8, u8)) -> Option<HostBar> {
    /// Hosts round, and some report a bar line with the block that contains it.
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
    // Only the bar at the start of the timeline has the number 0.
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
    fn transport_at(beats: f64, loop_beats: Option<(f64, f64)>) -> HostTransport {
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
    fn ardour_and_its_derivatives_are_recognised() {
        for program in [
            "/usr/lib/ardour7/luasession",
            "/usr/lib/ardour7/ardour-7.3.0~ds0",
            "/opt/Ardour-8.4.0/bin/luasession",
            "/opt/Mixbus-9.2/bin/mixbus9",
            "/Applications/Ardour8.app/Contents/MacOS/Ardour8",
        ] {
            assert_eq!(
                PositionReference::of_program(Path::new(program)),
                PositionReference::Output,
                "{program}"
            );
        }
        for program in [
            "/opt/REAPER/reaper",
            "/home/ardour/daws/x/bin/bitwig-studio",
            "/",
        ] {
            assert_eq!(
                PositionReference::of_program(Path::new(program)),
                PositionReference::Input
            );
        }
    }

    #[test]
    fn only_a_plausible_bar_line_is_used() {
        let bar_line = |beats, start, number| {
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
        assert_eq!(bar_line(8.5, Some(7.0), Some(2)), bar(7.0, Some(2)));
        assert_eq!(bar_line(8.5, Some(7.0), None), bar(7.0, None));
        assert_eq!(bar_line(6.99, Some(7.0), Some(2)), bar(7.0, Some(2)));
        assert_eq!(bar_line(-1.0, Some(-4.0), Some(-1)), bar(-4.0, Some(-1)));
        assert_eq!(bar_line(1.0, Some(0.0), Some(0)), bar(0.0, Some(0)));
        // Zeros of hosts without bars, and values that contradict each other.
        assert_eq!(bar_line(8.5, Some(0.0), Some(0)), None);
        assert_eq!(bar_line(8.5, Some(8.0), Some(0)), bar(8.0, None));
        assert_eq!(bar_line(8.5, Some(f64::NAN), None), None);
        assert_eq!(bar_line(8.5, None, None), None);
    }

    #[test]
    fn the_audio_is_ahead_by_the_latency_while_the_transport_runs() {
        let transport = transport_at(-2.0, None);
        let reported = transport.audio_position(0, 512, 48_000.0);
        assert_eq!(reported.start, transport.time);
        let position = transport.audio_position(48_000, 512, 48_000.0);
        assert_eq!((samples(position.start), position.loop_wrap), (0, None));
        let mut stopped = transport;
        stopped.time.playing = false;
        let position = stopped.audio_position(48_000, 512, 48_000.0);
        assert_eq!(position.start, stopped.time);
    }

    #[test]
    fn the_audio_wraps_around_the_loop_before_the_position_does() {
        // A loop of 4 beats from beat 4; the audio is two beats ahead.
        let position =
            |beats| transport_at(beats, Some((4.0, 8.0))).audio_position(48_000, 1_000, 48_000.0);
        assert_eq!(samples(position(5.0).start), 7 * 24_000);
        assert_eq!(samples(position(6.0).start), 4 * 24_000);
        assert_eq!(samples(position(7.5).start), 132_000);
        // The loop ends 600 frames into the block.
        let last = position(6.0 - 0.025);
        assert_eq!(samples(last.start), 8 * 24_000 - 600);
        let (frame, time) = last.loop_wrap.unwrap();
        assert_eq!((frame, samples(time)), (600, 4 * 24_000));
        assert_eq!(position(6.0).loop_wrap, None);
        assert_eq!(samples(position(9.0).start), 11 * 24_000);
    }

    #[test]
    fn a_loop_shorter_than_the_latency_wraps_more_than_once() {
        let transport = transport_at(4.25, Some((4.0, 4.5)));
        let position = transport.audio_position(48_000, 100, 48_000.0);
        assert_eq!(samples(position.start), 102_000);
    }
}
