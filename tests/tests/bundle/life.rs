//! The life of an instance: restarts, other instances, bypass, reset, jumps of the transport.

use hitscribe_host::{Library, NoteEvent, Transport};
use hitscribe_tests::{Render, groove, library, transport_at};

use crate::common::{ALIGNED, assert_balanced, assert_equal};

#[test]
fn an_instance_can_be_restarted() {
    let library = library();
    let audio = groove(44_100.0, 4.0);
    let render = Render::default();
    let mut host = render.host(&library, 2).unwrap();
    let first = render.run_with(&mut host, &audio).unwrap();
    assert!(!first.notes.is_empty());
    for blocks in [vec![512], vec![64]] {
        let again = Render {
            blocks,
            ..Render::default()
        }
        .run_with(&mut host, &audio)
        .unwrap();
        assert_equal(&again.notes, &first.notes, "again");
    }
}

/// Renders every track with an instance of its own, block by block in turn.
fn play_together(
    library: &Library,
    render: &Render,
    tracks: &[Vec<Vec<f32>>],
) -> Vec<Vec<NoteEvent>> {
    let (rate, size) = (render.sample_rate_hz, render.blocks[0]);
    let mut hosts: Vec<_> = tracks
        .iter()
        .map(|track| render.host(library, track.len()).unwrap())
        .collect();
    for host in &mut hosts {
        host.start(rate, size).unwrap();
    }
    let mut together = vec![Vec::new(); hosts.len()];
    let total = tracks[0][0].len() + (render.tail_seconds * rate) as usize;
    for start in (0..total).step_by(size) {
        for ((host, audio), notes) in hosts.iter_mut().zip(tracks).zip(&mut together) {
            let sample = |channel: &Vec<f32>, at: usize| channel.get(at).copied().unwrap_or(0.0);
            let end = (start + size).min(total);
            let mut block: Vec<Vec<f32>> = audio
                .iter()
                .map(|channel| (start..end).map(|at| sample(channel, at)).collect())
                .collect();
            let transport = transport_at(start as f64 / rate);
            host.process(&mut block, Some(transport), notes).unwrap();
        }
    }
    together
}

#[test]
fn instances_that_share_the_engine_do_not_affect_each_other() {
    let library = library();
    let tracks: Vec<_> = (0..3)
        .map(|track| {
            let mut audio = groove(44_100.0, 4.0);
            // Each track is a little later than the one before.
            audio
                .iter_mut()
                .for_each(|channel| channel.rotate_right(track * 997));
            audio
        })
        .collect();
    let render = Render::default();
    let alone: Vec<_> = tracks
        .iter()
        .map(|audio| render.run(&library, audio).unwrap().notes)
        .collect();
    let together = play_together(&library, &render, &tracks);
    assert!(alone.iter().all(|notes| !notes.is_empty()));
    for (together, alone) in together.iter().zip(&alone) {
        assert_equal(together, alone, "together and alone");
    }
}

#[test]
fn each_of_64_instances_gives_the_notes_of_one() {
    let library = library();
    let render = Render {
        blocks: vec![1024],
        tail_seconds: 2.5,
        ..Render::default()
    };
    let audio = groove(44_100.0, 2.0);
    let alone = render.run(&library, &audio).unwrap().notes;
    assert!(alone.len() > 10, "too quiet to prove anything");
    let tracks = vec![audio; 64];
    for (index, notes) in play_together(&library, &render, &tracks).iter().enumerate() {
        assert_equal(notes, &alone, &format!("instance {index}"));
    }
}

/// Renders looped audio in blocks of 256 frames. `before` is called before each block and returns
/// the transport.
fn play(
    library: &Library,
    says_offline: bool,
    blocks: usize,
    mut before: impl FnMut(usize, &mut hitscribe_host::Host) -> Option<Transport>,
) -> Vec<NoteEvent> {
    let audio = groove(44_100.0, 3.0);
    let render = Render {
        says_offline,
        ..Render::default()
    };
    let mut host = render.host(library, 2).unwrap();
    host.start(44_100.0, 256).unwrap();
    let mut notes = Vec::new();
    for index in 0..blocks {
        let transport = before(index, &mut host);
        let start = (index * 256) % (audio[0].len() - 256);
        let mut block: Vec<Vec<f32>> = audio
            .iter()
            .map(|channel| channel[start..start + 256].to_vec())
            .collect();
        host.process(&mut block, transport, &mut notes).unwrap();
    }
    notes
}

#[test]
fn bypass_reset_and_jumps_leave_nothing_sounding() {
    let library = library();
    let frames = |seconds: f64| (seconds * 44_100.0 / 256.0) as usize;
    let end = frames(14.0);
    let seconds = |index: usize| index as f64 * 256.0 / 44_100.0;
    let bypassed = play(&library, true, end, |index, host| {
        if index == frames(5.0) {
            host.set("Bypass", "On").unwrap();
        }
        Some(transport_at(seconds(index)))
    });
    assert!(bypassed.len() > 10);
    assert_balanced(&bypassed);
    let limit = 5.1 * 44_100.0;
    assert!(
        bypassed.iter().all(|note| (note.frame as f64) < limit),
        "notes in bypass"
    );

    let reset = play(&library, true, end, |index, host| {
        if index % frames(2.9) == frames(2.8) {
            host.reset();
        }
        (index < end - frames(3.0)).then(|| transport_at(seconds(index)))
    });
    assert!(reset.len() > 10);

    // A loop of three seconds: notes at its border are neither lost nor doubled.
    let looped = play(&library, true, end, |index, host| {
        if index == end - 200 {
            host.set("Bypass", "On").unwrap();
        }
        Some(transport_at(seconds(index) % 3.0))
    });
    assert_balanced(&looped);
    assert!(looped.len() > bypassed.len());
}

#[test]
fn the_latency_changes_only_when_the_transport_is_stopped() {
    let library = library();
    let mut requests = Vec::new();
    let mut latencies = Vec::new();
    play(&library, true, 40, |index, host| {
        if index == 10 {
            let (name, value) = ALIGNED;
            host.set(name, value).unwrap();
        }
        requests.push(host.restart_requests());
        latencies.push(host.latency_frames());
        let transport = transport_at(index as f64 * 256.0 / 44_100.0);
        Some(Transport {
            playing: index < 30,
            ..transport
        })
    });
    assert!(
        latencies.iter().all(|latency| *latency == 0),
        "no change while active"
    );
    assert_eq!(requests[9], requests[29], "no request while it plays");
    assert!(requests[39] > requests[29], "a request when it stops");
}
