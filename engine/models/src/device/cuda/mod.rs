//! Whether CUDA works, without the CUDA backend, which panics if it does not.
//!
//! The backend needs at run time: the driver's library; NVRTC, to compile its kernels for the card
//! at hand, not newer than the driver, which loads the result; and the CUDA headers that the
//! kernels include.

mod library;
mod places;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::device::search::Search;
use library::{Compiler, Driver};
pub(super) use places::Places;

/// Headers that the backend's kernels include.
const HEADERS: [&str; 2] = ["cuda_runtime.h", "cuda_fp16.h"];

/// A version of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A GPU of the CUDA driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CudaGpu {
    /// Index in the driver's order.
    pub index: usize,
    pub name: String,
    pub memory_bytes: Option<u64>,
    capability: Version,
    /// Why it cannot be used although everything else is there.
    pub refusal: Option<String>,
}

/// The GPUs of the CUDA driver, at least one, if everything that the backend needs is there.
///
/// # Errors
/// What is missing and how to get it, in one line.
pub(super) fn find(places: &Places, search: &mut Search) -> Result<Vec<CudaGpu>, String> {
    let driver = step(search, "NVIDIA driver", || {
        let driver = Driver::open(&places.drivers)?;
        let version = driver.version;
        Ok((driver, format!("supports CUDA {version}")))
    })?;
    let mut gpus = step(search, "CUDA devices", || {
        let gpus = driver.gpus()?;
        if gpus.is_empty() {
            return Err("the CUDA driver finds no GPU".to_owned());
        }
        let names: Vec<_> = gpus.iter().map(CudaGpu::described).collect();
        Ok((gpus, names.join(", ")))
    })?;
    let compiler = step(search, "NVRTC", || {
        let compiler = find_compiler(places, driver.version)?;
        let shown = format!("{} in {}", compiler.version, compiler.path.display());
        Ok((compiler, shown))
    })?;
    step(search, "CUDA headers", || {
        let folder = find_headers(places)?;
        let shown = folder.display().to_string();
        Ok(((), shown))
    })?;
    for gpu in &mut gpus {
        gpu.refusal = compiler.refusal(gpu.capability);
        let outcome = match &gpu.refusal {
            None => Ok("can be compiled for".to_owned()),
            Some(reason) => Err(reason.clone()),
        };
        search.step(gpu.described(), outcome);
    }
    // The backend looks for it by name, and finds what is loaded already.
    compiler.keep();
    Ok(gpus)
}

impl CudaGpu {
    fn described(&self) -> String {
        format!("{} (compute capability {})", self.name, self.capability)
    }
}

/// Does one step of the search and notes its outcome.
fn step<T>(
    search: &mut Search,
    subject: &str,
    work: impl FnOnce() -> Result<(T, String), String>,
) -> Result<T, String> {
    match work() {
        Ok((value, found)) => {
            search.step(subject, Ok(found));
            Ok(value)
        }
        Err(reason) => {
            search.step(subject, Err(reason.clone()));
            Err(reason)
        }
    }
}

/// NVRTC as the backend will find it: by name, else by the SONAME of one that is loaded already.
fn find_compiler(places: &Places, driver: Version) -> Result<Compiler, String> {
    let mut refusal = None;
    for path in places.named_compilers.iter().chain(&places.compilers) {
        let Some(compiler) = Compiler::open(path) else {
            continue;
        };
        if compiler.version <= driver {
            return Ok(compiler);
        }
        let newer = format!(
            "NVRTC {} ({}) is newer than the driver, which supports CUDA {driver}: update the \
             driver, or install NVRTC {}",
            compiler.version,
            path.display(),
            driver.major
        );
        // The backend takes the first that it finds by name.
        if places.named_compilers.contains(path) {
            return Err(newer);
        }
        refusal.get_or_insert(newer);
    }
    Err(refusal.unwrap_or_else(|| {
        format!(
            "a GPU was found, but not NVRTC: install the CUDA toolkit's nvrtc package, or `pip \
             install nvidia-cuda-nvrtc{}`",
            places::pip_suffix(driver)
        )
    }))
}

/// The folder with the headers, in the place where the backend looks.
fn find_headers(places: &Places) -> Result<PathBuf, String> {
    if let Some(toolkit) = &places.toolkit {
        let include = toolkit.join("include");
        return match missing_header(&include) {
            None => Ok(include),
            Some(header) => Err(format!(
                "a GPU was found, but {header} is not in {}: install the CUDA toolkit's headers \
                 or set CUDA_PATH",
                include.display()
            )),
        };
    }
    match places.other_toolkit() {
        Some(toolkit) => Err(format!(
            "the CUDA headers are in {0}, where the CUDA backend does not look: set \
             CUDA_PATH={0}",
            toolkit.display()
        )),
        None => Err(
            "a GPU was found, but no CUDA headers: install the CUDA toolkit, or `pip install \
             nvidia-cuda-runtime`, or set CUDA_PATH"
                .to_owned(),
        ),
    }
}

fn missing_header(include: &Path) -> Option<&'static str> {
    HEADERS
        .into_iter()
        .find(|header| !include.join(header).is_file())
}

/// Sets the variable `CUDA_PATH` where CUDA's headers are in another place than the backend looks
/// in, such as Python's packages. Without the feature `cuda` it does nothing.
///
/// # Safety
/// No other thread of the process may use its environment meanwhile.
pub unsafe fn export_cuda_path() {
    let places = Places::of_this_machine();
    if places.toolkit.is_none()
        && let Some(folder) = places.other_toolkit()
    {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var("CUDA_PATH", folder) };
    }
}
