//! Many inputs: shards, jobs, one progress bar, and a report.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hitscribe::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::inputs::Input;
use crate::output;

/// Steps of the progress bar for each input.
const STEPS: f64 = 1000.0;

/// One of several equal parts of the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (index, count) = text.split_once('/').context("must be like 3/16")?;
        let (index, count): (u64, u64) = (index.parse()?, count.parse()?);
        if !(1..=count).contains(&index) {
            bail!("the first shard of {count} is 1/{count}, the last {count}/{count}");
        }
        Ok(Self {
            index: index - 1,
            count,
        })
    }
}

impl Shard {
    /// Whether an input belongs to this shard. `has_output`: results go to a path that was named.
    ///
    /// This depends on the path of its output alone, so that files that are added later move no
    /// other, and inputs whose outputs would have the same name are in the same shard.
    pub fn contains(self, input: &Input, has_output: bool) -> bool {
        let path = match (has_output, input.within.as_os_str().is_empty()) {
            (false, _) => input.path.with_extension(""),
            (true, true) => PathBuf::from(input.path.file_stem().unwrap_or_default()),
            (true, false) => input.within.with_extension(""),
        };
        hash(&path) % self.count == self.index
    }
}

/// FNV-1a over the components of a path, the same on every system.
fn hash(path: &Path) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for component in path.components() {
        let bytes = component.as_os_str().as_encoded_bytes();
        for byte in bytes.iter().chain(b"/") {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    // The low bits of FNV are the weak ones.
    hash ^ (hash >> 32)
}

/// The outcome of an input, a line of the report.
#[derive(Serialize)]
pub struct Entry<'a> {
    pub file: String,
    /// `done`, `incomplete` (part of the audio could not be read) or `failed`.
    pub status: &'static str,
    /// Where the result was written; none for standard output.
    pub output: Option<String>,
    pub duration_seconds: Option<f64>,
    pub notes: Option<usize>,
    pub model: Option<&'a str>,
    pub version: &'static str,
    /// Time that it took.
    pub elapsed_seconds: f64,
    pub warnings: &'a [String],
    pub error: Option<String>,
}

impl<'a> Entry<'a> {
    /// Of an input without an outcome yet.
    pub fn of(input: &Path) -> Self {
        Self {
            file: input.display().to_string(),
            status: "done",
            output: None,
            duration_seconds: None,
            notes: None,
            model: None,
            version: env!("CARGO_PKG_VERSION"),
            elapsed_seconds: 0.0,
            warnings: &[],
            error: None,
        }
    }

    /// Of an input that could not be transcribed.
    pub fn failed(input: &Path, error: &anyhow::Error) -> Self {
        Self {
            status: "failed",
            error: Some(output::text(error)),
            ..Self::of(input)
        }
    }
}

/// What the jobs of a run share: progress, standard output, report.
pub struct Batch {
    bar: ProgressBar,
    counts: Mutex<Counts>,
    printer: Mutex<Printer>,
    report: Option<Mutex<File>>,
}

struct Counts {
    total: usize,
    inputs: usize,
    steps: f64,
    audio_seconds: f64,
    started: Instant,
}

/// Prints the texts of inputs in the order of the inputs.
#[derive(Default)]
struct Printer {
    next: usize,
    waiting: BTreeMap<usize, Vec<u8>>,
}

/// How much of an input the progress bar shows.
pub struct Share<'a> {
    batch: &'a Batch,
    steps: f64,
    audio_seconds: f64,
}

