//! The callback that tells that a connection is gone.

use super::super::sink;
use super::failure::Failure;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use virt::connect::Connect;
use virt_sys as sys;

/// Has the loss of the connection told to the sink of number `sink`.
///
/// The callback's data is a number, not memory: drivers that accept the registration and forget it
/// (libvirt's test driver) leak nothing.
///
/// # Errors
/// libvirt's error.
pub fn watch(connect: &Connect, sink: usize) -> Result<(), Failure> {
    // SAFETY: the callback has the expected signature and its data is a plain number.
    let result =
        unsafe { sys::virConnectRegisterCloseCallback(connect.as_ptr(), Some(on_close), sink as *mut c_void, None) };
    if result < 0 { Err(Failure::last()) } else { Ok(()) }
}

/// Stops telling; errors (a driver that never kept the callback) are of no consequence.
pub fn unwatch(connect: &Connect) {
    // SAFETY: the connection is alive for the call.
    unsafe { sys::virConnectUnregisterCloseCallback(connect.as_ptr(), Some(on_close)) };
}

unsafe extern "C" fn on_close(_connect: sys::virConnectPtr, reason: c_int, opaque: *mut c_void) {
    let text = match u32::try_from(reason) {
        Ok(sys::VIR_CONNECT_CLOSE_REASON_EOF) => "end of file",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_KEEPALIVE) => "no answer to keepalive",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_CLIENT) => "closed by us",
        _ => "connection error",
    };
    // Never unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| sink::closed(opaque as usize, text)));
}
