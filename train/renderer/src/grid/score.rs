//! Scores of a transcription of the grid.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::class::DrumClass;
use crate::labels::{Hit, read_csv};
use crate::segment::Scenario;
use crate::smf::midi_notes;

const TOLERANCE_SECONDS: f64 = 0.05;

/// Groups of classes that are scored together: those of a kit, then hand percussion.
pub const GROUPS: [&str; 7] = ["KD", "SD", "TT", "HH", "CY", "RD", "PC"];
/// The groups of a kit.
const KIT: usize = 6;
/// Crashes and the like, and rides.
const CYMBALS: [usize; 2] = [4, 5];

fn group(class: DrumClass) -> usize {
    use DrumClass::{
        China, Clap, ClosedHat, Crash, Kick, OpenHat, PedalHat, Ride, RideBell, SideStick, Snare,
        Splash,
    };
    match class {
        Kick => 0,
        Snare | SideStick | Clap => 1,
        c if c.is_tom() => 2,
        ClosedHat | PedalHat | OpenHat => 3,
        Crash | China | Splash => 4,
        Ride | RideBell => 5,
        _ => 6,
    }
}

/// What was right and wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Hits that were found.
    pub matched: usize,
    /// Hits that were written, without those that may be there or not.
    pub estimated: usize,
    /// Hits that must be found.
    pub reference: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.matched += other.matched;
        self.estimated += other.estimated;
        self.reference += other.reference;
    }

    /// F measure; 1 where there is nothing to find and nothing was found.
    pub fn f1(self) -> f64 {
        match self.estimated + self.reference {
            0 => 1.0,
            sum => 2.0 * self.matched as f64 / sum as f64,
        }
    }

    fn precision(self) -> f64 {
        self.matched as f64 / self.estimated.max(1) as f64
    }

    fn recall(self) -> f64 {
        self.matched as f64 / self.reference.max(1) as f64
    }
}

/// Pairs of a reference and an estimate, both in order of time: as many as there can be.
fn pairs(reference: &[f64], estimate: &[f64]) -> Vec<(usize, usize)> {
    let (mut r, mut e, mut found) = (0, 0, Vec::new());
    while let (Some(wanted), Some(heard)) = (reference.get(r), estimate.get(e)) {
        if (wanted - heard).abs() <= TOLERANCE_SECONDS {
            found.push((r, e));
            (r, e) = (r + 1, e + 1);
        } else if wanted < heard {
            r += 1;
        } else {
            e += 1;
        }
    }
    found
}

/// The score of some groups as one in one clip, and the velocities of what was found.
fn clip_group(reference: &[Hit], estimate: &[Hit], groups: &[usize]) -> (Counts, Vec<(f32, f32)>) {
    let of = |hits: &[Hit]| -> Vec<Hit> {
        let mut own: Vec<Hit> = hits
            .iter()
            .copied()
            .filter(|h| groups.contains(&group(h.class)))
            .collect();
        own.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        own
    };
    let times = |hits: &[Hit]| hits.iter().map(|h| h.seconds).collect::<Vec<_>>();
    let (optional, required): (Vec<Hit>, Vec<Hit>) =
        of(reference).into_iter().partition(|h| !h.is_required);
    let estimate = of(estimate);
    let found = pairs(&times(&required), &times(&estimate));
    let taken: Vec<usize> = found.iter().map(|(_, e)| *e).collect();
    let rest: Vec<f64> = (0..estimate.len())
        .filter(|e| !taken.contains(e))
        .map(|e| estimate[e].seconds)
        .collect();
    let forgiven = pairs(&times(&optional), &rest).len();
    let velocities = found
        .iter()
        .map(|(r, e)| (required[*r].velocity, estimate[*e].velocity));
    let counts = Counts {
        matched: found.len(),
        estimated: estimate.len() - forgiven,
        reference: required.len(),
    };
    (counts, velocities.collect())
}

/// Spearman's rank correlation; `None` for fewer than eight pairs or where one side does not
/// change.
fn rank_correlation(pairs: &[(f32, f32)]) -> Option<f64> {
    if pairs.len() < 8 {
        return None;
    }
    let ranks = |values: Vec<f32>| -> Vec<f64> {
        let rank = |v: f32| {
            let below = values.iter().filter(|x| **x < v).count();
            let equal = values.iter().filter(|x| **x == v).count();
            below as f64 + 0.5 * equal as f64
        };
        values.iter().map(|v| rank(*v)).collect()
    };
    let a = ranks(pairs.iter().map(|p| p.0).collect());
    let b = ranks(pairs.iter().map(|p| p.1).collect());
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(&a), mean(&b));
    let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    let spread = (dot(&a, ma, &a, ma) * dot(&b, mb, &b, mb)).sqrt();
    (spread > 1e-9).then(|| dot(&a, ma, &b, mb) / spread)
}

