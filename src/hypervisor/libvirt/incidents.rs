//! What libvirt's events say that reading the machine again would not show, as incidents. Pure.
//!
//! An incident leaves here without a time, and one of a disk that libvirt calls by alias and path without
//! the disk's target: the sink adds both.

use super::words;
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// libvirt's number of the life-cycle event *crashed*, whose details are panicked and crashloaded.
const CRASHED: i32 = 8;

/// Ways libvirt names a disk in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskName<'a> {
    /// Target device, e.g. `vda`, or with the index of an image below it, `vda[3]`.
    pub target: &'a str,
    /// Device alias, e.g. `virtio-disk0`, `ua-data`.
    pub alias: &'a str,
    /// Path of the image.
    pub path: &'a str,
}

/// An incident of a machine.
pub fn of_machine(uuid: Uuid, kind: IncidentKind) -> Box<Incident> {
    let subject = IncidentSubject::Machine(uuid);
    Box::new(Incident { time: Timestamp::default(), subject, kind, details: BTreeMap::new() })
}

/// An incident of a machine with details; empty ones are left out.
pub fn of_machine_with<'a>(
    uuid: Uuid,
    kind: IncidentKind,
    details: impl IntoIterator<Item = (&'a str, String)>,
) -> Box<Incident> {
    let mut incident = of_machine(uuid, kind);
    let told = details.into_iter().filter(|(_, value)| !value.is_empty());
    incident.details = told.map(|(name, value)| (name.to_owned(), value)).collect();
    incident
}

/// An incident of one of a machine's disks.
pub fn of_disk(uuid: Uuid, disk: DiskName<'_>, kind: IncidentKind) -> Box<Incident> {
    let own = [("device", disk.target), ("alias", disk.alias), ("path", disk.path)];
    let mut incident = of_machine_with(uuid, kind, own.map(|(name, value)| (name, value.to_owned())));
    let target = disk.target.split('[').next().unwrap_or_default().to_owned();
    incident.subject = IncidentSubject::MachineDisk { uuid, target };
    incident
}

/// A life-cycle event: only the guest's panic leaves nothing to read, where the machine is started anew.
pub fn lifecycle(uuid: Uuid, event: i32, detail: i32) -> Option<Box<Incident>> {
    let word = if detail == 0 { "panicked" } else { "crashloaded" };
    (event == CRASHED).then(|| of_machine_with(uuid, IncidentKind::GuestPanicked, [("detail", word.to_owned())]))
}

/// An error of a disk (`io_error_reason`).
pub fn io_error(uuid: Uuid, disk: DiskName<'_>, action: i32, reason: &str) -> Box<Incident> {
    let kind = IncidentKind::IoError { action: words::io_error(action).into_owned(), reason: reason.to_owned() };
    of_disk(uuid, disk, kind)
}

/// A block job that ended or became ready; `disk` is its target.
pub fn block_job(uuid: Uuid, disk: &str, job: i32, status: i32) -> Box<Incident> {
    let (job, status) = (words::block_job(job).into_owned(), words::block_job_status(status).into_owned());
    // An older server gives the path in place of the target.
    let disk = match disk.starts_with('/') {
        true => DiskName { path: disk, ..DiskName::default() },
        false => DiskName { target: disk, ..DiskName::default() },
    };
    of_disk(uuid, disk, IncidentKind::BlockJobEnded { job, status })
}

/// What `job_completed` says of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobResult {
    /// `virDomainJobOperation`.
    pub operation: Option<i32>,
    /// Nothing if libvirt does not say (before 6.0): then it succeeded.
    pub success: Option<bool>,
    /// Why it failed.
    pub message: String,
}

/// A migration, save, dump or backup that ended.
pub fn job_completed(uuid: Uuid, result: JobResult) -> Box<Incident> {
    let operation = result.operation.map(|number| words::job_operation(number).into_owned()).unwrap_or_default();
    let kind = IncidentKind::JobEnded { failed: result.success == Some(false) };
    of_machine_with(uuid, kind, [("operation", operation), ("message", result.message)])
}

/// Memory of the machine failed (`memory_failure`); flag 1: the guest asked for it, 2: it met it again.
pub fn memory_failure(uuid: Uuid, recipient: i32, action: i32, flags: u32) -> Box<Incident> {
    let kind = IncidentKind::MemoryFailure {
        recipient: words::memory_recipient(recipient).into_owned(),
        action: words::memory_action(action).into_owned(),
    };
    let yes = |bit| if flags & bit == 0 { String::new() } else { "yes".to_owned() };
    of_machine_with(uuid, kind, [("action_required", yes(1)), ("recursive", yes(2))])
}

#[cfg(test)]
mod tests {
    use super::*;

    const VM: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_disk_keeps_what_libvirt_calls_it() {
        let named = DiskName { alias: "ua-data", path: "/srv/data.qcow2", ..DiskName::default() };
        let incident = io_error(VM, named, 1, "enospc");
        assert_eq!(incident.subject, IncidentSubject::MachineDisk { uuid: VM, target: String::new() });
        assert_eq!(incident.kind, IncidentKind::IoError { action: "pause".into(), reason: "enospc".into() });
        assert_eq!(incident.details["alias"], "ua-data");
        assert_eq!(incident.details["path"], "/srv/data.qcow2");
        let below = DiskName { target: "vdb[3]", ..DiskName::default() };
        let incident = of_disk(VM, below, IncidentKind::BlockThreshold { threshold: 5, excess: 1 });
        assert_eq!(incident.subject, IncidentSubject::MachineDisk { uuid: VM, target: "vdb".into() });
        assert_eq!(incident.details["device"], "vdb[3]");
    }

    #[test]
    fn only_a_panic_is_an_incident_of_the_life_cycle() {
        assert_eq!(lifecycle(VM, 8, 0).map(|incident| incident.kind), Some(IncidentKind::GuestPanicked));
        assert_eq!(lifecycle(VM, 8, 1).map(|incident| incident.details["detail"].clone()), Some("crashloaded".into()));
        assert_eq!(lifecycle(VM, 5, 5), None, "reading the machine shows that it failed");
        assert_eq!(lifecycle(VM, 3, 2), None);
    }

    #[test]
    fn a_job_failed_only_if_it_says_so() {
        let failed = |success| job_completed(VM, JobResult { success, ..JobResult::default() }).kind;
        assert_eq!(failed(Some(false)), IncidentKind::JobEnded { failed: true });
        assert_eq!(failed(Some(true)), IncidentKind::JobEnded { failed: false });
        assert_eq!(failed(None), IncidentKind::JobEnded { failed: false });
        let told = job_completed(VM, JobResult { operation: Some(5), ..JobResult::default() });
        assert_eq!(told.details["operation"], "migration_out");
    }

    #[test]
    fn block_jobs_name_their_disk_by_target_or_path() {
        let ended = block_job(VM, "vda", 2, 1);
        assert_eq!(ended.kind, IncidentKind::BlockJobEnded { job: "copy".into(), status: "failed".into() });
        assert_eq!(ended.subject, IncidentSubject::MachineDisk { uuid: VM, target: "vda".into() });
        assert_eq!(block_job(VM, "/a.img", 2, 1).details["path"], "/a.img");
    }
}
