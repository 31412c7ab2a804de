//! Event subscriptions: one C callback per event, each turning its arguments into a hint.
//!
//! Callbacks run on the event loop's thread. They copy what they need, never call libvirt beyond
//! reading the borrowed object's identity, never block and never unwind.

use super::super::incidents::{self, DiskName, JobResult};
use super::super::sink;
use super::super::words;
use super::bulk;
use super::failure::Failure;
use super::typed::{self, Parameters, Value};
use crate::hypervisor::port::EventSubject;
use crate::model::incident::{Incident, IncidentKind};
use crate::model::observation::GoneCause;
use std::ffi::{c_char, c_int, c_longlong, c_uint, c_ulonglong, c_void};
use std::mem::transmute;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use uuid::Uuid;
use virt::connect::Connect;
use virt_sys as sys;

/// `VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED`.
const AGENT_CONNECTED: c_int = 1;

/// Kind of an event, as far as registration differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `virConnectDomainEventRegisterAny`.
    Machine,
    /// `virConnectNetworkEventRegisterAny`.
    Network,
    /// `virConnectStoragePoolEventRegisterAny`.
    StoragePool,
    /// `virConnectNodeDeviceEventRegisterAny`.
    HostDevice,
}

/// One event that can be subscribed to.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Kind.
    pub family: Family,
    /// libvirt's number in its family.
    pub id: c_int,
    /// Name shown to operators.
    pub name: &'static str,
    callback: Callback,
}

/// A callback with its type erased, as libvirt's own VIR_DOMAIN_EVENT_CALLBACK macro does.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Callback(unsafe extern "C" fn());

/// A subscription; ends when dropped.
#[derive(Debug)]
pub struct Subscription {
    connect: Connect,
    family: Family,
    callback_id: c_int,
}

/// Subscribes to one event; hints go to the sink of number `sink`.
///
/// # Errors
/// libvirt's error: INVALID_ARG if the library does not know the event, NO_SUPPORT if the driver or
/// server does not.
pub fn subscribe(connect: &Connect, event: &Event, sink: usize) -> Result<Subscription, Failure> {
    let opaque = sink as *mut c_void;
    // SAFETY: `event` comes from the table below, where each callback stands beside the number whose
    // signature it has; the data is a plain number, so there is nothing to free.
    let callback_id = unsafe {
        let connect = connect.as_ptr();
        match event.family {
            Family::Machine => sys::virConnectDomainEventRegisterAny(
                connect,
                ptr::null_mut(),
                event.id,
                transmute::<Callback, sys::virConnectDomainEventGenericCallback>(event.callback),
                opaque,
                None,
            ),
            Family::Network => sys::virConnectNetworkEventRegisterAny(
                connect,
                ptr::null_mut(),
                event.id,
                transmute::<Callback, sys::virConnectNetworkEventGenericCallback>(event.callback),
                opaque,
                None,
            ),
            Family::StoragePool => sys::virConnectStoragePoolEventRegisterAny(
                connect,
                ptr::null_mut(),
                event.id,
                transmute::<Callback, sys::virConnectStoragePoolEventGenericCallback>(event.callback),
                opaque,
                None,
            ),
            Family::HostDevice => sys::virConnectNodeDeviceEventRegisterAny(
                connect,
                ptr::null_mut(),
                event.id,
                transmute::<Callback, sys::virConnectNodeDeviceEventGenericCallback>(event.callback),
                opaque,
                None,
            ),
        }
    };
    if callback_id < 0 {
        return Err(Failure::last());
    }
    Ok(Subscription { connect: connect.clone(), family: event.family, callback_id })
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // SAFETY: the connection is alive (we hold a reference). A failure means that the connection
        // is dead, in which case libvirt has dropped the registration by itself.
        unsafe {
            let connect = self.connect.as_ptr();
            match self.family {
                Family::Machine => sys::virConnectDomainEventDeregisterAny(connect, self.callback_id),
                Family::Network => sys::virConnectNetworkEventDeregisterAny(connect, self.callback_id),
                Family::StoragePool => sys::virConnectStoragePoolEventDeregisterAny(connect, self.callback_id),
                Family::HostDevice => sys::virConnectNodeDeviceEventDeregisterAny(connect, self.callback_id),
            };
        }
    }
}

/// Passes a hint on; a panic ends here.
fn deliver(opaque: *mut c_void, subject: impl FnOnce() -> EventSubject) {
    let _ = catch_unwind(AssertUnwindSafe(|| sink::deliver(opaque as usize, subject())));
}

