//! Counts allocations and deallocations inside of the audio callback, where there must be none.
//!
//! Debug builds abort on the first one (nice-plug's `assert_process_allocs`). Release builds count
//! them, and the end-to-end tests read the count through an exported symbol, so that they can check
//! the bundle that is shipped.

#[cfg(not(debug_assertions))]
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static IN_PROCESS: Cell<bool> = const { Cell::new(false) };
}

static VIOLATIONS: AtomicU64 = AtomicU64::new(0);

/// Counts the allocations of this thread until it is dropped.
pub struct Guard(());

impl Guard {
    /// Starts counting.
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

/// Allocations and deallocations inside of the audio callback since the library was loaded.
#[unsafe(no_mangle)]
pub extern "C" fn hitscribe_process_allocations() -> u64 {
    VIOLATIONS.load(Ordering::Relaxed)
}

#[cfg(not(debug_assertions))]
struct CountingAllocator;

#[cfg(not(debug_assertions))]
fn count_violation() {
    // A thread that is shutting down has no thread-locals any more, and is not in `process`.
    if IN_PROCESS.try_with(Cell::get).unwrap_or(false) {
        VIOLATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is forwarded to the system allocator unchanged.
#[cfg(not(debug_assertions))]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_violation();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_violation();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count_violation();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count_violation();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(not(debug_assertions))]
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[cfg(all(test, not(debug_assertions)))]
mod tests {
    use super::*;

    #[test]
    fn only_allocations_under_a_guard_are_counted() {
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
