//! Replaces the processor of hosts that do not restart a plugin when its latency changes.
//!
//! A VST3 plugin can only report that its latency has changed; some hosts read the new value and
//! carry on. So a background task builds the new processor, and the audio thread swaps it in while
//! the transport is stopped. CLAP hosts restart the plugin, as their standard requires.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::params::host_menu::HostMenu;
use crate::platform::clap::Connection;
use crate::process::config::ProcessConfig;
use crate::process::processor::Processor;
use crate::status::PluginStatus;

/// A task of the background thread or of the host's main thread.
pub enum Task {
    /// Build a processor for this configuration.
    Build(ProcessConfig),
    /// Free the retired processors.
    Discard,
    /// Of the background thread: have the main thread do [`Task::ReportChange`].
    ReportTake,
    /// Of the main thread: report to the host that the project has changed. To a VST3 host, the
    /// patched framework does this after each such task.
    ReportChange,
    /// Of the main thread: connect the instance with its CLAP host.
    Connect(Arc<Connection>),
    /// Of the main thread: find out whether the CLAP host shows menus of parameters.
    FindHostMenu,
    /// Of the main thread: have the CLAP host show one.
    OpenHostMenu(HostMenu),
}

/// Passes new processors to the audio thread and retired ones back.
pub struct Rebuilder {
    ready: ArrayQueue<Box<Processor>>,
    retired: ArrayQueue<Box<Processor>>,
}

impl Default for Rebuilder {
    fn default() -> Self {
        Self {
            ready: ArrayQueue::new(1),
            retired: ArrayQueue::new(8),
        }
    }
}

impl Rebuilder {
    /// Runs a task. Not for the audio thread.
    pub fn run(
        &self,
        task: Task,
        status: &Arc<PluginStatus>,
        build: impl Fn(ProcessConfig) -> Option<Processor>,
    ) {
        self.discard();
        if let Task::Build(config) = task
            && let Some(processor) = build(config)
        {
            status.links.lock().port = Some(processor.counters().clone());
            drop(self.ready.force_push(Box::new(processor)));
        }
    }

    /// Frees the retired processors. Not for the audio thread.
    pub fn discard(&self) {
        while self.retired.pop().is_some() {}
    }

    /// Frees all processors, the unused one of an earlier activation included. Not for the audio
    /// thread.
    pub fn clear(&self) {
        while self.ready.pop().is_some() {}
        self.discard();
    }

    /// Takes the new processor, if one is ready. Real-time safe.
    pub fn take(&self) -> Option<Box<Processor>> {
        self.ready.pop()
    }

    /// Hands over a processor to be freed. Real-time safe.
    pub fn retire(&self, processor: Box<Processor>) {
        if let Err(processor) = self.retired.push(processor) {
            // Freeing is not real-time safe. Every task empties the queue, so it only fills up when
            // the background thread is dead.
            std::mem::forget(processor);
        }
    }
}