/// A hint about a machine.
///
/// # Safety
/// `domain` must be a valid domain for the duration of the call.
unsafe fn machine(
    domain: sys::virDomainPtr,
    leaving: Option<GoneCause>,
    text: String,
    incident: impl FnOnce(Uuid) -> Option<Box<Incident>>,
) -> EventSubject {
    // SAFETY: promised by the caller.
    let uuid = unsafe { bulk::uuid(domain) };
    EventSubject::Machine { uuid, leaving, incident: incident(uuid), text }
}

/// Writes a machine event's callback: its extra arguments, then the words of the hint, and what happened
/// to the machine of a UUID where reading it again would not show that.
macro_rules! machine_callback {
    ($name:ident ( $($argument:ident : $kind:ty),* ) $text:expr) => {
        machine_callback!($name($($argument: $kind),*) $text, |_| None);
    };
    ($name:ident ( $($argument:ident : $kind:ty),* ) $text:expr, $incident:expr) => {
        unsafe extern "C" fn $name(_: sys::virConnectPtr, domain: sys::virDomainPtr $(, $argument: $kind)*, opaque: *mut c_void) {
            // SAFETY: libvirt lends the domain and the strings for the duration of the callback.
            deliver(opaque, || unsafe { machine(domain, None, $text, $incident) });
        }
    };
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: libvirt lends the domain for the duration of the callback.
    deliver(opaque, || unsafe {
        machine(domain, words::leaving(event, detail), words::lifecycle(event, detail), |uuid| {
            incidents::lifecycle(uuid, event, detail)
        })
    });
    0
}

machine_callback!(on_reboot() "reboot".to_owned(), |uuid| Some(incidents::of_machine(uuid, IncidentKind::Rebooted)));
machine_callback!(on_rtc_change(offset: c_longlong) format!("rtc_change offset {offset} s"));
machine_callback!(on_watchdog(action: c_int) format!("watchdog action {}", words::watchdog(action)),
    |uuid| Some(incidents::of_machine(uuid, IncidentKind::WatchdogFired(words::watchdog(action).into_owned()))));
machine_callback!(on_io_error(source: *const c_char, alias: *const c_char, action: c_int, reason: *const c_char)
format!(
    "io_error_reason {} {} {} {}",
    typed::text(alias),
    words::io_error(action),
    typed::text(reason),
    typed::text(source)
), |uuid| {
    let disk = DiskName { alias: &typed::text(alias), path: &typed::text(source), ..DiskName::default() };
    Some(incidents::io_error(uuid, disk, action, &typed::text(reason)))
});
machine_callback!(on_graphics(
    phase: c_int,
    _local: *const sys::virDomainEventGraphicsAddress,
    remote: *const sys::virDomainEventGraphicsAddress,
    scheme: *const c_char,
    _subject: *const sys::virDomainEventGraphicsSubject
) format!("graphics {} from {} auth {}", words::graphics(phase), address(remote), typed::text(scheme)));
machine_callback!(on_control_error() "control_error".to_owned(),
    |uuid| Some(incidents::of_machine(uuid, IncidentKind::ControlBroken)));
machine_callback!(on_disk_change(old: *const c_char, new: *const c_char, alias: *const c_char, reason: c_int)
    format!("disk_change {} {} to {} reason {reason}", typed::text(alias), typed::text(old), typed::text(new)));
machine_callback!(on_tray_change(alias: *const c_char, reason: c_int)
    format!("tray_change {} {}", typed::text(alias), if reason == 0 { "open" } else { "close" }));
machine_callback!(on_pm_wakeup(_reason: c_int) "pm_wakeup".to_owned());
machine_callback!(on_pm_suspend(_reason: c_int) "pm_suspend".to_owned());
machine_callback!(on_balloon_change(actual: c_ulonglong) format!("balloon_change {actual} KiB"));
machine_callback!(on_pm_suspend_disk(_reason: c_int) "pm_suspend_disk".to_owned());
machine_callback!(on_device_removed(alias: *const c_char) format!("device_removed {}", typed::text(alias)),
    |uuid| Some(incidents::of_machine(uuid, IncidentKind::DeviceRemoved(typed::text(alias).into_owned()))));
machine_callback!(on_block_job(disk: *const c_char, kind: c_int, status: c_int)
    format!("block_job_2 {} {} {}", typed::text(disk), words::block_job(kind), words::block_job_status(status)),
    |uuid| Some(incidents::block_job(uuid, &typed::text(disk), kind, status)));
