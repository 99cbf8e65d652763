//! Rhythms of bars: how often each kind of hit occurs at each place of a bar.
//!
//! The tables are mixtures of Poisson rates, fitted with expectation maximisation to the
//! performances of six drummers and to scores (`train/beats/patterns.py`). A hypothesis about
//! beats and bars is scored by the likelihood of the hits under these rates, in hits per second:
//! so tempos, meters and phases are comparable with each other.

use std::sync::OnceLock;

/// Places per beat: straight and ternary subdivisions down to thirty-second notes.
pub const BINS: usize = 24;
/// Kinds of hits by drums; those of pitched notes follow.
pub const DRUM_GROUPS: usize = 10;
/// Low and other pitched notes.
pub const PITCHED_GROUPS: usize = 2;
/// Components of a table are padded to this, for vector instructions.
pub const LANES: usize = 16;

const BYTES: &[u8] = include_bytes!("patterns.bin");
/// Smallest stored value, and steps per factor e.
const SMALLEST: f32 = 1e-3;
const STEPS: f32 = 32.0;

/// A mixture of rhythms of a bar, or of a beat.
pub struct Mixture {
    /// Logarithm of hits per bin, by group, bin and component.
    log_rates: Vec<[f32; LANES]>,
    /// Sum of the rates, by component: hits that a whole bar has on average.
    pub expected: [f32; LANES],
    /// Logarithm of the share of each component; far below all others where there is none.
    pub log_share: [f32; LANES],
    /// Length in bins.
    pub bins: usize,
    /// First group of hits that the table is for.
    pub first_group: usize,
    groups: usize,
}

impl Mixture {
    fn new(rates: &[Vec<f32>], shares: &[f32], bins: usize, first_group: usize) -> Self {
        let groups = rates[0].len() / bins;
        let mut mixture = Self {
            log_rates: vec![[0.0; LANES]; groups * bins],
            expected: [0.0; LANES],
            log_share: [-1e6; LANES],
            bins,
            first_group,
            groups,
        };
        for (k, (rates, &share)) in rates.iter().zip(shares).enumerate() {
            mixture.log_share[k] = share.ln();
            mixture.expected[k] = rates.iter().sum();
            for (cell, &rate) in mixture.log_rates.iter_mut().zip(rates) {
                cell[k] = rate.ln();
            }
        }
        mixture
    }

    /// Whether hits of `group` count here.
    pub fn has(&self, group: usize) -> bool {
        (self.first_group..self.first_group + self.groups).contains(&group)
    }

    /// Adds the log rates at a place, `beats` from the start of the bar, to those of a bar.
    pub fn add(&self, group: usize, beats: f64, sum: &mut [f32; LANES]) {
        let place = (beats * BINS as f64).rem_euclid(self.bins as f64);
        let (bin, share) = (place as usize % self.bins, place.fract() as f32);
        let row = (group - self.first_group) * self.bins;
        let here = &self.log_rates[row + bin];
        let next = &self.log_rates[row + (bin + 1) % self.bins];
        for ((sum, a), b) in sum.iter_mut().zip(here).zip(next) {
            *sum += a + (b - a) * share;
        }
    }

    /// The same without interpolation between bins.
    pub fn add_nearest(&self, group: usize, beats: f64, sum: &mut [f32; LANES]) {
        let bin = (beats * BINS as f64 + 0.5) as usize % self.bins;
        let row = &self.log_rates[(group - self.first_group) * self.bins + bin];
        for (sum, a) in sum.iter_mut().zip(row) {
            *sum += a;
        }
    }
}

/// The tables of a meter: for drums and for pitched notes.
pub struct Meter {
    pub beats: usize,
    /// By kind of notes: the alternatives of a bar.
    pub mixtures: [Vec<Mixture>; 2],
}

pub struct Tables {
    /// Single beats, for tracking.
    pub beat: Meter,
    pub four: Meter,
    pub three: Meter,
    /// Two beats of three eighth notes.
    pub six_eight: Meter,
}

/// Rates and shares of the components of a stored table.
struct Stored {
    shares: Vec<f32>,
    rates: Vec<Vec<f32>>,
    bins: usize,
    first_group: usize,
}

impl Stored {
    fn read(bytes: &mut &[u8], k: usize, groups: usize, beats: usize, first_group: usize) -> Self {
        let value = |byte: &u8| SMALLEST * (f32::from(*byte) / STEPS).exp();
        let bins = beats * BINS;
        let (shares, rest) = bytes.split_at(k);
        let (cells, rest) = rest.split_at(groups * bins * k);
        *bytes = rest;
        Self {
            shares: shares.iter().map(value).collect(),
            rates: (0..k)
                .map(|k0| cells.iter().skip(k0).step_by(k).map(value).collect())
                .collect(),
            bins,
            first_group,
        }
    }

    fn mixture(&self) -> Mixture {
        Mixture::new(&self.rates, &self.shares, self.bins, self.first_group)
    }

    /// A table of bars that are made of `beats` of this one's.
    fn of_beats(&self, beats: &[usize]) -> Stored {
        let pick = |rates: &Vec<f32>| {
            rates
                .chunks(self.bins)
                .flat_map(|row| {
                    beats
                        .iter()
                        .flat_map(|beat| row[beat * BINS..(beat + 1) * BINS].iter().copied())
                })
                .collect()
        };
        Stored {
            shares: self.shares.clone(),
            rates: self.rates.iter().map(pick).collect(),
            bins: beats.len() * BINS,
            first_group: self.first_group,
        }
    }

    /// Mean over the beats of each component.
    fn mean_beat(&self) -> Stored {
        let count = self.bins / BINS;
        let mean = |rates: &Vec<f32>| {
            rates
                .chunks(self.bins)
                .flat_map(|row| {
                    (0..BINS).map(move |bin| {
                        let sum: f32 = row.iter().skip(bin).step_by(BINS).sum();
                        sum / count as f32
                    })
                })
                .collect()
        };
        Stored {
            shares: self.shares.clone(),
            rates: self.rates.iter().map(mean).collect(),
            bins: BINS,
            first_group: self.first_group,
        }
    }
}

impl Tables {
    pub fn get() -> &'static Self {
        static TABLES: OnceLock<Tables> = OnceLock::new();
        TABLES.get_or_init(Self::read)
    }

    fn read() -> Self {
        let mut bytes = BYTES;
        let drums = Stored::read(&mut bytes, 12, DRUM_GROUPS, 4, 0);
        let mut pitched = |beats| Stored::read(&mut bytes, 4, PITCHED_GROUPS, beats, DRUM_GROUPS);
        let (four, three, two) = (pitched(4), pitched(3), pitched(2));
        let mut beat = four.mean_beat();
        for more in [three.mean_beat(), two.mean_beat()] {
            beat.shares.extend(more.shares);
            beat.rates.extend(more.rates);
        }
        let waltzes = [[0, 1, 1], [0, 1, 3], [0, 2, 1], [0, 2, 2]];
        let waltz = |beats: &[usize; 3]| drums.of_beats(beats).mixture();
        Self {
            beat: Meter {
                beats: 1,
                mixtures: [vec![drums.mean_beat().mixture()], vec![beat.mixture()]],
            },
            six_eight: Meter {
                beats: 2,
                mixtures: [vec![drums.of_beats(&[0, 1]).mixture()], vec![two.mixture()]],
            },
            four: Meter {
                beats: 4,
                mixtures: [vec![drums.mixture()], vec![four.mixture()]],
            },
            three: Meter {
                beats: 3,
                mixtures: [waltzes.iter().map(waltz).collect(), vec![three.mixture()]],
            },
        }
    }
}
