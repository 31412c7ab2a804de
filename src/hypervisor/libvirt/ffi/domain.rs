//! Calls about one machine that `virt` lacks or answers wrongly.

use super::bulk::{self, Subject};
use super::failure::Failure;
use super::typed;
use std::ffi::{c_char, c_uint, c_void};
use std::ptr;
use virt::domain::Domain;
use virt_sys as sys;

/// More disks than libvirt lets a machine have.
const MOST_DISKS: usize = 4_096;

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

unsafe extern "C" {
    /// C's own; what libvirt hands out is from its allocator.
    fn free(pointer: *mut c_void);
}

/// Disks of a running machine that have an error, with libvirt's code (`virDomainGetDiskErrors`).
///
/// # Errors
/// libvirt's error; OPERATION_INVALID if the machine is not running.
pub fn disk_errors(domain: &Domain) -> Result<Vec<(String, i32)>, Failure> {
    // SAFETY: the domain is alive for the call; without an array libvirt only counts disks.
    let most = unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), ptr::null_mut(), 0, 0) };
    let most = usize::try_from(most).map_err(|_| Failure::last())?.min(MOST_DISKS);
    let mut found = vec![sys::virDomainDiskError { disk: ptr::null_mut(), error: 0 }; most];
    if most == 0 {
        return Ok(Vec::new());
    }
    let room = c_uint::try_from(most).unwrap_or(c_uint::MAX);
    // SAFETY: `found` has room for `most` entries, which is what the call is told.
    let count = unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), found.as_mut_ptr(), room, 0) };
    let failure = (count < 0).then(Failure::last);
    let read = found.into_iter().filter(|each| !each.disk.is_null()).map(|each| {
        // SAFETY: libvirt set the name to a string of its own, which is the caller's to free, once.
        let name = unsafe { typed::text(each.disk.cast::<c_char>()) }.into_owned();
        // SAFETY: see above; nothing borrows from it any more.
        unsafe { free(each.disk.cast()) };
        (name, each.error)
    });
    let read: Vec<_> = read.collect();
    failure.map_or(Ok(read), Err)
}

/// Identity of a machine, from the handle alone.
pub fn subject(domain: &Domain) -> Subject {
    // SAFETY: the domain is alive for the call.
    unsafe { bulk::subject(domain.as_ptr()) }
}