machine_callback!(on_tunable(parameters: sys::virTypedParameterPtr, count: c_int)
    format!("tunable {}", names(Parameters::new(parameters, count))));
machine_callback!(on_agent_lifecycle(state: c_int, reason: c_int)
format!("agent_lifecycle {}", if state == AGENT_CONNECTED { "connected" } else { "disconnected" }),
|uuid| {
    let kind = IncidentKind::AgentConnected(state == AGENT_CONNECTED);
    Some(incidents::of_machine_with(uuid, kind, [("reason", words::agent_reason(reason).into_owned())]))
});
machine_callback!(on_device_added(alias: *const c_char) format!("device_added {}", typed::text(alias)));
machine_callback!(on_migration_iteration(iteration: c_int) format!("migration_iteration {iteration}"),
    |uuid| Some(incidents::of_machine(uuid, IncidentKind::MigrationIteration(u32::try_from(iteration).unwrap_or(0)))));
machine_callback!(on_job_completed(parameters: sys::virTypedParameterPtr, count: c_int) "job_completed".to_owned(),
    |uuid| Some(incidents::job_completed(uuid, job_result(Parameters::new(parameters, count)))));
machine_callback!(on_device_removal_failed(alias: *const c_char)
    format!("device_removal_failed {}", typed::text(alias)),
    |uuid| Some(incidents::of_machine(uuid, IncidentKind::DeviceRemovalFailed(typed::text(alias).into_owned()))));
machine_callback!(on_metadata_change(kind: c_int, uri: *const c_char)
    format!("metadata_change {} {}", words::metadata(kind), typed::text(uri)));
machine_callback!(on_block_threshold(
    device: *const c_char,
    path: *const c_char,
    threshold: c_ulonglong,
    excess: c_ulonglong
) format!("block_threshold {} {} threshold {threshold} excess {excess}", typed::text(device), typed::text(path)),
    |uuid| {
        let disk = DiskName { target: &typed::text(device), path: &typed::text(path), ..DiskName::default() };
        Some(incidents::of_disk(uuid, disk, IncidentKind::BlockThreshold { threshold, excess }))
    });
machine_callback!(on_memory_failure(recipient: c_int, action: c_int, flags: c_uint)
    format!("memory_failure {} {} flags {flags}", words::memory_recipient(recipient), words::memory_action(action)),
    |uuid| Some(incidents::memory_failure(uuid, recipient, action, flags)));
machine_callback!(on_memory_device_size(alias: *const c_char, size: c_ulonglong)
    format!("memory_device_size_change {} {size} KiB", typed::text(alias)));
machine_callback!(on_nic_mac_change(alias: *const c_char, old: *const c_char, new: *const c_char)
    format!("nic_mac_change {} {} to {}", typed::text(alias), typed::text(old), typed::text(new)));

/// What the parameters of a finished job say of its end.
fn job_result(parameters: Parameters<'_>) -> JobResult {
    let mut result = JobResult::default();
    for (name, value) in parameters {
        match (name.as_ref(), value) {
            ("operation", Value::Signed(number)) => result.operation = i32::try_from(number).ok(),
            ("success", Value::Boolean(success)) => result.success = Some(success),
            ("errmsg", Value::Text(message)) => result.message = message.into_owned(),
            _ => {}
        }
    }
    result
}

/// The parameters' names, sorted as they come.
fn names(parameters: Parameters<'_>) -> String {
    parameters.map(|(name, _)| name.into_owned()).collect::<Vec<_>>().join(" ")
}

/// Node and service of a display client.
///
/// # Safety
/// `address` must be NULL or valid for the duration of the call.
unsafe fn address(address: *const sys::virDomainEventGraphicsAddress) -> String {
    if address.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { format!("{}:{}", typed::text((*address).node), typed::text((*address).service)) }
}

unsafe extern "C" fn on_network(
    _: sys::virConnectPtr,
    network: sys::virNetworkPtr,
    _event: c_int,
    _detail: c_int,
    opaque: *mut c_void,
) {
    deliver(opaque, || {
        // SAFETY: libvirt lends the network for the duration of the callback.
        EventSubject::Network(unsafe { typed::text(sys::virNetworkGetName(network)) }.into_owned())
    });
}

