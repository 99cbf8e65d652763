//! What a search for devices has looked at and found.

use std::fmt;

use crate::device::choice::DeviceChoice;
#[cfg(feature = "cuda")]
use crate::device::cuda;
use crate::device::select::forbidden;
#[cfg(feature = "gpu")]
use crate::device::{GpuChoice, adapters};

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub subject: String,
    /// What was found, or why that is of no use; one line.
    pub outcome: Result<String, String>,
}

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDevice {
    /// How it is chosen.
    pub choice: DeviceChoice,
    /// Its name.
    pub name: String,
    /// What it is reached through: CUDA, Vulkan, Metal, DirectX 12; nothing for the CPU.
    pub api: Option<&'static str>,
    /// Its memory, where it is known.
    pub memory_bytes: Option<u64>,
    /// Whether it is a GPU in name only, computed by the CPU.
    pub is_software: bool,
}

/// The devices of this computer, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What was looked at, in order.
    pub steps: Vec<Step>,
    /// The devices, the CPU first.
    pub devices: Vec<FoundDevice>,
}

impl fmt::Display for FoundDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.choice, self.name)?;
        let memory = self.memory_bytes;
        let memory = memory.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        let software = self.is_software.then(|| "software".to_owned());
        let facts = [self.api.map(str::to_owned), memory, software];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        match facts.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", facts.join(", ")),
        }
    }
}

impl Search {
    #[cfg_attr(not(any(feature = "cuda", feature = "gpu")), allow(dead_code))]
    pub(super) fn step(&mut self, subject: impl Into<String>, outcome: Result<String, String>) {
        let subject = subject.into();
        self.steps.push(Step { subject, outcome });
    }

    #[cfg(not(all(feature = "cuda", feature = "gpu")))]
    fn without(&mut self, subject: &str, feature: &str) {
        let reason = format!("this build has none; build with `--features {feature}`");
        self.step(subject, Err(reason));
    }
}

/// Looks for all devices. Starts the drivers that are installed; computes nothing. Never panics.
pub fn search() -> Search {
    let mut search = Search::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    search.devices.push(FoundDevice {
        choice: DeviceChoice::Cpu,
        name: format!("{threads} threads"),
        api: None,
        memory_bytes: None,
        is_software: false,
    });
    if let Some(reason) = forbidden() {
        search.step("GPUs", Err(reason));
        return search;
    }
    search_cuda(&mut search);
    search_adapters(&mut search);
    search
}

#[cfg(feature = "cuda")]
fn search_cuda(search: &mut Search) {
    if let Ok(gpus) = cuda::find(&cuda::Places::of_this_machine(), search) {
        let usable = gpus.into_iter().filter(|gpu| gpu.refusal.is_none());
        search.devices.extend(usable.map(|gpu| FoundDevice {
            choice: DeviceChoice::Cuda(gpu.index),
            name: gpu.name,
            api: Some("CUDA"),
            memory_bytes: gpu.memory_bytes,
            is_software: false,
        }));
    }
}

#[cfg(not(feature = "cuda"))]
fn search_cuda(search: &mut Search) {
    search.without("CUDA", "cuda");
}

#[cfg(feature = "gpu")]
fn search_adapters(search: &mut Search) {
    match adapters::list() {
        Err(reason) => search.step("adapters", Err(reason)),
        Ok(list) => {
            let names: Vec<_> = list
                .iter()
                .map(|a| format!("{} ({})", a.name, a.api))
                .collect();
            search.step("adapters", Ok(names.join(", ")));
            let found = list
                .iter()
                .enumerate()
                .map(|(number, adapter)| FoundDevice {
                    choice: DeviceChoice::Gpu(GpuChoice::Number(number)),
                    name: adapter.name.clone(),
                    api: Some(adapter.api),
                    memory_bytes: adapter.memory_bytes,
                    is_software: adapter.is_software,
                });
            search.devices.extend(found);
        }
    }
}

#[cfg(not(feature = "gpu"))]
fn search_adapters(search: &mut Search) {
    search.without("Vulkan, Metal and DirectX 12", "gpu");
}
