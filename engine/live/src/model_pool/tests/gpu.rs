//! A live session on the first adapter of this computer, in software if there is no other, which is
//! lost in the middle. Skipped with a reason where there is none.

use hitscribe::Sensitivity;
use hitscribe_models::device::{GpuChoice, lose, select};

use super::*;
use crate::take::{Detection, NoteStatus};

/// One test at a time: each loses the adapter that all share.
static ADAPTER: Mutex<()> = Mutex::new(());

const GPU: DeviceChoice = DeviceChoice::Gpu(GpuChoice::Number(0));

/// The adapter, opened.
fn adapter() -> Option<Device> {
    match select(&GPU) {
        Ok(selected) => Some(selected.device),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Plays `audio` in two halves on a device and calls `between` after the first has arrived. The
/// notes of the take.
fn notes_played(
    device: DeviceChoice,
    store: &Store,
    model: Option<&ModelChoice>,
    audio: &[f32],
    between: impl FnOnce(&SharedEngine),
) -> Vec<(u64, u8, u64)> {
    let engine = SharedEngine::start(device, load, Some(store.clone())).unwrap();
    let take: Arc<Mutex<Take>> = Arc::default();
    let mut port = engine.open(1, SessionConfig::new(RATE_HZ), model, take.clone());
    if let Some(choice) = model {
        wait_for("the model", || {
            engine
                .model_status(choice)
                .is_some_and(|m| m.phase == ModelPhase::Ready)
        });
    }
    let half = audio.len() / 2 / BLOCK * BLOCK;
    play(&mut port, &audio[..half]);
    // In the middle of work: some of the half is settled, some is not.
    wait_for("the first notes", || {
        port.counters().settled_frames() > half as u64 / 2
    });
    between(&engine);
    let blocks = audio[half..].chunks(BLOCK).enumerate();
    for (index, block) in blocks {
        let transport = TransportState {
            playing: true,
            position_samples: Some((half + index * BLOCK) as i64),
            ..TransportState::default()
        };
        wait_for("room", || port.has_room(block.len()));
        port.push(&[&mut block.to_vec()], transport, LiveSettings::default());
    }
    // What is not settled yet when the port is closed comes all the same.
    port.start_passage();
    play(&mut port, &audio[..BLOCK]);
    wait_for("the end", || {
        port.counters().settled_frames() >= audio.len() as u64
    });
    drop(port);
    // Drum hits are among the candidates of the take.
    let detection = Detection {
        source: Source::FullMix,
        sensitivity: Sensitivity::default(),
    };
    let notes = take.lock().passages[0].resolve(&detection);
    let played = notes.iter().filter(|n| n.status == NoteStatus::Played);
    played
        .map(|n| (n.note.onset_samples, n.note.pitch, n.note.length_samples))
        .collect()
}

#[test]
fn an_imported_model_loses_its_gpu_and_no_note() {
    let _alone = ADAPTER.lock();
    if adapter().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path().join("models"));
    let choice = add(&store);
    let audio = sound(16);
    let cpu = notes_played(DeviceChoice::Cpu, &store, Some(&choice), &audio, |_| ());
    assert!(cpu.len() > 20, "{} notes prove little", cpu.len());
    let status = |engine: &SharedEngine| engine.model_status(&choice).unwrap();

    let began = Instant::now();
    let gpu = notes_played(GPU, &store, Some(&choice), &audio, |engine| {
        let status = status(engine);
        assert_eq!((status.device.as_str(), status.reason), ("gpu:0", None));
    });
    assert_eq!(gpu, cpu);
    eprintln!("live session on the GPU: {:.1?}", began.elapsed());

    let began = Instant::now();
    let lost = notes_played(GPU, &store, Some(&choice), &audio, |_| {
        lose(adapter().unwrap());
    });
    assert_eq!(lost, cpu);
    eprintln!("live session that lost the GPU: {:.1?}", began.elapsed());
    // An adapter that was lost is opened anew for the next session.
    assert!(adapter().is_some());
}

#[test]
fn the_built_in_networks_lose_their_gpu_and_no_note() {
    let _alone = ADAPTER.lock();
    if adapter().is_none() {
        return;
    }
    let store = Store::at(tempfile::tempdir().unwrap().path().to_owned());
    let audio = sound(12);
    let cpu = notes_played(DeviceChoice::Cpu, &store, None, &audio, |_| ());
    assert!(cpu.len() > 20, "{} notes prove little", cpu.len());
    let began = Instant::now();
    let gpu = notes_played(GPU, &store, None, &audio, |engine| {
        assert_eq!(engine.status().device, "gpu:0");
    });
    assert_eq!(gpu, cpu);
    eprintln!("built-in networks on the GPU: {:.1?}", began.elapsed());
    let lost = notes_played(GPU, &store, None, &audio, |_| lose(adapter().unwrap()));
    assert_eq!(lost, cpu);
}
