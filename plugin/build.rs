//! Keeps the library in memory once it is loaded, on Linux.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A thread of the host that has run the plugin calls destructors of thread-local values in it
    // when it ends, which may be after the host has unloaded the library: that is a crash.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
