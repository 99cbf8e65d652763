//! The search for CUDA against stub libraries that the C compiler builds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A driver with one GPU. What is defined on the command line is lacking or differs.
const DRIVER: &str = r#"
#ifndef INIT
#define INIT 0
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef VERSION
#define VERSION 12040
#endif
#ifndef MAJOR
#define MAJOR 8
#endif
int cuInit(unsigned flags) { return INIT; }
#ifndef NO_VERSION
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
#endif
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return index < COUNT ? 0 : 101; }
int cuDeviceGetName(char *name, int size, int device) { name[0] = 'T'; name[1] = '1'; name[2] = 0; return 0; }
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) { *bytes = 1ul << 32; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? MAJOR : 0; return 0; }
"#;

/// NVRTC 12.4, which compiles for 5.0 to 9.0.
const COMPILER: &str = r#"
#ifndef MINOR
#define MINOR 4
#endif
int nvrtcVersion(int *major, int *minor) { *major = 12; *minor = MINOR; return 0; }
int nvrtcGetNumSupportedArchs(int *count) { *count = 3; return 0; }
int nvrtcGetSupportedArchs(int *all) { all[0] = 50; all[1] = 80; all[2] = 90; return 0; }
"#;

struct Machine {
    folder: tempfile::TempDir,
    places: Places,
}

/// A library of the C source; none, with the reason, where there is no compiler.
fn library(folder: &Path, name: &str, source: &str, defines: &[&str]) -> Option<PathBuf> {
    let (file, out) = (folder.join(format!("{name}.c")), folder.join(name));
    std::fs::create_dir_all(out.parent().unwrap()).unwrap();
    std::fs::write(&file, source).unwrap();
    let mut command = Command::new("cc");
    let defines = defines.iter().map(|define| format!("-D{define}"));
    command.args(["-shared", "-fPIC", "-w", "-o"]);
    command.arg(&out).args(defines).arg(&file);
    let built = command.status().is_ok_and(|status| status.success());
    if !built {
        eprintln!("skipped: cc builds no shared library here");
    }
    built.then_some(out)
}

impl Machine {
    /// A machine on which everything is as it should be.
    fn new(driver: &[&str], compiler: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let driver = library(folder.path(), "libcuda.so", DRIVER, driver)?;
        let compiler = library(folder.path(), "libnvrtc.so", COMPILER, compiler)?;
        let toolkit = folder.path().join("toolkit");
        headers(&toolkit);
        let places = Places {
            drivers: vec![driver],
            named_compilers: vec![compiler],
            compilers: Vec::new(),
            toolkit: Some(toolkit),
            other_toolkits: Vec::new(),
        };
        Some(Self { folder, places })
    }

    fn missing(&self, name: &str) -> Vec<PathBuf> {
        vec![self.folder.path().join(name)]
    }

    /// Why there is no usable GPU; the last step of the search says the same.
    fn refusal(&self) -> String {
        let mut search = Search::default();
        let reason = match find(&self.places, &mut search) {
            Err(reason) => reason,
            Ok(mut gpus) => gpus.remove(0).refusal.expect("no refusal"),
        };
        assert_eq!(search.steps.last().unwrap().outcome, Err(reason.clone()));
        assert!(!reason.contains('\n'));
        reason
    }
}

fn headers(toolkit: &Path) {
    let include = toolkit.join("include");
    std::fs::create_dir_all(&include).unwrap();
    for header in HEADERS {
        std::fs::write(include.join(header), "").unwrap();
    }
}

#[test]
fn a_machine_that_has_everything_has_its_gpus() {
    let Some(machine) = Machine::new(&["COUNT=2"], &[]) else {
        return;
    };
    let mut search = Search::default();
    let gpus = find(&machine.places, &mut search).unwrap();
    assert_eq!(gpus.len(), 2);
    let gpu = &gpus[1];
    assert_eq!(
        (gpu.index, gpu.name.as_str(), gpu.memory_bytes, &gpu.refusal),
        (1, "T1", Some(1 << 32), &None)
    );
    assert!(search.steps.iter().all(|step| step.outcome.is_ok()));
    assert_eq!(search.steps.len(), 6);
}

#[test]
fn drivers_that_are_missing_or_broken_have_their_reasons() {
    let Some(mut machine) = Machine::new(&[], &[]) else {
        return;
    };
    machine.places.drivers = machine.missing("libcuda.so.1");
    assert_eq!(
        machine.refusal(),
        "no NVIDIA driver (libcuda) on this machine"
    );
    for (define, expected) in [
        ("COUNT=0", "the CUDA driver finds no GPU"),
        ("INIT=100", "the CUDA driver finds no GPU"),
        ("INIT=803", "the CUDA driver does not start (error 803)"),
        (
            "NO_VERSION",
            "the NVIDIA driver library has no cuDriverGetVersion",
        ),
    ] {
        let machine = Machine::new(&[define], &[]).unwrap();
        assert_eq!(machine.refusal(), expected);
    }
}