/// Scores of one scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScenarioScores {
    /// By group, in the order of [`GROUPS`].
    pub groups: [Counts; GROUPS.len()],
    /// All groups of a kit.
    pub kit: Counts,
    /// The same with cymbals and rides as one, for programs that do not tell them apart.
    pub five: Counts,
    /// Length of its clips.
    pub minutes: f64,
    /// Mean over clips of the rank correlation of velocities.
    pub velocity: Option<f64>,
}

impl ScenarioScores {
    /// Kit hits a minute that answer to nothing.
    pub fn false_hits(&self) -> f64 {
        (self.kit.estimated - self.kit.matched) as f64 / self.minutes.max(1e-9)
    }
}

/// Scores of all scenarios.
#[derive(Debug, Serialize)]
pub struct Report {
    /// By name of the scenario.
    pub scenarios: BTreeMap<&'static str, ScenarioScores>,
    /// Over all scenarios with a kit.
    pub micro_f: f64,
    /// The same with cymbals and rides as one class.
    pub micro_f_five: f64,
    /// The mean of the three lowest among them.
    pub worst_three: f64,
    /// Hits written for strokes played where one drum plays alone.
    pub solo_ratio: f64,
}

/// Scores the transcriptions below `predictions` (`SCENARIO/NN.mid` or `NN.csv` with seconds, class
/// and velocity) of the clips below `grid`.
///
/// # Errors
/// When a file is missing or cannot be read.
pub fn score(grid: &Path, predictions: &Path) -> Result<Report> {
    let mut scenarios = BTreeMap::new();
    for scenario in Scenario::ALL {
        let folder = grid.join(scenario.name());
        if !folder.is_dir() {
            continue;
        }
        let own = predictions.join(scenario.name());
        scenarios.insert(scenario.name(), scenario_scores(&folder, &own)?);
    }
    if scenarios.is_empty() {
        bail!("{}: has no scenario of the grid", grid.display());
    }
    let with_kit = Scenario::ALL.into_iter().filter(|s| s.has_kit());
    let of_kits: Vec<&ScenarioScores> = with_kit.filter_map(|s| scenarios.get(s.name())).collect();
    let kits: Vec<Counts> = of_kits.iter().map(|scores| scores.kit).collect();
    let (mut all, mut five) = (Counts::default(), Counts::default());
    for scores in of_kits {
        all.add(scores.kit);
        five.add(scores.five);
    }
    let mut f: Vec<f64> = kits.iter().map(|c| c.f1()).collect();
    f.sort_by(f64::total_cmp);
    let worst = &f[..f.len().min(3)];
    let solo = scenarios
        .get(Scenario::SoloDrum.name())
        .map_or(Counts::default(), |s| s.kit);
    Ok(Report {
        micro_f: all.f1(),
        micro_f_five: five.f1(),
        worst_three: worst.iter().sum::<f64>() / worst.len().max(1) as f64,
        solo_ratio: solo.estimated as f64 / solo.reference.max(1) as f64,
        scenarios,
    })
}

fn scenario_scores(folder: &Path, predictions: &Path) -> Result<ScenarioScores> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut clips: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    clips.retain(|p| p.extension().is_some_and(|e| e == "wav"));
    clips.sort();
    let (mut scores, mut correlations) = (ScenarioScores::default(), Vec::new());
    for clip in clips {
        let name = clip.file_stem().unwrap_or_default();
        let wav = hound::WavReader::open(&clip).with_context(|| clip.display().to_string())?;
        scores.minutes += f64::from(wav.duration()) / f64::from(wav.spec().sample_rate) / 60.0;
        let reference = read_csv(&clip.with_extension("csv"))?;
        let estimate = predictions.join(name);
        let estimate = match estimate.with_extension("mid") {
            midi if midi.exists() => read_midi(&midi)?,
            _ => read_csv(&estimate.with_extension("csv"))?,
        };
        let mut velocities = Vec::new();
        for index in 0..GROUPS.len() {
            let (counts, found) = clip_group(&reference, &estimate, &[index]);
            scores.groups[index].add(counts);
            if index < KIT {
                scores.kit.add(counts);
                velocities.extend(found);
            }
            if index < CYMBALS[0] {
                scores.five.add(counts);
            }
        }
        scores
            .five
            .add(clip_group(&reference, &estimate, &CYMBALS).0);
        correlations.extend(rank_correlation(&velocities));
    }
    if !correlations.is_empty() {
        scores.velocity = Some(correlations.iter().sum::<f64>() / correlations.len() as f64);
    }
    Ok(scores)
}

