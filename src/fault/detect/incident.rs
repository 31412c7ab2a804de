//! Conditions that an incident shows: what happened and left no state to read.

use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Finding, Sign};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::relation::Topology;
use crate::model::{HostId, Name};

/// What an incident at a host says.
pub fn signs(host: &HostId, incident: &Incident, world: &dyn Topology) -> Vec<Sign> {
    let object = place(host, &incident.subject);
    let label =
        world.object(&crate::fault::place::owner(&object)).map_or(object.to_string(), |known| known.display_name());
    let found = |alarm_type: AlarmType, text: String| {
        let mut finding = Finding::new(alarm_type, &object, text);
        finding.attributes.clone_from(&incident.details);
        Sign::Present(Box::new(finding))
    };
    match &incident.kind {
        IncidentKind::GuestPanicked => {
            vec![found(AlarmType::VmGuestPanicked, format!("the guest of {label} panicked"))]
        }
        IncidentKind::WatchdogFired(action) => {
            vec![found(AlarmType::VmWatchdogFired, format!("the watchdog of {label} fired (action {action})"))]
        }
        _ => Vec::new(),
    }
}

/// Name of what an incident happened to.
fn place(host: &HostId, subject: &IncidentSubject) -> Name {
    let part = |parent: Name, collection: &str, id: &str| {
        Name::new(format!("{parent}/{collection}/{}", crate::model::name::encode(id)))
    };
    match subject {
        IncidentSubject::Machine(uuid) => Name::virtual_machine(*uuid),
        IncidentSubject::MachineDisk { uuid, target } if target.is_empty() => Name::virtual_machine(*uuid),
        IncidentSubject::MachineDisk { uuid, target } => part(Name::virtual_machine(*uuid), "disks", target),
        IncidentSubject::Host => Name::host(host),
        IncidentSubject::HostFilesystem(mount) => part(Name::host(host), "filesystems", mount),
        IncidentSubject::HostDisk(disk) => part(Name::host(host), "disks", disk),
        IncidentSubject::HostNic(nic) => part(Name::host(host), "nics", nic),
        IncidentSubject::StoragePool(pool) => Name::storage_pool(host, pool),
        IncidentSubject::Network(network) => Name::network(host, network),
    }
}
