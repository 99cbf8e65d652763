//! Preview: plays notes on the built-in synthetic kit.
//!
//! A background thread renders the sound. The audio thread mixes it into the output and neither
//! allocates nor frees memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;
use hitscribe_core::DrumClass;
use hitscribe_core::audio::demo_kit;

/// Longest preview, in seconds.
const LONGEST_SECONDS: f64 = 600.0;
/// Gain of the kit, low enough for several drums at once.
const GAIN: f32 = 0.4;
/// Velocities are rounded to multiples of this, so that rendered hits are reused.
const VELOCITY_STEP: u8 = 8;
/// Frames over which the level of the track fades from nothing to full.
const FADE_FRAMES: f32 = 1024.0;

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
    /// Whether the sound starts again at its end.
    is_looping: AtomicBool,
    /// Bits of the balance.
    balance: AtomicU32,
}

impl Default for Preview {
    fn default() -> Self {
        Self {
            rendered: ArrayQueue::new(1),
            retired: ArrayQueue::new(2),
            is_playing: AtomicBool::new(false),
            played_frames: AtomicU64::new(0),
            is_looping: AtomicBool::new(false),
            balance: AtomicU32::new(0.5f32.to_bits()),
        }
    }
}

impl Preview {
    /// Renders notes in the background, then plays them: once, or over and over in a loop of
    /// `loop_seconds`. Not for the audio thread.
    pub fn play(
        self: &Arc<Self>,
        notes: Vec<PreviewNote>,
        loop_seconds: Option<f64>,
        sample_rate_hz: u32,
    ) {
        let preview = self.clone();
        while self.retired.pop().is_some() {}
        self.played_frames.store(0, Ordering::Relaxed);
        self.is_looping
            .store(loop_seconds.is_some(), Ordering::Relaxed);
        self.is_playing.store(true, Ordering::Release);
        let spawned = std::thread::Builder::new()
            .name("hitscribe-preview".to_owned())
            .spawn(move || {
                let sound = render(&notes, loop_seconds, sample_rate_hz);
                drop(preview.rendered.force_push(sound));
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

    /// What is audible while the preview plays: 0 is the track alone, 1 the kit alone, between both.
    pub fn balance(&self) -> f32 {
        f32::from_bits(self.balance.load(Ordering::Relaxed))
    }

    /// Sets the [`Preview::balance`].
    pub fn set_balance(&self, balance: f32) {
        let bits = balance.clamp(0.0, 1.0).to_bits();
        self.balance.store(bits, Ordering::Relaxed);
    }

    /// Frames that were played.
    pub fn played_frames(&self) -> u64 {
        self.played_frames.load(Ordering::Relaxed)
    }
}

/// The audio-thread side of the preview. Neither allocates nor frees memory.
pub struct PreviewPlayer {
    sound: Option<Vec<f32>>,
    next_index: usize,
    /// Level of the track, which fades.
    track_gain: f32,
}

impl Default for PreviewPlayer {
    fn default() -> Self {
        Self {
            sound: None,
            next_index: 0,
            track_gain: 1.0,
        }
    }
}

impl PreviewPlayer {
    /// Adds the next frames of the preview to a block. Without a preview the block is unchanged.
    /// Real-time safe.
    pub fn mix(&mut self, preview: &Preview, channels: &mut [&mut [f32]]) {
        if let Some(new) = preview.rendered.pop() {
            self.retire(preview);
            self.sound = Some(new);
            self.next_index = 0;
        }
        let has_ended = self
            .sound
            .as_ref()
            .is_some_and(|sound| self.next_index >= sound.len());
        if self.sound.is_some() && (has_ended || !preview.is_playing()) {
            preview.stop();
            self.retire(preview);
        }
        if self.sound.is_none() && self.track_gain == 1.0 {
            return;
        }
        let balance = preview.balance();
        let kit_gain = (2.0 * balance).min(1.0);
        let is_looping = preview.is_looping.load(Ordering::Relaxed);
        for frame in 0..channels.first().map_or(0, |channel| channel.len()) {
            let target = match self.sound {
                Some(_) => (2.0 - 2.0 * balance).min(1.0),
                None => 1.0,
            };
            let step = 1.0 / FADE_FRAMES;
            self.track_gain += (target - self.track_gain).clamp(-step, step);
            let added = self.next_sample(is_looping);
            for channel in channels.iter_mut() {
                channel[frame] = channel[frame] * self.track_gain + added * kit_gain;
            }
        }
        if self.sound.is_some() {
            preview
                .played_frames
                .store(self.next_index as u64, Ordering::Relaxed);
        }
    }

    /// The next sample of the kit; 0 after the end.
    fn next_sample(&mut self, is_looping: bool) -> f32 {
        let Some(sound) = &self.sound else { return 0.0 };
        if is_looping && self.next_index >= sound.len() {
            self.next_index = 0;
        }
        let sample = sound.get(self.next_index).copied();
        self.next_index += usize::from(sample.is_some());
        sample.unwrap_or(0.0)
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

/// Renders notes to mono audio. In a loop, what sounds beyond its end sounds at its start.
fn render(notes: &[PreviewNote], loop_seconds: Option<f64>, sample_rate_hz: u32) -> Vec<f32> {
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
    if let Some(seconds) = loop_seconds {
        let frames = (seconds.clamp(0.01, LONGEST_SECONDS) * rate) as usize;
        let beyond = sound.split_off(frames.min(sound.len()));
        sound.resize(frames, 0.0);
        for part in beyond.chunks(frames) {
            sound
                .iter_mut()
                .zip(part)
                .for_each(|(sample, added)| *sample += added);
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
        let sound = render(&[KICK, pitched], None, 48_000);
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
    fn a_loop_has_its_length_and_keeps_what_sounds_beyond_it() {
        let late = PreviewNote {
            at_seconds: 0.9,
            ..KICK
        };
        let once = render(&[late], None, 48_000);
        let looped = render(&[late], Some(1.0), 48_000);
        assert_eq!(looped.len(), 48_000);
        assert_eq!(looped[..100], once[48_000..48_100]);
        assert!(once[48_000..48_100].iter().any(|sample| *sample != 0.0));
    }

    #[test]
    fn the_balance_fades_the_track_and_gives_it_back_exactly() {
        let preview = Preview::default();
        let mut player = PreviewPlayer::default();
        preview.set_balance(1.0);
        assert!(preview.rendered.push(vec![0.5; 1_000]).is_ok());
        preview.is_looping.store(true, Ordering::Relaxed);
        preview.is_playing.store(true, Ordering::Relaxed);
        let block = |player: &mut PreviewPlayer| {
            let mut samples = vec![0.25f32; 256];
            player.mix(&preview, &mut [&mut samples]);
            samples
        };
        let mut blocks: Vec<Vec<f32>> = (0..8).map(|_| block(&mut player)).collect();
        assert!(
            blocks[7].iter().all(|sample| *sample == 0.5),
            "the kit alone, looped"
        );
        preview.stop();
        blocks.extend((0..8).map(|_| block(&mut player)));
        assert!(
            blocks[15].iter().all(|sample| *sample == 0.25),
            "the track, unchanged"
        );
        let samples = blocks.concat();
        // The kit begins and ends at once; the track does not.
        let steps = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let large = steps.filter(|step| *step > 0.25 / 1_000.0).count();
        assert!(large <= 2, "{large} steps");
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
