//! How the allocator spreads a server's memory.

/// Threads share so many heaps at most.
#[cfg(target_env = "gnu")]
const HEAPS_MAX: libc::c_int = 2;

/// Keeps all threads of this process to two heaps. Called before any thread is started: with the second one, the
/// allocator has settled on a number.
///
/// By default glibc gives each thread a heap of its own, up to eight for each processor, and what one of them freed
/// no other uses. Bursts of requests move between the threads of a runtime, so each heap grows to the size of the
/// largest burst: after a million proposals that is a quarter of all memory. Two heaps are as many as the runtime
/// has workers. With another C library, which has no such heaps, nothing is done.
pub fn keep_few() {
    // SAFETY: mallopt takes two numbers, and refuses those that it does not know.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS_MAX);
    }
}
