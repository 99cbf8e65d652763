//! Counts what must not happen: memory requests and releases while the audio thread is in
//! `process`.
//!
//! Debug builds abort on them (nice-plug's `assert_process_allocs`). Release builds count, and the
//! host tests read the count through an exported symbol: the build that is shipped is the build
//! that is tested.

#[cfg(not(debug_assertions))]
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static IN_PROCESS: Cell<bool> = const { Cell::new(false) };
}

static VIOLATIONS: AtomicU64 = AtomicU64::new(0);

/// Watches this thread until it is dropped.
pub struct Guard(());

impl Guard {
    /// Begins to watch.
    pub fn enter() -> Self {
        IN_PROCESS.set(true);
        Self(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        IN_PROCESS.set(false);
    }
}

/// Memory requests and releases seen inside `process` since the library was loaded.
#[unsafe(no_mangle)]
pub extern "C" fn hitscribe_process_allocations() -> u64 {
    VIOLATIONS.load(Ordering::Relaxed)
}

#[cfg(not(debug_assertions))]
struct Watching;

#[cfg(not(debug_assertions))]
fn note_violation() {
    // A thread that is being torn down has no thread-locals any more, and is not in `process`.
    if IN_PROCESS.try_with(Cell::get).unwrap_or(false) {
        VIOLATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator unchanged.
#[cfg(not(debug_assertions))]
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_violation();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_violation();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note_violation();
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note_violation();
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(not(debug_assertions))]
#[global_allocator]
static ALLOCATOR: Watching = Watching;

#[cfg(all(test, not(debug_assertions)))]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_inside_is_counted_and_one_outside_is_not() {
        let before = hitscribe_process_allocations();
        drop(std::hint::black_box(vec![0u8; 64]));
        assert_eq!(hitscribe_process_allocations(), before);
        {
            let _guard = Guard::enter();
            drop(std::hint::black_box(vec![0u8; 64]));
        }
        assert_eq!(hitscribe_process_allocations(), before + 2);
    }
}
