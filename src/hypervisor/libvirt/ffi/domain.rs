//! Calls about one machine that `virt` lacks or answers wrongly.

use super::bulk::{self, Subject};
use super::failure::Failure;
use virt::domain::Domain;
use virt_sys as sys;

/// State and reason as libvirt numbers them (`virDomainGetState`).
///
/// # Errors
/// libvirt's error (`virt`'s own `state()` hides it and makes a state up).
pub fn state(domain: &Domain) -> Result<(i32, i32), Failure> {
    let (mut state, mut reason) = (0, 0);
    // SAFETY: the domain is alive for the call and both pointers are valid.
    let result = unsafe { sys::virDomainGetState(domain.as_ptr(), &raw mut state, &raw mut reason, 0) };
    if result < 0 { Err(Failure::last()) } else { Ok((state, reason)) }
}

/// What holds the control channel of a machine (`virDomainGetControlInfo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlReading {
    /// `virDomainControlState`: 0 OK, 1 JOB, 2 OCCUPIED, 3 ERROR.
    pub state: u32,
    /// For how long, in milliseconds; 0 unless occupied.
    pub since_ms: u64,
}

/// Asks whether the hypervisor process of a machine answers; needs no job, so it never waits for it.
///
/// # Errors
/// libvirt's error; OPERATION_INVALID if the machine is not running.
pub fn control(domain: &Domain) -> Result<ControlReading, Failure> {
    let mut info = sys::virDomainControlInfo { state: 0, details: 0, stateTime: 0 };
    // SAFETY: the domain is alive for the call and `info` is a valid structure to write to.
    let result = unsafe { sys::virDomainGetControlInfo(domain.as_ptr(), &raw mut info, 0) };
    if result < 0 { Err(Failure::last()) } else { Ok(ControlReading { state: info.state, since_ms: info.stateTime }) }
}

/// Identity of a machine, from the handle alone.
pub fn subject(domain: &Domain) -> Subject {
    // SAFETY: the domain is alive for the call.
    unsafe { bulk::subject(domain.as_ptr()) }
}
