//! Where CUDA's libraries and headers may be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Version, missing_header};

/// Files to try, in order.
pub(in crate::device) struct Places {
    /// The driver's library.
    pub drivers: Vec<PathBuf>,
    /// NVRTC by the names that the backend tries; what it finds so, it takes.
    pub named_compilers: Vec<PathBuf>,
    /// NVRTC in folders that the system's loader does not search.
    pub compilers: Vec<PathBuf>,
    /// The folder in which the backend takes `include`, if it exists.
    pub toolkit: Option<PathBuf>,
    /// Folders whose `include` may have the headers.
    pub other_toolkits: Vec<PathBuf>,
}

/// The name of the pip packages' variant for a driver's CUDA version.
pub(super) fn pip_suffix(driver: Version) -> String {
    match driver.major {
        ..13 => format!("-cu{}", driver.major),
        _ => String::new(),
    }
}

impl Places {
    /// The places of this computer and its environment.
    pub fn of_this_machine() -> Self {
        Self::of(|name| std::env::var_os(name), Path::new("/"))
    }

    /// The places below `root`, with an environment.
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>, root: &Path) -> Self {
        let folder = |name: &str| variable(name).map(PathBuf::from);
        let mut toolkits = Vec::new();
        toolkits.extend(folder("CUDA_HOME"));
        let is_windows = cfg!(windows);
        let installed = match is_windows {
            true => folder("ProgramFiles")
                .map(|files| children(&files.join("NVIDIA GPU Computing Toolkit/CUDA"), "v")),
            false => Some(children(&root.join("usr/local"), "cuda-")),
        };
        toolkits.extend(installed.unwrap_or_default());
        toolkits.extend(
            folder("CONDA_PREFIX")
                .into_iter()
                .flat_map(|conda| match is_windows {
                    true => vec![conda.join("Library")],
                    false => vec![conda.join("targets/x86_64-linux"), conda],
                }),
        );
        for packages in python_packages(&folder, root) {
            // One folder for all packages since CUDA 13, before that one for each.
            toolkits.extend(children(&packages.join("nvidia"), "cu"));
        }
        let compilers = toolkits.iter().flat_map(|toolkit| compilers_in(toolkit));
        Self {
            drivers: names(match is_windows {
                true => &["nvcuda.dll"],
                false => &["libcuda.so.1", "libcuda.so"],
            }),
            // Those of cudarc's that exist. It does not try CUDA 12's name on Windows.
            named_compilers: names(match is_windows {
                true => &["nvrtc.dll", "nvrtc64_130_0.dll"],
                false => &[
                    "libnvrtc.so",
                    "libnvrtc.so.13",
                    "libnvrtc.so.12",
                    "libnvrtc.so.11",
                ],
            }),
            compilers: compilers.collect(),
            toolkit: folder("CUDA_PATH").or_else(|| default_toolkit(root)),
            other_toolkits: toolkits,
        }
    }

    /// The first of the other folders that has the headers.
    pub fn other_toolkit(&self) -> Option<&Path> {
        let mut folders = self.other_toolkits.iter();
        let found = folders.find(|folder| missing_header(&folder.join("include")).is_none());
        found.map(PathBuf::as_path)
    }
}

/// The folder that the backend takes without `CUDA_PATH`, by the rule of cubecl-cuda's `install`.
fn default_toolkit(root: &Path) -> Option<PathBuf> {
    if cfg!(windows) {
        // Its default has no version, as no installation is.
        return None;
    }
    let marks = [
        ("usr/local/cuda", "usr/local/cuda"),
        ("opt/cuda", "opt/cuda"),
        ("usr/bin/nvcc", "usr"),
    ];
    let found = marks.into_iter().find(|(mark, _)| root.join(mark).exists());
    found.map(|(_, folder)| root.join(folder))
}

fn names(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

/// The entries of a folder whose name begins with `prefix`, the last first.
fn children(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.reverse();
    found
}

/// The folders of Python packages of the environment, of the user and of the system.
fn python_packages(folder: &impl Fn(&str) -> Option<PathBuf>, root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if cfg!(windows) {
        let environments = [folder("VIRTUAL_ENV"), folder("CONDA_PREFIX")];
        let mut pythons: Vec<_> = environments.into_iter().flatten().collect();
        if let Some(local) = folder("LOCALAPPDATA") {
            pythons.extend(children(&local.join("Programs/Python"), "Python3"));
        }
        found.extend(
            pythons
                .iter()
                .map(|python| python.join("Lib/site-packages")),
        );
        if let Some(roaming) = folder("APPDATA") {
            let users = children(&roaming.join("Python"), "Python3");
            found.extend(users.iter().map(|python| python.join("site-packages")));
        }
        return found;
    }
    let user = folder("HOME").map(|home| home.join(".local"));
    let system = [root.join("usr/local"), root.join("usr")];
    let prefixes = [folder("VIRTUAL_ENV"), folder("CONDA_PREFIX"), user];
    for prefix in prefixes.into_iter().flatten().chain(system) {
        for python in children(&prefix.join("lib"), "python3") {
            found.extend(["site-packages", "dist-packages"].map(|packages| python.join(packages)));
        }
    }
    found
}

/// NVRTC in the folders that a toolkit or package has for libraries.
fn compilers_in(toolkit: &Path) -> Vec<PathBuf> {
    let (folders, prefix): (&[&str], _) = match cfg!(windows) {
        true => (&["bin", "bin/x64", "bin/x86_64"], "nvrtc64_130_0.dll"),
        false => (&["lib64", "lib"], "libnvrtc.so."),
    };
    let folders = folders.iter().map(|folder| toolkit.join(folder));
    folders
        .flat_map(|folder| children(&folder, prefix))
        .collect()
}
