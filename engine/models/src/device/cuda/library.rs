//! The C functions of the CUDA driver and of NVRTC that are asked before the backend starts.

use std::ffi::{CStr, c_char, c_int};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::Library;

use super::{CudaGpu, Version};

/// The result of a C function that has found no device.
const NO_DEVICE: c_int = 100;
/// Attributes of devices.
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

/// The driver's library, initialised. It is never unloaded: it has threads by then.
pub(super) struct Driver {
    library: ManuallyDrop<Library>,
    /// The newest CUDA version that it supports.
    pub version: Version,
}

impl Driver {
    /// Opens the first of the libraries that can be loaded, and initialises it.
    pub fn open(names: &[PathBuf]) -> Result<Self, String> {
        let library = names.iter().find_map(|name| load(name));
        let library = library.ok_or("no NVIDIA driver (libcuda) on this machine")?;
        let library = ManuallyDrop::new(library);
        let mut version: c_int = 0;
        // SAFETY: the signatures of the CUDA driver API, stable since version 2. The library is
        // never unloaded.
        let status = unsafe {
            let init = library.get::<unsafe extern "C" fn(u32) -> c_int>(b"cuInit\0");
            let init = init.map_err(|_| "the NVIDIA driver library has no cuInit")?;
            let ask = library
                .get::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDriverGetVersion\0")
                .map_err(|_| "the NVIDIA driver library has no cuDriverGetVersion")?;
            match init(0) {
                0 => ask(&mut version),
                error => error,
            }
        };
        match status {
            0 => Ok(Self {
                library,
                version: Version {
                    major: version.unsigned_abs() / 1000,
                    minor: version.unsigned_abs() % 1000 / 10,
                },
            }),
            NO_DEVICE => Err("the CUDA driver finds no GPU".to_owned()),
            error => Err(format!("the CUDA driver does not start (error {error})")),
        }
    }

    /// The GPUs, in the driver's order.
    pub fn gpus(&self) -> Result<Vec<CudaGpu>, String> {
        let mut count: c_int = 0;
        // SAFETY: as in `open`.
        let status = unsafe {
            let ask = self
                .library
                .get::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDeviceGetCount\0")
                .map_err(|_| "the NVIDIA driver library has no cuDeviceGetCount")?;
            ask(&mut count)
        };
        if status != 0 {
            return Err(format!(
                "the CUDA driver does not count its GPUs (error {status})"
            ));
        }
        (0..count).map(|index| self.gpu(index)).collect()
    }

    fn gpu(&self, index: c_int) -> Result<CudaGpu, String> {
        let broken = || format!("the NVIDIA driver says nothing of GPU {index}");
        let mut name = [0 as c_char; 256];
        let mut bytes = 0usize;
        let mut capability = [0 as c_int; 2];
        // SAFETY: as in `open`; the buffers are as long as the calls say, and the last character of
        // the name stays 0.
        let has_memory = unsafe {
            type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
            type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
            type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
            type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
            let get = self.library.get::<Get>(b"cuDeviceGet\0");
            let get = get.map_err(|_| broken())?;
            let get_name = self.library.get::<Name>(b"cuDeviceGetName\0");
            let get_name = get_name.map_err(|_| broken())?;
            let attribute = self.library.get::<Attribute>(b"cuDeviceGetAttribute\0");
            let attribute = attribute.map_err(|_| broken())?;
            let mut device: c_int = 0;
            let status = [
                get(&mut device, index),
                get_name(name.as_mut_ptr(), name.len() as c_int - 1, device),
                attribute(&mut capability[0], CAPABILITY_MAJOR, device),
                attribute(&mut capability[1], CAPABILITY_MINOR, device),
            ];
            if status != [0; 4] {
                return Err(broken());
            }
            let memory = self.library.get::<Memory>(b"cuDeviceTotalMem_v2\0");
            memory.is_ok_and(|memory| memory(&mut bytes, device) == 0)
        };
        // SAFETY: the last character is 0.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) };
        Ok(CudaGpu {
            index: index.unsigned_abs() as usize,
            name: name.to_string_lossy().into_owned(),
            memory_bytes: has_memory.then_some(bytes as u64),
            capability: Version {
                major: capability[0].unsigned_abs(),
                minor: capability[1].unsigned_abs(),
            },
            refusal: None,
        })
    }
}

/// NVRTC, loaded.
pub(super) struct Compiler {
    library: Library,
    pub path: PathBuf,
    pub version: Version,
    /// Compute capabilities that it compiles for, ascending; none if it does not say.
    capabilities: Vec<Version>,
}

impl Compiler {
    /// The library at this path or of this name; none if it cannot be loaded or is something else.
    pub fn open(path: &Path) -> Option<Self> {
        let library = load(path)?;
        let (mut major, mut minor): (c_int, c_int) = (0, 0);
        // SAFETY: the signature of NVRTC since its first version.
        let status = unsafe {
            let ask = library
                .get::<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int>(b"nvrtcVersion\0");
            ask.ok()?(&mut major, &mut minor)
        };
        let capabilities = capabilities(&library);
        (status == 0).then(|| Self {
            library,
            path: path.to_owned(),
            version: Version {
                major: major.unsigned_abs(),
                minor: minor.unsigned_abs(),
            },
            capabilities,
        })
    }

    /// Why it cannot compile for a card; none if it can or does not say.
    pub fn refusal(&self, capability: Version) -> Option<String> {
        let (first, last) = (self.capabilities.first()?, self.capabilities.last()?);
        if self.capabilities.contains(&capability) {
            return None;
        }
        let version = self.version;
        Some(if capability < *first {
            format!(
                "compute capability {capability} is too old for NVRTC {version}, which begins at \
                 {first}"
            )
        } else {
            format!(
                "compute capability {capability} is unknown to NVRTC {version}, which ends at \
                 {last}: install a newer NVRTC"
            )
        })
    }

    /// Leaves it loaded, for the backend to find.
    pub fn keep(self) {
        std::mem::forget(self.library);
    }
}

fn capabilities(library: &Library) -> Vec<Version> {
    let mut count: c_int = 0;
    // SAFETY: the signatures of NVRTC since 11.2. The list has as many elements as it says.
    let numbers = unsafe {
        type Ask = unsafe extern "C" fn(*mut c_int) -> c_int;
        let (Ok(ask_count), Ok(ask)) = (
            library.get::<Ask>(b"nvrtcGetNumSupportedArchs\0"),
            library.get::<Ask>(b"nvrtcGetSupportedArchs\0"),
        ) else {
            return Vec::new();
        };
        if ask_count(&mut count) != 0 || !(1..1000).contains(&count) {
            return Vec::new();
        }
        let mut numbers = vec![0; count.unsigned_abs() as usize];
        if ask(numbers.as_mut_ptr()) != 0 {
            return Vec::new();
        }
        numbers
    };
    let mut known: Vec<_> = numbers
        .into_iter()
        .map(|number| Version {
            major: number.unsigned_abs() / 10,
            minor: number.unsigned_abs() % 10,
        })
        .collect();
    known.sort_unstable();
    known
}

fn load(name: &Path) -> Option<Library> {
    // SAFETY: loading runs the initialisers of NVIDIA's libraries, as the backend does.
    unsafe { Library::new(name) }.ok()
}