#[test]
fn compilers_that_are_missing_or_unfit_have_their_reasons() {
    let Some(mut machine) = Machine::new(&[], &[]) else {
        return;
    };
    machine.places.named_compilers = machine.missing("libnvrtc.so.12");
    assert_eq!(
        machine.refusal(),
        "a GPU was found, but not NVRTC: install the CUDA toolkit's nvrtc package, or `pip \
         install nvidia-cuda-nvrtc-cu12`"
    );
    // Some other library of that name.
    let other = library(machine.folder.path(), "other.so", "int x;", &[]).unwrap();
    machine.places.named_compilers = vec![other];
    assert!(
        machine
            .refusal()
            .starts_with("a GPU was found, but not NVRTC")
    );

    let newer = Machine::new(&[], &["MINOR=6"]).unwrap().refusal();
    assert!(newer.starts_with("NVRTC 12.6 ("), "{newer}");
    let expected = "is newer than the driver, which supports CUDA 12.4: update the driver, or \
                    install NVRTC 12";
    assert!(newer.ends_with(expected), "{newer}");
}

#[test]
fn a_compiler_in_a_package_is_taken_if_it_fits_the_driver() {
    let Some(mut machine) = Machine::new(&[], &[]) else {
        return;
    };
    let folder = machine.folder.path().to_owned();
    let newer = library(&folder, "newer.so", COMPILER, &["MINOR=6"]).unwrap();
    let fitting = std::mem::take(&mut machine.places.named_compilers);
    machine.places.compilers = [vec![newer], fitting.clone()].concat();
    let found = find_compiler(
        &machine.places,
        Version {
            major: 12,
            minor: 4,
        },
    );
    assert_eq!(found.unwrap().path, fitting[0]);
}

#[test]
fn cards_that_the_compiler_does_not_know_have_their_reasons() {
    let refusal = |major: &str| Machine::new(&[major], &[]).map(|machine| machine.refusal());
    let Some(old) = refusal("MAJOR=3") else {
        return;
    };
    assert_eq!(
        old,
        "compute capability 3.0 is too old for NVRTC 12.4, which begins at 5.0"
    );
    assert_eq!(
        refusal("MAJOR=12").unwrap(),
        "compute capability 12.0 is unknown to NVRTC 12.4, which ends at 9.0: install a newer NVRTC"
    );
}

#[test]
fn headers_that_are_missing_or_elsewhere_have_their_reasons() {
    let Some(mut machine) = Machine::new(&[], &[]) else {
        return;
    };
    let toolkit = machine.places.toolkit.take().unwrap();
    assert!(
        machine
            .refusal()
            .starts_with("a GPU was found, but no CUDA headers")
    );
    machine.places.other_toolkits = vec![machine.folder.path().to_owned(), toolkit.clone()];
    let elsewhere = machine.refusal();
    assert!(
        elsewhere.ends_with(&format!("set CUDA_PATH={}", toolkit.display())),
        "{elsewhere}"
    );
    std::fs::remove_file(toolkit.join("include").join(HEADERS[1])).unwrap();
    machine.places.toolkit = Some(toolkit);
    let incomplete = machine.refusal();
    assert!(
        incomplete.starts_with("a GPU was found, but cuda_fp16.h is not in "),
        "{incomplete}"
    );
}

#[cfg(unix)]
#[test]
fn toolkits_conda_and_python_packages_are_searched() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let make = |path: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        path
    };
    let places = |variables: &[(&str, PathBuf)]| {
        let found = |name: &str| {
            let variable = variables.iter().find(|(known, _)| *known == name);
            variable.map(|(_, value)| OsString::from(value))
        };
        Places::of(found, root)
    };
    assert_eq!(places(&[]).toolkit, None);
    assert!(places(&[]).compilers.is_empty());

    let before_13 = "venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12";
    let since_13 = "home/.local/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13";
    let system = "usr/local/lib/python3.11/dist-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12";
    let conda = "conda/lib/libnvrtc.so.12.4.127";
    let toolkit = "usr/local/cuda-12.4/lib64/libnvrtc.so.12";
    let expected = [toolkit, conda, before_13, since_13, system].map(make);
    let environment = [
        ("VIRTUAL_ENV", root.join("venv")),
        ("CONDA_PREFIX", root.join("conda")),
        ("HOME", root.join("home")),
    ];
    assert_eq!(places(&environment).compilers, expected);

    headers(&root.join("home/.local/lib/python3.12/site-packages/nvidia/cu13"));
    let found = places(&environment);
    let shown = found.other_toolkit().unwrap().display().to_string();
    assert!(shown.ends_with("nvidia/cu13"), "{shown}");
    headers(&root.join("conda/targets/x86_64-linux"));
    let found = places(&environment);
    let shown = found.other_toolkit().unwrap().display().to_string();
    assert!(shown.ends_with("conda/targets/x86_64-linux"), "{shown}");

    // What the backend itself finds.
    headers(&root.join("usr/local/cuda"));
    assert_eq!(places(&[]).toolkit, Some(root.join("usr/local/cuda")));
    let named = [("CUDA_PATH", root.join("mine"))];
    assert_eq!(places(&named).toolkit, Some(root.join("mine")));
}
