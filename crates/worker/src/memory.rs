//! What finished work leaves behind in this process's heap.

/// Gives memory that was freed back to the system: the allocator keeps it otherwise, and an idle node should be small.
/// Takes milliseconds; other threads that allocate wait meanwhile.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the C library's own call, which takes the allocator's locks itself.
        #[allow(unsafe_code)]
        unsafe {
            nix::libc::malloc_trim(0);
        }
    }
}
