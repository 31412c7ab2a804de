//! Bulk statistics, freed exactly once whatever happens (`virt`'s own wrapper leaks them and the connection).

use super::failure::Failure;
use super::typed::{Parameters, text};
use std::ptr;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// Which machine a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// UUID.
    pub uuid: Uuid,
    /// Name.
    pub name: String,
    /// The hypervisor's id of the running instance; nothing when off.
    pub id: Option<u32>,
}

/// Statistics of every machine that the filter bits in `flags` let through (`virConnectGetAllDomainStats`).
///
/// # Errors
/// libvirt's error; no record has been passed to `each` then.
pub fn all(
    connect: &Connect,
    groups: u32,
    flags: u32,
    each: impl FnMut(Subject, Parameters<'_>),
) -> Result<(), Failure> {
    let mut list = ptr::null_mut();
    // SAFETY: the connection is alive for the call; libvirt writes the list only on success.
    let count = unsafe { sys::virConnectGetAllDomainStats(connect.as_ptr(), groups, &raw mut list, flags) };
    Records::take(list, count)?.read(each);
    Ok(())
}

/// Statistics of the given machines (`virDomainListGetStats`); machines that vanished are left out.
///
/// # Errors
/// libvirt's error; no record has been passed to `each` then.
pub fn some(
    domains: &[Domain],
    groups: u32,
    flags: u32,
    each: impl FnMut(Subject, Parameters<'_>),
) -> Result<(), Failure> {
    if domains.is_empty() {
        return Ok(());
    }
    // SAFETY: only copies the pointers; `domains` keeps them alive beyond the call.
    let mut pointers: Vec<_> = domains.iter().map(|domain| unsafe { domain.as_ptr() }).collect();
    pointers.push(ptr::null_mut());
    let mut list = ptr::null_mut();
    // SAFETY: `pointers` is NULL-terminated and all its domains belong to one connection.
    let count = unsafe { sys::virDomainListGetStats(pointers.as_mut_ptr(), groups, &raw mut list, flags) };
    Records::take(list, count)?.read(each);
    Ok(())
}

/// A list of records owned by us: parameters, strings and domain references in it included.
struct Records {
    list: *mut sys::virDomainStatsRecordPtr,
    count: usize,
}

impl Records {
    fn take(list: *mut sys::virDomainStatsRecordPtr, count: i32) -> Result<Self, Failure> {
        match usize::try_from(count) {
            Ok(count) => Ok(Self { list, count }),
            Err(_) => Err(Failure::last()),
        }
    }

    fn read(&self, mut each: impl FnMut(Subject, Parameters<'_>)) {
        if self.list.is_null() {
            return;
        }
        for index in 0..self.count {
            // SAFETY: the list holds `count` valid record pointers until it is freed in `drop`.
            let record = unsafe { &**self.list.add(index) };
            // SAFETY: a record owns its domain reference and `nparams` parameters as long as the list.
            let (subject, parameters) =
                unsafe { (subject(record.dom), Parameters::new(record.params, record.nparams)) };
            each(subject, parameters);
        }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if !self.list.is_null() {
            // SAFETY: the list came from libvirt, is freed only here, and nothing borrows from it any more.
            unsafe { sys::virDomainStatsRecordListFree(self.list) }
        }
    }
}

/// Identity of a machine.
///
/// # Safety
/// `domain` must be a valid domain for the duration of the call.
pub(super) unsafe fn subject(domain: sys::virDomainPtr) -> Subject {
    // SAFETY: promised by the caller; these calls only read fields of the domain object.
    unsafe {
        let id = sys::virDomainGetID(domain);
        let name = text(sys::virDomainGetName(domain)).into_owned();
        Subject { uuid: uuid(domain), name, id: (id != u32::MAX).then_some(id) }
    }
}

/// UUID of a machine.
///
/// # Safety
/// `domain` must be a valid domain for the duration of the call.
pub(super) unsafe fn uuid(domain: sys::virDomainPtr) -> Uuid {
    let mut bytes = [0u8; 16];
    // SAFETY: promised by the caller; libvirt writes exactly VIR_UUID_BUFLEN = 16 bytes.
    unsafe { sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) };
    Uuid::from_bytes(bytes)
}