unsafe extern "C" fn on_pool(
    connect: sys::virConnectPtr,
    pool: sys::virStoragePoolPtr,
    _event: c_int,
    _detail: c_int,
    opaque: *mut c_void,
) {
    let _ = connect;
    deliver(opaque, || {
        // SAFETY: libvirt lends the pool for the duration of the callback.
        EventSubject::StoragePool(unsafe { typed::text(sys::virStoragePoolGetName(pool)) }.into_owned())
    });
}

unsafe extern "C" fn on_pool_refresh(_: sys::virConnectPtr, pool: sys::virStoragePoolPtr, opaque: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: libvirt lends the pool for the duration of the callback.
        sink::pool_refreshed(opaque as usize, &unsafe { typed::text(sys::virStoragePoolGetName(pool)) });
    }));
    deliver(opaque, || {
        // SAFETY: libvirt lends the pool for the duration of the callback.
        EventSubject::StoragePool(unsafe { typed::text(sys::virStoragePoolGetName(pool)) }.into_owned())
    });
}

unsafe extern "C" fn on_device(
    connect: sys::virConnectPtr,
    device: sys::virNodeDevicePtr,
    _event: c_int,
    _detail: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: the same arguments, valid for the duration of this callback.
    unsafe { on_device_update(connect, device, opaque) };
}

unsafe extern "C" fn on_device_update(_: sys::virConnectPtr, device: sys::virNodeDevicePtr, opaque: *mut c_void) {
    deliver(opaque, || {
        // SAFETY: libvirt lends the device for the duration of the callback.
        EventSubject::HostDevice(unsafe { typed::text(sys::virNodeDeviceGetName(device)) }.into_owned())
    });
}

/// Writes one row of the table: family, number, name, callback.
macro_rules! event {
    ($family:ident, $id:expr, $name:literal, $callback:ident) => {
        Event {
            family: Family::$family,
            id: $id as c_int,
            name: $name,
            // SAFETY: only erases the type; `subscribe` hands it to libvirt under the number whose
            // signature it has, and nobody else can call it.
            callback: Callback(unsafe { transmute::<*const (), unsafe extern "C" fn()>($callback as *const ()) }),
        }
    };
}

/// Every event we subscribe to. IO_ERROR (4) and BLOCK_JOB (8) are left out: 6 and 16 say the same and more.
#[expect(clippy::cast_possible_wrap, reason = "libvirt's event numbers are below 100")]
pub fn all() -> [Event; 31] {
    [
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE, "lifecycle", on_lifecycle),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_REBOOT, "reboot", on_reboot),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_RTC_CHANGE, "rtc_change", on_rtc_change),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_WATCHDOG, "watchdog", on_watchdog),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, "io_error_reason", on_io_error),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_GRAPHICS, "graphics", on_graphics),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, "control_error", on_control_error),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_DISK_CHANGE, "disk_change", on_disk_change),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, "tray_change", on_tray_change),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_PMWAKEUP, "pm_wakeup", on_pm_wakeup),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_PMSUSPEND, "pm_suspend", on_pm_suspend),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, "balloon_change", on_balloon_change),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_PMSUSPEND_DISK, "pm_suspend_disk", on_pm_suspend_disk),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, "device_removed", on_device_removed),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, "block_job_2", on_block_job),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_TUNABLE, "tunable", on_tunable),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, "agent_lifecycle", on_agent_lifecycle),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, "device_added", on_device_added),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, "migration_iteration", on_migration_iteration),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, "job_completed", on_job_completed),
        event!(
            Machine,
            sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
            "device_removal_failed",
            on_device_removal_failed
        ),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, "metadata_change", on_metadata_change),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, "block_threshold", on_block_threshold),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, "memory_failure", on_memory_failure),
        event!(
            Machine,
            sys::VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
            "memory_device_size",
            on_memory_device_size
        ),
        event!(Machine, sys::VIR_DOMAIN_EVENT_ID_NIC_MAC_CHANGE, "nic_mac_change", on_nic_mac_change),
        event!(Network, sys::VIR_NETWORK_EVENT_ID_LIFECYCLE, "network_lifecycle", on_network),
        event!(StoragePool, sys::VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, "pool_lifecycle", on_pool),
        event!(StoragePool, sys::VIR_STORAGE_POOL_EVENT_ID_REFRESH, "pool_refresh", on_pool_refresh),
        event!(HostDevice, sys::VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, "device_lifecycle", on_device),
        event!(HostDevice, sys::VIR_NODE_DEVICE_EVENT_ID_UPDATE, "device_update", on_device_update),
    ]
}
