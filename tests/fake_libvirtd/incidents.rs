//! What events say that reading the machine again would not show: each on the wire, each as an incident.

use super::faults::{PATIENCE, Site};
use super::server::Behaviour;
use super::xdr::Body;
use std::sync::Arc;
use vrm::hypervisor::port::{EventSubject, Link};
use vrm::model::incident::{Incident, IncidentKind, IncidentSubject};
use vrm::model::observation::Scope;

const VM: uuid::Uuid = uuid::Uuid::from_u128(1);

/// Events by libvirt's number, and the procedure that tells them (remote_protocol.x; stable).
mod told {
    pub const REBOOT: (u32, u32) = (1, 319);
    pub const WATCHDOG: (u32, u32) = (3, 321);
    pub const IO_ERROR_REASON: (u32, u32) = (6, 324);
    pub const CONTROL_ERROR: (u32, u32) = (7, 325);
    pub const DEVICE_REMOVED: (u32, u32) = (15, 333);
    pub const BLOCK_JOB_2: (u32, u32) = (16, 339);
    pub const AGENT_LIFECYCLE: (u32, u32) = (18, 348);
    pub const MIGRATION_ITERATION: (u32, u32) = (20, 359);
    pub const JOB_COMPLETED: (u32, u32) = (21, 363);
    pub const DEVICE_REMOVAL_FAILED: (u32, u32) = (22, 367);
    pub const BLOCK_THRESHOLD: (u32, u32) = (24, 385);
    pub const MEMORY_FAILURE: (u32, u32) = (25, 423);
    pub const LIFECYCLE: (u32, u32) = (0, 318);
}

/// A machine with disks `vda` and `vdb`, as read while it runs.
async fn site() -> (Site, Link) {
    let definition = format!(
        "<domain type='kvm' id='1'><name>vm00000</name><uuid>{VM}</uuid><memory>1024</memory><vcpu>1</vcpu>
         <os><type>hvm</type></os><devices>
         <disk type='file' device='disk'><source file='/srv/a.qcow2'/><target dev='vda' bus='virtio'/>
         <alias name='virtio-disk0'/></disk>
         <disk type='file' device='disk'><source file='/srv/b.qcow2'/><target dev='vdb' bus='virtio'/>
         <alias name='ua-data'/></disk></devices></domain>"
    );
    let site = Site::new(Behaviour { machines: 1, definition: Some(Arc::from(definition)), ..Behaviour::default() });
    let link = site.hypervisor.connect(PATIENCE).await.expect("connects");
    site.hypervisor.observe(Scope::Machines, PATIENCE).await.expect("reads");
    (site, link)
}

async fn next(link: &mut Link) -> Option<Incident> {
    let event = tokio::time::timeout(PATIENCE, link.events.recv()).await.expect("in time").expect("an event");
    let incident = match event.subject {
        EventSubject::Machine { uuid, incident, .. } if uuid == VM => incident,
        other => unreachable!("only this machine is told of: {other:?}"),
    };
    if let Some(incident) = &incident {
        assert_eq!(incident.time, event.seen);
    }
    incident.map(|incident| *incident)
}

fn disk(target: &str) -> IncidentSubject {
    IncidentSubject::MachineDisk { uuid: VM, target: target.into() }
}

#[tokio::test]
async fn an_io_error_names_the_disk_by_alias_or_path() {
    let (site, mut link) = site().await;
    let cases =
        [("/elsewhere", "ua-data", "vdb"), ("/srv/a.qcow2", "gone", "vda"), ("/srv/c.qcow2", "virtio-disk7", "")];
    for (path, alias, target) in cases {
        let rest = Body::default().text(path).text(alias).i32(1).text("enospc");
        site.daemon.tell(told::IO_ERROR_REASON, &rest);
        let incident = next(&mut link).await.expect("an incident");
        assert_eq!(incident.subject, disk(target));
        assert_eq!(incident.kind, IncidentKind::IoError { action: "pause".into(), reason: "enospc".into() });
        assert_eq!((incident.details["alias"].as_str(), incident.details["path"].as_str()), (alias, path));
    }
}

#[tokio::test]
async fn every_event_that_leaves_nothing_to_read_is_an_incident() {
    let (site, mut link) = site().await;
    let body = Body::default;
    let of_machine = IncidentSubject::Machine(VM);
    let job = body().u32(2).text("operation").i32(1).i32(5).text("success").i32(6).i32(0);
    let cases: [((u32, u32), Body, IncidentSubject, IncidentKind); 13] = [
        (told::REBOOT, body(), of_machine.clone(), IncidentKind::Rebooted),
        (told::WATCHDOG, body().i32(2), of_machine.clone(), IncidentKind::WatchdogFired("reset".into())),
        (told::CONTROL_ERROR, body(), of_machine.clone(), IncidentKind::ControlBroken),
        (told::DEVICE_REMOVED, body().text("net1"), of_machine.clone(), IncidentKind::DeviceRemoved("net1".into())),
        (
            told::DEVICE_REMOVAL_FAILED,
            body().text("net1"),
            of_machine.clone(),
            IncidentKind::DeviceRemovalFailed("net1".into()),
        ),
        (
            told::BLOCK_JOB_2,
            body().text("vdb").i32(4).i32(1),
            disk("vdb"),
            IncidentKind::BlockJobEnded { job: "active-commit".into(), status: "failed".into() },
        ),
        (told::AGENT_LIFECYCLE, body().i32(2).i32(2), of_machine.clone(), IncidentKind::AgentConnected(false)),
        (told::AGENT_LIFECYCLE, body().i32(1).i32(1), of_machine.clone(), IncidentKind::AgentConnected(true)),
        (told::MIGRATION_ITERATION, body().i32(9), of_machine.clone(), IncidentKind::MigrationIteration(9)),
        (told::JOB_COMPLETED, job, of_machine.clone(), IncidentKind::JobEnded { failed: true }),
        (
            told::BLOCK_THRESHOLD,
            body().text("vda[3]").some_text("/srv/a.qcow2").u64(1_000).u64(24),
            disk("vda"),
            IncidentKind::BlockThreshold { threshold: 1_000, excess: 24 },
        ),
        (
            told::MEMORY_FAILURE,
            body().i32(1).i32(2).u32(1),
            of_machine.clone(),
            IncidentKind::MemoryFailure { recipient: "guest".into(), action: "fatal".into() },
        ),
        (told::LIFECYCLE, body().i32(8).i32(0), of_machine, IncidentKind::GuestPanicked),
    ];
    for (event, rest, subject, kind) in cases {
        site.daemon.tell(event, &rest);
        let incident = next(&mut link).await.unwrap_or_else(|| panic!("no incident of {event:?}"));
        assert_eq!((incident.subject, incident.kind), (subject, kind), "{event:?}");
    }
    site.daemon.tell(told::LIFECYCLE, &body().i32(2).i32(0));
    assert_eq!(next(&mut link).await, None, "what reading shows is no incident");
}
