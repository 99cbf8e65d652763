//! Transcribes an audio file into a passage of the take, in the background.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hitscribe::{
    DeviceChoice, ModelChoice, TempoMapKind, Transcriber, Transcription, mark_leakage,
};
use hitscribe_core::audio::demo_kit;
use hitscribe_core::error::Result;
use hitscribe_live::take::{Overview, Passage, Take, TempoChange};
use hitscribe_live::{LiveSettings, MarkedNote};
use hitscribe_models::device::guarded;
use hitscribe_picking::drums::candidate::Candidate;
use hitscribe_picking::drums::selection::Rules;
use parking_lot::Mutex;

use crate::params::choices::ImportTempo;

/// A recording whose first downbeat comes within this time is cut to it: bar 1 begins there.
const CUT_SECONDS: f64 = 0.1;

/// What is transcribed.
#[derive(Clone, Debug, PartialEq)]
pub enum Recording {
    /// An audio file.
    File(PathBuf),
    /// The built-in demo.
    Demo,
}

/// A transcription in progress. Dropping it cancels the transcription.
#[derive(Default)]
pub struct Import {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    progress_permille: AtomicU32,
    is_cancelled: AtomicBool,
    outcome: Mutex<Option<std::result::Result<usize, String>>>,
}

impl Import {
    /// Starts to transcribe a recording into `take` with `live_settings`, by an imported model or the
    /// built-in ones.
    pub fn start(
        recording: Recording,
        take: Arc<Mutex<Take>>,
        live_settings: LiveSettings,
        model: Option<ModelChoice>,
        tempo: ImportTempo,
    ) -> Self {
        let import = Self::default();
        let shared = import.shared.clone();
        let spawned = std::thread::Builder::new()
            .name("hitscribe-import".to_owned())
            .spawn(move || {
                let host_tempo = match tempo {
                    ImportTempo::Host => last_tempo(&take.lock()),
                    ImportTempo::Recording => None,
                };
                let passage = guarded("import", || {
                    transcribe(
                        &recording,
                        live_settings,
                        model.as_ref(),
                        host_tempo,
                        &shared,
                    )
                });
                let outcome = match passage.and_then(|passage| passage) {
                    _ if shared.is_cancelled.load(Ordering::Relaxed) => return,
                    Ok(passage) => Ok(take.lock().add_passage(passage)),
                    Err(error) => Err(error.to_string()),
                };
                *shared.outcome.lock() = Some(outcome);
            });
        if let Err(error) = spawned {
            *import.shared.outcome.lock() = Some(Err(error.to_string()));
        }
        import
    }

