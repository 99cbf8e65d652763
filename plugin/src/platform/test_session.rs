//! D-Bus sessions for tests, so that they need no desktop and disturb none.

use std::process::Command;

/// Set in the process that runs within the session.
const INSIDE: &str = "HITSCRIBE_TEST_SESSION";

/// Whether the test `name` of the module `module` (`module_path!()`) runs within a session of its
/// own. If not, runs it again in one and asserts that it passes there. Without `dbus-run-session`
/// the test is skipped.
pub fn is_within(module: &str, name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let session = Command::new("dbus-run-session").arg("--version").output();
    if session.is_err() {
        eprintln!("skipped: dbus-run-session is not installed");
        return false;
    }
    let module = module.split_once("::").expect("a module in a crate").1;
    let test = format!("{module}::{name}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("dbus-run-session")
        .arg("--")
        .arg(std::env::current_exe().expect("a test program"))
        .args(["--exact", &test, "--nocapture"])
        .env(INSIDE, "1")
        // Neither the user's settings nor the bus of the user's desktop.
        .env("GSETTINGS_BACKEND", "memory")
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("AT_SPI_BUS_ADDRESS")
        .env_remove("NO_AT_BRIDGE")
        .env_remove("DISPLAY")
        .status()
        .expect("dbus-run-session");
    assert!(status.success(), "{status}");
    false
}
