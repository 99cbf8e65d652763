//! Whether CUDA can be used, found out without the help of the CUDA backend (it panics where not).

use std::ffi::c_int;
use std::path::PathBuf;

use libloading::Library;

const DRIVER_LIBRARIES: &[&str] = if cfg!(windows) {
    &["nvcuda.dll"]
} else {
    &["libcuda.so.1", "libcuda.so"]
};

const COMPILER_LIBRARIES: &[&str] = if cfg!(windows) {
    &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc.dll"]
} else {
    &["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]
};

/// Number of GPUs, at least one, after the driver, the run-time compiler and its headers were found.
/// Otherwise one line that says what is missing.
pub(super) fn usable_device_count() -> Result<usize, String> {
    let count = driver_device_count()?;
    if count == 0 {
        return Err("the CUDA driver finds no GPU".to_owned());
    }
    if open_first(COMPILER_LIBRARIES).is_none() {
        return Err(
            "a GPU was found, but not NVRTC (libnvrtc): install the CUDA toolkit's nvrtc package"
                .to_owned(),
        );
    }
    let include = toolkit_folder()
        .ok_or("a GPU was found, but no CUDA headers: install the CUDA toolkit or set CUDA_PATH")?
        .join("include");
    for header in ["cuda_runtime.h", "cuda_fp16.h"] {
        if !include.join(header).is_file() {
            return Err(format!(
                "a GPU was found, but {header} is not in {}: install the CUDA toolkit's headers \
                 or set CUDA_PATH",
                include.display()
            ));
        }
    }
    Ok(count)
}

/// Where the backend's compiler looks for headers: the same rule as cubecl-cuda's `install` module.
fn toolkit_folder() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CUDA_PATH") {
        return Some(path.into());
    }
    if cfg!(windows) {
        return Some("C:/Program Files/NVIDIA GPU Computing Toolkit/CUDA/".into());
    }
    [
        ("/usr/local/cuda", "/usr/local/cuda"),
        ("/opt/cuda", "/opt/cuda"),
        ("/usr/bin/nvcc", "/usr"),
    ]
    .into_iter()
    .find(|(mark, _)| std::path::Path::new(mark).exists())
    .map(|(_, folder)| folder.into())
}

fn open_first(names: &[&str]) -> Option<Library> {
    // SAFETY: loading runs the initialisers of NVIDIA's own libraries, as the backend would.
    names
        .iter()
        .find_map(|name| unsafe { Library::new(name) }.ok())
}

fn driver_device_count() -> Result<usize, String> {
    let driver =
        open_first(DRIVER_LIBRARIES).ok_or("no NVIDIA driver (libcuda) on this machine")?;
    let mut count: c_int = 0;
    // SAFETY: signatures of the CUDA driver API, stable since version 2; the library outlives the
    // calls because it is never unloaded (below).
    let status = unsafe {
        let init = driver
            .get::<unsafe extern "C" fn(u32) -> c_int>(b"cuInit\0")
            .map_err(|_| "the NVIDIA driver library has no cuInit")?;
        let device_count = driver
            .get::<unsafe extern "C" fn(*mut c_int) -> c_int>(b"cuDeviceGetCount\0")
            .map_err(|_| "the NVIDIA driver library has no cuDeviceGetCount")?;
        match init(0) {
            0 => device_count(&mut count),
            error => error,
        }
    };
    // Unloading a driver that has started threads is not safe; the backend will need it anyway.
    std::mem::forget(driver);
    match status {
        0 => Ok(usize::try_from(count).unwrap_or(0)),
        100 => Err("the CUDA driver finds no GPU".to_owned()),
        error => Err(format!("the CUDA driver does not start (error {error})")),
    }
}
