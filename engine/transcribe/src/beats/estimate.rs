//! From hits to beats and bars.

use super::bars::{OnBeats, position, time};
use super::hit::Hit;
use super::line::{self, Line};
use super::patterns::{Meter, Tables};
use super::{path, pulse};

/// Fewest hits that have a tempo.
const FEWEST_HITS: usize = 8;
/// Shortest recording that has a tempo, in seconds.
const SHORTEST_SECONDS: f64 = 1.0;

/// Tracks that are compared in every meter.
const FINALISTS: usize = 4;
/// Shares of a beat that the beats may be late by: a track can lie on off-beats.
const SHIFTS: [f64; 6] = [0.0, 0.5, 1.0 / 3.0, 2.0 / 3.0, 0.25, 0.75];

/// Usual tempos: centre in beats per minute, and standard deviation in octaves.
const USUAL_BPM: f64 = 112.0;
const USUAL_OCTAVES: f64 = 0.5;

/// Weight of the usual tempo, in units of log likelihood; it grows with the number of hits, which
/// are no independent evidence.
const USUAL: f64 = 5.0;
const USUAL_PER_HIT: f64 = 0.15;
/// What a tempo that changes must gain over one that does not.
const FREE_TEMPO: f64 = 4.0;
const FREE_TEMPO_PER_HIT: f64 = 0.05;
/// What other meters must gain over 4/4.
const RARE_METER: f64 = 4.0;
const RARE_METER_PER_HIT: f64 = 0.1;
/// One tempo explains tracked beats if this share of them is this near to its beats.
const STRAIGHT_SHARE: f64 = 0.75;
const STRAIGHT_BEATS: f64 = 0.09;
const STRAIGHT_SECONDS: f64 = 0.045;

/// Longest recording whose tempo is guessed from all of it; otherwise from its middle.
const GUESS_SECONDS: f64 = 120.0;

/// Beats of a recording.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Times of the beats, from before the start to after the end.
    pub beats: Vec<f64>,
    /// Index of a beat that begins a bar.
    pub first_downbeat: usize,
    pub beats_per_bar: usize,
    pub is_compound: bool,
    pub line: Option<Line>,
    /// Gain per hit over no rhythm at all.
    pub gain: f64,
}

struct Hypothesis {
    score: f64,
    likelihood: f64,
    track: usize,
    shift: f64,
    start: f64,
    meter: usize,
}

