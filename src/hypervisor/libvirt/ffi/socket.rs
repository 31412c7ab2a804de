//! A safe copy of a descriptor that belongs to libvirt.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// Duplicates a descriptor of this process that somebody else owns.
///
/// The number may have been closed or reused meanwhile; the caller compares the copy's inode before using it.
///
/// # Errors
/// The system's error, e.g. `EBADF` if it is closed.
pub fn duplicate(descriptor: RawFd) -> std::io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is not negative, and the borrow only lives for the duplication, for which a
    // closed number is harmless (the kernel answers EBADF).
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?)
}
