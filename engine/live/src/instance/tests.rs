use super::*;
use crate::messages::LiveSettings;
use crate::port::{CapturePort, port};
use hitscribe_models::device::DeviceChoice;

#[test]
fn bypass_settles_the_audio_before_it_and_ends_the_passage() {
    let models = BuiltinModels::load(DeviceChoice::Cpu).unwrap();
    let (mut capture, engine_port) = port(1, 48_000.0);
    let take = Arc::new(Mutex::new(Take::default()));
    let config = SessionConfig::new(48_000);
    let mut instance = Instance::new(engine_port, take.clone(), config, None);
    let transport = TransportState {
        playing: true,
        ..TransportState::default()
    };
    let mut settle = |capture: &CapturePort| {
        for _ in 0..1_000 {
            instance.collect(&models).unwrap();
            if let Some(session) = instance.ready_session() {
                models.run(&mut [session]).unwrap();
            }
            instance.deliver();
        }
        capture.counters().settled_frames()
    };
    capture.push(
        &[&mut vec![0.0; 48_000]],
        transport,
        LiveSettings::default(),
    );
    assert!(settle(&capture) < 48_000, "the last hop is not complete");
    assert!(take.lock().open_passage().is_some());
    capture.skip(4_800);
    assert_eq!(settle(&capture), 48_000);
    assert!(take.lock().open_passage().is_none());
    capture.push(
        &[&mut vec![0.0; 48_000]],
        transport,
        LiveSettings::default(),
    );
    settle(&capture);
    let take = take.lock();
    let passages: Vec<_> = take
        .passages
        .iter()
        .map(|passage| (passage.length_frames, passage.is_open))
        .collect();
    assert_eq!(passages, [(48_000, false), (48_000, true)]);
}
