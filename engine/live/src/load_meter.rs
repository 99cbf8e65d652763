//! How busy a thread is.

use std::time::{Duration, Instant};

/// Averages over a second.
pub struct LoadMeter {
    since: Instant,
    busy: Duration,
    permille: u32,
}

impl LoadMeter {
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            busy: Duration::ZERO,
            permille: 0,
        }
    }

    /// Adds a time of work that ended at `now`. Returns the share of time spent working over the
    /// last full second, in 1/1000.
    pub fn measure(&mut self, now: Instant, busy: Duration) -> u32 {
        self.busy += busy;
        let passed = now.duration_since(self.since);
        if passed >= Duration::from_secs(1) {
            self.permille = (self.busy.as_secs_f64() / passed.as_secs_f64() * 1000.0) as u32;
            self.since = now;
            self.busy = Duration::ZERO;
        }
        self.permille
    }
}
