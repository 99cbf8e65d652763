//! Hearing what was transcribed: the notes, played on the built-in procedural kit.
//!
//! The sound is rendered on a thread of its own and mixed to the audio by the audio thread, which
//! neither allocates nor frees it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use hitscribe_core::DrumClass;
use hitscribe_core::audio::demo_kit;

/// Longest sound, in seconds.
const LONGEST_SECONDS: f64 = 600.0;
/// Level of the kit: below full scale where several drums meet.
const GAIN: f32 = 0.4;
/// Velocities of one sound: finer steps cannot be heard.
const VELOCITY_STEP: u8 = 8;

/// A note to be heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Struck {
    /// Seconds from the start of the sound.
    pub at_seconds: f64,
    /// Length of a pitched note in seconds.
    pub length_seconds: f64,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity.
    pub velocity: u8,
}

/// What the editor and the audio thread share.
pub struct Audition {
    rendered: ArrayQueue<Vec<f32>>,
    worn: ArrayQueue<Vec<f32>>,
    is_playing: AtomicBool,
    played_frames: AtomicU64,
}

impl Default for Audition {
    fn default() -> Self {
        Self {
            rendered: ArrayQueue::new(1),
            worn: ArrayQueue::new(2),
            is_playing: AtomicBool::new(false),
            played_frames: AtomicU64::new(0),
        }
    }
}

impl Audition {
    /// Plays these notes as soon as they are rendered. Not for the audio thread.
    pub fn play(self: &Arc<Self>, notes: Vec<Struck>, sample_rate_hz: u32) {
        let audition = self.clone();
        while self.worn.pop().is_some() {}
        self.played_frames.store(0, Ordering::Relaxed);
        self.is_playing.store(true, Ordering::Release);
        // Without a thread there is nothing to hear, and no harm.
        let spawned = std::thread::Builder::new()
            .name("hitscribe-audition".to_owned())
            .spawn(move || {
                drop(audition.rendered.force_push(render(&notes, sample_rate_hz)));
            });
        if spawned.is_err() {
            self.stop();
        }
    }

    /// Ends the sound.
    pub fn stop(&self) {
        self.is_playing.store(false, Ordering::Release);
    }

    /// Whether it plays, or will in a moment.
    pub fn is_playing(&self) -> bool {
        self.is_playing.load(Ordering::Acquire)
    }

    /// Frames that have been played.
    pub fn played_frames(&self) -> u64 {
        self.played_frames.load(Ordering::Relaxed)
    }
}

/// The audio thread's half. Allocates and frees nothing.
#[derive(Default)]
pub struct Player {
    sound: Option<Vec<f32>>,
    at: usize,
}

impl Player {
    /// Adds the next frames of the sound to a block, if there is one.
    pub fn mix(&mut self, audition: &Audition, channels: &mut [&mut [f32]]) {
        if let Some(new) = audition.rendered.pop() {
            self.put_away(audition);
            self.sound = Some(new);
            self.at = 0;
        }
        let Some(sound) = &self.sound else { return };
        let rest = &sound[self.at..];
        if rest.is_empty() || !audition.is_playing() {
            audition.stop();
            self.put_away(audition);
            return;
        }
        for channel in channels.iter_mut() {
            for (sample, added) in channel.iter_mut().zip(rest) {
                *sample += added;
            }
        }
        self.at += rest
            .len()
            .min(channels.first().map_or(0, |channel| channel.len()));
        audition
            .played_frames
            .store(self.at as u64, Ordering::Relaxed);
    }

    fn put_away(&mut self, audition: &Audition) {
        if let Some(worn) = self.sound.take()
            && let Err(worn) = audition.worn.push(worn)
        {
            // Freeing it here would take time. The shelf is emptied before each sound.
            std::mem::forget(worn);
        }
    }
}

