//! Whether CUDA works, without the CUDA backend, which panics if it does not.

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

/// The number of GPUs, at least one. All of driver, run-time compiler and its headers are there.
///
/// # Errors
/// What is missing and how to get it, in one line.
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

/// The folder where the backend's compiler looks for headers, by the rule of cubecl-cuda's
/// `install`.
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
    // SAFETY: loading runs the initialisers of NVIDIA's libraries, as the backend does.
    names
        .iter()
        .find_map(|name| unsafe { Library::new(name) }.ok())
}

fn driver_device_count() -> Result<usize, String> {
    let driver =
        open_first(DRIVER_LIBRARIES).ok_or("no NVIDIA driver (libcuda) on this machine")?;
    let mut count: c_int = 0;
    // SAFETY: the signatures of the CUDA driver API, stable since version 2. The library is not
    // unloaded before the calls return.
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
    // Unloading a driver that has started threads is unsafe, and the backend needs it anyway.
    std::mem::forget(driver);
    match status {
        0 => Ok(usize::try_from(count).unwrap_or(0)),
        100 => Err("the CUDA driver finds no GPU".to_owned()),
        error => Err(format!("the CUDA driver does not start (error {error})")),
    }
}
