//! Waits for the engine during offline rendering, with a timeout.

use std::time::{Duration, Instant};

/// The engine counts as dead after this long without progress.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two checks.
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// Blocks until `is_done` and returns true. Returns false once `has_failed`, or when `progress` has
/// not changed for `timeout`, so that a dead engine cannot hang the host. Offline rendering only.
pub fn wait_until(
    is_done: impl Fn() -> bool,
    has_failed: impl Fn() -> bool,
    progress: impl Fn() -> u64,
    timeout: Duration,
) -> bool {
    let mut last_progress = progress();
    let mut since = Instant::now();
    loop {
        if is_done() {
            return true;
        }
        if has_failed() {
            return false;
        }
        let now = progress();
        if now != last_progress {
            last_progress = now;
            since = Instant::now();
        } else if since.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn waiting_ends_for_a_dead_engine_but_not_for_a_slow_one() {
        assert!(!wait_until(|| false, || false, || 7, SHORT), "no progress");
        assert!(
            !wait_until(|| false, || true, || 7, Duration::MAX),
            "failed"
        );
        let checks = Cell::new(0u64);
        let step = || {
            checks.set(checks.get() + 1);
            checks.get()
        };
        assert!(
            wait_until(|| checks.get() > 300, || false, step, SHORT),
            "slow but alive"
        );
    }
}
