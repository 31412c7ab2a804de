//! Moving figures of the host (CPU time and memory), and keepalive of a connection.

use super::failure::Failure;
use super::typed::{Parameters, field_name};
use std::collections::BTreeMap;
use std::ptr;
use virt::connect::Connect;
use virt_sys as sys;

/// All CPUs together, for both calls below.
const ALL: i32 = -1;

/// CPU time of the host, or of one CPU, by mode in nanoseconds since boot (`virNodeGetCPUStats`).
///
/// # Errors
/// libvirt's error; NO_SUPPORT where the driver lacks it.
pub fn cpu_statistics(connect: &Connect, cpu: Option<u32>) -> Result<BTreeMap<String, u64>, Failure> {
    let which = cpu.and_then(|cpu| i32::try_from(cpu).ok()).unwrap_or(ALL);
    let mut count = 0;
    // SAFETY: with a NULL array libvirt only writes the number of fields.
    let result = unsafe { sys::virNodeGetCPUStats(connect.as_ptr(), which, ptr::null_mut(), &raw mut count, 0) };
    check(result)?;
    let mut fields = vec![sys::virNodeCPUStats { field: [0; 80], value: 0 }; usize::try_from(count).unwrap_or(0)];
    // SAFETY: `fields` has room for the `count` elements libvirt may write.
    let result = unsafe { sys::virNodeGetCPUStats(connect.as_ptr(), which, fields.as_mut_ptr(), &raw mut count, 0) };
    check(result)?;
    fields.truncate(usize::try_from(count).unwrap_or(0));
    Ok(fields.iter().map(|entry| (field_name(&entry.field).into_owned(), entry.value)).collect())
}

/// Memory of the host in KiB by kind (`virNodeGetMemoryStats`).
///
/// # Errors
/// libvirt's error; NO_SUPPORT where the driver lacks it.
pub fn memory_statistics(connect: &Connect) -> Result<BTreeMap<String, u64>, Failure> {
    let mut count = 0;
    // SAFETY: with a NULL array libvirt only writes the number of fields.
    let result = unsafe { sys::virNodeGetMemoryStats(connect.as_ptr(), ALL, ptr::null_mut(), &raw mut count, 0) };
    check(result)?;
    let mut fields = vec![sys::virNodeMemoryStats { field: [0; 80], value: 0 }; usize::try_from(count).unwrap_or(0)];
    // SAFETY: `fields` has room for the `count` elements libvirt may write.
    let result = unsafe { sys::virNodeGetMemoryStats(connect.as_ptr(), ALL, fields.as_mut_ptr(), &raw mut count, 0) };
    check(result)?;
    fields.truncate(usize::try_from(count).unwrap_or(0));
    Ok(fields.iter().map(|entry| (field_name(&entry.field).into_owned(), entry.value)).collect())
}

/// Settings and counters of KSM by name (`virNodeGetMemoryParameters`).
///
/// # Errors
/// libvirt's error; NO_SUPPORT where the driver lacks it.
pub fn memory_parameters(connect: &Connect) -> Result<BTreeMap<String, u64>, Failure> {
    let mut count = 0;
    // SAFETY: with a NULL array libvirt only writes the number of parameters.
    let result = unsafe { sys::virNodeGetMemoryParameters(connect.as_ptr(), ptr::null_mut(), &raw mut count, 0) };
    check(result)?;
    // SAFETY: all-zero bytes are a valid parameter: no type, no name, a union of numbers and a null pointer.
    let none: sys::virTypedParameter = unsafe { std::mem::zeroed() };
    let mut parameters = vec![none; usize::try_from(count).unwrap_or(0)];
    // SAFETY: `parameters` has room for the `count` elements libvirt may write.
    let result =
        unsafe { sys::virNodeGetMemoryParameters(connect.as_ptr(), parameters.as_mut_ptr(), &raw mut count, 0) };
    check(result)?;
    // SAFETY: libvirt has written `count` parameters, which live as long as the vector; none of them is a string
    // (all are numbers by the call's documentation), so nothing is left to free.
    let read = unsafe { Parameters::new(parameters.as_ptr(), count) };
    Ok(read.filter_map(|(name, value)| Some((name.into_owned(), value.as_u64()?))).collect())
}

/// Free memory of the host in bytes (`virNodeGetFreeMemory`); 0 is libvirt's word for an error.
///
/// # Errors
/// libvirt's error; NO_SUPPORT where the driver lacks it.
pub fn free_memory(connect: &Connect) -> Result<u64, Failure> {
    // SAFETY: the connection is alive for the call.
    match unsafe { sys::virNodeGetFreeMemory(connect.as_ptr()) } {
        0 => Err(Failure::last()),
        bytes => Ok(bytes),
    }
}

/// Turns keepalive on (`virConnectSetKeepAlive`): messages each `interval` seconds, of which `count`
/// may stay unanswered. False if the other end does not speak it.
///
/// # Errors
/// libvirt's error; NO_SUPPORT for drivers in the process.
pub fn keepalive(connect: &Connect, interval: i32, count: u32) -> Result<bool, Failure> {
    // SAFETY: the connection is alive for the call.
    match unsafe { sys::virConnectSetKeepAlive(connect.as_ptr(), interval, count) } {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(Failure::last()),
    }
}

fn check(result: i32) -> Result<(), Failure> {
    if result < 0 { Err(Failure::last()) } else { Ok(()) }
}
