//! Hours of playback by many instances in the headless host, slightly faster than real time, so
//! that they work as in live use. Reports late notes, memory growth and slow blocks.
//!
//! `cargo xtask soak [--instances N] [--minutes N] [--speed X] [--block N] [--editor]`

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hitscribe_host::Host;
use hitscribe_live::take::Detection;
use hitscribe_tests::window::ParentWindow;
use hitscribe_tests::{Render, groove, library, take_of, transport_at};

const SAMPLE_RATE_HZ: f64 = 48_000.0;
/// The audio of an instance, repeated.
const LOOP_SECONDS: f64 = 12.0;
/// Maximum growth of memory after the first tenth, as a share.
const MEMORY_TOLERANCE: f64 = 0.05;
/// A delay of the audio driver from which playback has dropouts.
const UNDERRUN: Duration = Duration::from_millis(100);
/// Share of a block's time that a call of process() may take.
const BLOCK_SHARE: f64 = 0.1;
/// If calls at one position of the loop are slow in more than this share of its repetitions, the
/// plugin is the cause.
const OWN_SHARE: f64 = 0.05;

struct Plan {
    instances: usize,
    minutes: f64,
    /// Low enough that the plugin does not take the host for a renderer.
    speed: f64,
    block_frames: usize,
    /// Whether the editor of the first instance is open.
    has_editor: bool,
}

fn plan() -> Result<Plan> {
    let mut plan = Plan {
        instances: 8,
        minutes: 60.0,
        speed: 1.2,
        block_frames: 128,
        has_editor: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--editor" {
            plan.has_editor = true;
            continue;
        }
        let value = arguments
            .next()
            .with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--instances" => plan.instances = value.parse()?,
            "--minutes" => plan.minutes = value.parse()?,
            "--speed" => plan.speed = value.parse()?,
            "--block" => plan.block_frames = value.parse()?,
            _ => bail!("{name}: use --instances, --minutes, --speed, --block or --editor"),
        }
    }
    Ok(plan)
}

