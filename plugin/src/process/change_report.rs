//! When to report to the host that the project has changed. The engine thread watches the take, so
//! that the audio callback does not call the host for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// Shortest time between two reports. Hosts may save the state after each.
const INTERVAL_SECONDS: f64 = 2.0;

/// What watches the notes of a capture port and calls `report` when a report is due. `is_reported`
/// is set to false when the state is saved.
pub fn watcher(
    is_reported: Arc<AtomicBool>,
    report: impl Fn() + Send + Sync + 'static,
) -> impl Fn(u64) + Send + Sync + 'static {
    let watch = Mutex::new((ChangeReport::new(is_reported), Instant::now()));
    move |recorded_notes| {
        let mut watch = watch.lock();
        let now = Instant::now();
        let elapsed = now - std::mem::replace(&mut watch.1, now);
        let is_due = watch.0.is_due(recorded_notes, elapsed.as_secs_f64());
        drop(watch);
        if is_due {
            report();
        }
    }
}

/// Counts new notes of the take.
struct ChangeReport {
    /// Whether a change has been reported since the project was saved.
    is_reported: Arc<AtomicBool>,
    recorded_notes: u64,
    has_changed: bool,
    seconds_since_report: f64,
}

impl ChangeReport {
    fn new(is_reported: Arc<AtomicBool>) -> Self {
        Self {
            is_reported,
            recorded_notes: 0,
            has_changed: false,
            seconds_since_report: INTERVAL_SECONDS,
        }
    }

    /// Takes the number of recorded notes and the time since the last call. Returns whether to
    /// report a change now.
    fn is_due(&mut self, recorded_notes: u64, seconds: f64) -> bool {
        let before = std::mem::replace(&mut self.recorded_notes, recorded_notes);
        self.has_changed |= recorded_notes > before;
        self.seconds_since_report += seconds;
        let is_due = self.has_changed && self.seconds_since_report >= INTERVAL_SECONDS;
        if !is_due {
            return false;
        }
        self.has_changed = false;
        self.seconds_since_report = 0.0;
        !self.is_reported.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_notes_are_reported_once_until_the_project_is_saved() {
        let is_reported = Arc::new(AtomicBool::new(false));
        let mut report = ChangeReport::new(is_reported.clone());
        assert!(!report.is_due(0, 0.5), "nothing is recorded");
        assert!(report.is_due(3, 0.5));
        assert!((0..20).all(|more| !report.is_due(4 + more, 0.5)), "known");
        is_reported.store(false, Ordering::Relaxed);
        assert!(!report.is_due(23, 9.0), "nothing since it was saved");
        assert!(report.is_due(24, 0.5));
        is_reported.store(false, Ordering::Relaxed);
        // Not so soon after the last report.
        assert!(!report.is_due(25, 0.5) && !report.is_due(25, 0.5) && !report.is_due(25, 0.5));
        assert!(report.is_due(25, 0.5));
    }
}
