//! SoundFonts of all instruments, and of single ones that were recorded better.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rand::Rng;
use rustysynth::SoundFont;

use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, PoolNote, synthesize};
use crate::dsp::mix;

/// Programs of a SoundFont for General MIDI; those of single instruments have fewer.
const GENERAL: usize = 100;
const PROGRAMS: u8 = 128;

/// The SoundFonts of a pool.
pub(crate) struct Fonts {
    general: Vec<Arc<SoundFont>>,
    /// For each General MIDI program.
    with_program: Vec<Vec<Arc<SoundFont>>>,
}

impl Fonts {
    /// # Errors
    /// When a file is no plain SF2 file, or none has all instruments.
    pub(crate) fn load(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let fonts = load_fonts(paths)?;
        let plays = |font: &SoundFont, program| {
            let mut presets = font.get_presets().iter();
            presets.any(|p| p.get_bank_number() == 0 && p.get_patch_number() == i32::from(program))
        };
        let with_program: Vec<Vec<_>> = (0..PROGRAMS)
            .map(|program| {
                let of_program = fonts.iter().filter(|font| plays(font, program));
                of_program.cloned().collect()
            })
            .collect();
        let is_general = |font: &Arc<SoundFont>| {
            let has = |of_program: &&Vec<Arc<_>>| of_program.iter().any(|f| Arc::ptr_eq(f, font));
            with_program.iter().filter(has).count() >= GENERAL
        };
        let general: Vec<_> = fonts.iter().filter(|f| is_general(f)).cloned().collect();
        anyhow::ensure!(
            !general.is_empty(),
            "one SoundFont at least must have the instruments of General MIDI"
        );
        Ok(Self {
            general,
            with_program,
        })
    }

    /// A SoundFont of all instruments.
    pub(crate) fn general(&self, rng: &mut impl Rng) -> &Arc<SoundFont> {
        &self.general[rng.random_range(0..self.general.len())]
    }

    /// One that has the program.
    fn of(&self, rng: &mut impl Rng, program: u8) -> &Arc<SoundFont> {
        match self.with_program.get(usize::from(program)) {
            Some(fonts) if !fonts.is_empty() => &fonts[rng.random_range(0..fonts.len())],
            _ => self.general(rng),
        }
    }

    /// [`EXCERPT_SAMPLES`] of notes, each program on a SoundFont that has it.
    pub(crate) fn play(
        &self,
        rng: &mut impl Rng,
        notes: &[PoolNote],
        wet: bool,
    ) -> Option<Vec<f32>> {
        let mut parts: Vec<(&Arc<SoundFont>, Vec<u8>)> = Vec::new();
        let mut programs: Vec<u8> = notes.iter().map(|n| n.program).collect();
        programs.sort_unstable();
        programs.dedup();
        for program in programs {
            let font = self.of(rng, program);
            match parts.iter_mut().find(|(other, _)| Arc::ptr_eq(other, font)) {
                Some((_, programs)) => programs.push(program),
                None => parts.push((font, vec![program])),
            }
        }
        let mut audio = vec![0.0; EXCERPT_SAMPLES];
        for (font, programs) in parts {
            let played = notes.iter().filter(|n| programs.contains(&n.program));
            let part = synthesize(font, &played.copied().collect::<Vec<_>>(), wet)?;
            mix(&mut audio, &part, 1.0);
        }
        Some(audio)
    }
}

/// Reads plain SF2 files.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn load_fonts(paths: &[impl AsRef<Path>]) -> Result<Vec<Arc<SoundFont>>> {
    paths
        .iter()
        .map(|path| {
            let path = path.as_ref();
            let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
            let font = SoundFont::new(&mut BufReader::new(file))
                .map_err(|e| anyhow::anyhow!("{}: {e:?}", path.display()))?;
            Ok(Arc::new(font))
        })
        .collect()
}
