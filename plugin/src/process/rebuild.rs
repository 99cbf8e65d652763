//! A new setup for hosts that do not restart the plugin when its latency changes.
//!
//! VST3 can only say that the latency has changed; some hosts then ask for it and go on. So the
//! audio thread's half is built anew in the background and handed over while the transport stands.
//! CLAP hosts restart the plugin, as their standard demands.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::process::{Live, ProcessConfig};
use crate::status::Telemetry;

/// What the background thread is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Build what this setup needs.
    Build(ProcessConfig),
    /// Free what is no longer needed.
    Discard,
}

/// Where new halves wait for the audio thread, and old ones for their end.
pub struct Rebuilder {
    finished: ArrayQueue<Box<Live>>,
    worn: ArrayQueue<Box<Live>>,
}

impl Default for Rebuilder {
    fn default() -> Self {
        Self {
            finished: ArrayQueue::new(1),
            worn: ArrayQueue::new(8),
        }
    }
}

impl Rebuilder {
    /// Does what is asked for. Not for the audio thread.
    pub fn work(
        &self,
        task: Task,
        telemetry: &Arc<Telemetry>,
        build: impl Fn(ProcessConfig) -> Option<Live>,
    ) {
        self.discard();
        if let Task::Build(wanted) = task
            && let Some(live) = build(wanted)
        {
            telemetry.links.lock().port = Some(live.counters().clone());
            drop(self.finished.force_push(Box::new(live)));
        }
    }

    /// Frees everything. Not for the audio thread.
    pub fn discard(&self) {
        while self.worn.pop().is_some() {}
    }

    /// Forgets what was built for another activation. Not for the audio thread.
    pub fn clear(&self) {
        while self.finished.pop().is_some() {}
        self.discard();
    }

    /// What has been built. Real-time safe.
    pub fn take(&self) -> Option<Box<Live>> {
        self.finished.pop()
    }

    /// Takes what is no longer needed. Real-time safe.
    pub fn put_away(&self, worn: Box<Live>) {
        if let Err(worn) = self.worn.push(worn) {
            // Freeing it here would take time; the shelf is emptied with every task, so it is
            // never full as long as the background thread lives.
            std::mem::forget(worn);
        }
    }
}