/// An instance and the number of notes that it has played.
struct Track {
    host: Host,
    audio: Vec<Vec<f32>>,
    played: usize,
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn main() -> Result<()> {
    let plan = plan()?;
    let library = library();
    let render = Render {
        says_offline: false,
        parameters: vec![("Latency mode", "Aligned (audio waits)".to_owned())],
        ..Render::default()
    };
    let mut tracks = Vec::new();
    for index in 0..plan.instances {
        let mut audio = groove(SAMPLE_RATE_HZ, LOOP_SECONDS);
        audio
            .iter_mut()
            .for_each(|channel| channel.rotate_right(index * 4801));
        let mut host = render.host(&library, 2)?;
        host.start(SAMPLE_RATE_HZ, plan.block_frames)?;
        tracks.push(Track {
            host,
            audio,
            played: 0,
        });
    }
    let window = plan.has_editor.then(ParentWindow::open).transpose()?;
    if let Some(window) = &window {
        let host = &mut tracks[0].host;
        host.open_editor(window.id(), Duration::ZERO)?;
    }
    let block_seconds = plan.block_frames as f64 / SAMPLE_RATE_HZ;
    let blocks = (plan.minutes * 60.0 / block_seconds) as u64;
    let times = || Times::of_blocks(block_seconds);
    let (mut cpu, mut wall) = (times(), times());
    // Interrupts count as time of the running thread. A few lines that copy show how much they
    // take.
    let mut copying = times();
    // After each tenth of the time.
    let mut memory_kib = Vec::new();
    let mut notes = Vec::new();
    let mut began = Instant::now();
    // Slow calls by position in the loop: those of the plugin recur in every repetition, those of
    // the machine occur anywhere.
    let blocks_in_loop = (LOOP_SECONDS / block_seconds) as usize;
    let mut long_at = vec![0u32; blocks_in_loop];
    let (mut stalls, mut longest_stall) = (0u64, Duration::ZERO);
    for index in 0..blocks {
        let at_seconds = index as f64 * block_seconds;
        for track in &mut tracks {
            notes.clear();
            let copying_before = cpu_seconds();
            let mut block = part(
                &track.audio,
                index * plan.block_frames as u64,
                plan.block_frames,
            );
            copying.add(cpu_seconds() - copying_before);
            let (cpu_before, wall_before) = (cpu_seconds(), Instant::now());
            track
                .host
                .process(&mut block, Some(transport_at(at_seconds)), &mut notes)?;
            let spent = cpu_seconds() - cpu_before;
            cpu.add(spent);
            long_at[index as usize % blocks_in_loop] += u32::from(spent > cpu.long_seconds);
            wall.add(wall_before.elapsed().as_secs_f64());
            track.played += notes.iter().filter(|note| note.is_on).count();
        }
        if index > 0 && index % (blocks / 10).max(1) == 0 {
            memory_kib.push(resident_kib()?);
        }
        let due = Duration::from_secs_f64(at_seconds / plan.speed);
        match due.checked_sub(began.elapsed()) {
            Some(early) => std::thread::sleep(early),
            None => {
                // After an underrun a host continues from there; it does not catch up.
                let held_up = began.elapsed() - due;
                if held_up > UNDERRUN {
                    began += held_up;
                    stalls += 1;
                    longest_stall = longest_stall.max(held_up);
                }
            }
        }
    }
    let first_kib = *memory_kib.first().context("too short")?;
    memory_kib.push(resident_kib()?);
    let grown = resident_kib()? as f64 / first_kib as f64 - 1.0;
    if let Some(window) = &window {
        ensure!(window.is_painted(), "the editor shows nothing");
        tracks[0].host.close_editor();
    }
    let heard_frames = blocks * plan.block_frames as u64;
    let late = tracks
        .iter_mut()
        .map(|track| late(track, heard_frames))
        .sum::<Result<usize>>()?;
    println!(
        "{} instances, {:.1} minutes of audio in {:.1}, {} notes played, {late} late; held up {stalls} times, at most {:.0} ms",
        plan.instances,
        plan.minutes,
        began.elapsed().as_secs_f64() / 60.0,
        tracks.iter().map(|track| track.played).sum::<usize>(),
        longest_stall.as_secs_f64() * 1000.0,
    );
    println!(
        "process(), in % of a block: CPU mean {:.2}, worst {:.2}, {} of {} calls above {:.0}; wall worst {:.2} \
         (preemption included)",
        cpu.mean() / block_seconds * 100.0,
        cpu.worst / block_seconds * 100.0,
        cpu.long,
        cpu.count,
        BLOCK_SHARE * 100.0,
        wall.worst / block_seconds * 100.0,
    );
    let repetitions = cpu.count as f64 / blocks_in_loop as f64;
    let most_at_one_place = long_at.iter().copied().max().unwrap_or_default();
    println!(
        "of the calls above, at most {most_at_one_place} of {repetitions:.0} at one position of the loop"
    );
    println!(
        "copying its input: CPU mean {:.2}, worst {:.2}, {} above {:.0}",
        copying.mean() / block_seconds * 100.0,
        copying.worst / block_seconds * 100.0,
        copying.long,
        BLOCK_SHARE * 100.0,
    );
    println!(
        "memory {:+.2} % since the first tenth; MiB after each: {}",
        grown * 100.0,
        memory_kib
            .iter()
            .map(|kib| format!("{:.1}", *kib as f64 / 1024.0))
            .collect::<Vec<_>>()
            .join(" ")
    );
    ensure!(late == 0, "{late} notes were late");
    ensure!(grown < MEMORY_TOLERANCE, "memory has grown");
    ensure!(
        f64::from(most_at_one_place) < OWN_SHARE * repetitions,
        "process() was repeatedly slow at one position"
    );
    Ok(())
}

/// Number of notes in the take that are due and were not played.
fn late(track: &mut Track, heard_frames: u64) -> Result<usize> {
    let latency_frames = u64::from(track.host.latency_frames());
    let take = take_of(&track.host.save()?);
    let due = take
        .passages
        .iter()
        .flat_map(|passage| passage.resolve(&Detection::default()))
        .filter(|taken| taken.is_played(true))
        .filter(|taken| taken.note.onset_samples + latency_frames < heard_frames)
        .count();
    due.checked_sub(track.played)
        .context("more notes were played than the take has")
}

fn part(audio: &[Vec<f32>], start: u64, frames: usize) -> Vec<Vec<f32>> {
    let length = audio[0].len();
    let at = (start % length as u64) as usize;
    audio
        .iter()
        .map(|channel| {
            (at..at + frames)
                .map(|frame| channel[frame % length])
                .collect()
        })
        .collect()
}

#[derive(Default)]
struct Times {
    sum: f64,
    count: u64,
    worst: f64,
    /// Number of calls that took more than their share of a block.
    long: u64,
    long_seconds: f64,
}

impl Times {
    fn of_blocks(block_seconds: f64) -> Self {
        Self {
            long_seconds: BLOCK_SHARE * block_seconds,
            ..Self::default()
        }
    }

    fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        self.count += 1;
        // The first calls have page faults.
        if self.count > 10_000 {
            self.worst = self.worst.max(seconds);
            self.long += u64::from(seconds > self.long_seconds);
        }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}

/// CPU time of this thread in seconds.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Elapsed time, on systems without CPU time of a thread.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGAN.elapsed().as_secs_f64()
}

fn resident_kib() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("memory is read on Linux only")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .context("no VmRSS")?
        .parse()
        .context("VmRSS is not a number")
}
