//! GPUs through wgpu: Vulkan, Metal and DirectX 12. Adapters are listed once per process and opened
//! here, so that names are known, software is told from hardware, and a lost device is noticed.

use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use burn_wgpu::{RuntimeOptions, WgpuDevice, WgpuSetup, init_device};
use wgpu::{Backend, Backends, DeviceType, Features};

use crate::device::choice::Device;
use crate::device::guarded::one_line;

/// Names of drivers that compute on the CPU and do not always say so.
const SOFTWARE: &[&str] = &["llvmpipe", "lavapipe", "swiftshader", "basic render"];

/// An adapter.
pub(super) struct Adapter {
    pub name: String,
    /// The interface, such as Vulkan.
    pub api: &'static str,
    /// Memory on the device, or what it may use of main memory. None where the interface does not
    /// tell.
    pub memory_bytes: Option<u64>,
    /// Whether it computes on the CPU.
    pub is_software: bool,
    adapter: wgpu::Adapter,
}

/// The adapters of this computer, the best first, software last.
struct Adapters {
    instance: wgpu::Instance,
    list: Vec<Adapter>,
}

/// An adapter that was opened. None is ever removed: models may still hold its tensors.
struct Opened {
    number: usize,
    device: WgpuDevice,
    raw: wgpu::Device,
    /// Why it can no longer be used.
    fault: Arc<OnceLock<String>>,
}

static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

/// The adapters of this computer, the best first, software last.
///
/// # Errors
/// Why there are none.
pub(super) fn list() -> Result<&'static [Adapter], String> {
    let adapters = all()?;
    if adapters.list.is_empty() {
        return Err(format!("{} finds no adapter", interfaces()));
    }
    Ok(&adapters.list)
}

/// Opens an adapter, unless it is open and works.
///
/// # Errors
/// Why it cannot be used, in one line.
pub(super) fn open(number: usize) -> Result<Device, String> {
    let count = list()?.len();
    let adapters = all()?;
    let Some(adapter) = adapters.list.get(number) else {
        return Err(format!(
            "this machine has {count} adapters, numbered from 0"
        ));
    };
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let works = |open: &Opened| open.number == number && open.fault.get().is_none();
    if let Some(opening) = opened.iter().position(works) {
        return Ok(Device::Gpu { number, opening });
    }
    super::settings::set();
    opened.push(adapter.open(number, &adapters.instance)?);
    let opening = opened.len() - 1;
    Ok(Device::Gpu { number, opening })
}

/// The device of an opening, which [`open`] returned.
pub(super) fn device(opening: usize) -> WgpuDevice {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened
        .get(opening)
        .map_or_else(WgpuDevice::default, |open| open.device.clone())
}

/// Why the device of an opening can no longer be used; none while it works.
pub(super) fn fault(opening: usize) -> Option<String> {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.get(opening)?.fault.get().cloned()
}

/// Destroys an open device, as a driver does that fails.
pub(super) fn destroy(opening: usize) {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = opened.get(opening) {
        open.raw.destroy();
        // The callback comes when wgpu next looks at the device.
        let _ = open.raw.poll(wgpu::PollType::Poll);
    }
}

impl Adapter {
    fn new(adapter: wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let lower = info.name.to_lowercase();
        let is_software = info.device_type == DeviceType::Cpu
            || SOFTWARE.iter().any(|software| lower.contains(software));
        Self {
            name: info.name,
            api: match info.backend {
                Backend::Vulkan => "Vulkan",
                Backend::Metal => "Metal",
                Backend::Dx12 => "DirectX 12",
                _ => "wgpu",
            },
            memory_bytes: memory_bytes(&adapter),
            is_software,
            adapter,
        }
    }

    /// Where it comes in the list: fast ones first.
    fn rank(&self) -> (bool, u8, bool) {
        let info = self.adapter.get_info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        };
        // Windows offers one card through both interfaces; Vulkan compiles our kernels faster.
        (self.is_software, kind, info.backend == Backend::Dx12)
    }

    fn open(&self, number: usize, instance: &wgpu::Instance) -> Result<Opened, String> {
        let info = self.adapter.get_info();
        // What burn's own setup asks for, since its kernels use what the adapter has.
        let features = self.adapter.features()
            - Features::MAPPABLE_PRIMARY_BUFFERS
            - Features::all_experimental_mask();
        let request = self.adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("hitscribe"),
            required_features: features,
            required_limits: self.adapter.limits(),
            // burn has its own memory pools.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        });
        let (raw, queue) = ready(request)
            .ok_or("the driver does not answer")?
            .map_err(|error| one_line(&error.to_string()))?;
        let fault = Arc::new(OnceLock::new());
        let (lost, failed) = (fault.clone(), fault.clone());
        raw.set_device_lost_callback(move |reason, message| {
            // Only the first fault matters.
            let _ = lost.set(one_line(&format!("the GPU was lost: {reason:?} {message}")));
        });
        // Instead of wgpu's panic on whichever thread it happens.
        raw.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let _ = failed.set(one_line(&error.to_string()));
        }));
        let setup = WgpuSetup {
            instance: instance.clone(),
            adapter: self.adapter.clone(),
            device: raw.clone(),
            queue,
            backend: info.backend,
        };
        Ok(Opened {
            number,
            device: init_device(setup, RuntimeOptions::default()),
            raw,
            fault,
        })
    }
}

fn all() -> Result<&'static Adapters, String> {
    static ALL: OnceLock<Result<Adapters, String>> = OnceLock::new();
    let found = ALL.get_or_init(|| {
        let search = || {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
                backends: Backends::VULKAN | Backends::METAL | Backends::DX12,
                // No validation layers, whatever else is installed.
                flags: wgpu::InstanceFlags::empty(),
                ..wgpu::InstanceDescriptor::new_without_display_handle()
            });
            let found = ready(instance.enumerate_adapters(Backends::all())).unwrap_or_default();
            let mut list: Vec<_> = found.into_iter().map(Adapter::new).collect();
            list.sort_by_key(Adapter::rank);
            Adapters { instance, list }
        };
        let found = crate::device::guarded::guarded("gpu", search);
        found.map_err(|error| error.to_string())
    });
    found.as_ref().map_err(Clone::clone)
}

/// The interfaces that are searched on this system.
pub(super) fn interfaces() -> &'static str {
    match std::env::consts::OS {
        "macos" => "Metal",
        "windows" => "Vulkan or DirectX 12",
        _ => "Vulkan",
    }
}

/// The value of a future of wgpu's, which are ready at once outside browsers.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(not(target_os = "macos"))]
fn memory_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: nothing of the adapter is destroyed; the query only reads.
    unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        let memory = instance.get_physical_device_memory_properties(adapter.raw_physical_device());
        let heaps = memory.memory_heaps_as_slice().iter();
        // Heaps of the device, or of what it shares with the CPU.
        heaps
            .filter(|heap| heap.flags.as_raw() & 1 != 0)
            .map(|heap| heap.size)
            .max()
    }
}

#[cfg(target_os = "macos")]
fn memory_bytes(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}
