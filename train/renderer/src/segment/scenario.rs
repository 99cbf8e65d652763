//! Segments of the validation grid: each shows one situation, and nothing is left to chance but
//! what a situation leaves open.

use hitscribe_dsp::RealFftPlanner;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lengths::{LEAD_SAMPLES, LEAD_SECONDS};
use super::scene::stir;
use super::{Segment, Studio, mark_masked, voice};
use crate::chain::Chain;
use crate::class::DrumClass;
use crate::dsp::{amplitude, chance, log_uniform, mix, peak, rms, scale, uniform};
use crate::groove::{Stroke, window};
use crate::kit::{Kit, Wanted};
use crate::mixdown::{Microphones, record};
use crate::noise::{incidents, room_tone};
use crate::patterns::{invented, jazz};
use crate::perform::{Drums, perform};
use crate::styles::{ensemble, funk, machine, metal, strokes_of};

/// Situations in which drums are recorded, or something that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A kit as it was recorded, nothing else.
    DryBus,
    /// Mixed and processed.
    ProcessedBus,
    /// A telephone in the room.
    PhoneRoom,
    /// Mono tape.
    VintageMono,
    /// Overheads alone.
    Overheads,
    /// Close to one drum.
    CloseMic,
    /// One drum alone, pauses, handling, talk.
    SoloDrum,
    /// Loops of machines.
    MachineLoop,
    /// Ride, pedal, comping, half of them with brushes stirring.
    Jazz,
    /// Double kicks.
    Metal,
    /// Ghost notes.
    Funk,
    /// The band 6 dB below the drums.
    BandMinus6,
    /// The band as loud as the drums.
    BandEqual,
    /// The band 6 dB above the drums.
    BandPlus6,
    /// A codec at a low bit rate.
    Mp3,
    /// Hand percussion without a kit.
    HandPercussion,
    /// Noise, talk and room tone alone.
    Noise,
    /// A band without drums.
    BandAlone,
}

/// The drums that are struck alone, each in two clips: dry, and by a phone.
const SOLO: [DrumClass; 9] = [
    DrumClass::Kick,
    DrumClass::Snare,
    DrumClass::FloorTom,
    DrumClass::ClosedHat,
    DrumClass::HighTom,
    DrumClass::Ride,
    DrumClass::OpenHat,
    DrumClass::Crash,
    DrumClass::SideStick,
];

impl Scenario {
    /// Every scenario, in the order of reports.
    pub const ALL: [Self; 18] = [
        Self::DryBus,
        Self::ProcessedBus,
        Self::PhoneRoom,
        Self::VintageMono,
        Self::Overheads,
        Self::CloseMic,
        Self::SoloDrum,
        Self::MachineLoop,
        Self::Jazz,
        Self::Metal,
        Self::Funk,
        Self::BandMinus6,
        Self::BandEqual,
        Self::BandPlus6,
        Self::Mp3,
        Self::HandPercussion,
        Self::Noise,
        Self::BandAlone,
    ];

    /// Name of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DryBus => "dry_bus",
            Self::ProcessedBus => "processed_bus",
            Self::PhoneRoom => "phone_room",
            Self::VintageMono => "vintage_mono",
            Self::Overheads => "overheads",
            Self::CloseMic => "close_mic",
            Self::SoloDrum => "solo_drum",
            Self::MachineLoop => "machine_loop",
            Self::Jazz => "jazz",
            Self::Metal => "metal",
            Self::Funk => "funk",
            Self::BandMinus6 => "band_minus_6",
            Self::BandEqual => "band_equal",
            Self::BandPlus6 => "band_plus_6",
            Self::Mp3 => "mp3",
            Self::HandPercussion => "hand_percussion",
            Self::Noise => "noise",
            Self::BandAlone => "band_alone",
        }
    }

    /// Whether a kit plays: only then an F measure is asked for.
    pub const fn has_kit(self) -> bool {
        !matches!(self, Self::HandPercussion | Self::Noise | Self::BandAlone)
    }

    /// Clips of it for each of others: a drum alone is struck seldom.
    pub(crate) const fn weight(self) -> u64 {
        match self {
            Self::SoloDrum => 3,
            _ => 1,
        }
    }

    /// Level of the band against the drums in dB, where one plays.
    const fn band_db(self) -> Option<f32> {
        match self {
            Self::BandMinus6 => Some(-6.0),
            Self::BandEqual | Self::BandAlone => Some(0.0),
            Self::BandPlus6 => Some(6.0),
            _ => None,
        }
    }
}

impl Studio {
    /// Clip number `index` of a scenario; always the same for a seed.
    pub fn clip(
        &self,
        planner: &mut RealFftPlanner,
        scenario: Scenario,
        seed: u64,
        index: u64,
    ) -> Segment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(scenario as u64 * 1_000 + index);
        let rng = &mut rng;
        let total = LEAD_SAMPLES + self.samples;
        // Every second clip of a kind differs in one respect.
        let other = index % 2 == 1;
        let silent = Drums {
            audio: vec![0.0; total],
            hits: Vec::new(),
        };
        let mut drums = match scenario {
            Scenario::Noise | Scenario::BandAlone => silent,
            _ => self.clip_drums(rng, planner, scenario, index),
        };
        let top = peak(&drums.audio).max(1e-6);
        scale(&mut drums.audio, 1.0 / top);