pub fn estimate(hits: &[Hit], duration_seconds: f64) -> Option<Estimate> {
    if hits.len() < FEWEST_HITS || duration_seconds < SHORTEST_SECONDS {
        return None;
    }
    let end = duration_seconds.max(hits.last()?.seconds + 0.01);
    let tables = Tables::get();
    let rare = -(RARE_METER + RARE_METER_PER_HIT * hits.len() as f64);
    let meters = [
        (&tables.four, 0.0),
        (&tables.three, rare),
        (&tables.six_eight, rare),
    ];
    let periods = if end > 1.5 * GUESS_SECONDS {
        vec![middle(hits, end)?]
    } else {
        pulse::periods(hits)
    };
    let mut tracks: Vec<(Vec<f64>, Option<Line>)> = Vec::new();
    for period in periods {
        let mut beats = path::track(hits, end, period, &tables.beat);
        if beats.len() < 3 {
            continue;
        }
        line::follow(hits, &mut beats);
        let line = line::fit(hits, &beats);
        tracks.push((line.beats(end), Some(line)));
        tracks.push((beats, None));
    }
    tracks.retain(|(beats, _)| beats.len() > 2);
    // First every track by the commonest meter, then the best ones by all.
    let mut ranked: Vec<(f64, usize)> = (0..tracks.len())
        .map(|track| {
            let found = rate(hits, &tracks, track, &meters[..1], &[0.0, 0.5], end);
            (found.map_or(f64::NEG_INFINITY, |f| f.score), track)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = ranked
        .iter()
        .take(FINALISTS)
        .filter_map(|&(_, track)| rate(hits, &tracks, track, &meters, &SHIFTS, end))
        .max_by(|a, b| a.score.total_cmp(&b.score));
    let best = best?;
    let beats_per_bar = meters[best.meter].0.beats;
    let (track, fitted) = &tracks[best.track];
    let (beats, first_downbeat) = shifted(track, best.shift, best.start, beats_per_bar);
    let line = fitted.or_else(|| {
        let line = line::fit(hits, &beats);
        let tolerance = (STRAIGHT_BEATS * line.period_seconds).max(STRAIGHT_SECONDS);
        (line::explained(&beats, &line, tolerance) > STRAIGHT_SHARE).then_some(line)
    });
    let mut fitted_line = None;
    let (beats, first_downbeat) = match line {
        Some(line) => {
            let line = line.rounded(hits, end, beats_per_bar);
            let straight = line.beats(end);
            let nearest = position(&straight, beats[first_downbeat.min(beats.len() - 1)]).round();
            let line = Line {
                start_seconds: straight[0],
                ..line
            };
            fitted_line = Some(line);
            (
                straight,
                (nearest as i64).rem_euclid(beats_per_bar as i64) as usize,
            )
        }
        None => (beats, first_downbeat),
    };
    Some(Estimate {
        first_downbeat,
        beats_per_bar,
        is_compound: best.meter == 2,
        gain: (best.likelihood - nothing(hits, end)) / hits.len() as f64,
        line: fitted_line,
        beats,
    })
}

/// The period of the beats in the middle of a long recording.
fn middle(hits: &[Hit], end: f64) -> Option<f64> {
    let (first, last) = (hits.first()?.seconds, hits.last()?.seconds.min(end));
    let from = (first + last - GUESS_SECONDS) / 2.0;
    let part: Vec<Hit> = hits
        .iter()
        .filter(|hit| (from..from + GUESS_SECONDS).contains(&hit.seconds))
        .map(|hit| Hit {
            seconds: hit.seconds - from,
            ..*hit
        })
        .collect();
    let beats = match estimate(&part, GUESS_SECONDS) {
        Some(part) => part.beats,
        // A pause in the middle.
        None => return pulse::periods(hits).first().copied(),
    };
    Some((beats[beats.len() - 1] - beats[0]) / (beats.len() - 1) as f64)
}

/// The best bars on a track.
fn rate(
    hits: &[Hit],
    tracks: &[(Vec<f64>, Option<Line>)],
    track: usize,
    meters: &[(&Meter, f64)],
    shifts: &[f64],
    end: f64,
) -> Option<Hypothesis> {
    let (beats, line) = &tracks[track];
    let on_beats = OnBeats::new(hits, beats, end);
    let period = (beats[beats.len() - 1] - beats[0]) / (beats.len() - 1) as f64;
    let octaves = (60.0 / period / USUAL_BPM).log2() / USUAL_OCTAVES;
    let mut prior = -0.5 * octaves * octaves * (USUAL + USUAL_PER_HIT * hits.len() as f64);
    if line.is_none() {
        prior -= FREE_TEMPO + FREE_TEMPO_PER_HIT * hits.len() as f64;
    }
    let mut best: Option<Hypothesis> = None;
    for &shift in shifts {
        for (meter, (table, meter_prior)) in meters.iter().enumerate() {
            for phase in 0..table.beats {
                let start = phase as f64 + shift;
                let likelihood = on_beats.likelihood(start, table);
                let score = likelihood + prior + meter_prior;
                if best.as_ref().is_none_or(|b| score > b.score) {
                    best = Some(Hypothesis {
                        score,
                        likelihood,
                        track,
                        shift,
                        start,
                        meter,
                    });
                }
            }
        }
    }
    best
}

/// Beats that are later by a share of a beat, and the index of a first beat of a bar.
fn shifted(beats: &[f64], shift: f64, start: f64, beats_per_bar: usize) -> (Vec<f64>, usize) {
    let mut moved: Vec<f64> = (0..beats.len() - 1)
        .map(|i| time(beats, i as f64 + shift))
        .collect();
    let phase = (start - shift).round() as usize;
    let before = if shift > 0.0 {
        moved.insert(0, moved[0] - (beats[1] - beats[0]));
        1
    } else {
        moved.push(beats[beats.len() - 1]);
        0
    };
    (moved, (phase + before) % beats_per_bar)
}

/// Logarithm of the likelihood of hits that come at any time.
fn nothing(hits: &[Hit], end: f64) -> f64 {
    let mut counts = [0.0f64; 12];
    for hit in hits {
        counts[hit.group] += 1.0;
    }
    let rates = counts.iter().filter(|&&n| n > 0.0);
    rates.map(|n| n * (n / end).ln() - n).sum()
}