    /// Progress from 0 to 1.
    pub fn progress(&self) -> f32 {
        self.shared.progress_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// The index of the new passage in the take, or the error. Returned only once; none while the
    /// transcription is running.
    pub fn take_outcome(&self) -> Option<std::result::Result<usize, String>> {
        self.shared.outcome.lock().take()
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.shared.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// Sets the tempo, the meter and the bar lines that are found in the recording, if there are any.
/// What comes before the first downbeat has its tempo.
fn set_found_tempo(passage: &mut Passage, transcription: &Transcription) {
    let Some(grid) = transcription.beat_grid() else {
        return;
    };
    let (Ok(map), Some(&downbeat)) = (grid.tempo_map(TempoMapKind::Auto), grid.downbeats().first())
    else {
        return;
    };
    let rate_hz = f64::from(transcription.sample_rate_hz);
    // Rounded to ticks, the section that begins with the downbeat may begin a little later.
    let (before, after): (Vec<_>, Vec<_>) = map
        .sections()
        .into_iter()
        .partition(|section| section.start_seconds < downbeat + 0.01);
    let first = before.last().map(|section| (0, section));
    let rest = after.iter().map(|section| {
        let offset_frames = (section.start_seconds * rate_hz).round() as u64;
        (offset_frames, section)
    });
    for (offset_frames, section) in first.into_iter().chain(rest) {
        let change = TempoChange {
            offset_frames,
            bpm: section.tempo_bpm,
            beats_per_bar: section.meter.0,
            beat_unit: section.meter.1,
        };
        if offset_frames == 0 {
            let beats = downbeat * change.bpm / 60.0;
            passage.host_start_beats = Some(match downbeat < CUT_SECONDS {
                true => -beats,
                false => (-beats).rem_euclid(change.bar_beats()),
            });
        }
        passage.change_tempo(change);
    }
}

/// The last tempo and meter of the host, which the recording is assumed to share.
fn last_tempo(take: &Take) -> Option<TempoChange> {
    let last = *take.passages.last()?.tempo.last()?;
    Some(TempoChange {
        offset_frames: 0,
        ..last
    })
}

fn transcribe(
    recording: &Recording,
    live_settings: LiveSettings,
    model: Option<&ModelChoice>,
    host_tempo: Option<TempoChange>,
    shared: &Shared,
) -> Result<Passage> {
    let builder = Transcriber::builder().device(DeviceChoice::Cpu);
    let transcriber = match model {
        None => builder.builtin()?,
        Some(choice) => builder.open_stored(choice)?,
    };
    let (mut peaks, mut overview, mut length_frames) = (Vec::new(), None, 0);
    let mut kept: Option<(Rules, Vec<Candidate>)> = None;
    let source = live_settings.source;
    let mut options = transcriber
        .options()
        .source(source)
        .sensitivity(live_settings.sensitivity)
        .on_progress(|progress| {
            if let Some(share) = progress.share() {
                let permille = (share * 1000.0) as u32;
                shared.progress_permille.store(permille, Ordering::Relaxed);
            }
            match shared.is_cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .on_audio(|block| {
            let rate_hz = f64::from(block.sample_rate_hz);
            let overview = overview.get_or_insert_with(|| Overview::new(rate_hz));
            peaks.extend(overview.push(block.samples));
            length_frames += block.samples.len() as u64;
        })
        .on_candidates(|found| kept = Some((found.rules, found.candidates.to_vec())));
    let transcription = match recording {
        Recording::File(path) => options.file(path)?,
        Recording::Demo => {
            let (samples, _) = demo_kit::groove();
            options.samples(&samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?
        }
    };
    drop(options);
    let sample_rate_hz = transcription.sample_rate_hz;
    let mut passage = Passage::new(f64::from(sample_rate_hz));
    passage.was_playing = true;
    passage.extend(length_frames, &peaks);
    match recording {
        Recording::File(path) => {
            let name = path.file_name();
            passage.name = name.map(|name| name.to_string_lossy().into_owned());
            match host_tempo {
                Some(tempo) => passage.change_tempo(tempo),
                None => set_found_tempo(&mut passage, &transcription),
            }
        }
        Recording::Demo => {
            passage.name = Some("Demo".to_owned());
            passage.host_start_beats = Some(0.0);
            passage.change_tempo(TempoChange {
                bpm: demo_kit::DEMO_TEMPO_BPM,
                ..TempoChange::default()
            });
        }
    }
    passage.source = Some(source);
    let mut hits = 0;
    for (note, is_leakage) in mark_leakage(&transcription.placed_notes(), sample_rate_hz, source) {
        // Other drums are among the candidates.
        if kept.is_some() && note.is_drum {
            hits += 1;
        } else {
            passage.insert(MarkedNote { note, is_leakage });
        }
    }
    if let Some((rules, candidates)) = kept {
        passage.rules = rules;
        passage.add_candidates(&candidates, hits);
    }
    Ok(passage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn outcome(path: &Path, take: &Arc<Mutex<Take>>) -> std::result::Result<usize, String> {
        let recording = Recording::File(path.to_owned());
        outcome_of(recording, take)
    }

    fn outcome_of(
        recording: Recording,
        take: &Arc<Mutex<Take>>,
    ) -> std::result::Result<usize, String> {
        import_with(recording, take, ImportTempo::Host)
    }

    fn import_with(
        recording: Recording,
        take: &Arc<Mutex<Take>>,
        tempo: ImportTempo,
    ) -> std::result::Result<usize, String> {
        let import = Import::start(
            recording,
            take.clone(),
            LiveSettings::default(),
            None,
            tempo,
        );
        let began = Instant::now();
        loop {
            if let Some(outcome) = import.take_outcome() {
                return outcome;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "no end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_demo_becomes_a_passage_on_a_timeline() {
        let take = Arc::new(Mutex::new(Take::default()));
        assert_eq!(outcome_of(Recording::Demo, &take), Ok(0));
        let take = take.lock();
        let demo = &take.passages[0];
        assert_eq!(demo.name.as_deref(), Some("Demo"));
        assert!(demo.note_count() > 50, "{} notes", demo.note_count());
        assert_eq!(demo.bar_at(0).number, 1);
        assert_eq!(demo.tempo[0].bpm, demo_kit::DEMO_TEMPO_BPM);
    }

    #[test]
    fn an_opened_file_has_the_hosts_tempo_or_its_own() {
        let name = format!("hitscribe-tempo-{}.wav", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, demo_wav(0)).unwrap();
        let bpm = |take: &Arc<Mutex<Take>>, tempo| {
            let recording = Recording::File(path.clone());
            let index = import_with(recording, take, tempo).unwrap();
            take.lock().passages[index].tempo[0].bpm
        };
        let near = |bpm: f64| {
            assert!((bpm - demo_kit::DEMO_TEMPO_BPM).abs() < 0.1, "{bpm}");
        };
        // Without a host's tempo. The demo begins a little before its first bar.
        let take = Arc::new(Mutex::new(Take::default()));
        near(bpm(&take, ImportTempo::Host));
        let downbeat = take.lock().passages[0].bar_at(11_500);
        assert_eq!(downbeat.number, 2);
        let beats = take.lock().passages[0].beats_at(11_025);
        assert!(
            (downbeat.start_beats - beats).abs() < 0.02,
            "{downbeat:?}, {beats}"
        );
        let mut played = Passage::new(48_000.0);
        played.change_tempo(TempoChange {
            bpm: 83.0,
            ..TempoChange::default()
        });
        let take = Arc::new(Mutex::new(Take::default()));
        take.lock().add_passage(played);
        assert_eq!(bpm(&take, ImportTempo::Host), 83.0);
        near(bpm(&take, ImportTempo::Recording));
        // Cut to its first downbeat, it begins with bar 1.
        std::fs::write(&path, demo_wav(2 * 10_584)).unwrap();
        let take = Arc::new(Mutex::new(Take::default()));
        near(bpm(&take, ImportTempo::Recording));
        assert_eq!(take.lock().passages[0].bar_at(1_000).number, 1);
        assert_eq!(take.lock().passages[0].bar_near(0).number, 1);
        std::fs::remove_file(&path).unwrap();
    }

    /// The demo without its first samples, as a WAV file of 32-bit floats.
    fn demo_wav(skipped_samples: usize) -> Vec<u8> {
        let (samples, _) = demo_kit::groove();
        let samples = &samples[skipped_samples..];
        let rate_hz = demo_kit::DEMO_SAMPLE_RATE_HZ;
        let length = 4 * samples.len() as u32;
        let mut file = b"RIFF".to_vec();
        file.extend((36 + length).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16_u32.to_le_bytes());
        file.extend([3_u16, 2].map(u16::to_le_bytes).as_flattened());
        file.extend([rate_hz, 8 * rate_hz].map(u32::to_le_bytes).as_flattened());
        file.extend([8_u16, 32].map(u16::to_le_bytes).as_flattened());
        file.extend(b"data");
        file.extend(length.to_le_bytes());
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }

    #[test]
    fn a_file_becomes_a_passage_and_an_error_names_the_file() {
        let take = Arc::new(Mutex::new(Take::default()));
        let audio = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../engine/core/tests/data/ping.aiff"
        );
        let index = outcome(Path::new(audio), &take).unwrap();
        assert_eq!(index, 0);
        assert!(take.lock().passages[0].length_frames > 0);
        assert_eq!(take.lock().passages[0].name.as_deref(), Some("ping.aiff"));
        let error = outcome(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")),
            &take,
        )
        .unwrap_err();
        assert!(error.contains(".rs"), "{error}");
        assert_eq!(take.lock().passages.len(), 1);
    }
}
