//! Waiting for the engine while the host renders offline, and giving up in time.

use std::time::{Duration, Instant};

/// Without any progress for this long the engine counts as dead.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const NAP: Duration = Duration::from_micros(200);

/// Waits until `is_done`. False as soon as `has_failed`, or when `progress` has not changed for
/// `patience`: a dead engine must never hang the host.
pub fn wait_until(
    is_done: impl Fn() -> bool,
    has_failed: impl Fn() -> bool,
    progress: impl Fn() -> u64,
    patience: Duration,
) -> bool {
    let mut seen = progress();
    let mut since = Instant::now();
    loop {
        if is_done() {
            return true;
        }
        if has_failed() {
            return false;
        }
        let now = progress();
        if now != seen {
            seen = now;
            since = Instant::now();
        } else if since.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(NAP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_dead_engine_is_given_up_and_a_slow_one_is_not() {
        assert!(!wait_until(|| false, || false, || 7, SHORT), "no progress");
        assert!(
            !wait_until(|| false, || true, || 7, Duration::MAX),
            "failed"
        );
        let looks = Cell::new(0u64);
        let step = || {
            looks.set(looks.get() + 1);
            looks.get()
        };
        assert!(
            wait_until(|| looks.get() > 300, || false, step, SHORT),
            "slow, but alive"
        );
    }
}