/// The sound of these notes, mono.
fn render(notes: &[Struck], sample_rate_hz: u32) -> Vec<f32> {
    let rate = f64::from(sample_rate_hz);
    let mut drums: HashMap<(DrumClass, u8), Vec<f32>> = HashMap::new();
    let mut sound = Vec::new();
    for note in notes {
        if !(0.0..LONGEST_SECONDS).contains(&note.at_seconds) {
            continue;
        }
        let start = (note.at_seconds * rate) as usize;
        if !note.is_drum {
            add(&mut sound, start, &tone(note, rate));
        } else if let Some(class) = DrumClass::from_gm_note(note.key) {
            let velocity = (note.velocity / VELOCITY_STEP * VELOCITY_STEP).clamp(1, 127);
            let hit = drums
                .entry((class, velocity))
                .or_insert_with(|| demo_kit::hit(class, velocity, sample_rate_hz));
            add(&mut sound, start, hit);
        }
    }
    sound
}

fn add(sound: &mut Vec<f32>, start: usize, part: &[f32]) {
    let end = start + part.len();
    if sound.len() < end {
        sound.resize(end, 0.0);
    }
    for (sample, added) in sound[start..end].iter_mut().zip(part) {
        *sample += added * GAIN;
    }
}

/// A plain tone for a pitched note: three partials that fade.
fn tone(note: &Struck, rate: f64) -> Vec<f32> {
    const RELEASE_SECONDS: f64 = 0.05;
    let hz = 440.0 * ((f64::from(note.key) - 69.0) / 12.0).exp2();
    let length = note.length_seconds.clamp(0.05, 10.0);
    let level = f64::from(note.velocity) / 127.0 * 0.5;
    (0..((length + RELEASE_SECONDS) * rate) as usize)
        .map(|frame| {
            let seconds = frame as f64 / rate;
            let attack = (seconds / 0.004).min(1.0);
            let release = ((length + RELEASE_SECONDS - seconds) / RELEASE_SECONDS).clamp(0.0, 1.0);
            let wave: f64 = [1.0, 2.0, 3.0]
                .iter()
                .filter(|partial| hz * **partial < rate / 2.0)
                .map(|partial| {
                    (std::f64::consts::TAU * hz * partial * seconds).sin() / (partial * partial)
                })
                .sum();
            (wave * level * attack * release * (-1.5 * seconds).exp()) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KICK: Struck = Struck {
        at_seconds: 0.5,
        length_seconds: 0.1,
        is_drum: true,
        key: 36,
        velocity: 100,
    };

    #[test]
    fn notes_sound_where_they_lie() {
        let pitched = Struck {
            is_drum: false,
            key: 60,
            at_seconds: 2.0,
            ..KICK
        };
        let sound = render(&[KICK, pitched], 48_000);
        let loudest =
            |from: usize, to: usize| sound[from..to].iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert_eq!(loudest(0, 24_000), 0.0);
        assert!(loudest(24_000, 26_000) > 0.05);
        assert!(loudest(96_000, 100_000) > 0.05);
        assert!(
            sound
                .iter()
                .all(|sample| sample.is_finite() && sample.abs() < 1.0)
        );
    }

    #[test]
    fn the_player_adds_once_and_leaves_audio_alone_otherwise() {
        let audition = Arc::new(Audition::default());
        let mut player = Player::default();
        let block = |player: &mut Player| {
            let mut samples = vec![0.25f32; 64];
            player.mix(&audition, &mut [&mut samples]);
            samples
        };
        assert_eq!(block(&mut player), vec![0.25; 64]);
        assert!(audition.rendered.push(vec![0.5; 100]).is_ok());
        audition.is_playing.store(true, Ordering::Relaxed);
        assert_eq!(block(&mut player), vec![0.75; 64]);
        let second = block(&mut player);
        assert_eq!((second[35], second[36]), (0.75, 0.25));
        assert_eq!(block(&mut player), vec![0.25; 64]);
        assert!(!audition.is_playing());
        assert!(audition.rendered.push(vec![0.5; 100]).is_ok());
        assert_eq!(
            block(&mut player),
            vec![0.25; 64],
            "stopped before it began"
        );
    }
}