fn read_midi(path: &Path) -> Result<Vec<Hit>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let notes = midi_notes(&bytes).with_context(|| path.display().to_string())?;
    let drums = notes.iter().filter(|n| n.channel == 9);
    Ok(drums
        .filter_map(|n| {
            Some(Hit {
                seconds: n.onset,
                class: DrumClass::from_gm_note(n.key)?,
                velocity: f32::from(n.velocity) / 127.0,
                is_required: true,
            })
        })
        .collect())
}

impl Report {
    /// As a table: F by scenario and group, and what else is asked of some of them.
    pub fn table(&self) -> String {
        let mut lines = vec![format!(
            "{:16} {:>6} {:>6} {:>6}  {}  {:>6} {:>6}",
            "scenario",
            "F",
            "P",
            "R",
            GROUPS.map(|g| format!("{g:>5}")).join(" "),
            "false",
            "vel"
        )];
        for scenario in Scenario::ALL {
            let Some(scores) = self.scenarios.get(scenario.name()) else {
                continue;
            };
            let share = |x: f64| format!("{x:.3}");
            let (f, p, r) = if scenario.has_kit() {
                let kit = scores.kit;
                (share(kit.f1()), share(kit.precision()), share(kit.recall()))
            } else {
                ("-".into(), "-".into(), "-".into())
            };
            let groups = scores.groups.map(|c| match c.reference + c.estimated {
                0 => format!("{:>5}", "-"),
                _ => format!("{:>5.2}", c.f1()),
            });
            let velocity = scores
                .velocity
                .map_or("-".to_owned(), |v| format!("{v:.2}"));
            lines.push(format!(
                "{:16} {f:>6} {p:>6} {r:>6}  {}  {:>6.1} {velocity:>6}",
                scenario.name(),
                groups.join(" "),
                scores.false_hits(),
            ));
        }
        lines.push(format!(
            "micro F {:.3} (cymbals and rides as one {:.3}); mean of the three worst {:.3}; one drum alone: {:.3} hits a stroke; \
             `false` is kit hits a minute",
            self.micro_f, self.micro_f_five, self.worst_three, self.solo_ratio
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(seconds: f64, class: DrumClass, is_required: bool) -> Hit {
        Hit {
            seconds,
            class,
            velocity: 0.5,
            is_required,
        }
    }

    #[test]
    fn doubled_hits_cost_precision_and_drowned_ones_nothing() {
        use DrumClass::{Kick, SideStick, Snare};
        let reference = [
            hit(1.0, Snare, true),
            hit(2.0, SideStick, true),
            hit(3.0, Snare, false),
            hit(4.0, Snare, true),
        ];
        let estimate = [
            hit(1.01, Snare, true),
            hit(1.03, Snare, true),
            hit(2.049, Snare, true),
            hit(3.02, Snare, true),
            hit(4.06, Snare, true),
            hit(5.0, Kick, true),
        ];
        let (snares, _) = clip_group(&reference, &estimate, &[1]);
        let expected = Counts {
            matched: 2,
            estimated: 4,
            reference: 3,
        };
        assert_eq!(snares, expected);
        let (kicks, _) = clip_group(&reference, &estimate, &[0]);
        assert_eq!((kicks.estimated, kicks.matched), (1, 0));
    }

    #[test]
    fn ranks_correlate_as_they_are_ordered() {
        let up: Vec<(f32, f32)> = (0..20).map(|i| (i as f32, (i * i) as f32)).collect();
        let down: Vec<(f32, f32)> = up.iter().map(|(a, b)| (*a, -b)).collect();
        assert!((rank_correlation(&up).unwrap() - 1.0).abs() < 1e-9);
        assert!((rank_correlation(&down).unwrap() + 1.0).abs() < 1e-9);
        assert_eq!(rank_correlation(&up[..5]), None);
    }
}
