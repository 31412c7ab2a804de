//! One table: what a libvirt error means to the port.
//!
//! The key is (code, domain), because libvirt uses a few codes for many things: 1, 38 and 39 mean a
//! lost link only if the RPC layer says them.

use super::ffi::failure::Failure;
use crate::hypervisor::port::HypervisorError;
use rustix::io::Errno;
use virt_sys as sys;

/// Meaning of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    LinkLost,
    Unreachable,
    ServiceLost,
    Refused,
    NeedsManage,
    NotFound,
    Unsupported,
    WrongState,
    Busy,
}

/// Layers that speak about the link itself.
const LINK_DOMAINS: [u32; 2] = [sys::VIR_FROM_RPC, sys::VIR_FROM_REMOTE];

/// Codes that mean a lost link when a link domain says them.
const LINK_CODES: [u32; 3] = [sys::VIR_ERR_INTERNAL_ERROR, sys::VIR_ERR_SYSTEM_ERROR, sys::VIR_ERR_RPC];

/// Codes that mean the same whatever domain says them.
const TABLE: &[(u32, Meaning)] = &[
    (sys::VIR_ERR_NO_CONNECT, Meaning::ServiceLost),
    (sys::VIR_ERR_INVALID_CONN, Meaning::ServiceLost),
    (sys::VIR_ERR_UNKNOWN_HOST, Meaning::Unreachable),
    (sys::VIR_ERR_GNUTLS_ERROR, Meaning::Unreachable),
    (sys::VIR_ERR_SSH, Meaning::Unreachable),
    (sys::VIR_ERR_LIBSSH, Meaning::Unreachable),
    (sys::VIR_ERR_AUTH_FAILED, Meaning::Refused),
    (sys::VIR_ERR_AUTH_CANCELLED, Meaning::Refused),
    (sys::VIR_ERR_AUTH_UNAVAILABLE, Meaning::Refused),
    (sys::VIR_ERR_ACCESS_DENIED, Meaning::NeedsManage),
    (sys::VIR_ERR_OPERATION_DENIED, Meaning::NeedsManage),
    (sys::VIR_ERR_NO_DOMAIN, Meaning::NotFound),
    (sys::VIR_ERR_NO_NETWORK, Meaning::NotFound),
    (sys::VIR_ERR_NO_STORAGE_POOL, Meaning::NotFound),
    (sys::VIR_ERR_NO_STORAGE_VOL, Meaning::NotFound),
    (sys::VIR_ERR_NO_DOMAIN_SNAPSHOT, Meaning::NotFound),
    (sys::VIR_ERR_NO_DOMAIN_CHECKPOINT, Meaning::NotFound),
    (sys::VIR_ERR_NO_NODE_DEVICE, Meaning::NotFound),
    (sys::VIR_ERR_NO_SECRET, Meaning::NotFound),
    (sys::VIR_ERR_NO_DOMAIN_METADATA, Meaning::NotFound),
    (sys::VIR_ERR_DEVICE_MISSING, Meaning::NotFound),
    (sys::VIR_ERR_NO_SUPPORT, Meaning::Unsupported),
    (sys::VIR_ERR_ARGUMENT_UNSUPPORTED, Meaning::Unsupported),
    (sys::VIR_ERR_OPERATION_UNSUPPORTED, Meaning::Unsupported),
    (sys::VIR_ERR_CONFIG_UNSUPPORTED, Meaning::Unsupported),
    (sys::VIR_ERR_OPERATION_INVALID, Meaning::WrongState),
    (sys::VIR_ERR_SNAPSHOT_REVERT_RISKY, Meaning::WrongState),
    (sys::VIR_ERR_BLOCK_COPY_ACTIVE, Meaning::WrongState),
    (sys::VIR_ERR_MIGRATE_UNSAFE, Meaning::WrongState),
    (sys::VIR_ERR_AGENT_UNRESPONSIVE, Meaning::WrongState),
    (sys::VIR_ERR_AGENT_UNSYNCED, Meaning::WrongState),
    (sys::VIR_ERR_OPERATION_TIMEOUT, Meaning::Busy),
    (sys::VIR_ERR_RESOURCE_BUSY, Meaning::Busy),
];

/// Where an error arose; the same numbers mean different things there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// While a connection was being opened: every system error is about reaching the host.
    Open,
    /// In a call over an open connection.
    Call,
}

/// What a failed libvirt call means to the port.
pub fn from_libvirt(failure: &Failure, phase: Phase) -> HypervisorError {
    let message = failure.message.clone();
    if is_unreadable_payload(failure) {
        return HypervisorError::Malformed { what: "a libvirt message".into(), reason: message };
    }
    match meaning(failure, phase) {
        Some(Meaning::LinkLost) => lost_link(failure),
        Some(Meaning::Unreachable) => HypervisorError::Unreachable(message),
        Some(Meaning::ServiceLost) => HypervisorError::ServiceLost(message),
        Some(Meaning::Refused) => HypervisorError::Refused(message),
        // A refusal while opening is about our credential, later it is about the read-only connection.
        Some(Meaning::NeedsManage) if phase == Phase::Open => HypervisorError::Refused(message),
        Some(Meaning::NeedsManage) => HypervisorError::NeedsManage(message),
        Some(Meaning::NotFound) => HypervisorError::NotFound(message),
        Some(Meaning::Unsupported) => HypervisorError::Unsupported(message),
        Some(Meaning::WrongState) => HypervisorError::WrongState(message),
        Some(Meaning::Busy) => HypervisorError::Busy(message),
        None => HypervisorError::Other { code: failure.code, domain: failure.domain, message },
    }
}

/// A list or text beyond libvirt's protocol limits: the call fails, the connection stays.
fn is_unreadable_payload(failure: &Failure) -> bool {
    let about = ["code message payload", "message header"].iter().any(|words| failure.message.contains(words));
    u32::try_from(failure.code) == Ok(sys::VIR_ERR_RPC) && about
}

fn meaning(failure: &Failure, phase: Phase) -> Option<Meaning> {
    let code = u32::try_from(failure.code).ok()?;
    let from_link = u32::try_from(failure.domain).is_ok_and(|domain| LINK_DOMAINS.contains(&domain));
    let about_link = from_link || (phase == Phase::Open && code == sys::VIR_ERR_SYSTEM_ERROR);
    if about_link && LINK_CODES.contains(&code) {
        return Some(Meaning::LinkLost);
    }
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// Tells a machine that does not answer from one whose service does not.
///
/// libvirt is never localised here (nobody calls `setlocale`), so its words can be read where the
/// error number is missing.
fn lost_link(failure: &Failure) -> HypervisorError {
    let message = failure.message.clone();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let is = |known: &[Errno]| known.iter().any(|number| number.raw_os_error() == failure.errno);
    if is(&[Errno::ACCESS, Errno::PERM])
        || says(&["Permission denied", "authentication failed", "Host key verification failed"])
    {
        return HypervisorError::Refused(message);
    }
    let words = ["Connection refused", "No such file or directory", "End of file", "Broken pipe", "Connection reset"];
    if is(&[Errno::CONNREFUSED, Errno::NOENT, Errno::CONNRESET, Errno::PIPE]) || says(&words) {
        return HypervisorError::ServiceLost(message);
    }
    HypervisorError::Unreachable(message)
}

#[cfg(test)]
mod tests;