        let mut others = vec![0.0f32; total];
        if let Some(db) = scenario.band_db().filter(|_| !self.band.is_empty()) {
            let (samples, _) = self.band_window(rng, total);
            mix(&mut others, &samples, 1.0 / rms(&samples).max(1e-6));
            if other {
                voice(rng, planner, &self.talk, &mut others);
            }
            let own = if scenario == Scenario::BandAlone {
                0.1
            } else {
                rms(&drums.audio)
            };
            let level = rms(&others).max(1e-6);
            scale(&mut others, own * amplitude(db) / level);
        }
        if scenario == Scenario::Jazz && other {
            stir(rng, &mut others);
        }
        let chain = match scenario {
            Scenario::PhoneRoom => Chain::Phone,
            Scenario::SoloDrum | Scenario::Noise if other => Chain::Phone,
            Scenario::VintageMono => Chain::Vintage,
            Scenario::Mp3 => Chain::Codec,
            _ => Chain::Clean,
        };
        if let Some(floor) = chain.floor(rng, total) {
            mix(&mut others, &floor, 1.0);
        }
        if matches!(scenario, Scenario::SoloDrum | Scenario::Noise) {
            let bed = room_tone(rng, total);
            mix(&mut others, &bed, amplitude(uniform(rng, -65.0, -38.0)));
            let loudest_db = uniform(rng, -24.0, -8.0);
            incidents(
                rng,
                &mut others,
                &self.talk,
                0.8,
                loudest_db - 24.0,
                loudest_db,
            );
        }
        mark_masked(&mut drums.hits, &drums.audio, &others);
        let Drums {
            mut audio,
            mut hits,
        } = drums;
        mix(&mut audio, &others, 1.0);
        chain.record(rng, planner, &mut audio);
        if chain.is_dull() {
            for hit in &mut hits {
                hit.audibility = hit.audibility.dulled();
            }
        }
        let mut audio = audio.split_off(LEAD_SAMPLES);
        let top = peak(&audio).max(1e-6);
        scale(&mut audio, amplitude(uniform(rng, -24.0, -0.3)) / top);
        Segment { audio, hits }
    }

    fn clip_drums(
        &self,
        rng: &mut ChaCha8Rng,
        planner: &mut RealFftPlanner,
        scenario: Scenario,
        index: u64,
    ) -> Drums {
        let other = index % 2 == 1;
        let (length, lead) = (self.seconds(), LEAD_SECONDS);
        let mut wanted = Wanted {
            as_recorded: !other || scenario == Scenario::DryBus,
            ..Wanted::default()
        };
        let strokes = match scenario {
            Scenario::SoloDrum => {
                // The recording begins before the drummer does.
                let class = SOLO[(index / 2) as usize % SOLO.len()];
                let mut strokes = strokes_of(rng, &[class], length, lead);
                let begin = f64::from(uniform(rng, 0.3, 3.0));
                strokes.retain(|s| s.seconds > begin);
                strokes
            }
            Scenario::MachineLoop => {
                wanted.electronic = true;
                machine(rng, length, lead)
            }
            Scenario::Jazz => jazz(rng, length, lead),
            Scenario::Metal => metal(rng, length, lead),
            Scenario::Funk => funk(rng, length, lead),
            Scenario::HandPercussion => ensemble(rng, length, lead),
            _ => self.performed(rng),
        };
        let kit = Kit::random(rng, &self.bank, &self.kits, wanted);
        let take = perform(rng, kit, &strokes, LEAD_SAMPLES, self.samples);
        let microphones = match scenario {
            Scenario::DryBus => return take.dry(),
            Scenario::MachineLoop | Scenario::SoloDrum | Scenario::HandPercussion if !other => {
                return take.dry();
            }
            Scenario::Overheads | Scenario::PhoneRoom => Microphones::Overheads,
            Scenario::CloseMic => Microphones::Close,
            _ => Microphones::Many,
        };
        record(rng, planner, take, microphones)
    }

    /// A performance as it was played, somewhat faster or slower.
    fn performed(&self, rng: &mut ChaCha8Rng) -> Vec<Stroke> {
        let (length, lead) = (self.seconds(), LEAD_SECONDS);
        // Fills of two seconds leave most of a clip empty.
        let long: Vec<_> = self
            .performances
            .iter()
            .filter(|p| p.seconds() > length)
            .collect();
        if long.is_empty() {
            return invented(rng, length, lead);
        }
        let performance = long[rng.random_range(0..long.len())];
        let stretch = f64::from(log_uniform(rng, 0.85, 1.15));
        let mut strokes = window(rng, performance, stretch, length, lead);
        strokes.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        if chance(rng, 0.2) {
            super::scene::pause(rng, &mut strokes, length);
        }
        strokes
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::studio;
    use super::*;
    use crate::SAMPLE_RATE;

    #[test]
    fn every_scenario_has_what_it_is_named_for() {
        let samples = 6 * SAMPLE_RATE as usize;
        let (studio, mut planner) = (studio().with_length(samples), RealFftPlanner::new());
        for scenario in Scenario::ALL {
            let mut hits = 0;
            for index in 0..4 {
                let clip = studio.clip(&mut planner, scenario, 1, index);
                assert_eq!(clip.audio.len(), samples);
                assert!(clip.audio.iter().all(|x| x.is_finite() && x.abs() <= 1.0));
                hits += clip.hits.len();
            }
            let expected = scenario.has_kit() || scenario == Scenario::HandPercussion;
            assert_eq!(hits > 0, expected, "{scenario:?}: {hits}");
        }
    }
}
