//! A timer in libvirt's event loop that only shows that the loop turns.

use super::failure::Failure;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::time::Duration;
use virt_sys as sys;

/// Called at each tick.
static TICK: OnceLock<fn()> = OnceLock::new();

/// Adds a timer that calls `tick` on the event loop's thread; to be called once per process.
///
/// # Errors
/// libvirt's error, e.g. if no event loop is registered.
pub fn start(period: Duration, tick: fn()) -> Result<(), Failure> {
    let _ = TICK.set(tick);
    let period = c_int::try_from(period.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the callback has the expected signature, needs no data and lives for ever.
    let timer = unsafe { sys::virEventAddTimeout(period, Some(on_timeout), ptr::null_mut(), None) };
    if timer < 0 { Err(Failure::last()) } else { Ok(()) }
}

unsafe extern "C" fn on_timeout(_timer: c_int, _opaque: *mut c_void) {
    if let Some(tick) = TICK.get() {
        tick();
    }
}
