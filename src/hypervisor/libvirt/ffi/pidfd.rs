//! When and how a watched process ended: a pidfd to wait on, and `PIDFD_GET_INFO`, which has no safe wrapper.

use rustix::ioctl::{self, Updater};
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `_IOWR(0xFF, 11, struct pidfd_info)` with the first version's 64 bytes.
const PIDFD_GET_INFO: ioctl::Opcode = 0xC040_FF0B;

/// `PIDFD_INFO_EXIT`: the exit status is wanted, or given.
const INFO_EXIT: u64 = 1 << 3;

/// `struct pidfd_info` of <linux/pidfd.h>.
#[repr(C)]
#[derive(Default)]
struct ExitReport {
    mask: u64,
    cgroupid: u64,
    /// pid, tgid, ppid and the user and group ids.
    ids: [u32; 11],
    exit_code: i32,
}

/// A pidfd that can be waited for: it is readable once the process has ended.
///
/// # Errors
/// The system's, e.g. if the runtime watches too many descriptors.
pub fn watched(process: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is the only owner of its descriptor, gives the same one for as long as it lives, and
    // closes it only when dropped, which `AsyncFd` does after it has deregistered it.
    unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) }.map_err(Into::into)
}

/// The wait status of a process that has ended; nothing as long as its parent has not reaped it, and on
/// kernels that do not tell (before about 6.15). Needs no privilege.
pub fn wait_status(process: impl AsFd) -> Option<i32> {
    let mut info = ExitReport { mask: INFO_EXIT, ..ExitReport::default() };
    // SAFETY: the request takes a pointer to this structure, whose size is part of its number; the kernel
    // writes no more than that, and any bytes are valid values of its fields.
    let asked = unsafe { ioctl::ioctl(process, Updater::<PIDFD_GET_INFO, _>::new(&mut info)) };
    (asked.is_ok() && info.mask & INFO_EXIT != 0).then_some(info.exit_code)
}
