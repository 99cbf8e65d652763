//! Preview: plays notes on the built-in synthetic kit.
//!
//! A background thread renders the sound. The audio thread mixes it into the output and neither
//! allocates nor frees memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use hitscribe_core::DrumClass;
use hitscribe_core::audio::demo_kit;

/// Longest preview, in seconds.
const LONGEST_SECONDS: f64 = 600.0;
/// Gain of the kit, low enough for several drums at once.
const GAIN: f32 = 0.4;
/// Velocities are rounded to multiples of this, so that rendered hits are reused.
const VELOCITY_STEP: u8 = 8;

/// A note of the preview.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PreviewNote {
    /// Onset in seconds from the start of the preview.
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

/// The preview, shared by the editor and the audio thread.
pub struct Preview {
    rendered: ArrayQueue<Vec<f32>>,
    retired: ArrayQueue<Vec<f32>>,
    is_playing: AtomicBool,
    played_frames: AtomicU64,
}

impl Default for Preview {
    fn default() -> Self {
        Self {
            rendered: ArrayQueue::new(1),
            retired: ArrayQueue::new(2),
            is_playing: AtomicBool::new(false),
            played_frames: AtomicU64::new(0),
        }
    }
}

impl Preview {
    /// Renders notes in the background, then plays them. Not for the audio thread.
    pub fn play(self: &Arc<Self>, notes: Vec<PreviewNote>, sample_rate_hz: u32) {
        let preview = self.clone();
        while self.retired.pop().is_some() {}
        self.played_frames.store(0, Ordering::Relaxed);
        self.is_playing.store(true, Ordering::Release);
        let spawned = std::thread::Builder::new()
            .name("hitscribe-preview".to_owned())
            .spawn(move || {
                drop(preview.rendered.force_push(render(&notes, sample_rate_hz)));
            });
        if spawned.is_err() {
            self.stop();
        }
    }

    /// Stops the preview. Real-time safe.
    pub fn stop(&self) {
        self.is_playing.store(false, Ordering::Release);
    }

    /// Whether it is playing or being rendered.
    pub fn is_playing(&self) -> bool {
        self.is_playing.load(Ordering::Acquire)
    }

    /// Frames that were played.
    pub fn played_frames(&self) -> u64 {
        self.played_frames.load(Ordering::Relaxed)
    }
}

/// The audio-thread side of the preview. Neither allocates nor frees memory.
#[derive(Default)]
pub struct PreviewPlayer {
    sound: Option<Vec<f32>>,
    next_index: usize,
}

impl PreviewPlayer {
    /// Adds the next frames of the preview to a block. Real-time safe.
    pub fn mix(&mut self, preview: &Preview, channels: &mut [&mut [f32]]) {
        if let Some(new) = preview.rendered.pop() {
            self.retire(preview);
            self.sound = Some(new);
            self.next_index = 0;
        }
        let Some(sound) = &self.sound else { return };
        let rest = &sound[self.next_index..];
        if rest.is_empty() || !preview.is_playing() {
            preview.stop();
            self.retire(preview);
            return;
        }
        for channel in channels.iter_mut() {
            for (sample, added) in channel.iter_mut().zip(rest) {
                *sample += added;
            }
        }
        self.next_index += rest
            .len()
            .min(channels.first().map_or(0, |channel| channel.len()));
        preview
            .played_frames
            .store(self.next_index as u64, Ordering::Relaxed);
    }

    fn retire(&mut self, preview: &Preview) {
        if let Some(retired) = self.sound.take()
            && let Err(retired) = preview.retired.push(retired)
        {
            // Freeing is not real-time safe. The queue is emptied before each preview.
            std::mem::forget(retired);
        }
    }
}

/// Renders notes to mono audio.
fn render(notes: &[PreviewNote], sample_rate_hz: u32) -> Vec<f32> {
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

/// A simple tone for a pitched note: three decaying partials.
fn tone(note: &PreviewNote, rate: f64) -> Vec<f32> {
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

    const KICK: PreviewNote = PreviewNote {
        at_seconds: 0.5,
        length_seconds: 0.1,
        is_drum: true,
        key: 36,
        velocity: 100,
    };

    #[test]
    fn notes_sound_at_their_onsets() {
        let pitched = PreviewNote {
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
    fn the_player_adds_the_preview_once_and_leaves_other_audio_unchanged() {
        let preview = Arc::new(Preview::default());
        let mut player = PreviewPlayer::default();
        let block = |player: &mut PreviewPlayer| {
            let mut samples = vec![0.25f32; 64];
            player.mix(&preview, &mut [&mut samples]);
            samples
        };
        assert_eq!(block(&mut player), vec![0.25; 64]);
        assert!(preview.rendered.push(vec![0.5; 100]).is_ok());
        preview.is_playing.store(true, Ordering::Relaxed);
        assert_eq!(block(&mut player), vec![0.75; 64]);
        let second = block(&mut player);
        assert_eq!((second[35], second[36]), (0.75, 0.25));
        assert_eq!(block(&mut player), vec![0.25; 64]);
        assert!(!preview.is_playing());
        assert!(preview.rendered.push(vec![0.5; 100]).is_ok());
        assert_eq!(
            block(&mut player),
            vec![0.25; 64],
            "stopped before it started"
        );
    }
}
