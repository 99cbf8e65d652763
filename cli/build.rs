//! Arguments for the linker.

use std::env::{var, var_os};
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("PROFILE", "release")
        && links_with_lld()
    {
        // Equal functions are kept once, which saves 3 % of the program.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// Whether the toolchain has its own LLD, its default linker on this system, and nothing selects
/// another one: GNU ld rejects the argument.
fn links_with_lld() -> bool {
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if var_os("RUSTC_LINKER").is_some() || flags.contains("link") {
        return false;
    }
    let rustc = var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).args(["--print", "sysroot"]).output();
    printed.is_ok_and(|printed| {
        let sysroot = String::from_utf8_lossy(&printed.stdout);
        let target = var("TARGET").unwrap_or_default();
        let lld = ["lib", "rustlib", &target, "bin", "gcc-ld", "ld.lld"];
        PathBuf::from(sysroot.trim())
            .join(lld.iter().collect::<PathBuf>())
            .is_file()
    })
}
