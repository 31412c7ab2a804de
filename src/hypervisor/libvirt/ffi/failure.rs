//! The last error of the calling thread, with the part `virt::error::Error` leaves out.

use virt::error::Error;

/// A failed libvirt call: libvirt's own numbers, its text, and the system's error number if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `virErrorNumber`.
    pub code: i32,
    /// `virErrorDomain`.
    pub domain: i32,
    /// `errno` of a system error, 0 if there is none.
    pub errno: i32,
    /// libvirt's text.
    pub message: String,
}

impl Failure {
    /// The error of the call that has just failed on this thread.
    ///
    /// libvirt keeps errors per thread and the next call resets them: call it at once.
    pub fn last() -> Self {
        Self::with_errno(&Error::last_error(), last_errno())
    }

    /// An error the `virt` crate has already fetched; the system's error number is lost.
    pub fn of(error: &Error) -> Self {
        Self::with_errno(error, 0)
    }

    fn with_errno(error: &Error, errno: i32) -> Self {
        Self {
            code: i32::try_from(error.code().to_raw()).unwrap_or(-1),
            domain: i32::try_from(error.domain().to_raw()).unwrap_or(-1),
            errno,
            message: error.message().to_owned(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

/// `errno` that belongs to this thread's last libvirt error, if that was a system error.
fn last_errno() -> i32 {
    // SAFETY: returns the calling thread's own error record or NULL; it stays valid until this
    // thread's next libvirt call, which cannot happen inside this block.
    unsafe {
        let error = virt_sys::virGetLastError();
        if error.is_null() || (*error).code != virt_sys::VIR_ERR_SYSTEM_ERROR as i32 { 0 } else { (*error).int1 }
    }
}