impl Batch {
    /// Opens the report; lines are appended to it.
    pub fn new(report: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| path.display().to_string())
        };
        Ok(Self {
            bar: ProgressBar::no_length(),
            counts: Mutex::new(Counts {
                total: 0,
                inputs: 0,
                steps: 0.0,
                audio_seconds: 0.0,
                started: Instant::now(),
            }),
            printer: Mutex::default(),
            report: report.map(open).transpose()?.map(Mutex::new),
        })
    }

    /// Draws a progress bar for this number of inputs from now on, on terminals.
    pub fn start(&self, total: usize) {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}");
        self.bar
            .set_style(style.unwrap_or(ProgressStyle::default_bar()));
        self.bar.set_length(total as u64 * STEPS as u64);
        self.bar.enable_steady_tick(Duration::from_millis(200));
        let mut counts = lock(&self.counts);
        counts.total = total;
        counts.started = Instant::now();
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Begins an input.
    pub fn share(&self) -> Share<'_> {
        Share {
            batch: self,
            steps: 0.0,
            audio_seconds: 0.0,
        }
    }

    /// Calls `print`, which writes to standard error, without the progress bar in between.
    pub fn message(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Writes the text of an input to standard output as soon as all before it are written.
    ///
    /// Every input must be printed, also with an empty text.
    pub fn print(&self, index: usize, text: Vec<u8>) -> Result<()> {
        let mut printer = lock(&self.printer);
        printer.waiting.insert(index, text);
        let mut ready = Vec::new();
        while let Some(text) = {
            let next = printer.next;
            printer.waiting.remove(&next)
        } {
            ready.extend(text);
            printer.next += 1;
        }
        if ready.is_empty() {
            return Ok(());
        }
        self.bar.suspend(|| output::write_bytes(&ready))
    }

    /// Appends a line to the report, if there is one.
    pub fn report(&self, entry: &Entry<'_>) -> Result<()> {
        let Some(report) = &self.report else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        lock(report).write_all(&line).context("report")
    }

    fn add(&self, steps: f64, inputs: usize, audio_seconds: f64) {
        let mut counts = lock(&self.counts);
        counts.steps += steps;
        counts.inputs += inputs;
        counts.audio_seconds += audio_seconds;
        let elapsed = counts.started.elapsed().as_secs_f64().max(1e-3);
        let (hours, speed) = (
            counts.audio_seconds / 3600.0,
            counts.audio_seconds / elapsed,
        );
        self.bar.set_position(counts.steps as u64);
        self.bar.set_message(format!(
            "{} of {} files, {hours:.2} h of audio, {speed:.0}x real time",
            counts.inputs, counts.total
        ));
    }
}

impl Share<'_> {
    /// Shows how far the input is.
    pub fn set(&mut self, now: Progress) {
        let steps = now.share().unwrap_or(0.0) * STEPS;
        let audio_seconds = now.done_seconds - self.audio_seconds;
        self.batch.add(steps - self.steps, 0, audio_seconds);
        self.steps = steps;
        self.audio_seconds = now.done_seconds;
    }

    /// Counts the input as done.
    pub fn finish(self) {
        self.batch.add(STEPS - self.steps, 1, 0.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_complete_and_of_similar_size() {
        let paths: Vec<PathBuf> = (0..3000)
            .map(|n| format!("set/{}/loop {n}", n % 7).into())
            .collect();
        let sizes: Vec<usize> = (1..=16)
            .map(|index| {
                let shard: Shard = format!("{index}/16").parse().unwrap();
                let of_shard = |path: &&PathBuf| hash(path) % shard.count == shard.index;
                paths.iter().filter(of_shard).count()
            })
            .collect();
        assert_eq!(sizes.iter().sum::<usize>(), paths.len());
        assert!(
            sizes.iter().all(|size| (130..250).contains(size)),
            "{sizes:?}"
        );
        // Changes move files to other shards.
        assert_eq!(hash(Path::new("a/b")), 0x727a_d182_0c62_9008);
        for bad in ["0/4", "5/4", "1", "1/0", "a/b", "-1/4"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_are_printed_in_the_order_of_the_inputs() {
        let batch = Batch::new(None).unwrap();
        batch.print(2, b"".to_vec()).unwrap();
        batch.print(1, b"".to_vec()).unwrap();
        assert_eq!(lock(&batch.printer).next, 0);
        batch.print(0, b"".to_vec()).unwrap();
        assert_eq!(lock(&batch.printer).next, 3);
    }
}
